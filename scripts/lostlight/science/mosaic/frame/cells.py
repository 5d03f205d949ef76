"""Medians of a frame in the square cells of a grid laid over the canvas."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lostlight.science.calibrate.statistics import thinned
from lostlight.science.mosaic.level.stats import Cells

MEDIAN_VARIANCE = 1.57
"""Variance of a median of n samples: this over n, times theirs."""
_ROUGH = 3
"""Slopes between cells are told well enough by every so manieth pixel."""
_CURVED = 0.5
"""Part of itself by which the slope of the sky may change within a cell."""
_GOLDEN = (5**0.5 - 1) / 2

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
    places = np.ascontiguousarray(x).ravel(), np.ascontiguousarray(y).ravel()
    about = places + _middles(grid)
    step = _step(data)
    value, variance = (np.empty((len(grid.index), len(data)), np.float32) for _ in range(2))
    for channel, plane in enumerate(data):
        pixels = plane.ravel(), grid.order, grid.first, grid.count, *about, step
        own = MEDIAN_VARIANCE * sigma[channel] ** 2 / grid.count
        rough = _medians(*pixels, *np.zeros((2, len(own))), _ROUGH)
        slopes, doubt = _slopes(rough, _ROUGH * own, grid)
        value[:, channel] = _medians(*pixels, *slopes, 1)
        variance[:, channel] = own + doubt
    return Cells(grid.index, *_middles(grid), value, variance, grid.count)


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
    coarse = grid._replace(
        index=index[keep], count=count[keep].astype(np.int64), u=u, v=v,
        side_px=parts * grid.side_px, across=grid.across // parts,
    )  # fmt: skip
    x, y = _middles(coarse)
    variance = [np.bincount(of, cells.count**2 * one, len(index))[keep] / count[keep] ** 2 for one in cells.variance.T]
    for channel, level in enumerate(value):
        (along_x, along_y), doubt = _slopes(level, variance[channel], coarse)
        value[channel] = level + along_x * (x - u) + along_y * (y - v)
        variance[channel] = variance[channel] + doubt
    columns = (np.stack(values, axis=1).astype(np.float32) for values in (value, variance))
    return Cells(coarse.index, x, y, *columns, coarse.count)


def _middles(grid: Grid) -> tuple[Float, Float]:
    row, column = np.divmod(grid.index, grid.across)
    return (column + 0.5) * grid.side_px - 0.5, (row + 0.5) * grid.side_px - 0.5


def _step(data: NDArray[np.float32]) -> float:
    """Tell whether pixels are whole counts: 1 if so, else 0."""
    some = thinned(data)
    some = some[np.isfinite(some)]
    return float(np.array_equal(some, np.rint(some)))


def _slopes(level: Float, variance: Float, grid: Grid) -> tuple[Float, Float]:
    """Slopes along x and y, shape (2, n), at each cell, from its neighbours or one of them; 0 without any.

    Also the variance (n,) of what they add on the way from the mean place of the pixels to the middle of the cell.
    """
    column = grid.index % grid.across
    found, doubt = np.empty((2, len(level))), np.zeros(len(level))
    sides = (column > 0, column < grid.across - 1), (True, True)
    for axis, (place, step) in enumerate(((grid.u, 1), (grid.v, grid.across))):
        before, after = (_neighbour(grid.index, way * step, may) for way, may in zip((-1, 1), sides[axis], strict=True))
        run = place[after] - place[before]
        run = np.where(run > 0, run, np.inf)
        found[axis] = (level[after] - level[before]) / run
        way = _middles(grid)[axis] - place
        doubt += (variance[after] + variance[before]) * (way / run) ** 2 + (_CURVED * found[axis] * way) ** 2
    return found, doubt


def _neighbour(index: NDArray[np.int64], step: int, may: NDArray[np.bool_] | bool) -> NDArray[np.intp]:
    """Give the row of the cell this far on, or that of the cell itself where there is none."""
    found = np.searchsorted(index, index + step).clip(max=len(index) - 1)
    there = index[found] == index + step
    return np.where(there & may, found, np.arange(len(index)))


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
def _medians(plane, order, first, count, x, y, u, v, whole, along_x, along_y, step):  # type: ignore[no-untyped-def]
    """Median in each cell of every so manieth pixel less a plane that is zero at (u, v).

    Whole counts are spread evenly over the count they stand for, or medians would be whole as well.
    """
    found, values = np.empty(len(first)), np.empty(0 if not len(count) else count.max(), np.float32)
    for k in range(len(first)):
        n = 1 + (count[k] - 1) // step
        for i in range(n):
            pixel = order[first[k] + i * step]
            spread = whole * ((pixel * _GOLDEN) % 1.0 - 0.5)
            values[i] = plane[pixel] + spread - along_x[k] * (x[pixel] - u[k]) - along_y[k] * (y[pixel] - v[k])
        found[k] = np.median(values[:n])
    return found
