"""The motions tried leave none out, and lead where they say."""

import numpy as np
import pytest

from lostlight.core.errors import ConfigError
from lostlight.science.search.velocities import middle, shift_tables, velocity_grid

JACOBIAN = np.array([[0.0, -3.8], [3.79, 0.01]])
"""Pixels per arcsec of an image whose axes are swapped."""


def test_every_motion_has_one_that_ends_within_half_a_step():
    rng = np.random.default_rng(1)
    v = velocity_grid(1.0, 4.0, 0.2, 3.0, step_fwhm=1.2, jacobian=JACOBIAN, angle_deg=250, half_width_deg=20)
    rate, angle = np.sqrt(rng.uniform(1, 16, 4000)), np.radians(rng.uniform(230, 270, 4000))
    wanted = 24 * np.stack([rate * np.sin(angle), rate * np.cos(angle)], axis=1) @ JACOBIAN.T
    off = abs(wanted[:, None] - v).max(axis=2).min(axis=1) * 0.2
    # Corners of the region may lie in a cell whose middle is just outside.
    assert (off <= 1.2 * 3.0 / 2 + 1e-9).mean() > 0.99
    assert off.max() < 1.2 * 3.0


def test_no_motion_lies_far_outside_of_what_is_asked_for():
    v = velocity_grid(1.0, 4.0, 0.2, 3.0, jacobian=JACOBIAN, angle_deg=90, half_width_deg=15)
    east, north = np.linalg.solve(24 * JACOBIAN, v.T)
    half = 3.0 / 0.2 / 2 / 24 / 3.79 * 1.01
    rate, angle = np.hypot(east, north), np.degrees(np.arctan2(east, north))
    assert rate.min() >= 1 - half
    assert rate.max() <= 4 + half
    assert (rate * np.sin(np.radians(np.clip(abs(angle - 90) - 15, 0, 90))) <= half).all()
    assert (np.diff(rate.round(6)) >= 0).all(), "slowest first"


def test_without_a_sky_rates_are_in_pixels_and_angles_from_x():
    v = velocity_grid(2.0, 3.0, 1.0, 2.0, angle_deg=90, half_width_deg=5)
    assert v[:, 1].min() > 24 * 1.9
    assert abs(v[:, 0]).max() < 24 * 3 * np.sin(np.radians(5)) + 2
    assert [0.0, 0.0] in velocity_grid(0, 1.0, 1.0, 2.0).tolist()


def test_paths_go_through_the_nearest_pixels_and_turn_at_mid_arc():
    days = np.array([0.0, 0.25, 1.1, 2.0])
    dx, dy = shift_tables([[3.0, -1.0], [0.0, 0.0]], days)
    assert middle(days) == 1.0
    assert dx[0].tolist() == [-3, -2, 0, 3]
    assert dy[0].tolist() == [1, 1, 0, -1]
    assert not dx[1].any()
    assert dx.dtype == np.int32


@pytest.mark.parametrize(("low", "high", "arc"), [(0, 1, 0), (2, 1, 1), (-1, 1, 1)])
def test_no_arc_and_limits_out_of_order_are_refused(low, high, arc):
    with pytest.raises(ConfigError):
        velocity_grid(low, high, arc, 2.0)
