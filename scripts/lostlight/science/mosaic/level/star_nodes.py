"""The same star in several frames: fluxes that tell how the frames' scales compare."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from lostlight.science.mosaic.level.stats import FrameStats

FLOOR = 0.005
"""Error of a magnitude beyond the noise: flat field, sampling, colours; in ln of the flux."""


@dataclass(frozen=True)
class Ties:
    """Observations of things seen by several frames.

    Attributes
    ----------
    image, node : ndarray, shape (m,), int64
        Frame and thing of each observation.
    y, weight : ndarray, shape (m, C), float64
        What was seen, and its inverse variance; weight 0 where a channel has nothing.
    """

    image: NDArray[np.int64]
    node: NDArray[np.int64]
    y: NDArray[np.float64]
    weight: NDArray[np.float64]

    @property
    def n_nodes(self) -> int:
        """One more than the highest node."""
        return int(self.node.max()) + 1 if len(self.node) else 0

    @classmethod
    def none(cls, n_channels: int) -> "Ties":
        """Give no observation at all."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, n_channels)), np.empty((0, n_channels)))

    def only(self, kept: NDArray[np.bool_]) -> "Ties":
        """Keep some of the observations; shape (m,)."""
        return Ties(self.image[kept], self.node[kept], self.y[kept], self.weight[kept])

    def with_more(self, other: "Ties") -> "Ties":
        """Put the observations of other things behind these."""
        return Ties(
            np.concatenate([self.image, other.image]),
            np.concatenate([self.node, other.node + self.n_nodes]),
            np.concatenate([self.y, other.y]),
            np.concatenate([self.weight, other.weight]),
        )


def star_ties(stats: Sequence[FrameStats], match_px: float) -> Ties:
    """Find the stars that at least two frames saw.

    Stars of different frames are one where they lie within about `match_px` of each other, directly or through
    others; where a frame has two stars in such a group it is not told which is which, and the group is left out.

    Parameters
    ----------
    stats : sequence of FrameStats
        All frames.
    match_px : float
        Canvas pixels.

    Returns
    -------
    Ties
        y is the natural logarithm of the flux.
    """
    n_channels = stats[0].n_channels
    image = np.concatenate([np.full(len(s.stars.x), k, np.int64) for k, s in enumerate(stats)])
    xy = np.concatenate([np.stack([s.stars.x, s.stars.y], axis=1) for s in stats]).astype(np.float64)
    flux = np.concatenate([s.stars.flux for s in stats]).astype(np.float64).reshape(-1, n_channels)
    error = np.concatenate([s.stars.error for s in stats]).astype(np.float64).reshape(-1, n_channels)
    with np.errstate(invalid="ignore", divide="ignore"):
        good = np.isfinite(flux) & np.isfinite(error) & (flux > 0) & (error >= 0)
        y = np.where(good, np.log(np.where(good, flux, 1)), 0.0)
        weight = np.where(good, 1 / ((error / np.where(good, flux, 1)) ** 2 + FLOOR**2), 0.0)
    usable = good.any(1) & np.isfinite(xy).all(1)
    image, xy, y, weight = image[usable], xy[usable], y[usable], weight[usable]
    if not len(image):
        return Ties.none(n_channels)
    group = _groups(xy, match_px)
    kept = _seen_by_several_once(image, group)
    _, node = np.unique(group[kept], return_inverse=True)
    return Ties(image[kept], node.astype(np.int64), y[kept], weight[kept])


def _groups(xy: NDArray[np.float64], match_px: float) -> NDArray[np.int64]:
    """Number the groups of positions; those in one small square are joined first, as a star of many frames is."""
    _, square = np.unique(np.floor(xy / match_px), axis=0, return_inverse=True)
    square = square.ravel()
    number = np.bincount(square)
    middle = np.stack([np.bincount(square, xy[:, k]) / number for k in (0, 1)], axis=1)
    pairs, n = cKDTree(middle).query_pairs(match_px, output_type="ndarray"), len(middle)
    joined = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), (n, n))
    return connected_components(joined, directed=False)[1].astype(np.int64)[square]


def _seen_by_several_once(image: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.bool_]:
    both, times = np.unique(np.stack([group, image], axis=1), axis=0, return_counts=True)
    ambiguous = np.zeros(group.max() + 1, bool)
    ambiguous[both[times > 1, 0]] = True
    several = np.bincount(group) > 1
    return several[group] & ~ambiguous[group]
