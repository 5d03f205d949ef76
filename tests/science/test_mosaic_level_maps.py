"""Coarse maps of the levels, before and after."""

import numpy as np
import pytest

from lostlight.science.mosaic.coadd import Level
from lostlight.science.mosaic.frame.levels import FINE_PX
from lostlight.science.mosaic.level.level_maps import level_maps
from lostlight.science.mosaic.level.stats import Cells, FrameStats, Stars

ROWS, COLUMNS = 17, 23


def frame(name, level, stars=()):
    """Give a frame that has one value, less the cells that its stars fill; it ends before the last two columns."""
    row, column = np.indices((ROWS, COLUMNS)).reshape(2, -1)
    kept = (column < COLUMNS - 2) & ~np.isin(np.arange(row.size), [y * COLUMNS + x for y, x in stars])
    row, column = row[kept], column[kept]
    value = np.full((row.size, 1), level, np.float32)
    u, v = (column + 0.5) * FINE_PX, (row + 0.5) * FINE_PX
    cells = Cells(row * COLUMNS + column, u, v, value, np.ones_like(value), np.full(row.size, 225))
    none = np.zeros(0)
    stars = Stars(none, none, none.reshape(0, 1), none.reshape(0, 1))
    return FrameStats(name, stars, cells, cells, np.ones(1))


def level(offset):
    return Level(np.ones(1), np.array([[offset]]), np.zeros(2), 100.0)


@pytest.mark.parametrize(
    "stars", [[(8, 9)], [(0, 3)], [(5, 5), (5, 6), (6, 5), (6, 6), (6, 7)], [(y, 4) for y in range(17)]]
)
def test_stars_of_one_frame_are_no_spots_where_another_frame_has_another_level(stars):
    stats = [frame("a", 100.0), frame("b", 300.0, stars)]
    before, after = level_maps(stats, {"a": level(0.0), "b": level(200.0)}, (ROWS * FINE_PX, COLUMNS * FINE_PX))
    assert before.shape == after.shape == (1, ROWS, COLUMNS)
    assert (before[0, :, :-2] == 200).all() and (after[0, :, :-2] == 100).all()


def test_frames_without_a_level_are_left_out_and_what_is_far_from_frames_is_unknown():
    stats = [frame("a", 100.0), frame("b", 300.0)]
    before, _ = level_maps(stats, {"a": level(0.0)}, (2 * ROWS * FINE_PX, COLUMNS * FINE_PX))
    assert np.nanmax(before) == 100 and np.isnan(before[0, ROWS + 3 :]).all()
