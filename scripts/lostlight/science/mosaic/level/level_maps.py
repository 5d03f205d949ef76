"""Coarse maps of the canvas before and after the frames are levelled, from the cells that their levels are told by."""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_closing, distance_transform_edt

from lostlight.science.mosaic.coadd import Level
from lostlight.science.mosaic.frame.levels import FINE_PX
from lostlight.science.mosaic.level.stats import FrameStats
from lostlight.science.mosaic.level.surface import N_TERMS, basis

Floats = NDArray[np.float32]
HOLE_CELLS = 3
"""Holes are filled this far from a cell with a value."""


def level_maps(
    stats: Iterable[FrameStats], levels: Mapping[str, Level], canvas_shape: tuple[int, int]
) -> tuple[Floats, Floats]:
    """Average the frames in every cell, as they came and levelled.

    Parameters
    ----------
    stats : iterable of FrameStats
    levels : mapping of str to Level
        By the id of the frame; frames without one are left out.
    canvas_shape : (int, int)
        Rows and columns.

    Returns
    -------
    before, after : ndarray, shape (C, rows, columns), float32
        One pixel for each cell of 15 pixels; NaN away from frames.
    """
    rows, columns = (-(-side // FINE_PX) for side in canvas_shape)
    n_channels = len(next(iter(levels.values())).gain)
    sums = np.zeros((2, n_channels, rows * columns))
    counts = np.zeros((n_channels, rows * columns))
    for each in stats:
        if each.id in levels:
            for c, pair in enumerate(np.stack(_cells(each, levels[each.id])).T):
                at, both = _whole(each.fine.index, pair, columns)
                sums[:, c, at] += both.T
                counts[c, at] += 1
    with np.errstate(invalid="ignore"):
        maps = (sums / counts).reshape(2, n_channels, rows, columns).astype(np.float32)
    return _filled(maps[0]), _filled(maps[1])


def _whole(index: NDArray[np.int64], pair: Floats, columns: int) -> tuple[NDArray[np.int64], Floats]:
    """Close the holes that stars leave in the cells of a frame; else another mixture of frames would show as a spot."""
    known = np.isfinite(pair).all(axis=1)
    if not known.any():
        return index[:0], pair[:0]
    row, column = np.divmod(index[known], columns)
    top, left = row.min(), column.min()
    own = np.full((np.ptp(row) + 1, np.ptp(column) + 1, 2), np.nan)
    own[row - top, column - left] = pair[known]
    is_known = np.isfinite(own[..., 0])
    _, nearest = distance_transform_edt(~is_known, return_indices=True)
    inner = (slice(2 * HOLE_CELLS, -2 * HOLE_CELLS),) * 2
    closed = binary_closing(np.pad(is_known, 2 * HOLE_CELLS), np.ones((3, 3)), iterations=HOLE_CELLS)[inner]
    row, column = np.nonzero(closed | is_known)
    return (row + top) * columns + column + left, own[*nearest[:, row, column]]


def _filled(planes: Floats) -> Floats:
    """Give cells that are full of stars the value of the nearest one that is not, so that the eye is not led astray."""
    filled = planes.copy()
    for plane, out in zip(planes, filled, strict=True):
        away, (row, column) = distance_transform_edt(~np.isfinite(plane), return_indices=True)
        near = (away > 0) & (away <= HOLE_CELLS)
        out[near] = plane[row[near], column[near]]
    return filled


def _cells(stats: FrameStats, level: Level) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    cells, order = stats.fine, _order(level)
    before = cells.value.astype(np.float64)
    surface = basis(cells.u, cells.v, level.centre, level.half_px, order) @ level.sky.T
    return before, before * level.gain - surface


def _order(level: Level) -> int:
    return next(order for order, terms in N_TERMS.items() if terms == level.sky.shape[1])
