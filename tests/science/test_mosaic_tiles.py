"""Stacked tiles levelled with each other, and once more against the others."""

import logging

import numpy as np
import pytest

from lostlight.science.mosaic.level.block_medians import block_medians
from lostlight.science.mosaic.level.photometry import PhotometryRules
from lostlight.science.mosaic.level.second_pass import level_again, levelled
from lostlight.science.mosaic.level.surface import basis, sky_surface
from lostlight.science.mosaic.level.tiles import Tile, level_lots, tile_stats
from lostlight.science.mosaic.window import Window

GAINS = np.array([0.85, 1.2, 1.0, 0.95, 1.1, 0.9])


@pytest.fixture(scope="module")
def six():
    """Two rows of three tiles of one sky, each with its own gain and offset."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:700, :800]
    truth = 200 * np.exp(-((x - 400) ** 2 + (y - 300) ** 2) / 2 / 150**2) + 40 * np.sin(x / 60) * np.cos(y / 67)
    tiles = []
    for k in range(6):
        window = Window(k // 3 * 300, k % 3 * 250, 400, 300)
        data = truth[window.slices] / GAINS[k] + rng.uniform(100, 300) + rng.normal(0, 3, window.shape)
        cover = np.full(window.shape, 5, np.uint16)
        if k == 0:
            cover[:50], data[:50] = 0, np.nan
        tiles.append(Tile(f"t{k}", data.astype(np.float32)[None], cover, window))
    return tiles


def test_planted_gains_and_levels(six, caplog):
    with caplog.at_level(logging.INFO):
        found = level_lots([tile_stats(t) for t in six], PhotometryRules(), 2)
    assert found.gain[:, 0] == pytest.approx(GAINS, rel=0.01)
    surfaces = [sky_surface(found.sky[k, 0], found.centre[k], found.half_px, t.window) for k, t in enumerate(six)]
    done = [t.sci[0] * found.gain[k, 0] - surfaces[k] for k, t in enumerate(six)]
    for a, b in ((0, 1), (1, 2), (0, 3), (1, 4), (4, 5)):
        both = six[a].window.meet(six[b].window)
        difference = done[a][both.within(six[a].window)] - done[b][both.within(six[b].window)]
        assert abs(np.nanmedian(difference)) < 0.1 * 3
    assert "gain_4 = " in caplog.text
    assert "[GRID][METRICS] channel 0" in caplog.text
    assert "overlap of t0 and t1" in caplog.text
    spread = found.diagnostics["inter_tile_median_std"]
    assert spread["after"][0] < 0.01 * spread["before"][0]


def test_an_empty_or_flat_reference_gives_way(six, caplog):
    empty = Tile("t0", np.full_like(six[0].sci, np.nan), six[0].cov, six[0].window)
    flat = Tile("t1", np.full_like(six[1].sci, 7), six[1].cov, six[1].window)
    with caplog.at_level(logging.WARNING):
        found = level_lots([tile_stats(t) for t in (empty, flat, *six[2:])], PhotometryRules(), "first")
    assert found.reference == 2
    assert "t0 cannot be the reference" in caplog.text
    assert found.gain[:2].ravel().tolist() == [1, 1]


def test_noise_is_that_of_the_weights(six):
    tile = six[1]
    weight = np.full_like(tile.sci, 1 / 7.0**2)
    assert tile_stats(Tile("t", tile.sci, tile.cov, tile.window, weight)).sigma[0] == pytest.approx(7)
    assert tile_stats(Tile("t", tile.sci, tile.cov, tile.window, 0 * weight)).sigma[0] == 0
    assert tile_stats(tile).sigma[0] == pytest.approx(3, rel=0.05)


def test_what_is_not_covered_does_not_count(six):
    stats = tile_stats(six[0], erode_px=2)
    assert stats.fine.v.min() > 51
    assert stats.area_px == 350 * 300
    assert stats.median[0] == pytest.approx(np.median(six[0].sci[0, 50:]))
    assert (stats.x_px, stats.y_px) == (149.5, 224.5)


def test_blocks_are_those_of_the_canvas():
    rng = np.random.default_rng(0)
    canvas = rng.normal(0, 1, (1, 80, 97)).astype(np.float32)
    canvas[0, 20:30, 40:70] = np.nan
    whole = Window(0, 0, 80, 97)
    part = Window(11, 23, 60, 60)
    all_of_it = block_medians(canvas, np.ones((80, 97), bool), whole, 15, np.ones(1))
    some = block_medians(canvas[:, part.slices[0], part.slices[1]], np.ones(part.shape, bool), part, 15, np.ones(1))
    inside = {int(i): k for k, i in enumerate(all_of_it.index)}
    same = [(inside[int(i)], k) for k, i in enumerate(some.index) if some.count[k] == all_of_it.count[inside[int(i)]]]
    assert len(same) >= 6
    for a, b in same:
        assert all_of_it.value[a, 0] == some.value[b, 0]
        row, column = int(all_of_it.v[a] // 15) * 15, int(all_of_it.u[a] // 15) * 15
        assert some.value[b, 0] == np.nanmedian(canvas[0, row : row + 15, column : column + 15])
    assert not len(block_medians(canvas, np.zeros((80, 97), bool), whole, 15, np.ones(1)).index)


def spoilt(six):
    """Levelled tiles of which one is 2 % too bright and one 3 adu too high."""
    stats = [tile_stats(t) for t in six]
    found = level_lots(stats, PhotometryRules(), 2)
    done = []
    for k, own in enumerate(stats):
        gain, sky = found.gain[k] * (1.02 if k == 1 else 1), found.sky[k].copy()
        sky[0, 0] -= 3 if k == 4 else 0
        done.append(levelled(own, gain, sky, found.centre[k], found.half_px))
    return done


@pytest.mark.parametrize("order", [0, 1, 2])
def test_a_second_pass_finds_what_was_left(six, order):
    again = level_again(spoilt(six), PhotometryRules(sky_order=order), 2)
    assert again.gain[1, 0] == pytest.approx(1 / 1.02, abs=0.006)
    assert again.gain[2, 0] == 1 and again.sky[2, 0, 0] == 0
    assert again.after < 0.35 * again.before


def test_a_second_pass_of_one_lot_changes_nothing(six):
    again = level_again([tile_stats(six[0])], PhotometryRules(), 0)
    assert again.gain.tolist() == [[1]] and again.before == again.after == 0


@pytest.mark.parametrize("order", [0, 1, 2])
def test_surfaces_are_the_same_in_any_window(order):
    rng = np.random.default_rng(order)
    c = rng.normal(0, 30, {0: 1, 1: 3, 2: 6}[order])
    centre, whole = np.array([333.3, 101.7]), Window(0, 0, 211, 617)
    surface = sky_surface(c, centre, 255.0, whole)
    assert surface.dtype == np.float32
    part = Window(17, 401, 99, 53)
    assert np.array_equal(sky_surface(c, centre, 255.0, part), surface[part.slices])
    y, x = np.mgrid[:211, :617]
    assert np.allclose(basis(x.ravel(), y.ravel(), centre, 255.0, order) @ c, surface.ravel(), atol=1e-4)
