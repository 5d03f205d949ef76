"""Masters and lights against the truth of a simulated camera: as near as noise allows, with errors that say so."""

from dataclasses import dataclass

import numpy as np
import pytest

from lostlight.science.calibrate.flat import finish
from lostlight.science.calibrate.levels import level
from lostlight.science.calibrate.light import calibrate_light
from lostlight.science.calibrate.light_recipe import Recipe
from lostlight.science.calibrate.planes import Planes
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import Combined, NoiseModel, Rule
from lostlight.sim.camera import Camera
from lostlight.sim.camera_design import Scene
from lostlight.vocab.bits import dq

SHAPE = (384, 512)
N = 10
GAIN, RDNOISE, LEVEL = 1.5, 5.0, 1000.0
NO_LIGHT = NoiseModel(RDNOISE, GAIN, pedestal_adu=65535.0)
COUNTING = NoiseModel(RDNOISE, GAIN, pedestal_adu=LEVEL)


def stacked(frames, rule, **normalised):
    """Combine raw frames held in memory."""

    def read_rows(frame, y0, y1, out):
        out[:] = frames[frame][y0:y1]

    return combine(len(frames), frames[0].shape, read_rows, rule, **normalised)


def clipping(noise):
    return Rule(reject="noise_model", low=4.0, high=4.0, noise=noise)


def true_variance(expected_adu, bias_adu):
    """Read noise, shot noise and rounding of one frame, from what is expected of it."""
    return (RDNOISE / GAIN) ** 2 + np.maximum(expected_adu - bias_adu, 0) / GAIN + 1 / 12


@dataclass
class Night:
    """A camera and its masters."""

    camera: Camera
    dark_adu: np.ndarray
    """truth of the master dark"""
    bias: Combined
    dark: Combined
    flat: Planes
    flat_truth: np.ndarray
    good: np.ndarray
    """pixels that are neither unstable, saturated nor without a flat"""


@pytest.fixture(scope="module")
def night():
    # An error taken from noisy counts is smaller where they came out low, which shifts the mean pull by -1/2 over the
    # root of the electrons: only frames with thousands of them can show less than 0.01.
    camera = Camera(31, SHAPE, scene=Scene(n_stars=60, sky_e_s=40.0), dark_e_s=5.0)
    bias = stacked([camera.bias(i).data for i in range(N)], clipping(NO_LIGHT))
    dark = stacked([camera.dark(i).data for i in range(N)], clipping(COUNTING))
    flat = master_flat(camera)
    dark_adu = expected_dark(camera)
    good = ~camera.truth.rts & (dark_adu < 60_000) & ((flat.dq & dq("NO_FLAT")) == 0)
    # A flat is known but for a factor.
    truth = camera.truth.flat("R")
    truth = truth * flat.data[good].mean() / truth[good].mean()
    return Night(camera, dark_adu, bias, dark, flat, truth, good)


def expected_dark(camera, exptime_s=120.0):
    return camera.truth.bias_adu + exptime_s * (camera.truth.dark_e_s() + camera.truth.glow_e_s) / GAIN


def master_flat(camera):
    """Flats without pedestal, scaled to one level, combined and finished."""
    flat_dark = stacked([camera.flat_dark(i).data for i in range(N)], clipping(COUNTING))
    frames = [camera.flat(i).data - flat_dark.data for i in range(N)]
    levels = np.array([float(level(frame, "median_center").mean()) for frame in frames])
    rule = clipping(NoiseModel(RDNOISE, GAIN))
    combined = stacked(frames, rule, scales=levels.mean() / levels)
    return finish(Planes(combined.data, np.hypot(combined.sigma, flat_dark.sigma), np.zeros(SHAPE, np.uint16)))


def assert_honest(deviation, sigma, good):
    """Pulls have the mean 0 and the width 1."""
    pull = deviation[good] / sigma[good]
    assert abs(pull.mean()) < 0.01
    assert pull.std() == pytest.approx(1, abs=0.02)


def test_a_master_bias_errs_as_it_says(night):
    assert_honest(night.bias.data - night.camera.truth.bias_adu, night.bias.sigma, np.s_[:])


def test_a_master_dark_errs_as_it_says(night):
    assert_honest(night.dark.data - night.dark_adu, night.dark.sigma, night.good)


def test_a_master_flat_errs_as_it_says(night):
    assert night.good.mean() > 0.99
    assert_honest(night.flat.data - night.flat_truth, night.flat.uncert, night.good)


@pytest.mark.parametrize("unit", ["adu", "electron"])
def test_a_calibrated_light_errs_as_it_says(night, unit):
    raw = night.camera.light(0)
    dark = Planes(night.dark.data, night.dark.sigma, np.zeros(SHAPE, np.uint16))
    recipe = Recipe(
        dark=dark, flat=night.flat, unit=unit, egain_e_adu=GAIN, rdnoise_e=RDNOISE, zero_adu=LEVEL, saturate_adu=65535
    )
    light = calibrate_light(raw.data, recipe)
    truth = raw.truth.scene_e * night.camera.truth.flat("R") / night.flat_truth / (GAIN if unit == "adu" else 1)
    good = night.good & (light.dq == 0) & ~raw.truth.cosmic
    assert good.mean() > 0.99
    assert_honest(light.data - truth, light.uncert, good)


def test_a_colour_camera_is_calibrated_place_by_place():
    camera = Camera(36, (201, 302), cfa="GRBG", scene=Scene(n_stars=20, sky_e_s=40.0))
    flats = [camera.flat(i, "").data - camera.truth.bias_adu.astype(np.float32) for i in range(N)]
    combined = stacked(flats, Rule(noise=NoiseModel(RDNOISE, GAIN)))
    flat = finish(Planes(combined.data, combined.sigma, np.zeros(combined.data.shape, np.uint16)), bayerpat="GRBG")
    good = ~camera.truth.rts & ~camera.truth.hot & (flat.dq == 0)
    truth = camera.truth.flat("").copy()
    for y, x in np.ndindex(2, 2):
        place = np.s_[y::2, x::2]
        valid = good[place]
        truth[place] *= flat.data[place][valid].mean() / truth[place][valid].mean()
        assert np.median(flat.data[place][valid]) == pytest.approx(1, abs=1e-3)
    raw = camera.light(0, "")
    bias = Planes(camera.truth.bias_adu.astype(np.float32))
    dark = Planes((expected_dark(camera) - camera.truth.bias_adu).astype(np.float32))
    light = calibrate_light(raw.data, Recipe(bias=bias, dark=dark, flat=flat, egain_e_adu=GAIN, rdnoise_e=RDNOISE))
    expected = raw.truth.scene_e / GAIN * camera.truth.flat("") / truth
    pull = ((light.data - expected) / light.uncert)[good & ~raw.truth.cosmic]
    assert abs(pull.mean()) < 0.02
    assert pull.std() == pytest.approx(1, abs=0.02)


def test_masters_are_as_near_to_the_truth_as_theory_allows():
    camera = Camera(35, SHAPE)
    bias = camera.truth.bias_adu
    for kind, truth, noise in (("bias", bias, NO_LIGHT), ("dark", expected_dark(camera), COUNTING)):
        master = stacked([getattr(camera, kind)(i).data for i in range(N)], clipping(noise))
        good = ~camera.truth.rts & (truth < 60_000)
        error = ((master.data - truth) / np.sqrt(true_variance(truth, bias) / N))[good]
        assert np.sqrt(np.mean(error**2)) <= 1.03
        assert abs(error.mean()) < 0.01


@pytest.mark.parametrize("n", [5, 10])
def test_a_median_costs_what_theory_says(n):
    camera = Camera(32, (200, 301), rdnoise_e=30.0)
    noise = NoiseModel(30.0, GAIN, pedestal_adu=65535.0)
    frames = [camera.bias(i).data for i in range(n)]
    master = stacked(frames, Rule(combine="median", noise=noise))
    error = master.data - camera.truth.bias_adu
    # Variance of the median of a Gaussian sample over that of its mean.
    c_n = {5: 1.435, 10: 1.382}[n]
    assert error.std() <= 1.01 * np.sqrt(c_n / n) * 30.0 / GAIN
    assert (error / master.sigma).std() == pytest.approx(1, abs=0.02)


def test_rejection_costs_a_clean_stack_nothing():
    camera = Camera(33, SHAPE, cosmics_s_mpx=0.0, rts_fraction=0.0, hot_fraction=0.0)
    frames = [camera.dark(i).data for i in range(N)]
    truth = expected_dark(camera)
    theory = np.sqrt(true_variance(truth, camera.truth.bias_adu) / N)
    plain, clipped = (((stacked(frames, rule).data - truth) / theory) for rule in (Rule(), clipping(COUNTING)))
    assert abs(clipped.mean()) < 0.02
    assert clipped.std() <= 1.01 * plain.std()


def test_cosmic_rays_are_rejected_where_they_fell_and_nowhere_else():
    n = 20
    empty = dict.fromkeys(("rts_fraction", "hot_fraction", "bad_columns", "dark_e_s", "glow_e_s"), 0)
    camera = Camera(34, SHAPE, cosmics_s_mpx=10.0, **empty)
    darks = [camera.dark(i) for i in range(n)]
    master = stacked([dark.data for dark in darks], clipping(COUNTING))
    sigma = np.sqrt(true_variance(0.0, 0.0))
    heights = np.array([dark.truth.cosmic_e / GAIN / sigma for dark in darks])
    n_hits = (heights > 0).sum(axis=0)
    once = (n_hits == 1) & (heights.max(axis=0) > 5.5)
    assert once.sum() > 3_000
    assert np.mean(master.n_high[once] >= 1) >= 0.99
    clean = n_hits == 0
    assert (master.n_high[clean].sum() + master.n_low[clean].sum()) / (clean.sum() * n) <= 1e-4
    residual = (master.data - camera.truth.bias_adu)[once] / (sigma / np.sqrt(n))
    assert abs(residual.mean()) < 0.05


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(60, 66))
def test_every_camera_recovers(seed):
    camera = Camera(seed, (1024, 1024), dark_e_s=5.0, scene=Scene(sky_e_s=40.0, n_stars=400))
    bias = stacked([camera.bias(i).data for i in range(30)], clipping(NO_LIGHT))
    assert_honest(bias.data - camera.truth.bias_adu, bias.sigma, np.s_[:])
    dark = stacked([camera.dark(i).data for i in range(30)], clipping(COUNTING))
    truth = expected_dark(camera)
    good = ~camera.truth.rts & (truth < 60_000)
    assert_honest(dark.data - truth, dark.sigma, good)
    error = ((dark.data - truth) / np.sqrt(true_variance(truth, camera.truth.bias_adu) / 30))[good]
    assert np.sqrt(np.mean(error**2)) <= 1.03
