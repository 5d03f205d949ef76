"""Medians of a frame in the square cells of a grid laid over the canvas."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lostlight.science.mosaic.stats import Cells

MEDIAN_VARIANCE = 1.57
"""Variance of a median of n samples: this over n, times theirs."""
_ROUGH = 3
"""Slopes between cells are told well enough by every so manieth pixel."""

Float = NDArray[np.float64]


class Grid(NamedTuple):
    """The pixels of a frame sorted into cells of the canvas.

    ``index``, ``count`` (n,): number of each cell and pixels in it; ``u``, ``v`` (n,): their mean place, canvas px;
    ``order``: the pixels, flat, cell by cell; ``first`` (n,): where each cell begins in it; ``side_px``, ``across``:
    side of a cell and cells in a row.
    """

    index: NDArray[np.int64]
    count: NDArray[np.int64]
    u: Float
    v: Float
    order: NDArray[np.int64]
    first: NDArray[np.int64]
    side_px: int
    across: int


def sort_into_cells(
    use: NDArray[np.bool_], x: NDArray, y: NDArray, cell_px: int, width_px: int, min_count: float
) -> Grid:
    """Sort pixels into the cells they lie in.

    Parameters
    ----------
    use : ndarray, shape (ny, nx), bool
        Pixels that count: valid in all channels, and no star.
    x, y : ndarray, shape (ny, nx), canvas px
        Where each pixel lies; those that lie nowhere (NaN) or left, right or above of the canvas do not count.
    cell_px, width_px : int
        Side of a cell and columns of the canvas, canvas px.
    min_count : float
        Cells with fewer pixels are left out.
    """
    across = -(-width_px // cell_px)
    inside = use & (x >= -0.5) & (x < width_px - 0.5) & (y >= -0.5)
    taken = np.flatnonzero(inside)
    x, y = np.ascontiguousarray(x).ravel(), np.ascontiguousarray(y).ravel()
    of = _numbers(taken, x, y, cell_px, across)
    low, high = (int(of.min()), int(of.max())) if len(of) else (0, -1)
    index, count, u, v, order, first = _counting_sort(taken, of, low, high - low + 1, x, y)
    keep = count >= max(min_count, 1)
    return Grid(index[keep], count[keep], u[keep], v[keep], order, first[keep], cell_px, across)


def cell_medians(data: NDArray[np.float32], grid: Grid, x: NDArray, y: NDArray, sigma: Float) -> Cells:
    """Take the median of every channel in every cell, as it would be with a full cell.

    Medians are taken twice, the second time about the plane through those of the neighbouring cells of the same frame:
    stars and borders leave each frame another part of a cell, and where the sky is steep, as on a nebula, its level
    would differ for this reason alone.

    Parameters
    ----------
    data : ndarray, shape (C, ny, nx), float32, adu
        Pixels.
    grid : Grid
    x, y : ndarray, shape (ny, nx), canvas px
        Where each pixel lies.
    sigma : ndarray, shape (C,), adu
        Noise of a pixel.

    Returns
    -------
    Cells
        Levels in the middles of the cells.
    """
    if not len(grid.index):
        return Cells.none(len(data))
    row, column = np.divmod(grid.index, grid.across)
    middle = (column + 0.5) * grid.side_px - 0.5, (row + 0.5) * grid.side_px - 0.5
    places = np.ascontiguousarray(x).ravel(), np.ascontiguousarray(y).ravel()
    value = np.empty((len(row), len(data)), np.float32)
    for channel, plane in enumerate(data):
        pixels = plane.ravel(), grid.order, grid.first, grid.count, *places, *middle
        rough = _medians(*pixels, *np.zeros((2, len(row))), _ROUGH)
        value[:, channel] = _medians(*pixels, *_slopes(rough, grid, grid.u, grid.v), 1)
    variance = (MEDIAN_VARIANCE * sigma**2 / grid.count[:, None]).astype(np.float32)
    return Cells(grid.index, *middle, value, variance, grid.count)


def pooled(cells: Cells, parts: int, grid: Grid, min_count: float) -> Cells:
    """Join the cells of a fine grid into cells of `parts` times their side.

    The median of pixels is no linear function of them: on a curved nebula it depends on the noise beside the
    brightness, and so on the gain. In small cells there is hardly a curve, and the mean of their medians is linear.

    Parameters
    ----------
    cells : Cells
        Of the fine grid.
    parts : int
        Cells of the fine grid along a side of the coarse one.
    grid : Grid
        The fine grid; `across` is a multiple of `parts`.
    min_count : float
        Cells with fewer pixels are left out.
    """
    row, column = np.divmod(cells.index, grid.across)
    index, of = np.unique(row // parts * (grid.across // parts) + column // parts, return_inverse=True)
    count = np.bincount(of, cells.count, len(index))
    mean = [np.bincount(of, cells.count * values, len(index)) / count for values in (cells.u, cells.v, *cells.value.T)]
    keep = count >= min_count
    u, v, *value = (values[keep] for values in mean)
    row, column = np.divmod(index[keep], grid.across // parts)
    side = parts * grid.side_px
    x, y = (column + 0.5) * side - 0.5, (row + 0.5) * side - 0.5
    coarse = grid._replace(index=index[keep], side_px=side, across=grid.across // parts)
    for channel, level in enumerate(value):
        along_x, along_y = _slopes(level, coarse, u, v)
        value[channel] = level + along_x * (x - u) + along_y * (y - v)
    one = np.stack([np.bincount(of, cells.count**2 * values, len(index)) for values in cells.variance.T], axis=1)
    variance = one[keep] / count[keep, None] ** 2
    return Cells(index[keep], x, y, np.stack(value, axis=1).astype(np.float32), variance.astype(np.float32),
                 count[keep].astype(np.int64))  # fmt: skip


def _slopes(level: Float, grid: Grid, u: Float, v: Float) -> Float:
    """Slopes along x and y at each cell, shape (2, n), from its neighbours or one of them; 0 without any."""
    column = grid.index % grid.across
    found = np.empty((2, len(level)))
    for axis, (place, step, may) in enumerate(((u, 1, (column > 0, column < grid.across - 1)), (v, grid.across, None))):
        before, after = (_neighbour(grid.index, sign * step, may and may[sign > 0]) for sign in (-1, 1))
        run = place[after] - place[before]
        found[axis] = (level[after] - level[before]) / np.where(run > 0, run, np.inf)
    return found


def _neighbour(index: NDArray[np.int64], step: int, may: NDArray[np.bool_] | None) -> NDArray[np.intp]:
    """Give the row of the cell this far on, or that of the cell itself where there is none."""
    found = np.searchsorted(index, index + step).clip(max=len(index) - 1)
    there = index[found] == index + step
    return np.where(there if may is None else there & may, found, np.arange(len(index)))


@njit(cache=True, nogil=True)
def _numbers(taken, x, y, cell_px, across):  # type: ignore[no-untyped-def]
    of = np.empty(len(taken), np.int64)
    for i in range(len(taken)):
        column, row = int((x[taken[i]] + 0.5) / cell_px), int((y[taken[i]] + 0.5) / cell_px)
        of[i] = row * across + min(column, across - 1)
    return of


@njit(cache=True, nogil=True)
def _counting_sort(taken, of, low, n, x, y):  # type: ignore[no-untyped-def]
    """Sort pixels by cell without comparing any: count, then place."""
    count, u, v = np.zeros(n, np.int64), np.zeros(n), np.zeros(n)
    for i in range(len(taken)):
        k = of[i] - low
        count[k] += 1
        u[k] += x[taken[i]]
        v[k] += y[taken[i]]
    first = np.zeros(n + 1, np.int64)
    first[1:] = np.cumsum(count)
    place, order = first[:-1].copy(), np.empty(len(taken), np.int64)
    for i in range(len(taken)):
        k = of[i] - low
        order[place[k]] = taken[i]
        place[k] += 1
    held = np.flatnonzero(count)
    return held + low, count[held], u[held] / count[held], v[held] / count[held], order, first[held]


@njit(cache=True, nogil=True)
def _medians(plane, order, first, count, x, y, u, v, along_x, along_y, step):  # type: ignore[no-untyped-def]
    """Median in each cell of every so manieth pixel less a plane that is zero at (u, v)."""
    found, values = np.empty(len(first)), np.empty(0 if not len(count) else count.max(), np.float32)
    for k in range(len(first)):
        n = 1 + (count[k] - 1) // step
        for i in range(n):
            pixel = order[first[k] + i * step]
            values[i] = plane[pixel] - along_x[k] * (x[pixel] - u[k]) - along_y[k] * (y[pixel] - v[k])
        found[k] = _grouped_median(values[:n])
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
