"""What one image may contribute to a search: no more than noise ever does, so that few images cannot make a path.

A bright source, one that moves or a leftover of a star, lends its light to every path that crosses it once or twice;
of the paths through one pixel such a path would hide the faint source that is there on all images. Light curves are
judged by what the images really show; the search for paths alone sees it capped (Huber 1964, Ann. Math. Stat. 35, 73).
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

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
    """Bring what pixels of an image contribute between -`cap` and `cap` sigma; all float32 of one shape."""
    most = np.float32(cap) * np.sqrt(phi)
    return np.clip(psi, -most, most)
