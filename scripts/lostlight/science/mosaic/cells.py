"""Medians of a frame in the square cells of a grid laid over the canvas."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lostlight.science.mosaic.stats import Cells

MEDIAN_VARIANCE = 1.57
"""Variance of a median of n samples: this over n, times theirs."""


def cell_medians(
    data: NDArray[np.float32],
    use: NDArray[np.bool_],
    number: NDArray[np.int64],
    x_canvas: NDArray,
    y_canvas: NDArray,
    sigma: NDArray[np.float64],
    min_count: float,
) -> Cells:
    """Take the median of every channel in every cell.

    Parameters
    ----------
    data : ndarray, shape (C, ny, nx), float32, adu
        Pixels.
    use : ndarray, shape (ny, nx), bool
        Pixels that count: valid in all channels, and no star.
    number : ndarray, shape (ny, nx), int64
        Cell that each pixel lies in; negative for none.
    x_canvas, y_canvas : ndarray, shape (ny, nx), canvas px
        Where each pixel lies.
    sigma : ndarray, shape (C,), adu
        Noise of a pixel.
    min_count : float
        Cells with fewer pixels are left out.

    Returns
    -------
    Cells
    """
    cells, count, u, v, order, first = _sorted_by_cell(use, number, x_canvas, y_canvas)
    keep = count >= max(min_count, 1)
    if not keep.any():
        return Cells.none(len(data))
    value = np.stack([_medians(plane.ravel(), order, first, count)[keep] for plane in data], axis=1)
    variance = MEDIAN_VARIANCE * sigma**2 / count[keep, None]
    return Cells(
        cells[keep], u[keep], v[keep], value.astype(np.float32), variance.astype(np.float32), count[keep]
    )  # fmt: skip


def cell_numbers(x: NDArray, y: NDArray, cell_px: int, width_px: int) -> NDArray[np.int64]:
    """Number the cell that each place of the canvas lies in, along its rows; -1 for places outside of it."""
    outside = ~((x >= -0.5) & (x < width_px - 0.5) & (y >= -0.5))
    column, row = (np.where(outside, 0, (values + 0.5) / cell_px).astype(np.int64) for values in (x, y))
    number = row * -(-width_px // cell_px) + column
    number[outside] = -1
    return number


def _sorted_by_cell(use: NDArray, number: NDArray, x: NDArray, y: NDArray):  # type: ignore[no-untyped-def]
    taken = np.flatnonzero(use & (number >= 0))
    of = number.ravel()[taken]
    if not len(of):
        empty = np.empty(0, np.int64)
        return empty, empty, np.empty(0), np.empty(0), empty, empty
    low = int(of.min())
    return _counting_sort(taken, of - low, int(of.max()) - low + 1, low, x.ravel(), y.ravel())


@njit(cache=True, nogil=True)
def _counting_sort(taken, of, n, low, x, y):  # type: ignore[no-untyped-def]
    """Sort pixels by cell without comparing any: count, then place."""
    count, u, v = np.zeros(n, np.int64), np.zeros(n), np.zeros(n)
    for i in range(len(taken)):
        count[of[i]] += 1
        u[of[i]] += x[taken[i]]
        v[of[i]] += y[taken[i]]
    first = np.zeros(n + 1, np.int64)
    first[1:] = np.cumsum(count)
    place, order = first[:-1].copy(), np.empty(len(taken), np.int64)
    for i in range(len(taken)):
        order[place[of[i]]] = taken[i]
        place[of[i]] += 1
    held = np.flatnonzero(count)
    return held + low, count[held], u[held] / count[held], v[held] / count[held], order, first[held]


@njit(cache=True, nogil=True)
def _medians(plane, order, first, count):  # type: ignore[no-untyped-def]
    found = np.empty(len(first))
    for k in range(len(first)):
        found[k] = _grouped_median(plane[order[first[k] : first[k] + count[k]]])
    return found


@njit(cache=True, nogil=True)
def _grouped_median(values):  # type: ignore[no-untyped-def]
    """Give the median; equal values, as whole counts are, are taken to be spread evenly over the gap between them."""
    middle = np.median(values)
    below, equal, low, high = 0, 0, -np.inf, np.inf
    for value in values:
        if value < middle:
            below += 1
            low = max(low, value)
        elif value == middle:
            equal += 1
        else:
            high = min(high, value)
    gap = min(middle - low, high - middle)
    if equal < 2 or not np.isfinite(gap):
        return float(middle)
    return middle + gap * ((len(values) / 2 - below) / equal - 0.5)
