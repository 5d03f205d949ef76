"""One candidate for each source: paths that run together, or that live off the light of a better one, join it."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lostlight.science.search.curves import likelihood

Doubles = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


def together(x: Doubles, y: Doubles, radius_px: float) -> Ints:
    """Join each path to the best one that it stays close to at both ends of the arc.

    Parameters
    ----------
    x, y : float64, shape (n, 2)
        First and last position, best path first.
    radius_px : float
        Paths no further apart than this at either end are one.

    Returns
    -------
    int64, shape (n,)
        Number of the path it joined; its own where it leads.
    """
    leader = np.full(len(x), -1)
    if not len(x):
        return leader
    ends = np.concatenate([x, y], axis=1)
    tree = cKDTree(ends)
    for i in range(len(x)):
        if leader[i] < 0:
            near = np.array(tree.query_ball_point(ends[i], np.sqrt(2) * radius_px * (1 + 1e-12)))
            off = np.hypot(x[near] - x[i], y[near] - y[i]).max(axis=1)
            near = near[(off <= radius_px) & (leader[near] < 0)]
            leader[near] = i
    return leader


def independent(
    x: Doubles,
    y: Doubles,
    psi: NDArray[np.float32],
    phi: NDArray[np.float32],
    keep: Bools,
    threshold: float,
    min_epochs: int,
    radius_px: float,
) -> tuple[Ints, Bools]:
    """Join paths to a better one where they are nothing without the images on which both are in one place.

    A bright source makes many poor paths good that meet it on a few images only. The best path takes all images it is
    on; of the others, that which is best on the images left to it comes next.

    Parameters
    ----------
    x, y : float64, shape (n, T)
        Positions on each image, best path first.
    psi, phi : float32, shape (n, T)
    keep : bool, shape (n, T)
        Images that count.
    threshold : float
        Likelihood that a path must still have.
    min_epochs : int
        And images.
    radius_px : float
        Paths are in one place where they are no further apart.

    Returns
    -------
    leader : int64, shape (n,)
        Number of the path it joined; its own where it stands.
    free : bool, shape (n, T)
        Images that count and were left to it.
    """
    leader = np.full(len(x), -1)
    free, rest = keep.copy(), likelihood(psi, phi, keep)
    left = np.arange(len(x))
    while left.size:
        best = left[np.argmax(rest[left])]
        leader[best] = best
        left = left[left != best]
        near = np.hypot(x[left] - x[best], y[left] - y[best]) <= radius_px
        touched = (near & free[left]).any(axis=1)
        which = left[touched]
        free[which] &= ~near[touched]
        rest[which] = likelihood(psi[which], phi[which], free[which])
        gone = which[(rest[which] < threshold) | (free[which].sum(axis=1) < min_epochs)]
        leader[gone] = best
        left = left[leader[left] < 0]
    return leader, free
