"""The pass over a light: pixels by hand and by a loop, error bars by simulation, ccdproc beside it."""

import math
import warnings
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty
from hypothesis import given, settings
from hypothesis import strategies as st

from lostlight.core.errors import LostlightError
from lostlight.science.calibrate import light as module
from lostlight.science.calibrate.flat import finish
from lostlight.science.calibrate.light import calibrate_light
from lostlight.science.calibrate.light_recipe import Recipe
from lostlight.science.calibrate.planes import Planes
from lostlight.vocab.bits import dq

SHAPE = (13, 9)
GAIN, READ_E = 1.6, 6.0


def planes(rng, level, sigma, shape=SHAPE, bit=""):
    data = rng.normal(level, 0.1 * level, shape).astype(np.float32)
    bits = np.where(rng.random(shape) < 0.1, dq(bit) if bit else 0, 0).astype(np.uint16)
    return Planes(data, np.full(shape, sigma, np.float32) * rng.uniform(0.5, 1.5, shape).astype(np.float32), bits)


def full_recipe(seed=1, shape=SHAPE, **changed):
    rng = np.random.default_rng(seed)
    known = {
        "overscan_adu": rng.normal(200.3, 1, (shape[0], 1)),
        "bias": planes(rng, 300, 1.5, shape, "FEW_SAMPLES"),
        "dark": planes(rng, 40, 1.2, shape, "HOT"),
        "flat": planes(rng, 1, 0.01, shape, "NO_FLAT"),
        "dark_scale": 1.7,
        "dark_scale_error": 0.05,
        "bad": np.where(rng.random(shape) < 0.1, dq("BAD"), 0).astype(np.uint16),
        "pedestal_adu": 100.0,
        "egain_e_adu": GAIN,
        "rdnoise_e": READ_E,
        "saturate_adu": 3000.0,
        "nonlinear_adu": 2000.0,
    }
    return Recipe(**{**known, **changed})


def raw_frame(seed=2, shape=SHAPE):
    return np.random.default_rng(seed).integers(450, 4000, shape).astype(np.uint16)


def by_loop(raw, recipe):
    """Pixel by pixel in double precision, written from the formulas, not from the code."""
    value, sigma, bits = (np.zeros(raw.shape) for _ in range(3))
    k, g = recipe.dark_scale, recipe.egain_e_adu
    overscan = np.broadcast_to(recipe.overscan_adu, raw.shape)
    for at in np.ndindex(raw.shape):
        x = float(raw[at])
        b = float(recipe.bias.data[at]) if recipe.bias else 0.0
        d = float(recipe.dark.data[at]) if recipe.dark else 0.0
        f = float(recipe.flat.data[at]) if recipe.flat else 1.0
        sb = float(recipe.bias.uncert[at]) if recipe.bias else 0.0
        sd = float(recipe.dark.uncert[at]) if recipe.dark else 0.0
        sf = float(recipe.flat.uncert[at]) if recipe.flat else 0.0
        electrons = g * max(x - overscan[at] - b, 0)
        signal = x - overscan[at] - b - k * d
        raw_variance = (recipe.rdnoise_e**2 + electrons) / g**2 + recipe.step_adu**2 / 12
        variance = raw_variance + sb**2 + (k * sd) ** 2 + (d * recipe.dark_scale_error) ** 2
        unit = g if recipe.unit == "electron" else 1
        value[at] = unit * (signal / f + recipe.pedestal_adu)
        sigma[at] = unit * math.sqrt(variance / f**2 + (signal / f * sf / f) ** 2)
        flags = (8 if x >= recipe.saturate_adu else 0) + (32 if x >= recipe.nonlinear_adu else 0)
        for master in (recipe.bias, recipe.dark, recipe.flat):
            flags |= int(master.dq[at]) if master else 0
        bits[at] = flags | (int(recipe.bad[at]) if recipe.bad is not None else 0)
    return value, sigma, bits


@pytest.mark.parametrize("unit", ["adu", "electron"])
@pytest.mark.parametrize(
    "without", [{}, {"dark": None}, {"flat": None}, {"bias": None, "dark": None}, {"bad": None, "overscan_adu": 0.0}]
)
def test_every_pixel_is_what_the_formulas_say(unit, without):
    raw, recipe = raw_frame(), full_recipe(unit=unit, **without)
    value, sigma, bits = by_loop(raw, recipe)
    made = calibrate_light(raw, recipe)
    np.testing.assert_allclose(made.data, value, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(made.uncert, sigma, rtol=2e-6)
    np.testing.assert_array_equal(made.dq, bits)
    assert (made.data.dtype, made.uncert.dtype, made.dq.dtype) == (np.float32, np.float32, np.uint16)
    assert made.assumed == ()


def test_a_light_by_hand():
    one = np.ones((1, 2), np.float32)
    recipe = Recipe(
        overscan_adu=100, bias=Planes(10 * one, 3 * one), dark=Planes(20 * one, 2 * one), dark_scale=2,
        dark_scale_error=0.1, flat=Planes(0.5 * one, 0.01 * one), egain_e_adu=2, rdnoise_e=4, step_adu=0,
    )  # fmt: skip
    made = calibrate_light(np.array([[360, 110]], np.uint16), recipe)
    # 360 - 100 - 10 - 2 * 20 = 210, over 0.5; 110 leaves no light, and less than none after the dark
    np.testing.assert_array_equal(made.data, [[420, -80]])
    # (4/2)^2 + 250/2 + 3^2 + 2^2 2^2 + 20^2 0.1^2, over 0.5^2, and (420 * 0.01 / 0.5)^2
    first = (4 + 125 + 9 + 16 + 4) / 0.25 + 8.4**2
    second = (4 + 0 + 9 + 16 + 4) / 0.25 + 1.6**2
    np.testing.assert_allclose(made.uncert, [[first**0.5, second**0.5]], rtol=1e-6)


@pytest.mark.parametrize("block", [1, 9, 40, 10**6])
def test_blocks_change_no_bit(monkeypatch, block):
    raw, recipe = raw_frame(shape=(29, 9)), full_recipe(shape=(29, 9))
    whole = calibrate_light(raw, recipe)
    monkeypatch.setattr(module, "_BLOCK", block)
    parts = calibrate_light(raw, recipe)
    for name in ("data", "uncert", "dq"):
        assert getattr(whole, name).tobytes() == getattr(parts, name).tobytes()
    assert whole.uncsys == parts.uncsys


def test_planes_that_are_not_wanted_are_not_made_and_change_nothing():
    raw, recipe = raw_frame(), full_recipe()
    whole, bare = calibrate_light(raw, recipe), calibrate_light(raw, replace(recipe, planes=("SCI",)))
    assert bare.uncert is None
    assert bare.dq is None
    assert math.isnan(bare.uncsys)
    assert bare.data.tobytes() == whole.data.tobytes()


def test_whole_numbers_and_floats_give_the_same_light():
    raw, recipe = raw_frame(), full_recipe()
    assert calibrate_light(raw, recipe).data.tobytes() == calibrate_light(raw.astype(np.float32), recipe).data.tobytes()
    swapped = calibrate_light(raw.astype(">u2"), recipe)
    assert swapped.uncert.tobytes() == calibrate_light(raw, recipe).uncert.tobytes()


def test_a_trimmed_view_of_a_frame_is_a_frame():
    raw, recipe = raw_frame(shape=(20, 15)), full_recipe()
    part = raw[3:16, 2:11]
    assert calibrate_light(part, recipe).data.tobytes() == calibrate_light(part.copy(), recipe).data.tobytes()


def test_what_has_no_value_is_told():
    raw, recipe = raw_frame().astype(np.float32), full_recipe()
    raw[2, 3] = np.nan
    recipe.bias.data[4, 4] = np.nan
    recipe.flat.data[5, 5] = 0
    made = calibrate_light(raw, recipe)
    lost = np.zeros(SHAPE, bool)
    lost[[2, 4, 5], [3, 4, 5]] = True
    np.testing.assert_array_equal(np.isnan(made.data), lost)
    np.testing.assert_array_equal(np.isnan(made.uncert), lost)
    np.testing.assert_array_equal(made.dq & dq("NO_DATA") != 0, lost)


def test_what_was_mended_in_a_master_was_not_mended_in_the_light():
    recipe = full_recipe()
    assert recipe.bad[3, 4] == recipe.dark.dq[3, 4] == recipe.dark.dq[3, 5] == recipe.bad[3, 5] == 0
    recipe.dark.dq[3, 4] = recipe.flat.dq[3, 5] = dq("HOT", "INTERPOLATED")
    told = calibrate_light(raw_frame(), recipe).dq & dq("HOT", "INTERPOLATED")
    assert told[3, 4] == dq("HOT")  # its dark current is still in the light
    assert told[3, 5] == 0  # the flat is as good as elsewhere


def test_a_master_of_another_shape_is_refused():
    recipe = full_recipe()
    with pytest.raises(LostlightError, match=r"CAL103.*9 x 12 pixels, its bias 9 x 13"):
        calibrate_light(raw_frame(shape=(12, 9)), recipe)
    with pytest.raises(LostlightError, match=r"CAL103.*its bad 8 x 13"):
        calibrate_light(raw_frame(), replace(recipe, bad=np.zeros((13, 8), np.uint16)))


def test_electrons_need_a_gain():
    with pytest.raises(LostlightError, match=r"CAL109.*gain"):
        calibrate_light(raw_frame(), Recipe(unit="electron"))


@settings(max_examples=30, deadline=None)
@given(st.floats(0.05, 50), st.integers(0, 10**6))
def test_electrons_are_adu_times_the_gain(gain, seed):
    raw, recipe = raw_frame(seed), full_recipe(seed, egain_e_adu=gain)
    adu, electrons = calibrate_light(raw, recipe), calibrate_light(raw, replace(recipe, unit="electron"))
    np.testing.assert_allclose(electrons.data, np.float32(gain) * adu.data, rtol=1e-6)
    np.testing.assert_allclose(electrons.uncert, np.float32(gain) * adu.uncert, rtol=1e-6)
    np.testing.assert_array_equal(electrons.dq, adu.dq)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5000))
def test_a_level_on_raw_and_overscan_alike_changes_nothing(seed, level):
    raw, recipe = raw_frame(seed), full_recipe(seed)
    shifted = replace(
        recipe, overscan_adu=recipe.overscan_adu + level, saturate_adu=3000 + level, nonlinear_adu=2000 + level
    )
    before, after = calibrate_light(raw, recipe), calibrate_light((raw + level).astype(np.uint16), shifted)
    np.testing.assert_allclose(after.data, before.data, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(after.dq, before.dq)


class Bench:
    """A camera with known maps, and masters made of `n` of its frames as plain means."""

    def __init__(self, seed, n=9, shape=(24, 21)):
        self.rng, self.n, self.shape = np.random.default_rng(seed), n, shape
        self.bias = 500 + self.rng.normal(0, 5, shape)
        self.dark_e_s = self.rng.gamma(4, 0.5, shape)
        y, x = np.mgrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
        self.response = 1 + 0.1 * x - 0.15 * y

    def frame(self, light_e, seconds):
        electrons = self.rng.poisson(light_e * self.response + self.dark_e_s * seconds)
        return np.round((electrons + self.rng.normal(0, READ_E, self.shape)) / GAIN + self.bias).astype(np.uint16)

    def stack(self, light_e, seconds):
        frames = np.array([self.frame(light_e, seconds) for _ in range(self.n)], float)
        electrons = light_e * self.response + self.dark_e_s * seconds
        sigma = np.sqrt(((electrons + READ_E**2) / GAIN**2 + 1 / 12) / self.n)
        return frames.mean(axis=0), sigma

    def masters(self):
        bias, bias_sigma = self.stack(0, 0)
        dark, dark_sigma = self.stack(0, 60)
        flat, flat_sigma = self.stack(30000, 0)
        both = [
            Planes(bias, bias_sigma),
            Planes(dark, dark_sigma),
            Planes(flat - bias, np.hypot(flat_sigma, bias_sigma)),
        ]
        return [Planes(p.data.astype(np.float32), p.uncert.astype(np.float32)) for p in both]


@pytest.mark.parametrize("mode", ["matched", "scaled"])
def test_the_error_bars_of_lights_are_right(mode):
    """Over many cameras, the light misses the truth by as much as its uncertainty says."""
    pulls, seconds, sky_e = [], 60 if mode == "matched" else 100, 15000
    for seed in range(60):
        bench = Bench(seed)
        bias, dark, flat = bench.masters()
        recipe = Recipe(flat=finish(flat), egain_e_adu=GAIN, rdnoise_e=READ_E)
        if mode == "matched":
            recipe = replace(recipe, dark=dark, zero_adu=500)
        else:
            alone = Planes(dark.data - bias.data, np.hypot(dark.uncert, bias.uncert))
            recipe = replace(recipe, bias=bias, dark=alone, dark_scale=100 / 60, same_bias=True)
        made = calibrate_light(bench.frame(sky_e, seconds), recipe)
        pulls.append((made.data - sky_e / GAIN) / made.uncert)
    assert np.std(pulls) == pytest.approx(1, abs=0.02)
    assert abs(np.mean(pulls)) < 0.01


def test_a_bias_taken_off_twice_on_purpose_counts_once():
    """light - bias - 1 (dark - bias) is light - dark: its error has none of the bias in it."""
    one = np.ones(SHAPE, np.float32)
    bias, dark = Planes(500 * one, 2 * one), Planes(30 * one, np.hypot(2 * one, 1.5 * one))
    recipe = Recipe(bias=bias, dark=dark, same_bias=True, egain_e_adu=1, rdnoise_e=0, step_adu=0)
    made = calibrate_light(np.full(SHAPE, 500, np.uint16), recipe)
    np.testing.assert_allclose(made.uncert, 1.5, rtol=1e-6)
    np.testing.assert_allclose(
        calibrate_light(raw_frame() * 0 + 500, replace(recipe, same_bias=False)).uncert, 10.25**0.5
    )


def test_the_share_of_the_masters_is_told():
    one = np.ones((40, 30), np.float32)
    recipe = Recipe(bias=Planes(100 * one, 2 * one), egain_e_adu=1, rdnoise_e=2, step_adu=0)
    raw = np.full((40, 30), 108, np.uint16)
    assert calibrate_light(raw, recipe).uncsys == pytest.approx(4 / (4 + 4 + 8))
    assert calibrate_light(raw, replace(recipe, bias=Planes(100 * one))).uncsys == 0
    assert math.isnan(calibrate_light(np.full((40, 30), np.nan, np.float32), recipe).uncsys)


def test_what_is_assumed_is_said():
    recipe = full_recipe(bias=None)
    assert "dark current" in calibrate_light(raw_frame(), recipe).assumed[0]
    assert calibrate_light(raw_frame(), replace(recipe, zero_adu=300)).assumed == ()
    bare = replace(recipe, zero_adu=300, flat=Planes(recipe.flat.data), dark=Planes(recipe.dark.data))
    assert [text.split()[1] for text in calibrate_light(raw_frame(), bare).assumed] == ["dark", "flat"]


def test_the_level_of_the_bias_tells_the_noise_of_the_dark_current():
    one = np.ones(SHAPE, np.float32)
    raw = np.full(SHAPE, 900, np.uint16)
    recipe = Recipe(dark=Planes(800 * one), egain_e_adu=1, rdnoise_e=0, step_adu=0)
    np.testing.assert_allclose(calibrate_light(raw, recipe).uncert, 10)
    np.testing.assert_allclose(calibrate_light(raw, replace(recipe, zero_adu=500)).uncert, 20)


def noisy(seed, sky_e=400.0, read_e=READ_E, shape=(120, 101)):
    rng = np.random.default_rng(seed)
    pattern = rng.normal(500, 30, shape)
    electrons = rng.poisson(sky_e, shape) + rng.normal(0, read_e, shape)
    raw = electrons / GAIN + pattern
    raw[rng.integers(0, shape[0], 60), rng.integers(0, shape[1], 60)] += 5000  # stars
    bias = Planes((pattern + rng.normal(0, 1.5, shape)).astype(np.float32), np.full(shape, 1.5, np.float32))
    return np.round(raw).astype(np.uint16), bias, math.sqrt((sky_e + read_e**2) / GAIN**2 + 1 / 12 + 1.5**2)


def test_an_unknown_read_noise_is_measured():
    raw, bias, sigma = noisy(4, sky_e=30, read_e=12)
    made = calibrate_light(raw, Recipe(bias=bias, egain_e_adu=GAIN))
    assert np.median(made.uncert) == pytest.approx(sigma, rel=0.03)
    assert made.assumed[0].startswith("read noise is not known")
    assert float(made.assumed[0].split()[5]) == pytest.approx(12, rel=0.05)
    bright = made.data > 4000  # stars keep the noise of their own light
    expected = np.sqrt((made.data[bright] * GAIN + 12**2) / GAIN**2 + 1 / 12 + 1.5**2)
    np.testing.assert_allclose(made.uncert[bright], expected, rtol=0.01)


def test_an_unknown_gain_leaves_the_noise_of_the_background():
    raw, bias, sigma = noisy(5)
    for read in (np.nan, READ_E):
        made = calibrate_light(raw, Recipe(bias=bias, rdnoise_e=read))
        assert np.median(made.uncert) == pytest.approx(sigma, rel=0.03)
        assert np.ptp(made.uncert) == 0
        assert "bright pixels are noisier" in made.assumed[0]


def test_colours_of_a_mosaic_are_no_noise():
    raw, bias, sigma = noisy(6)
    raw[::2, 1::2] += 3000
    assert np.median(calibrate_light(raw, Recipe(bias=bias)).uncert) == pytest.approx(sigma, rel=0.03)


def test_noise_of_a_frame_without_pixels_is_unknown():
    made = calibrate_light(np.full((9, 8), np.nan, np.float32), Recipe(egain_e_adu=1))
    assert np.isnan(made.uncert).all()


def test_ccdproc_makes_the_same_light():
    import ccdproc

    recipe, raw = full_recipe(overscan_adu=0, pedestal_adu=0, dark_scale_error=0, step_adu=0), raw_frame() + 500
    bias, dark, flat = (
        CCDData(master.data.astype(float), unit=unit, uncertainty=StdDevUncertainty(master.uncert.astype(float)))
        for master, unit in ((recipe.bias, u.adu), (recipe.dark, u.adu), (recipe.flat, u.one))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = ccdproc.subtract_bias(CCDData(raw.astype(float), unit="adu"), CCDData(bias.data, unit="adu"))
        theirs = ccdproc.create_deviation(theirs, gain=GAIN * u.electron / u.adu, readnoise=READ_E * u.electron)
        # ccdproc scales a dark by exposures, and not its uncertainty; the bias came without any
        scaled = CCDData(1.7 * dark.data, unit="adu", uncertainty=StdDevUncertainty(1.7 * dark.uncertainty.array))
        seconds = 1 * u.s
        theirs = ccdproc.subtract_dark(theirs, scaled, dark_exposure=seconds, data_exposure=seconds)
        theirs = ccdproc.flat_correct(theirs, flat, norm_value=1)
    made = calibrate_light(raw, replace(recipe, bias=Planes(recipe.bias.data)))
    np.testing.assert_allclose(made.data, theirs.data, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(made.uncert, theirs.uncertainty.array, rtol=1e-5)


@pytest.mark.needs_shared
def test_the_read_noise_of_real_biases_is_that_of_their_differences(shared_data):
    """Two biases as light and master: what is measured is the noise of a pair of them."""
    first, second = (fits.getdata(shared_data / "raw-calib" / f"biastest{n}.fit").astype(np.float32) for n in (2, 3))
    made = calibrate_light(first, Recipe(bias=Planes(second)))
    assert np.median(made.uncert) == pytest.approx(math.sqrt(2) * 20.18, rel=0.03)
