"""Pixels sharper than any star: cosmic rays, hot and dead pixels, which resampling would turn into rings.

A pixel is compared with its four neighbours (the Laplacian), and what it stands out by with the fine structure around
it: a star fills its neighbours, a cosmic ray does not (after van Dokkum 2001, PASP 113, 1420, without subsampling).
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.warp.bands import Changes, Floats, Places, Rows, changed

REACH = 3
"""Pixels around one that are looked at."""
PASSES = 2
"""The first takes the peaks of larger ones, the second what stood in their shade."""
_LEAST_CONTRAST = 4.0
_OFFSETS = np.arange(-REACH, REACH + 1)


def without_spikes(
    rows: Rows, shape: tuple[int, int], sigma: NDArray[np.float64], fwhm_px: float, limit: float
) -> Rows:
    """Give rows of a frame with its spikes made invalid.

    Parameters
    ----------
    rows : callable
        ``rows(y0, y1)`` gives (C, y1 - y0, nx) float32, NaN where invalid.
    shape : (int, int)
        Rows and columns of the frame.
    sigma : ndarray, shape (C,), float64
        Noise of a pixel.
    fwhm_px : float
        Width of its stars; NaN where there are none.
    limit : float
        Spikes stand out by so many sigma.

    Returns
    -------
    callable
        As `rows`; the same pixels are invalid whatever rows are asked for.
    """
    contrast = contrast_of(fwhm_px)

    def find(data: Floats) -> Iterator[Changes]:
        for plane, noise in zip(data, sigma, strict=True):
            y, x = _places(find_spikes(plane, float(noise), contrast, limit))
            yield (y, x), np.full(len(y), np.nan, np.float32)

    return changed(rows, shape[0], PASSES * REACH, find)


def find_spikes(plane: Floats, sigma: float, contrast: float, limit: float) -> NDArray[np.bool_]:
    """Find the spikes of a plane.

    Parameters
    ----------
    plane : ndarray, shape (ny, nx), float32
        NaN where invalid.
    sigma : float
        Noise of a pixel away from stars.
    contrast : float
        How much more a spike stands out than the structure around it.
    limit : float
        Least height in sigma.

    Returns
    -------
    ndarray, shape (ny, nx), bool
    """
    found = np.zeros(plane.shape, bool)
    work = np.pad(plane, REACH, constant_values=np.nan)
    inner = work[REACH:-REACH, REACH:-REACH]
    may = np.ones(plane.shape, bool)
    for _ in range(PASSES):
        y, x = _places((np.abs(_laplacian(work)) > limit * sigma) & may)
        squares = (y + REACH)[:, None, None] + _OFFSETS[:, None], (x + REACH)[:, None, None] + _OFFSETS
        is_spike, level = _judge(work[squares], sigma, contrast, limit)
        if not is_spike.any():
            break
        found[y[is_spike], x[is_spike]] = True
        inner[y[is_spike], x[is_spike]] = level[is_spike]
        # Elsewhere nothing has changed.
        near = np.zeros(work.shape, bool)
        near[squares[0][is_spike], squares[1][is_spike]] = True
        may = near[REACH:-REACH, REACH:-REACH]
    return found


def contrast_of(fwhm_px: float) -> float:
    """Give twice the contrast that the sharpest star has: one that is centred on a pixel."""
    if not np.isfinite(fwhm_px):
        return _LEAST_CONTRAST
    neighbour = math.exp(-4 * math.log(2) / fwhm_px**2)
    return max(_LEAST_CONTRAST, 2 * (1 - neighbour) / neighbour)


def _laplacian(work: Floats) -> Floats:
    """Give how far each pixel is from the mean of its neighbours, those that are valid; 0 where it is not."""
    r = REACH
    ny, nx = work.shape
    centre = work[r:-r, r:-r]
    beside = (work[r - 1 : ny - r - 1, r:-r], work[r + 1 : ny - r + 1, r:-r],
              work[r:-r, r - 1 : nx - r - 1], work[r:-r, r + 1 : nx - r + 1])  # fmt: skip
    stands_out = centre - 0.25 * (beside[0] + beside[1] + beside[2] + beside[3])
    at = _places(~np.isfinite(stands_out))
    around = np.stack([each[at] for each in beside])
    counts = np.isfinite(around).sum(axis=0)
    mean = np.where(np.isfinite(around), around, 0).sum(axis=0) / np.maximum(counts, 1).astype(np.float32)
    stands_out[at] = np.where(counts > 0, np.nan_to_num(centre[at] - mean), 0)
    return stands_out


def _judge(around: Floats, sigma: float, contrast: float, limit: float) -> tuple[NDArray[np.bool_], Floats]:
    """Judge pixels by their surroundings, shape (n, 7, 7); gives whether they are spikes, and the level around."""
    if not len(around):
        return np.zeros(0, bool), np.zeros(0, np.float32)
    r, flat = REACH, around.reshape(len(around), -1)
    level = _medians(flat)
    scatter = 1.4826 * _medians(np.abs(flat - level[:, None]))
    fine = _medians(around[:, r - 1 : r + 2, r - 1 : r + 2].reshape(len(around), -1)) - level
    beside = np.nanmean(around[:, [r - 1, r + 1, r, r], [r, r, r - 1, r + 1]], axis=1)
    height, over = around[:, r, r] - beside, around[:, r, r] - level
    least = limit * np.maximum(scatter, sigma)
    is_above = (height > least) & (over > least) & (height > contrast * np.maximum(fine, 0))
    is_below = (height < -least) & (over < -least)
    return is_above | is_below, level.astype(np.float32)


def _medians(rows: Floats) -> Floats:
    """Take the median of what is valid in each row, in which something is: sorting puts the rest behind."""
    ordered, n = np.sort(rows, axis=1), np.isfinite(rows).sum(axis=1)
    lines = np.arange(len(rows))
    return np.asarray(np.float32(0.5) * (ordered[lines, (n - 1) // 2] + ordered[lines, n // 2]))


def _places(marks: NDArray[np.bool_]) -> Places:
    """Do as `numpy.nonzero`, which takes ten times as long where there are few."""
    return np.unravel_index(np.flatnonzero(marks), marks.shape)
