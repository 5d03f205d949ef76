"""Frames that are the same pixels where they overlap."""

import numpy as np
import pytest

from lostlight.science.mosaic.level.photometry import PhotometryRules, solve_photometry
from lostlight.science.mosaic.level.stats import Cells, FrameStats, Stars
from lostlight.science.mosaic.level.surface import basis
from lostlight.science.mosaic.level.twins import common_line, find_twins, level_ties, ratio_ties

ACROSS, COUNT, SIGMA = 40, 200, 4.0
NOISE = SIGMA * np.sqrt(1.57 / COUNT)


def strip(rng, first, columns, sky, noise, *, factor=1.0, level=0.0, spoilt=0.3, channels=1):
    """A frame of some columns of the sky, most of its cells as they are and some not."""
    rows = np.arange(12)
    column = np.arange(first, first + columns)
    index = (rows[:, None] * ACROSS + column).ravel()
    value = factor * (sky + noise)[:, column].reshape(-1, 1) + level
    value = value + np.where(rng.random(value.shape) < spoilt, rng.normal(0, 10 * NOISE, value.shape), 0)
    value = np.repeat(value, channels, axis=1).astype(np.float32)
    row, at = np.divmod(index, ACROSS)
    cells = Cells(
        index, 15.0 * at + 7, 15.0 * row + 7, value, np.full(value.shape, NOISE**2, np.float32),
        np.full(len(index), COUNT),
    )  # fmt: skip
    sigma = np.full(channels, SIGMA * factor)
    return FrameStats(f"f{first:02}", Stars.none(channels), cells, cells, sigma, n_stars=5, area_px=1e5)


def world(seed, nebula=20.0):
    """The sky, and the noise of two exposures of it."""
    rng = np.random.default_rng(seed)
    x, y = np.meshgrid(np.arange(ACROSS), np.arange(12))
    sky = 300 + nebula * (np.sin(x / 3) + np.cos(y / 2.5) * np.sin(x / 5 + 1))
    return rng, sky, *rng.normal(0, NOISE, (2, *sky.shape))


@pytest.mark.parametrize("seed", range(3))
def test_tiles_of_one_scan_are_twins_and_those_of_two_are_not(seed):
    rng, sky, one, other = world(seed)
    tiles = [strip(rng, 0, 18, sky, one), strip(rng, 10, 20, sky, one, factor=1.2, level=-7.0)]
    (found,) = find_twins(tiles)
    assert (found.first, found.second) == (0, 1)
    assert found.ratio == pytest.approx(1.2, abs=1e-3)
    assert len(found.at) >= 16
    level = found.values[1] - found.ratio * found.values[0]
    assert np.median(level) == pytest.approx(-7, abs=0.01 * SIGMA + 300 * abs(found.ratio - 1.2))
    assert find_twins([tiles[0], strip(rng, 10, 20, sky, other, factor=1.2, level=-7.0)]) == []


@pytest.mark.parametrize("seed", range(3))
def test_constants_between_twins_are_kept_whatever_others_say(seed):
    """Two scans of two tiles each; the second scan has a sky of its own that no plane describes."""
    rng, sky, one, other = world(seed)
    bowl = 0.02 * (np.arange(ACROSS) - 20.0) ** 2
    frames = [
        strip(rng, 0, 22, sky, one), strip(rng, 18, 22, sky, one, level=-0.6),
        strip(rng, 1, 20, sky + bowl, other, level=2.0), strip(rng, 17, 21, sky + bowl, other, level=5.0),
    ]  # fmt: skip
    found = solve_photometry(frames, PhotometryRules())
    assert found.diagnostics["twins"] == 2
    for i, j in ((0, 1), (2, 3)):
        assert found.gain[j, 0] / found.gain[i, 0] == pytest.approx(1, abs=1e-3)
        at = np.intersect1d(frames[i].fine.index, frames[j].fine.index)
        x, y = 15.0 * (at % ACROSS) + 7, 15.0 * (at // ACROSS) + 7
        data = (sky + (one if i == 0 else other + bowl)).ravel()[at]
        ends = []
        for k, level in ((i, 0.0 if i == 0 else 2.0), (j, -0.6 if i == 0 else 5.0)):
            surface = basis(x, y, found.centre[k], found.half_px, 1) @ found.sky[k, 0]
            ends.append(found.gain[k, 0] * (data + level) - surface)
        assert abs(np.median(ends[1] - ends[0])) < 0.01


def test_every_colour_is_asked():
    rng, sky, one, _ = world(4)
    tiles = [strip(rng, 0, 18, sky, one, channels=3), strip(rng, 10, 20, sky, one, channels=3, level=3.0)]
    found = find_twins(tiles)
    assert [pair.channel for pair in found] == [0, 1, 2]
    ties = ratio_ties(found, 3)
    assert ties.y.shape == (6, 3)
    assert (np.count_nonzero(ties.weight, axis=1) == 1).all()
    levels, at = level_ties(found, 3)
    assert len(levels.image) == len(at) == 2 * sum(len(pair.at) for pair in found)
    assert np.bincount(levels.node).tolist() == [2] * (len(at) // 2)
    assert solve_photometry(tiles, PhotometryRules()).gain == pytest.approx(1, abs=1e-3)


def test_no_twins_at_all():
    ties, at = level_ties([], 3)
    assert len(ties.image) == len(at) == 0
    assert len(ratio_ties([], 1).image) == 0


@pytest.mark.parametrize(
    ("x", "y"),
    [(np.arange(5.0), np.arange(5.0)), (np.ones(50), np.ones(50)), (np.arange(50.0), -np.arange(50.0))],
)
def test_no_line_without_points_enough_or_a_rise(x, y):
    assert common_line(x, y, 0.1) is None
    assert common_line(np.arange(50.0), np.arange(50.0), 0.0) is None


def test_chance_makes_no_line():
    rng = np.random.default_rng(1)
    for n in (30, 60, 120, 300, 1000):
        for _ in range(20):
            x = rng.normal(0, 5, n)
            assert common_line(x, x + rng.normal(0, 1.4, n), 0.03) is None
