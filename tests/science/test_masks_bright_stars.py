"""Bright stars: found, measured, and outlined."""

import numpy as np
import pytest
from tests.plate_scene import SKY, plate

from lostlight.io import fits
from lostlight.science.plate.bright_stars import BrightStars, find_bright_stars, magnitude, outlines
from lostlight.science.plate.shapes import bar, disc, paint
from lostlight.vocab import bits

RMS = 180.0
SATURATION = 13300.0


def noise(shape=(601, 643), seed=1):
    return np.random.default_rng(seed).normal(0, RMS, shape).astype(np.float32)


def spiked(shape=(601, 643), reach=150, height=1500.0):
    image = noise(shape)
    image[299:302, 320 - reach : 321 + reach] += height
    image[300 - reach : 301 + reach, 319:322] += height
    return image


def one(mag, x=320.0, y=300.0):
    return BrightStars(np.array([x]), np.array([y]), np.array([mag]))


def test_magnitudes_on_the_real_plate(shared_data):
    """Radii on XE486 against R from Gaia: the calibration stands, and the brightest star of the field is R = 7.3."""
    image, _ = fits.read_image(shared_data / "dss1-m67" / "M6707HH.fits.gz")
    found = find_bright_stars(image, 3708, 12200, 1.7004, 12.4)
    assert found.mag[0] == pytest.approx(7.28, abs=0.3)
    assert np.hypot(found.x_px[0] - 279, found.y_px[0] - 705) < 4
    assert 70 < len(found.mag) < 160


def test_magnitude_is_monotonic_and_bounded():
    mag = magnitude(np.geomspace(2.9, 2000, 60))
    assert (np.diff(mag) <= 0).all()
    assert mag.min() == 0


def test_stars_yes_pen_marks_no():
    image = plate([(100, 120, 2e4), (300, 250, 3e3)], shape=(401, 457), seed=3)
    image[300:306, 50:250] = 14000
    found = find_bright_stars(image, SKY, SATURATION, 1.7, 12.4)
    assert len(found.mag) == 2
    assert np.allclose(sorted(found.x_px), [100, 300], atol=0.5)
    assert found.mag[0] < found.mag[1]


def test_sizes_scale_with_the_pixel():
    radii = {}
    for scale in (1.7, 1.01):
        shapes = outlines(one(9.5), noise(), RMS, scale, None)
        radii[scale] = next(shape.length_px for shape in shapes if shape.bit == "BRIGHT_STAR") * scale
    assert radii[1.7] == pytest.approx(radii[1.01])


def test_spikes_reach_as_far_as_they_are_seen():
    shapes = [shape for shape in outlines(one(7.5), spiked(reach=150), RMS, 1.7, None) if shape.bit == "SPIKE"]
    assert len(shapes) == 4
    assert all(150 <= shape.length_px <= 185 for shape in shapes)
    assert {abs(round(shape.angle_deg)) % 180 for shape in shapes} == {0, 90}


def test_no_spikes_where_there_are_none_nor_for_a_neighbour():
    assert not [shape for shape in outlines(one(9.0), noise(), RMS, 1.7, None) if shape.bit == "SPIKE"]
    image = noise()
    image[294:307, 345:420] += 3000  # a galaxy beside the star
    assert not [shape for shape in outlines(one(9.0), image, RMS, 1.7, None) if shape.bit == "SPIKE"]


def test_spike_scale_limits_the_length():
    shapes = outlines(one(7.5), spiked(reach=150), RMS, 1.7, None, spike_scale=0.1)
    spikes = [shape for shape in shapes if shape.bit == "SPIKE"]
    assert spikes
    assert all(shape.length_px <= 0.1 * 60 * 10 ** (0.16 * 7.0) + 1e-6 for shape in spikes)


def test_ghosts_lie_on_the_line_through_the_centre():
    ghosts = [shape for shape in outlines(one(8.0), noise(), RMS, 1.7, (-1000.0, 4000.0)) if shape.bit == "GHOST"]
    assert len(ghosts) == 2
    for ghost in ghosts:
        away = np.array([ghost.x_px - 320, ghost.y_px - 300])
        assert abs(np.cross(np.append(away, 0), [1320, -3700, 0])[2]) < 1e-6 * np.linalg.norm(away) * 4000
        assert np.linalg.norm(away) == pytest.approx(0.03 * np.hypot(1320, 3700))
    assert not [shape for shape in outlines(one(9.5), noise(), RMS, 1.7, (0.0, 0.0)) if shape.bit == "GHOST"]


def test_a_star_outside_throws_its_spike_in():
    image = noise()
    image[299:302, 0:120] += 1500
    shapes = outlines(one(7.0, x=-60.0), image, RMS, 1.7, None)
    mask = np.zeros(image.shape, np.int32)
    paint(mask, shapes)
    assert (mask[300, 5:110] & bits.mask("SPIKE")).all()


def test_paint_covers_what_the_shape_says():
    mask = np.zeros((60, 80), np.int32)
    paint(mask, [disc("HALO", 79.0, 0.0, 10), bar("TRAIL", (-30, 20, 100, 40), 6), disc("GHOST", 500, 500, 5)])
    y, x = np.mgrid[0:60, 0:80]
    assert ((mask & bits.mask("HALO") != 0) == (np.hypot(x - 79, y) <= 10)).all()
    across = np.abs((y - 20) * 130 - (x + 30) * 20) / np.hypot(130, 20)
    assert ((mask & bits.mask("TRAIL") != 0) == (across <= 3)).all()
    assert not (mask & bits.mask("GHOST")).any()
