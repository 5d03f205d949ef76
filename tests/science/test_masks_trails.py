"""Scratches and trails are found; stars in a row, galaxies and fields full of stars are not taken for them."""

import numpy as np
import pytest
from tests.plate_scene import SKY, line, plate

from lostlight.core.params import MasksParams
from lostlight.science.plate.masking import make_mask
from lostlight.science.plate.trails import find_trails
from lostlight.sim.sky import Sky
from lostlight.vocab import bits

RMS = 180.0


def field(n_stars=60, seed=1, shape=(501, 557)):
    rng = np.random.default_rng(seed)
    stars = zip(
        rng.uniform(5, shape[1] - 5, n_stars),
        rng.uniform(5, shape[0] - 5, n_stars),
        10 ** rng.uniform(0, 2, n_stars),
        strict=True,
    )
    return plate(stars, shape=shape, seed=seed) - np.float32(SKY)


def trails(image, scale=1.7):
    return find_trails(image, RMS, 4, np.zeros(image.shape, bool), scale)


def covered(image, found, ends):
    from lostlight.science.plate.shapes import paint

    mask = np.zeros(image.shape, np.int32)
    paint(mask, found)
    t = np.linspace(0, 1, 400)
    x, y = ends[0] + t * (ends[2] - ends[0]), ends[1] + t * (ends[3] - ends[1])
    inside = (x > 0) & (y > 0) & (x < image.shape[1] - 1) & (y < image.shape[0] - 1)
    return (mask[np.rint(y[inside]).astype(int), np.rint(x[inside]).astype(int)] != 0).mean()


@pytest.mark.parametrize("height", [8 * RMS, 30 * RMS, -8 * RMS])
@pytest.mark.parametrize("ends", [(30, 40, 520, 460), (100, 400, 330, 120), (-200, 100, 900, 300), (250, 20, 250, 480)])
def test_planted_lines(height, ends):
    image = field()
    line(image, *ends, height)
    found = trails(image)
    assert len(found) == 1
    assert covered(image, found, ends) > 0.95
    assert found[0].width_px < 20
    assert found[0].length_px < np.hypot(ends[2] - ends[0], ends[3] - ends[1]) + 60


def test_lines_side_by_side():
    """An aircraft draws two or three lines at once."""
    image = field(seed=2)
    lines = [(0 + k, 50, 400 + k, 500) for k in (0, 18, 36)]
    for ends in lines:
        line(image, *ends, 10 * RMS, 1.4)
    found = trails(image)
    assert all(covered(image, found, ends) > 0.9 for ends in lines)


def test_short_ones_are_left_to_the_elongation_cut():
    image = field(seed=3)
    line(image, 200, 200, 230, 215, 15 * RMS)
    assert not trails(image)


def test_stars_in_a_row_are_no_trail():
    stars = [(40 + 14 * k, 60 + 9 * k, 40.0) for k in range(35)]
    assert not trails(plate(stars, shape=(501, 557), seed=4) - np.float32(SKY))


@pytest.mark.parametrize("axis_ratio", [0.1, 0.25, 0.6])
def test_galaxies_are_no_trails(axis_ratio):
    image = field(seed=5)
    y, x = np.mgrid[0:501, 0:557]
    u, v = (x - 280) * 0.8 + (y - 250) * 0.6, (y - 250) * 0.8 - (x - 280) * 0.6
    image += (4000 * np.exp(-np.hypot(u, v / axis_ratio) / 35)).astype(np.float32)
    assert not trails(image)


@pytest.mark.parametrize("seed", range(4))
def test_crowded_fields_hold_no_trails(seed):
    assert not trails(field(n_stars=900, seed=20 + seed))


@pytest.mark.parametrize(("ra", "dec"), [(285.0, 5.0), (120.6, 10.6)])
def test_simulated_fields(ra, dec):
    image, _ = Sky(20).cutout(ra, dec, 22, 20)
    masked = make_mask(image.astype(np.float32), 1.7, None, MasksParams())
    assert not (masked.mask & bits.mask("TRAIL")).any()
