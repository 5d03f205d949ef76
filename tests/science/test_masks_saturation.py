"""The saturation level: the shoulder of the plate, the clip of a camera, or none."""

import numpy as np
import pytest
from tests.plate_scene import FULL, SKY, plate

from lostlight.io import fits
from lostlight.science.detect.background import split
from lostlight.science.plate.density import saturation


def stars(n, faintest, brightest, seed):
    rng = np.random.default_rng(seed)
    return list(
        zip(rng.uniform(20, 430, n), rng.uniform(20, 380, n), 10 ** rng.uniform(faintest, brightest, n), strict=True)
    )


def measured(image):
    sky = split(image, None, 64, 3)
    return saturation(image, float(np.median(sky.level_adu)), sky.rms_adu)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_shoulder_is_found(seed):
    top = measured(plate(stars(80, -0.5, 3.5, seed), seed=seed))
    assert top.is_reached
    assert 0.87 * (FULL - SKY) < top.level_adu - SKY < 1.0 * (FULL - SKY)


@pytest.mark.parametrize("seed", [1, 2])
def test_without_saturated_stars_there_is_none(seed):
    image = plate(stars(80, -0.5, 0.9, seed), seed=seed)
    top = measured(image)
    assert not top.is_reached
    assert top.level_adu > image.max()


def test_a_few_bright_pixels_do_not_move_it():
    image = plate(stars(80, -0.5, 3.5, 5), seed=5)
    spoilt = image.copy()
    spoilt[200:203, 100:103] = 20000 + 1000 * np.arange(9).reshape(3, 3)
    assert measured(spoilt).level_adu == pytest.approx(measured(image).level_adu, rel=0.02)


def test_a_galaxy_is_no_shoulder():
    y, x = np.mgrid[0:401, 0:457]
    r = np.hypot(x - 230, (y - 200) * 1.5)
    image = plate(stars(60, -0.5, 0.7, 6), seed=6) + (7000 * np.exp(-r / 25)).astype(np.float32)
    assert not measured(image).is_reached


def test_a_camera_clips():
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:200, 0:230]
    image = rng.normal(300, 5, (200, 230))
    for x0, y0 in ((50, 60), (150, 90), (100, 150)):
        image += 30000 * np.exp(-0.5 * ((x - x0) ** 2 + (y - y0) ** 2) / 3**2)
    top = measured(np.minimum(image, 4095).astype(np.float32))
    assert top == (4095.0, True)


def test_the_real_plate(shared_data):
    image, _ = fits.read_image(shared_data / "dss1-m67" / "M6707HH.fits.gz")
    top = measured(image)
    assert top.is_reached
    assert 11800 < top.level_adu < 12900  # its histogram piles up between 12,000 and 13,374


def test_the_real_galaxy(shared_data):
    image, _ = fits.read_image(shared_data / "dss2-not-poss1" / "m51_dss1.fits.gz")
    assert not measured(image).is_reached
