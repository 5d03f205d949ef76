"""Drifts: as slow and as fast as images can show, and planted where enough of them do."""

from dataclasses import replace

import numpy as np
import pytest
from tests.injection_scene import SCALE, SHAPE, epochs

from lostlight.core.errors import ConfigError
from lostlight.science.inject.plan import plan_injections
from lostlight.science.inject.rates import drift_limits
from lostlight.science.inject.rules import InjectionRules
from lostlight.science.inject.targets import TargetConfig

ARC_H = 2.4
WIDTH_PX = 2.8
"""Of the middle one of the points of `epochs`."""


def test_the_slowest_moves_half_the_width_of_a_point():
    low, _ = drift_limits(epochs(), SHAPE, 0.8, 1.0)
    assert low * ARC_H == pytest.approx(2 * WIDTH_PX * SCALE, rel=0.01)


def test_the_fastest_crosses_the_field_while_enough_images_are_taken():
    known = replace(epochs(hours=24.0), psfs=epochs().psfs)
    # four of five images, a day apart: three days
    _, high = drift_limits(known, SHAPE, 0.8, 1.0)
    assert high * 72 == pytest.approx(np.hypot(*SHAPE) * SCALE, rel=0.01)
    assert drift_limits(epochs(), SHAPE, 0.8, 1.0)[1] == 5
    assert (
        drift_limits(epochs(hours=0.002), SHAPE, 0.8, 1.0)[1] == drift_limits(epochs(hours=0.002), SHAPE, 0.8, 1.0)[0]
    )


def test_without_a_sky_limits_are_pixels():
    """The same pixels per hour, whatever a pixel is taken to be."""
    known = epochs(on_sky=False)
    for scale in (1.0, 0.3):
        low, high = drift_limits(known, SHAPE, 0.8, scale)
        assert low / scale * ARC_H == pytest.approx(2 * WIDTH_PX, rel=0.01)
        assert high / scale * 1.8 == pytest.approx(np.hypot(*SHAPE))
        assert drift_limits(known, SHAPE, 0.8, scale, 2.0, 3.0) == (2 * scale, 3 * scale)


def test_limits_that_are_given_are_taken():
    assert drift_limits(epochs(), SHAPE, 0.8, 1.0, 0.3, 60.0) == (0.3, 60.0)
    assert drift_limits(epochs(), SHAPE, 0.8, 1.0, 9.0) == (9.0, 9.0)
    for bad in ({"tno": (1.0, 2.0)}, {"drift": (2.0, 1.0)}, {"drift": (0.0, 1.0)}):
        with pytest.raises(ConfigError, match=r"rates"):
            InjectionRules(rates=bad)


@pytest.mark.parametrize("on_sky", [True, False])
def test_drifts_move_as_fast_as_asked_and_enough_images_show_them(on_sky):
    known = epochs(on_sky=on_sky)
    limits = drift_limits(known, SHAPE, 0.8, 0.5)
    rules = InjectionRules(
        n=120, classes={"drift": 1.0}, rates={"drift": limits}, plate_scale=0.5, target=TargetConfig("visible")
    )
    plan = plan_injections(known, None, rules)
    pixel = SCALE if on_sky else 0.5
    moved = np.hypot(plan.sources["vx_px_day"], plan.sources["vy_px_day"]) * pixel / 24
    assert np.all((moved > limits[0] * 0.99) & (moved < limits[1] * 1.01))
    assert np.median(moved) < 0.8 * np.mean(limits)
    assert np.all(plan.is_on.sum(axis=1) >= 4)
    quadrants = np.arctan2(plan.sources["vy_px_day"], plan.sources["vx_px_day"]) // (np.pi / 2)
    assert np.unique(quadrants, return_counts=True)[1].min() > 15
