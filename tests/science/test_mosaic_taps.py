"""Kernels at places where their values are known, and between the places of the table."""

import numpy as np
import pytest
from scipy.interpolate import BSpline

from lostlight.science.mosaic.warp.feather import feather, feather_width
from lostlight.science.mosaic.warp.taps import KERNELS, PLACES, most_bad, table


@pytest.mark.parametrize("kernel", KERNELS)
def test_weights_add_up_to_one(kernel):
    rows = table(kernel)
    assert rows.shape == (1025, {"cubic": 4, "lanczos3": 6}.get(kernel, 2))
    assert rows.dtype == np.float32
    assert abs(rows.sum(axis=1) - 1).max() < 2e-7


def test_the_cubic_kernel_is_the_b_spline():
    basis = BSpline.basis_element(np.arange(-2, 3))
    t = np.arange(PLACES + 1)[:, None] / PLACES
    at = t - np.array([-1, 0, 1, 2])
    exact = np.where(abs(at) < 2, basis(np.clip(at, -2, 2)), 0)
    assert abs(table("cubic") - exact).max() < 1e-7


def test_lanczos_is_one_on_a_pixel_and_symmetric():
    rows = table("lanczos3")
    assert rows[0] == pytest.approx([0, 0, 1, 0, 0, 0], abs=1e-7)
    assert abs(rows[::-1, ::-1] - rows).max() < 1e-7
    # pi^2 sinc(d) sinc(d / 3) at d = 2.5, 1.5 and 0.5
    raw = np.array([0.24, -4 / 3, 6])
    assert rows[512, :3] == pytest.approx(raw / (2 * raw.sum()), abs=1e-6)


def test_linear_between_pixels():
    assert table("linear")[256] == pytest.approx([0.75, 0.25])


def test_straight_lines_between_places_are_exact_enough():
    for kernel in ("cubic", "lanczos3"):
        rows = table(kernel).astype(float)
        bent = abs(rows[2:] - 2 * rows[1:-1] + rows[:-2]).max()
        assert bent / 8 < 2e-6


def test_linear_trusts_no_filled_pixel():
    assert most_bad("linear") < 0.05
    assert most_bad("cubic") == 0.5


def test_the_feather_is_smooth_and_never_nothing():
    weights = feather(np.array([-1.0, 0.0, 2.5, 5.0, 10.0, 99.0]), 10.0, np)
    assert weights == pytest.approx([0.001, 0.001, 0.103515625, 0.5, 1, 1])
    assert feather_width(None, (200, 100)) == 3
    assert (feather(np.arange(3.0), 0, np) == 1).all()
