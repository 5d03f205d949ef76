"""What one image may contribute to a search: no more than noise ever does, so that few images cannot make a path.

A bright source, one that moves or a leftover of a star, lends its light to every path that crosses it once or twice;
of the paths through one pixel such a path would hide the faint source that is there on all images. Light curves are
judged by what the images really show; the search for paths alone sees it capped (Huber 1964, Ann. Math. Stat. 35, 73).
"""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.search.sigma_g import percentile

Floats = NDArray[np.float32]

BEYOND = 3.0
"""Sigma above the middle of its light curve that an image of a path counts in full."""
LEAK = 0.1
"""What an image shows beyond the cap, counts by its logarithm, and by this part of it: as good as nothing, yet of two
paths that a bright source is on, the one along its middle is the better one."""
LEAST = 4.0
"""Sigma on one image that noise hardly ever passes: once in 15,000 pixels."""


def cap_for(threshold: float, n_epochs: int, min_epochs: int) -> float:
    """Give the most that one image may contribute, in sigma: so much that the fewest images that are enough suffice.

    Parameters
    ----------
    threshold : float
        Least likelihood of a path.
    n_epochs, min_epochs : int
        Images, and how many of them a path must have.
    """
    return max(LEAST, threshold * float(np.sqrt(n_epochs)) / max(min_epochs, 1))


def capped(psi: Floats, phi: Floats, cap: float) -> Floats:
    """Bring what pixels of an image contribute to about `cap` sigma at most; all float32 of one shape."""
    if np.isinf(cap):
        return psi
    most = np.float32(cap) * np.sqrt(phi)
    times = np.divide(abs(psi), most, out=np.ones_like(psi), where=abs(psi) > most)
    return np.clip(psi, -most, most) * (1 + np.float32(LEAK) * np.log(times))


def evened(psi: Floats, phi: Floats) -> Floats:
    """Cut what is far above the middle of a light curve: float32 of shape (n, T), zero where phi is."""
    seen = phi > 0
    flux = np.divide(psi, phi, out=np.zeros_like(psi), where=seen)
    middle = percentile(flux, seen, 50.0)[:, None]
    return np.where(seen, np.minimum(psi, phi * middle + BEYOND * np.sqrt(phi)), 0).astype(np.float32)
