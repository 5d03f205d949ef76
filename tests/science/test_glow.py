"""Amplifier glow: a planted one is measured, modelled, found in a light, and never scaled blindly."""

import numpy as np
import pytest

from lostlight.core.errors import UnitError
from lostlight.science.calibrate import glow

SHAPE = (301, 386)


def planted(amplitude_adu, reach_px=70):
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return amplitude_adu * np.exp(-np.hypot(xx, SHAPE[0] - 1 - yy) / reach_px)


def dark(amplitude_adu, seed, sigma_adu=3.0, reach_px=70):
    rng = np.random.default_rng(seed)
    hot = np.where(rng.random(SHAPE) < 0.01, rng.exponential(500, SHAPE), 0)
    return (20 + planted(amplitude_adu, reach_px) + hot + rng.normal(0, sigma_adu, SHAPE)).astype(np.float32)


def test_amplitude_is_that_of_the_brightest_corner():
    found = glow.amplitude(dark(80, 1))
    truth = planted(80)
    expected = truth[round(found.y), round(found.x)] - truth[SHAPE[0] // 2, SHAPE[1] // 2]
    assert found.amplitude_adu == pytest.approx(expected, rel=0.05)
    assert found.x < 20
    assert found.y > SHAPE[0] - 20
    assert 0.1 < found.sigma_adu < 1


def test_a_dark_without_glow_has_none():
    values = [glow.amplitude(dark(0, seed)).amplitude_adu for seed in range(5)]
    # the brightest of some eighty border blocks lies two to four of their errors above zero
    assert max(values) < 5 * 3.0 * 1.2533 / 16


@pytest.mark.parametrize("cfa", [False, True])
def test_model_follows_the_glow(cfa):
    surface = glow.model(dark(60, 2, reach_px=40), cfa=cfa)
    truth = planted(60, 40)
    assert surface.shape == SHAPE
    assert surface.min() >= 0
    inner = np.s_[8:-8, 8:-8]
    assert np.std((surface - truth)[inner]) < 0.35
    # a cusp in a corner is rounded over half a block
    assert np.abs(surface - truth)[inner].max() < 0.15 * 60


def light(k, seed, n_stars=60, amplitude_adu=60, reach_px=70):
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[: SHAPE[0], : SHAPE[1]]
    vignetting = 1 - 3e-6 * ((xx - 180) ** 2 + (yy - 160) ** 2)
    level = (300 + 0.2 * xx - 0.1 * yy) * vignetting + k * planted(amplitude_adu, reach_px)
    stars = zip(*rng.random((2, n_stars)) * [[SHAPE[1]], [SHAPE[0]]], strict=True)
    for x, y in stars:
        level += 10 ** rng.uniform(2, 4) * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / 4)
    return (level + rng.normal(0, 14, SHAPE)).astype(np.float32)


@pytest.mark.parametrize("k", [0.5, 1.7])
def test_share_of_the_glow_in_a_light_is_found_under_a_gradient_and_stars(k):
    fits = [glow.fit(light(k, seed), dark(60, seed + 50)) for seed in range(6)]
    assert np.mean([fit.k for fit in fits]) == pytest.approx(k, abs=0.12)
    pulls = [(fit.k - k) / fit.sigma_k for fit in fits]
    assert np.abs(pulls).max() < 4
    assert max(fit.sigma_k for fit in fits) < 0.2


def test_noise_of_the_dark_does_not_lower_the_share():
    fits = [glow.fit(light(1, seed, 0, 60, 40), dark(60, seed + 9, 15, 40)) for seed in range(16)]
    shares = np.array([fit.k for fit in fits])
    # plain least squares gives 0.3
    assert shares.mean() == pytest.approx(1, abs=0.15)


def test_colours_of_a_mosaic_do_not_matter():
    raw = light(1.2, 3)
    raw[::2, ::2] += 500
    assert glow.fit(raw, dark(60, 4), cfa=True).k == pytest.approx(1.2, abs=0.2)


def test_a_dark_without_glow_has_no_share():
    flat = np.full(SHAPE, 20, dtype=np.float32)
    assert np.isnan(glow.fit(light(1, 1), flat).k)
    noise = np.random.default_rng(1).normal(0, 1e-3, SHAPE).astype(np.float32)
    found = glow.fit(light(1, 1), flat + noise)
    assert np.isnan(found.k) or found.sigma_k > abs(found.k) / 5


def test_blocks_without_data_are_left_out():
    raw, master = light(1, 5), dark(60, 6)
    raw[100:160] = np.nan
    master[:, 200:240] = np.nan
    found = glow.fit(raw, master)
    assert found.k == pytest.approx(1, abs=0.2)
    assert found.n_blocks < 18 * 24 - 4 * 24
    assert np.isfinite(glow.model(master)).all()
    assert glow.amplitude(master).amplitude_adu > 40


def test_a_glowing_dark_is_not_multiplied_by_one_factor():
    found = glow.amplitude(dark(80, 1))
    with pytest.raises(UnitError, match=r"CAL212.*light_7") as caught:
        glow.check(found, 0.9, 14, "light_7")
    assert "two_component" in caught.value.hint
    glow.check(found, 0.1, 14, "light_7")
    glow.check(glow.amplitude(dark(0, 1)), 1, 0.01, "light_7")


@pytest.mark.parametrize("shape", [(8, 9), (17, 40)])
def test_small_frames_are_measured(shape):
    image = np.random.default_rng(2).normal(9, 1, shape).astype(np.float32)
    assert np.isfinite(glow.amplitude(image).amplitude_adu)
    assert glow.model(image).shape == shape
    assert glow.fit(image, image).n_blocks <= 100
