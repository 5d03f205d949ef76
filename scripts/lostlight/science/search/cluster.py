"""One candidate for each source: paths that run together, or that live off the light of a better one, join it."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lostlight.science.search.curves import Curves

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
    curves: Curves,
    threshold: float,
    min_epochs: int,
    radius_px: float,
) -> tuple[Ints, Bools]:
    """Join paths to a better one where they are nothing without the images on which both are in one place.

    A bright source makes many poor paths good that meet it on a few images only, and two sources those that go from one
    to the other. The best path takes all images it is on; of the others, that which is best on the images left to it
    comes next. Bright ones are not capped here, or paths from a bright source to a faint one would be
    better than that along the faint one.

    Parameters
    ----------
    x, y : float64, shape (n, T)
        Positions on each image.
    curves : Curves
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
    taken : bool, shape (n, T)
        Images on which a better path is in the same place.
    """
    leader = np.full(len(x), -1)
    taken, rank = np.zeros(x.shape, bool), curves.rank()
    left = np.arange(len(x))
    while left.size:
        best = left[np.argmax(rank[left])]
        leader[best] = best
        left = left[left != best]
        near = np.hypot(x[left] - x[best], y[left] - y[best]) <= radius_px
        touched = near.any(axis=1)
        which = left[touched]
        taken[which] |= near[touched]
        free, rest = ~taken[which], curves.take(which)
        rank[which] = rest.rank(free)
        gone = which[(rest.likelihood(free) < threshold) | ((rest.keep & free).sum(axis=1) < min_epochs)]
        leader[gone] = best
        left = left[leader[left] < 0]
    return leader, taken
