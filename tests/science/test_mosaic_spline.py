"""The filter of the cubic kernel against scipy's recursive one."""

import numpy as np
import pytest
from scipy.ndimage import spline_filter

from lostlight.science.mosaic.warp import spline, warp_compiled

IMAGE = np.random.default_rng(1).normal(100, 30, (2, 71, 94)).astype(np.float32)


def mirrored(image):
    reach = spline.REACH
    return np.pad(image, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")


@pytest.mark.parametrize("coefficients", [spline.coefficients, warp_compiled.coefficients])
def test_scipy_gives_the_same(coefficients):
    ours = coefficients(mirrored(IMAGE))
    assert ours.dtype == np.float32
    for plane, image in zip(ours, IMAGE, strict=True):
        assert abs(plane - spline_filter(image.astype(float), 3, mode="mirror")).max() < 5e-4


def test_compiled_loops_give_the_same_bits():
    ours = spline.coefficients(mirrored(IMAGE))
    assert np.array_equal(ours, warp_compiled.coefficients(mirrored(IMAGE)))
    plain = np.empty_like(ours[0])
    warp_compiled.filter_plane.py_func(mirrored(IMAGE)[0], plain, spline.INVERSE)
    assert np.array_equal(plain, ours[0])


def test_a_part_is_filtered_as_the_whole():
    whole, reach = spline.coefficients(mirrored(IMAGE)), spline.REACH
    part = spline.coefficients(mirrored(IMAGE)[:, 10 : 10 + 30 + 2 * reach, 7 : 7 + 41 + 2 * reach])
    assert np.array_equal(part, whole[:, 10:40, 7:48])


def test_a_level_stays():
    assert abs(spline.coefficients(np.full((1, 40, 40), 65000, np.float32)) / 65000 - 1).max() < 1e-6
