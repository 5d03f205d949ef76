"""Straight motion in pixels."""

import numpy as np
import pytest

from lostlight.science.motion.pixel import PixelMotion


def test_a_pixel_an_hour_is_24_pixels_a_day():
    motion = PixelMotion(
        np.array([11.0, 3.5]), np.array([26.0, -2.0]), 57130.0, np.array([24.0, 0.0]), np.array([-12.0, 1])
    )
    x, y = motion.at([[57130.0, 57130.5], [57131.0, 57129.0], [57140.0, 57130.25]])
    assert x.shape == y.shape == (2, 3, 2)
    assert x[0] == pytest.approx(np.array([[11, 23], [35, -13], [251, 17]]))
    assert y[1] == pytest.approx(np.array([[-2, -1.5], [-1, -3], [8, -1.75]]))


def test_one_source_may_be_given_as_numbers():
    x, y = PixelMotion(1.0, 2.0, 0.0, 3.0, 4.0).at(2.0)
    assert (x, y) == (pytest.approx([7.0]), pytest.approx([10.0]))
