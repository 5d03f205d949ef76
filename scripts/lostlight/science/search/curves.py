"""What each image says of paths: their light curves."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]
Bools = NDArray[np.bool_]


def along(planes: Floats, x: NDArray[np.integer], y: NDArray[np.integer]) -> Floats:
    """Read planes of images along paths; zero beyond their edges.

    Parameters
    ----------
    planes : float32, shape (T, H, W)
    x, y : integer, shape (n, T, ...)
        Pixels of each path on each image.

    Returns
    -------
    float32, the shape of `x`
    """
    n_epochs, height, width = planes.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    result = np.zeros(x.shape, np.float32)
    # Image after image, so that a memory map is read in order.
    for t in range(n_epochs):
        here = inside[:, t]
        result[:, t][here] = planes[t][y[:, t][here], x[:, t][here]]
    return result


def likelihood(psi: Floats, phi: Floats, keep: NDArray[np.bool_] | None = None) -> Doubles:
    """Sum light curves to a signal to noise; zero where nothing is left.

    Parameters
    ----------
    psi, phi : float32, shape (n, T)
    keep : bool, shape (n, T), optional
        Images that count.

    Returns
    -------
    float64, shape (n,)
    """
    evidence, weight = (
        np.sum(each, axis=1, dtype=np.float64, where=True if keep is None else keep) for each in (psi, phi)
    )
    return np.divide(evidence, np.sqrt(weight), out=np.zeros(len(psi)), where=weight > 0)


@dataclass(frozen=True, eq=False)
class Curves:
    """Light curves of n paths on T images, and which images count.

    Parameters
    ----------
    psi, phi : float32, shape (n, T)
    capped : float32, shape (n, T)
        Psi, of which no image contributes more than noise does; see `lostlight.science.search.cap`.
    evened : float32, shape (n, T)
        Psi, of which no image is much brighter than the others of its path.
    keep : bool, shape (n, T)
        Images that go with the others.
    """

    psi: Floats
    phi: Floats
    capped: Floats
    evened: Floats
    keep: Bools

    def take(self, which: NDArray[np.generic]) -> "Curves":
        """Give those of an index or a mask."""
        return Curves(*(each[which] for each in vars(self).values()))

    def joined(self, others: "Curves") -> "Curves":
        """Put others after these."""
        both = zip(vars(self).values(), vars(others).values(), strict=True)
        return Curves(*(np.concatenate(each) for each in both))

    def likelihood(self, left: Bools | bool = True) -> Doubles:
        """Give the likelihood that a path must have, (n,): of images that go together, none of them alone."""
        return likelihood(self.capped, self.phi, self.keep & left)

    def rank(self, left: Bools | bool = True) -> Doubles:
        """Give what paths are compared by, (n,): how bright they are counts, and what images do not show."""
        return likelihood(self.evened, self.phi, (self.phi > 0) & left)
