"""Rates from positions."""

import numpy as np
import pytest

from lostlight.science.motion.linear import LinearMotion
from lostlight.science.motion.rates import rates_at


@pytest.mark.parametrize("dec_deg", [-7.8, 80.0])
def test_rates_of_a_straight_line_are_its_own(dec_deg):
    motion = LinearMotion(
        np.array([0.0, 200.6]), np.full(2, dec_deg), 60000.3, np.array([2.9, -40.0]), np.array([-1.0, 7])
    )
    east, north = rates_at(motion, 60000.3)
    assert east == pytest.approx([2.9, -40], abs=3e-4)
    assert north == pytest.approx([-1, 7], abs=3e-4)


def test_the_shape_of_times_is_kept_and_the_direction_turns_with_the_meridian():
    motion = LinearMotion(np.array([10.0]), np.array([75.0]), 60000.0, np.array([60.0]), np.array([0.0]))
    east, north = rates_at(motion, 60000 + np.array([[0.0, 1.0, 5.0]]))
    assert east.shape == (1, 1, 3)
    assert np.hypot(east, north) == pytest.approx(np.full((1, 1, 3), 60.0), abs=1e-3)
    assert north[0, 0, 0] == pytest.approx(0, abs=1e-3) and north[0, 0, 2] < -5
