"""What each image says of paths: their light curves."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int32]


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
