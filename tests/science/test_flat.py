"""A master flat made ready to divide by: scaled to one, hot pixels repaired, hopeless pixels left alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostlight.core.errors import LostlightError
from lostlight.science.calibrate.flat import finish
from lostlight.science.calibrate.levels import level
from lostlight.science.calibrate.light import calibrate_light
from lostlight.science.calibrate.light_recipe import Recipe
from lostlight.science.calibrate.planes import Planes
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import NoiseModel, Rule
from lostlight.vocab.bits import dq

SHAPE = (61, 47)


def vignetting(shape=SHAPE, depth=0.3):
    y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    return (1 - depth * (x**2 + y**2) / 2).astype(np.float32)


def master(data, sigma=10.0):
    data = np.asarray(data, np.float32)
    return Planes(data.copy(), np.full(data.shape, sigma, np.float32), np.zeros(data.shape, np.uint16))


def test_the_median_of_valid_pixels_is_one_and_the_shape_stays():
    response = vignetting()
    flat = finish(master(20000 * response))
    assert np.median(flat.data) == 1
    np.testing.assert_allclose(flat.data / response, flat.data[30, 23] / response[30, 23], rtol=1e-6)
    assert not flat.dq.any()


def test_small_flats_by_hand():
    flat = finish(Planes(np.array([[50, 100, 200, 5, 600]], np.float32), None, None), min_value=0.2)
    np.testing.assert_array_equal(flat.data, [[0.5, 1, 2, 1, 1]])  # 5 and 600 are beyond 0.2 and 5 times the median
    np.testing.assert_array_equal(flat.dq, [[0, 0, 0, dq("NO_FLAT", "COLD"), dq("NO_FLAT")]])
    assert flat.uncert is None


def test_insensitive_wild_uncertain_and_unusable_pixels_are_left_alone():
    made = master(1000 * np.ones(SHAPE))
    made.data[3, 3], made.data[4, 4], made.data[5, 5] = 190, 5100, np.nan
    made.uncert[6, 6] = 51
    made.dq[7, 7] = dq("BAD")
    made.dq[8, 8] = dq("FEW_SAMPLES")
    made.data[9, 9] = -500
    flat = finish(made, min_value=0.2, max_error=0.05)
    wrong = np.zeros(SHAPE, bool)
    wrong[[3, 4, 5, 6, 7, 9], [3, 4, 5, 6, 7, 9]] = True
    np.testing.assert_array_equal(flat.dq & dq("NO_FLAT") != 0, wrong)
    np.testing.assert_array_equal(flat.data[wrong], 1)
    np.testing.assert_array_equal(flat.uncert[wrong], 0)
    assert flat.dq[7, 7] == dq("BAD", "NO_FLAT")
    assert flat.dq[8, 8] == dq("FEW_SAMPLES")
    assert made.dq[3, 3] == 0, "what was given must stay as it is"


def test_a_masked_pixel_does_not_move_the_level():
    made = master(1000 * vignetting())
    clean = finish(made)
    made.data[30, 23], made.dq[30, 23] = 1e7, dq("BAD")
    np.testing.assert_allclose(finish(made).data[:29], clean.data[:29], rtol=1e-3)


def test_hot_pixels_are_repaired_from_the_map():
    """A hot pixel repeats in every flat: left alone, it would print a hole into every light."""
    response, hot = vignetting(), np.zeros(SHAPE, bool)
    hot[20, 20] = hot[41, 7] = True
    made = master(20000 * response)
    made.data[hot] *= 1.4
    flat = finish(made, hot_mask=hot)
    truth = finish(master(20000 * response))
    np.testing.assert_allclose(flat.data[hot], truth.data[hot], rtol=0.005)
    assert (flat.dq[hot] == dq("HOT", "INTERPOLATED")).all()
    assert (finish(made).data[hot] / truth.data[hot] > 1.39).all()


def test_hot_pixels_of_a_colour_filter_array_take_their_own_colour():
    colours = np.tile(np.array([[8000, 20000], [20000, 3000]], np.float32), (31, 24))[: SHAPE[0], : SHAPE[1]]
    hot = np.zeros(SHAPE, bool)
    hot[20, 20] = True
    made = master(colours, sigma=1)
    made.data[hot] = 60000
    flat = finish(made, hot_mask=hot, bayerpat="RGGB")
    np.testing.assert_array_equal(flat.data, 1)  # the colour of the lamp is gone too


def test_each_colour_has_its_own_level_and_its_own_limit():
    lamp = np.tile(np.array([[8000, 20000], [20000, 1000]], np.float32), (31, 24))[: SHAPE[0], : SHAPE[1]]
    made = master(lamp * vignetting(), sigma=1)
    flat = finish(made, bayerpat="RGGB")
    for y in (0, 1):
        for x in (0, 1):
            assert np.median(flat.data[y::2, x::2]) == pytest.approx(1, abs=1e-6)
    assert not flat.dq.any(), "blue is weak in the lamp, not insensitive"
    assert finish(made).dq.any(), "taken as mono, blue would be far too low"


def test_optics_that_light_a_third_of_the_detector():
    y, x = np.mgrid[:80, :70]
    lit = (y - 40) ** 2 + (x - 35) ** 2 < 24**2
    flat = finish(master(np.where(lit, 20000, 30)))
    np.testing.assert_array_equal(flat.dq & dq("NO_FLAT") == 0, lit)
    np.testing.assert_array_equal(flat.data, 1)


@pytest.mark.parametrize(("n", "refused"), [(0, False), (1, True)])
def test_a_saturated_flat_is_refused(n, refused):
    made = master(1000 * np.ones(SHAPE))
    made.dq[10 : 10 + 3 * n, 20:23] = dq("SATURATED")  # nine of 2867 are more than 1e-4
    made.dq[30, 5::7] = dq("SATURATED")  # each of these lies alone: hot pixels
    if refused:
        with pytest.raises(LostlightError, match=r"CAL112.*0\.314 percent.*0\.01"):
            finish(made)
    else:
        finish(made)


def test_one_saturated_pixel_of_many_is_not_divided_by():
    made = master(1000 * np.ones((130, 121)))
    made.dq[7, 9] = dq("SATURATED")
    assert finish(made).dq[7, 9] == dq("SATURATED", "NO_FLAT")


@pytest.mark.parametrize("value", [0, -20, np.nan])
def test_a_flat_without_light_is_refused(value):
    with pytest.raises(LostlightError, match="CAL108"):
        finish(Planes(np.full(SHAPE, value, np.float32)))


def test_the_error_bars_of_a_flat_are_right():
    """Many flats of one response: their scatter about the truth is what the uncertainty says, level included."""
    rng = np.random.default_rng(8)
    truth = np.linspace(0.7, 1.3, 21)[:, None] * np.ones((21, 17))  # even on both sides of its median
    pulls = []
    for _ in range(200):
        flat = finish(Planes(rng.normal(20000 * truth, 200).astype(np.float32), np.full((21, 17), 200, np.float32)))
        pulls.append((flat.data - truth) / flat.uncert)
    assert np.std(pulls) == pytest.approx(1, abs=0.02)
    assert abs(np.mean(pulls)) < 0.01


def test_the_level_of_few_pixels_is_uncertain_itself():
    flat = finish(master(np.full((3, 3), 1000), sigma=30))
    np.testing.assert_allclose(flat.uncert, 0.03 * np.sqrt(1 + 1.2533**2 / 9), rtol=0.01)


def test_counts_of_frames_travel_along():
    made = master(1000 * np.ones(SHAPE))
    made.extra = {"NUSED": np.full(SHAPE, 7, np.uint16)}
    assert (finish(made).extra["NUSED"] == 7).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(-6, 6), st.booleans())
def test_the_unit_of_a_flat_does_not_matter(power, is_cfa):
    made = master(1000 * vignetting())
    factor = np.float32(2.0**power)
    scaled = Planes(made.data * factor, made.uncert * factor, made.dq)
    pattern = "GBRG" if is_cfa else ""
    np.testing.assert_array_equal(finish(scaled, bayerpat=pattern).data, finish(made, bayerpat=pattern).data)
    np.testing.assert_allclose(
        finish(scaled, bayerpat=pattern).uncert, finish(made, bayerpat=pattern).uncert, rtol=1e-6
    )


@pytest.mark.parametrize("reject", ["noise_model", "winsorized"])
def test_an_outlier_of_one_flat_among_flats_of_all_levels_is_found(reject):
    """40 percent too bright in a faint flat is still fainter than the bright ones: only scaled flats show it."""
    rng = np.random.default_rng(12)
    response = vignetting((17, 13))
    flats = [rng.normal(n * response, np.sqrt(n)).astype(np.float32) for n in np.linspace(10000, 30000, 10)]
    flats[2][8, 6] *= 1.4
    levels = [level(flat, "median_center").item() for flat in flats]

    def read(frame, y0, y1, out):
        out[:] = flats[frame][y0:y1]

    noise = NoiseModel(rdnoise_e=0, gain_e_adu=1) if reject == "noise_model" else None
    scales = np.mean(levels) / np.array(levels)
    made = combine(10, response.shape, read, Rule(reject=reject, low=4, high=4, noise=noise), scales=scales)
    flat = finish(Planes(made.data, made.sigma, None))
    truth = response / np.median(response)
    assert flat.data[8, 6] / truth[8, 6] == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(flat.data, truth, rtol=0.02)


def test_a_pedestal_left_in_inverts_the_vignetting():
    """With p left in light and flat the sky comes out as (S V + p) / V: brighter corners instead of an even sky."""
    response, sky, pedestal = vignetting(depth=0.5), 1000.0, 300.0
    flat = finish(master(20000 * response))
    raw = (sky * response + pedestal).astype(np.float32)
    bias = Planes(np.full(SHAPE, pedestal, np.float32))
    right = calibrate_light(raw, Recipe(bias=bias, flat=flat)).data
    wrong = calibrate_light(raw, Recipe(flat=flat)).data
    assert right.max() / right.min() == pytest.approx(1, abs=1e-6)
    expected = ((sky * response + pedestal) / response)[0, 0] / ((sky * response + pedestal) / response)[30, 23]
    assert wrong[0, 0] / wrong[30, 23] == pytest.approx(expected, rel=1e-5)
    assert expected > 1.2


def test_a_dead_pixel_is_cold_and_a_dark_corner_is_not():
    data = np.ones((40, 50), np.float32)
    data[:8, :8] = 0.1
    data[20, 30], data[22, 10] = 0.05, 0.4
    flat = finish(Planes(data, np.full_like(data, 1e-3)))
    assert flat.dq[20, 30] == dq("NO_FLAT", "COLD")
    assert (flat.dq[:5, :5] == dq("NO_FLAT")).all()
    assert flat.dq[22, 10] == 0 and flat.data[22, 10] == np.float32(0.4)
