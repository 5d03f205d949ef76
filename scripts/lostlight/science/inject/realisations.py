"""Sources shared out among copies of the images, so that none comes near another and few pixels are touched."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
TOUCHED_FWHM = 1.3
"""Half width in FWHM of what a source is taken to touch: about where it falls to 1 % of its peak."""


def share_out(
    x: Floats, y: Floats, fwhm_px: Floats, trail_px: Floats, area_px: float, separation_fwhm: float, coverage: float
) -> NDArray[np.int32]:
    """Give each source the first copy of the images in which it keeps its distance and there is room for it.

    Parameters
    ----------
    x, y : (n, T) float64
        Positions on each image; NaN where it has none.
    fwhm_px : (T,) float64
    trail_px : (n, T) float64
    area_px : float
        Pixels of an image.
    separation_fwhm : float
        Least distance of two sources on every image.
    coverage : float
        Largest fraction of an image that they touch; one source is let in always.

    Returns
    -------
    (n,) int32
        Number of the copy, from 0.
    """
    n = len(x)
    touched = _touched(fwhm_px, trail_px) / area_px
    neighbours = _lists(near_pairs(x, y, separation_fwhm * fwhm_px), n)
    copy, filled = np.zeros(n, np.int32), [0.0]
    for i in range(n):
        taken = {int(copy[j]) for j in neighbours[i]}
        r = 0
        while r in taken or (filled[r] > 0 and filled[r] + touched[i] > coverage):
            r += 1
            if r == len(filled):
                filled.append(0.0)
        copy[i] = r
        filled[r] += touched[i]
    return copy


def near_pairs(x: Floats, y: Floats, radius_px: Floats) -> NDArray[np.int64]:
    """Find all pairs of sources that come nearer than a radius on any image: (m, 2), the smaller index first."""
    found = [np.zeros((0, 2), np.int64)]
    for t, radius in enumerate(radius_px):
        seen = np.flatnonzero(np.isfinite(x[:, t]) & np.isfinite(y[:, t]))
        if radius > 0 and seen.size > 1:
            tree = cKDTree(np.stack([x[seen, t], y[seen, t]], axis=1))
            found.append(seen[tree.query_pairs(radius, output_type="ndarray").reshape(-1, 2)])
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def _lists(pairs: NDArray[np.int64], n: int) -> list[list[int]]:
    """For each source those before it that it must not be with."""
    before: list[list[int]] = [[] for _ in range(n)]
    for first, second in pairs.tolist():
        before[second].append(first)
    return before


def _touched(fwhm_px: Floats, trail_px: Floats) -> Floats:
    half = TOUCHED_FWHM * fwhm_px
    area = np.pi * half**2 + 2 * half * np.nan_to_num(trail_px)
    return np.max(area, axis=1, initial=0)
