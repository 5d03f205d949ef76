"""The factor of a dark: planted ones are found, with the error they have, where other programs' objectives fail."""

import math
from typing import NamedTuple

import numpy as np
import pytest
from scipy.ndimage import convolve1d
from scipy.optimize import minimize_scalar

from lostlight.science.calibrate import dark_scale
from lostlight.science.calibrate.frame import Frame
from lostlight.sim.camera import Camera

GAIN, READ_NOISE_ADU, N_DARKS = 1.5, 5.0, 5
PLANTED = (0.3, 0.6, 1.0, 1.5, 1.9)


class Scene(NamedTuple):
    light: np.ndarray
    dark: np.ndarray
    sigma_light: np.ndarray
    sigma_dark: np.ndarray


def expose(level, rng):
    return rng.poisson(level * GAIN) / GAIN + rng.normal(0, READ_NOISE_ADU, level.shape)


def noise(level, n=1):
    return np.sqrt((READ_NOISE_ADU**2 + np.maximum(level, 0) / GAIN) / n).astype(np.float32)


def sky(shape, rng, n_stars):
    yy, xx = np.mgrid[: shape[0], : shape[1]].astype(float)
    level = 200 + 60 * xx / shape[1] + 20 * yy / shape[0]
    for x, y, flux in zip(
        *rng.random((2, n_stars)) * [[shape[1]], [shape[0]]], 10 ** rng.uniform(2.5, 5.5, n_stars), strict=True
    ):
        near = np.s_[max(0, int(y) - 12) : int(y) + 13, max(0, int(x) - 12) : int(x) + 13]
        level[near] += flux / 10.6 * np.exp(-((xx[near] - x) ** 2 + (yy[near] - y) ** 2) / 3.38)
    return level


def scene(k, seed, *, shape=(487, 530), glow_k=None, hot=0.01, glow_adu=40, n_stars=120):
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[: shape[0], : shape[1]]
    glow = glow_adu * np.exp(-np.hypot(shape[1] - xx, yy) / 60)
    current = 5 + np.where(rng.random(shape) < hot, rng.exponential(250, shape), 0)
    dark = np.mean([expose(current + glow, rng) for _ in range(N_DARKS)], axis=0)
    light = expose(sky(shape, rng, n_stars) + k * current + (k if glow_k is None else glow_k) * glow, rng)
    light[rng.integers(0, shape[0], 200), rng.integers(0, shape[1], 200)] += 10 ** rng.uniform(2, 4, 200)
    return Scene(light.astype(np.float32), dark.astype(np.float32), noise(light), noise(dark, N_DARKS))


def least_noise(light, dark):
    """Factor by the objective of other programs: least k-sigma noise of the finest B3 layer of light - k dark."""
    median = np.median(dark)
    hot = np.where(dark > median + 3 * 1.4826 * np.median(np.abs(dark - median)), dark, 0)

    def layer(image):
        kernel = np.array([1, 4, 6, 4, 1]) / 16
        return image - convolve1d(convolve1d(image, kernel, axis=0, mode="mirror"), kernel, axis=1, mode="mirror")

    of_light, of_dark = layer(light.astype(float)), layer(hot.astype(float))

    def cost(k):
        rest = of_light - k * of_dark
        sigma = rest.std()
        for _ in range(10):
            before, sigma = sigma, rest[np.abs(rest) < 3 * sigma].std()
            if abs(before - sigma) < 0.01 * before:
                break
        return sigma

    return minimize_scalar(cost, bracket=(0.5, 2), method="golden", tol=5e-4).x


@pytest.mark.parametrize("k", PLANTED)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_planted_factors_are_found_within_one_percent(k, seed):
    found = dark_scale.optimise(*scene(k, seed), GAIN)
    assert found.ok
    assert found.n_pixels > 1000
    assert abs(found.k - k) / k <= 0.01
    assert abs(found.k - k) < 4.5 * found.sigma_k


@pytest.mark.soak
@pytest.mark.parametrize("k", PLANTED)
def test_planted_factors_are_found_over_many_scenes(k):
    for seed in range(100, 125):
        rng = np.random.default_rng(seed)
        shape = tuple(rng.integers(400, 1100, 2))
        planted = scene(k, seed, shape=shape, hot=rng.uniform(0.004, 0.03), n_stars=int(rng.integers(0, 800)))
        found = dark_scale.optimise(*planted, GAIN)
        assert found.ok
        assert abs(found.k - k) / k <= 0.01 + 3 * found.sigma_k / k


def test_the_error_is_the_scatter():
    pulls = []
    for seed in range(12):
        found = dark_scale.optimise(*scene(0.8, seed, shape=(260, 301), n_stars=20), GAIN)
        pulls.append((found.k - 0.8) / found.sigma_k)
    assert abs(np.mean(pulls)) < 1
    assert 0.5 < np.std(pulls, ddof=1) < 1.6


@pytest.mark.parametrize("k", [1.0, 1.5, 1.9])
def test_error_is_a_fifth_of_that_of_least_noise(k):
    ours, theirs = [], []
    for seed in (1, 2, 3):
        planted = scene(k, seed)
        ours.append(dark_scale.optimise(*planted, GAIN).k - k)
        theirs.append(least_noise(planted.light, planted.dark) - k)
    assert np.abs(ours).mean() <= np.abs(theirs).mean() / 5


def test_noise_of_the_dark_does_not_lower_the_factor():
    rng = np.random.default_rng(5)
    current = np.where(rng.random((500, 510)) < 0.02, rng.exponential(80, (500, 510)), 0)
    dark = (current + rng.normal(0, 9, current.shape)).astype(np.float32)
    light = (2 * current + rng.normal(0, 6, current.shape)).astype(np.float32)
    found = dark_scale.optimise(light, dark, 6.0, 9.0, math.nan)
    hot = dark > 45
    naive = float((light * dark)[hot].sum() / np.square(dark)[hot].sum())
    assert abs(found.k - 2) < 0.25 * abs(naive - 2)


def test_colours_of_a_mosaic_do_not_matter():
    planted = scene(1.2, 7)
    light = planted.light.copy()
    light[::2, ::2] += 400
    light[1::2, 1::2] += 150
    mosaic = planted._replace(light=light, sigma_light=noise(light))
    assert dark_scale.optimise(*mosaic, GAIN, cfa=True).k == pytest.approx(1.2, rel=0.01)


@pytest.mark.parametrize(("exptime_s", "temp_c"), [(36, -10), (228, -10), (120, -6)])
@pytest.mark.parametrize("cfa", ["", "RGGB"])
def test_a_whole_camera_is_scaled_within_one_percent(exptime_s, temp_c, cfa):
    camera = Camera(5, shape=(391, 442), hot_fraction=0.005, cfa=cfa, glow_e_s=2.0)
    gain, read_noise_adu = camera.design.gain_e_adu, camera.design.rdnoise_e / camera.design.gain_e_adu
    bias = np.mean([camera.bias(i).data for i in range(10)], axis=0).astype(np.float32)
    dark = np.mean([camera.dark(i, 120.0).data for i in range(N_DARKS)], axis=0).astype(np.float32) - bias
    raw = camera.light(0, exptime_s=exptime_s, temp_c=temp_c).data
    light = np.where(raw < 65535, raw - bias, np.float32(np.nan))
    sigma_light = np.sqrt(read_noise_adu**2 + np.maximum(light, 0) / gain)
    sigma_dark = np.sqrt((read_noise_adu**2 + np.maximum(dark, 0) / gain) / N_DARKS + read_noise_adu**2 / 10)
    found = dark_scale.two_component(light, dark, sigma_light, sigma_dark, gain, cfa=bool(cfa))
    warmer = 2 ** ((temp_c + 10) / camera.design.doubling_c)
    assert found.hot.k == pytest.approx(exptime_s / 120 * warmer, rel=0.01)
    assert abs(found.glow.k - exptime_s / 120) < 4 * found.glow.sigma_k
    assert found.glow.sigma_k < 0.1 * exptime_s / 120


def test_saturated_pixels_marked_as_no_data_are_left_out():
    planted = scene(1.5, 8)
    light = np.where(planted.light > 900, np.float32(np.nan), planted.light)
    found = dark_scale.optimise(light, *planted[1:], GAIN)
    assert found.k == pytest.approx(1.5, rel=0.015)
    assert found.n_pixels < dark_scale.optimise(*planted, GAIN).n_pixels


def test_the_same_frames_give_the_same_factor():
    planted = scene(0.7, 9, shape=(200, 210))
    assert dark_scale.optimise(*planted, GAIN) == dark_scale.optimise(*planted, GAIN)


def test_a_light_said_to_be_without_noise_is_measured():
    planted = scene(0.7, 9, shape=(250, 260), n_stars=0)
    found = dark_scale.optimise(planted.light, planted.dark, 0.0, planted.sigma_dark, GAIN)
    assert found.k == pytest.approx(0.7, rel=0.05)


def test_too_few_hot_pixels_are_not_enough():
    found = dark_scale.optimise(*scene(1, 1, shape=(100, 130), hot=0.002), GAIN)
    assert not found.ok
    assert "200 are needed" in found.why


def test_a_light_without_dark_current_has_no_factor():
    planted = scene(0, 3, shape=(250, 260))
    found = dark_scale.optimise(*planted, GAIN)
    assert not found.ok
    assert "uncertain" in found.why
    assert found.k < 0.02


def test_stable_structure_that_is_not_hot_is_no_dark_current():
    planted = scene(1, 4, shape=(250, 260))
    found = dark_scale.optimise(planted.light * 40, planted.dark, planted.sigma_light * 40, planted.sigma_dark, GAIN)
    assert not found.ok
    assert "beyond" in found.why


def test_hot_pixels_that_do_not_repeat_give_no_factor():
    planted = scene(1, 4, shape=(250, 260))
    rng = np.random.default_rng(4)
    elsewhere = planted.light + np.where(rng.random((250, 260)) < 0.9, rng.uniform(-9e3, 9e3, (250, 260)), 0)
    found = dark_scale.optimise(elsewhere.astype(np.float32), *planted[1:], GAIN)
    assert not found.ok
    assert "agree" in found.why


def test_noise_as_large_as_the_dark_gives_no_factor():
    planted = scene(1, 4, shape=(250, 260))
    found = dark_scale._judge(*dark_scale._regress(dark_scale._Pairs(*(np.ones(300),) * 3, np.full(300, 9.0)), 0.5))
    assert math.isnan(found.k)
    assert not found.ok
    lit = planted.light[:4, :5]
    alone = dark_scale.optimise(lit, np.full_like(lit, np.nan), 1.0, 1.0, GAIN)
    assert alone.n_pixels == 0


def test_glow_has_a_factor_of_its_own():
    planted = scene(0.8, 11, glow_k=1.4, glow_adu=150, n_stars=40)
    both = dark_scale.two_component(*planted, GAIN)
    assert both.hot.k == pytest.approx(0.8, rel=0.01)
    assert both.glow.ok
    assert both.glow.k == pytest.approx(1.4, rel=0.05)
    assert abs(both.glow.k - 1.4) < 4 * both.glow.sigma_k
    left = planted.light - both.hot.k * (planted.dark - both.surface) - both.glow.k * both.surface
    one = planted.light - both.hot.k * planted.dark
    corner = np.s_[:40, -40:]
    level = np.median(left[200:280, 220:300])
    assert abs(np.median(left[corner]) - level) < 0.35 * abs(np.median(one[corner]) - level)


def frame(exptime_s, ccd_temp_c=math.nan):
    return Frame("f", "f.fits", exptime_s=exptime_s, ccd_temp_c=ccd_temp_c)


def test_prior_doubles_every_six_degrees():
    expected = dark_scale.prior(frame(60, -4), frame(120, -10), 6)
    assert expected.k == pytest.approx(1.0)
    assert expected.sigma_k == pytest.approx(2 ** (6 / 5) / 2 - 1, rel=0.3)


def test_prior_without_temperatures_is_the_ratio_of_exposures():
    assert dark_scale.prior(frame(30), frame(120, -10), 6) == dark_scale.prior(frame(30, -10), frame(120), 6)
    assert dark_scale.prior(frame(30), frame(120), 6).k == 0.25


def test_prior_without_exposures_is_not_usable():
    assert not dark_scale.prior(frame(math.nan), frame(120), 6).ok
    assert not dark_scale.prior(frame(30), frame(0), 6).ok


def test_an_uncertain_factor_gives_way_to_the_prior_with_a_warning():
    expected = dark_scale.prior(frame(60), frame(120), 6)
    good = dark_scale.Scale(0.52, 0.01, 900, True, "900 hot pixels")
    assert dark_scale.choose(good, expected, "light_1") == (good, None)
    bad = dark_scale.Scale(0.5, 0.1, 300, False, "uncertain")
    taken, warning = dark_scale.choose(bad, expected, "light_1")
    assert taken == expected
    assert (warning.code, warning.where, warning.value) == ("CAL211", "light_1", pytest.approx(0.2))
    nothing = dark_scale.Scale(math.nan, math.nan, 0, False, "0 hot pixels")
    assert dark_scale.choose(nothing, expected, "light_1")[1].value is None
