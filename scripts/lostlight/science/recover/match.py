"""Which candidate is which planted source: near it at both ends of its arc and in the middle, and not by chance."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Matches:
    """What became of each of n planted sources.

    Parameters
    ----------
    candidate : ndarray, (n,), int64
        Number of its candidate, -1 for none.
    offset_px : ndarray, (n,), float64
        Largest of the three distances; NaN without a candidate.
    chance : ndarray, (n,), float64
        Probability that a candidate as good lies so near by chance; NaN without a candidate.
    """

    candidate: IntArray
    offset_px: FloatArray
    chance: FloatArray


def match(
    planted: FloatArray,
    candidates: FloatArray,
    likelihood: ArrayLike,
    radius_px: ArrayLike,
    false_per_px4: ArrayLike = 0.0,
    max_chance: float = 1e-3,
) -> Matches:
    """Match candidates to planted sources, one to one, the best candidate first.

    Parameters
    ----------
    planted : ndarray, (n, 3, 2), float64
        Places x, y of each source on the first, the middle and the last image that shows it, pixels.
    candidates : ndarray, (m, 3, 2) or (n, m, 3, 2), float64
        Where the paths of the candidates are at the same times: the same for all sources, or for each its own.
    likelihood : array_like, (m,)
        Of the candidates, in sigma.
    radius_px : array_like, (m,) or scalar
        Largest distance: two FWHM, or three sigma of the position if that is more.
    false_per_px4 : array_like, (m,) or scalar
        Density of false candidates at least as good, per pixel^2 of places at the first and pixel^2 at the last image.
    max_chance : float
        A match that chance makes more often than this does not count.
    """
    n, m = len(planted), len(np.asarray(likelihood))
    none = Matches(np.full(n, -1, np.int64), np.full(n, np.nan), np.full(n, np.nan))
    if not n or not m:
        return none
    radius = np.broadcast_to(np.asarray(radius_px, float), m)
    density = np.broadcast_to(np.asarray(false_per_px4, float), m)
    chance = by_chance(density, radius)
    order = np.argsort(-np.asarray(likelihood, float), kind="stable")
    for j, near in _near(planted, candidates, radius, order[chance[order] <= max_chance]):
        free = [(far, i) for i, far in near if none.candidate[i] < 0]
        if free:
            far, i = min(free)
            none.candidate[i], none.offset_px[i], none.chance[i] = j, far, chance[j]
    return none


def by_chance(false_per_px4: ArrayLike, radius_px: ArrayLike) -> FloatArray:
    """Probability that a false candidate lies within a radius of a source, at the first image and at the last."""
    area = np.pi * np.square(np.asarray(radius_px, float))
    return -np.expm1(-np.asarray(false_per_px4, float) * area**2)


def _near(planted: FloatArray, candidates: FloatArray, radius: FloatArray, order: IntArray):
    """Give each candidate with the sources near it at all three times, and the largest of the three distances."""
    tree = cKDTree(planted[:, 1]) if candidates.ndim == 3 else None
    everyone = np.arange(len(planted))
    for j in order:
        if tree is None:
            which, paths = everyone, candidates[:, j]
        else:
            which = np.array(sorted(tree.query_ball_point(candidates[j, 1], radius[j])), dtype=np.int64)
            paths = candidates[j]
        far = np.hypot(*np.moveaxis(planted[which] - paths, -1, 0)).max(axis=-1)
        inside = far <= radius[j]
        yield int(j), list(zip(which[inside].tolist(), far[inside].tolist(), strict=True))


def false_density(likelihood: ArrayLike, false_likelihoods: ArrayLike, n_px: float, end_area_px2: float) -> FloatArray:
    """Estimate how dense false candidates at least as good lie, from searches that can find nothing real.

    Parameters
    ----------
    likelihood : array_like, (m,)
        Of the candidates.
    false_likelihoods : array_like, (k,)
        Of all candidates of the null searches together; half a candidate more is assumed than were seen.
    n_px : float
        Pixels that paths start from, times the number of null searches.
    end_area_px2 : float
        Area over which the paths from one pixel spread until the last image.

    Returns
    -------
    ndarray, (m,), float64
        Per pixel^2 at the first and pixel^2 at the last image.
    """
    false = np.sort(np.asarray(false_likelihoods, float))
    n_as_good = len(false) - np.searchsorted(false, np.asarray(likelihood, float)) + 0.5
    return n_as_good / (n_px * max(end_area_px2, 1.0))
