"""The sky level and its noise, with and without holes in the data."""

import numpy as np
import pytest

from lostlight.core.errors import BadImage
from lostlight.science.detect import background


def sky_image(seed=1, shape=(301, 247), level=3800.0, slope=0.5, rms=80.0):
    rng = np.random.default_rng(seed)
    x = np.indices(shape)[1]
    return (level + slope * x + rng.normal(0, rms, shape)).astype(np.float32), level + slope * x


def test_recovers_a_tilted_sky_and_its_noise():
    image, truth = sky_image()
    sky = background.split(image, None, 64, 3)
    assert np.abs(sky.level_adu - truth)[32:-32, 32:-32].max() < 12
    assert sky.rms_adu == pytest.approx(80, rel=0.05)
    assert abs(np.median(sky.subtracted)) < 3


def test_blank_pixels_do_not_touch_the_rest():
    image, _ = sky_image()
    y, x = np.indices(image.shape)
    wedge = x + 0.4 * y > 260
    whole = background.split(image, None, 64, 3)
    spoilt = np.where(wedge, np.nan, image)
    as_nan = background.split(spoilt, None, 64, 3)
    as_mask = background.split(np.where(wedge, 1e6, image), wedge, 64, 3)
    assert np.array_equal(as_nan.subtracted, as_mask.subtracted)
    assert np.array_equal(as_nan.blank, wedge)
    assert not as_nan.subtracted[wedge].any()
    assert np.abs(as_nan.level_adu - whole.level_adu)[:, :100].max() < 10
    assert as_nan.rms_adu == pytest.approx(whole.rms_adu, rel=0.05)


def test_infinite_pixels_are_blank():
    image, _ = sky_image(shape=(97, 131))
    image[40, 50] = np.inf
    sky = background.split(image, None, 32, 3)
    assert sky.blank.sum() == 1
    assert np.isfinite(sky.subtracted).all()


@pytest.mark.parametrize("dtype", [">f4", ">i2", "<f8", "<i4"])
def test_any_byte_order_and_type(dtype):
    image = np.rint(sky_image(shape=(97, 131))[0])
    native = background.split(image, None, 32, 3)
    other = background.split(image.astype(dtype), None, 32, 3)
    assert np.array_equal(native.subtracted, other.subtracted)


def test_input_is_left_alone():
    image, _ = sky_image(shape=(97, 131))
    image[3, 4] = np.nan
    kept = image.copy()
    background.split(image, None, 32, 3)
    assert np.array_equal(image, kept, equal_nan=True)


def test_blank_tile_is_refused():
    with pytest.raises(BadImage, match="every pixel is blank"):
        background.split(np.full((51, 67), np.nan), None, 32, 3)


def test_tile_without_noise_is_refused():
    with pytest.raises(BadImage, match="no noise"):
        background.split(np.full((51, 67), 3800.0), None, 32, 3)
