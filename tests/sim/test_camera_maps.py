"""The maps behind the simulated camera have the flaws that its design asks for."""

import numpy as np
import pytest

from lostlight.sim.camera_design import Design
from lostlight.sim.camera_maps import CameraTruth, doughnut

SHAPE = (301, 405)


def truth_of(**switches):
    return CameraTruth(2, Design(shape=SHAPE, **switches))


def test_each_pattern_of_the_bias_has_its_strength():
    bias = truth_of(pixel_pattern_adu=2.0, column_pattern_adu=5.0, row_pattern_adu=3.0).bias_adu
    columns, rows = bias.mean(axis=0), bias.mean(axis=1)
    rest = bias - columns - rows[:, None] + bias.mean()
    assert bias.mean() == pytest.approx(1000, abs=1)
    assert rest.std() == pytest.approx(2, rel=0.02)
    assert columns.std() == pytest.approx(5, rel=0.15)
    assert rows.std() == pytest.approx(3, rel=0.15)


def test_banding_is_measured_in_its_rms():
    assert (truth_of().banding.mean(), truth_of().banding.std()) == pytest.approx((0, 1), abs=1e-12)


def test_dark_current_has_its_median_and_scatter():
    truth = truth_of(dark_e_s=0.3, dark_spread=0.5, bad_columns=0)
    normal = truth.dark_e_s()[~truth.hot]
    assert np.median(normal) == pytest.approx(0.3, rel=0.02)
    assert np.log(normal).std() == pytest.approx(0.5, rel=0.02)
    slow, fast = truth.design.hot_e_s
    assert slow <= truth.dark_e_s()[truth.hot].min() < truth.dark_e_s()[truth.hot].max() <= fast


def test_rates_double_over_as_many_degrees_as_told():
    truth = truth_of(doubling_c=7.5)
    assert truth.dark_e_s(-2.5) == pytest.approx(2 * truth.dark_e_s(-10.0))


def test_the_glow_sits_in_its_corner():
    glow = truth_of(glow_e_s=0.8).glow_e_s
    assert glow[0, 0] == pytest.approx(0.8)
    assert glow[-1, -1] < 1e-4


def test_flaws_are_as_many_as_told_and_apart():
    truth = truth_of(hot_fraction=3e-3, rts_fraction=2e-3, cold_fraction=4e-3, bad_columns=2)
    assert truth.hot.mean() == pytest.approx(3e-3, rel=0.2)
    assert truth.rts.mean() == pytest.approx(2e-3, rel=0.25)
    assert not (truth.hot & truth.rts).any()
    assert truth.cold[:, truth.bad_columns].all()
    others = np.delete(truth.cold, truth.bad_columns, axis=1)
    assert others.mean() == pytest.approx(4e-3, rel=0.2)
    assert len(truth.bad_columns) == 2


def test_what_is_switched_off_is_not_there():
    names = ("prnu", "vignetting", "tilt", "n_dust", "bad_columns", "hot_fraction", "rts_fraction", "cold_fraction")
    truth = truth_of(**dict.fromkeys(names, 0))
    assert (truth.flat("R") == 1).all()
    assert not (truth.hot | truth.rts | truth.cold).any()


def test_a_flat_is_its_parts_and_its_median_is_one():
    truth = truth_of(prnu=0.02, vignetting=0.3, tilt=0.0, n_dust=3)
    flat = truth.flat("R")
    assert np.median(flat) == pytest.approx(1)
    response = flat / truth.illumination("R")
    good = ~truth.cold
    assert (response[good] / np.median(response)).std() == pytest.approx(0.02, rel=0.2)
    corner, middle = truth.illumination("R")[-3:, -3:].mean(), truth.illumination("R").max()
    assert 0.1 < 1 - corner / middle < 0.5


def test_filters_are_lit_differently():
    truth = truth_of()
    assert not np.allclose(truth.flat("R"), truth.flat("V"), rtol=1e-3)


def test_tilt_is_the_difference_of_opposite_sides():
    truth = truth_of(tilt=0.1, vignetting=0.0)
    light = truth.illumination("R")
    dx, dy = light[0, -1] - light[0, 0], light[-1, 0] - light[0, 0]
    assert np.hypot(dx, dy) == pytest.approx(0.1)


def test_dust_takes_its_depth_from_its_ring_and_nothing_from_afar():
    truth = truth_of(prnu=0.0, n_dust=1, cold_fraction=0.0, bad_columns=0, vignetting=0.0, tilt=0.0)
    (x, y, r, depth) = truth.dust[0]
    distance = np.hypot(np.arange(SHAPE[0])[:, None] - y, np.arange(SHAPE[1]) - x)
    flat = truth.flat("R")
    ring = flat[(distance > 0.6 * r) & (distance < 0.75 * r)]
    assert 1 - ring.mean() == pytest.approx(depth, rel=0.02)
    assert flat[distance > r + 6] == pytest.approx(1)
    assert flat[int(y), int(x)] == pytest.approx(1, abs=0.1 * depth)


def test_half_of_the_shadow_is_at_the_edges_of_the_ring():
    assert doughnut(np.array([8.0, 14.0, 20.0]), 20.0) == pytest.approx([0.5, 1, 0.5], abs=1e-4)
