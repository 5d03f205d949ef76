"""Dark current per second: lines through planted darks, their errors, and the law of temperature."""

import math

import numpy as np
import pytest

from lostlight.core.errors import ConfigError
from lostlight.science.calibrate import dark_rate

SHAPE = (141, 67)
EXPOSURES_S = (10.0, 60.0, 120.0, 300.0)


def darks(rng, exposures_s=EXPOSURES_S, sigma=2.0):
    current = rng.exponential(0.5, SHAPE)
    bias = 500 + rng.normal(0, 3, SHAPE)
    frames = [(bias + current * t + rng.normal(0, sigma, SHAPE)).astype(np.float32) for t in exposures_s]
    return current, bias, frames


@pytest.mark.parametrize("exposures_s", [EXPOSURES_S, (30.0, 300.0)])
def test_planted_rates_and_biases_are_found_with_their_errors(exposures_s):
    current, bias, frames = darks(np.random.default_rng(1), exposures_s)
    found = dark_rate.rate(exposures_s, frames, [2.0] * len(frames))
    for value, sigma, truth in (
        (found.rate_adu_s, found.sigma_rate_adu_s, current),
        (found.intercept_adu, found.sigma_intercept_adu, bias),
    ):
        pull = (value - truth) / sigma
        assert abs(pull.mean()) < 0.05
        assert pull.std() == pytest.approx(1, abs=0.03)


def test_line_is_the_weighted_least_squares_of_numpy():
    rng = np.random.default_rng(2)
    _, _, frames = darks(rng)
    sigmas = [rng.uniform(1, 4, SHAPE).astype(np.float32) for _ in frames]
    found = dark_rate.rate(EXPOSURES_S, frames, sigmas)
    for y, x in ((0, 0), (130, 66), (77, 5)):
        weights = [1 / sigma[y, x] for sigma in sigmas]
        line, covariance = np.polyfit(EXPOSURES_S, [f[y, x] for f in frames], 1, w=weights, cov="unscaled")
        assert found.rate_adu_s[y, x] == pytest.approx(line[0], rel=1e-5)
        assert found.intercept_adu[y, x] == pytest.approx(line[1], rel=1e-5)
        assert found.sigma_rate_adu_s[y, x] == pytest.approx(math.sqrt(covariance[0, 0]), rel=1e-5)
        assert found.sigma_intercept_adu[y, x] == pytest.approx(math.sqrt(covariance[1, 1]), rel=1e-5)


def test_pixels_that_jump_are_unstable_and_others_are_not():
    _, _, frames = darks(np.random.default_rng(3))
    frames[1][40, 30] += 60
    frames[3][100, 3] -= 900
    found = dark_rate.rate(EXPOSURES_S, frames, [2.0] * 4)
    assert found.unstable[40, 30]
    assert found.unstable[100, 3]
    assert found.unstable.sum() == 2
    assert np.nanmean(found.chi2_nu[:30]) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("n_darks", [3, 12])
def test_stable_pixels_are_not_unstable_by_chance(n_darks):
    rng = np.random.default_rng(11)
    exposures_s = np.linspace(10, 300, n_darks)
    frames = [rng.normal(500 + t, 2.0, (300, 250)).astype(np.float32) for t in exposures_s]
    frames[2][:, 0] += 2 * 13
    found = dark_rate.rate(exposures_s, frames, [2.0] * n_darks)
    assert found.unstable[:, 1:].sum() <= 6
    assert found.unstable[:, 0].mean() > 0.5


def test_two_darks_have_no_chi_squared():
    _, _, frames = darks(np.random.default_rng(4), (10.0, 100.0))
    found = dark_rate.rate((10.0, 100.0), frames, [2.0, 2.0])
    assert np.isnan(found.chi2_nu).all()
    assert not found.unstable.any()


def test_pixels_with_one_exposure_left_have_no_rate():
    _, _, frames = darks(np.random.default_rng(5), (100.0, 100.0, 300.0))
    frames[2][9, 9] = np.nan
    frames[0][20, 20] = np.nan
    found = dark_rate.rate((100.0, 100.0, 300.0), frames, [2.0] * 3)
    assert np.isnan(found.rate_adu_s[9, 9])
    assert np.isnan(found.intercept_adu[9, 9])
    assert np.isfinite(found.rate_adu_s[20, 20])
    assert np.isnan(found.rate_adu_s).sum() == 1


def test_rows_are_read_in_pieces():
    class Rows:
        shape = SHAPE

        def __init__(self, frame):
            self.frame, self.asked = frame, []

        def __getitem__(self, rows):
            self.asked.append(rows.stop - rows.start)
            return self.frame[rows]

    _, _, frames = darks(np.random.default_rng(6))
    lazy = [Rows(frame) for frame in frames]
    found = dark_rate.rate(EXPOSURES_S, lazy, [2.0] * 4)
    whole = dark_rate.rate(EXPOSURES_S, frames, [2.0] * 4)
    assert np.array_equal(found.rate_adu_s, whole.rate_adu_s)
    assert max(lazy[0].asked) <= 128


def test_one_exposure_is_refused():
    _, _, frames = darks(np.random.default_rng(7), (60.0, 60.0))
    with pytest.raises(ConfigError, match="CAL109"):
        dark_rate.rate((60.0, 60.0), frames, [2.0, 2.0])


def test_law_of_temperature_is_found_for_each_class():
    rng = np.random.default_rng(8)
    temperatures_c = (-20.0, -10.0, 0.0, 10.0)
    at_zero = np.exp(rng.uniform(np.log(0.05), np.log(50), (200, 190)))
    beta_k = np.where(at_zero < 1.5, -7500.0, -5800.0)
    rates = [
        (at_zero * np.exp(beta_k * (1 / (t + 273.15) - 1 / 273.15)) + rng.normal(0, 0.003, at_zero.shape))
        for t in temperatures_c
    ]
    laws = dark_rate.temperature_law(temperatures_c, [plane.astype(np.float32) for plane in rates])
    assert len(laws) == 4
    assert [law.highest_adu_s for law in laws[:-1]] == pytest.approx([law.lowest_adu_s for law in laws[1:]])
    assert laws[0].beta_k == pytest.approx(-7500, rel=0.01)
    assert laws[-1].beta_k == pytest.approx(-5800, rel=0.01)
    assert laws[-1].factor(0, 10) == pytest.approx(math.exp(-5800 * (1 / 283.15 - 1 / 273.15)), rel=0.01)
    assert laws[0].sigma_beta_k < 100


def test_noise_does_not_steepen_the_law_of_temperature():
    rng = np.random.default_rng(10)
    at_ten = rng.exponential(0.3, (300, 310))
    temperatures_c = (-10.0, 0.0, 10.0)
    rates = [
        (at_ten * np.exp(-6500 * (1 / (t + 273.15) - 1 / 283.15)) + rng.normal(0, 0.1, at_ten.shape)).astype(np.float32)
        for t in temperatures_c
    ]
    blind = dark_rate.temperature_law(temperatures_c, rates)
    told = dark_rate.temperature_law(temperatures_c, rates, 0.1)
    assert min(law.beta_k for law in blind) < -6500 * 1.05
    for law in told:
        assert law.lowest_adu_s >= 1
        assert law.beta_k == pytest.approx(-6500, rel=0.03)


def test_noise_alone_has_no_law_of_temperature():
    rng = np.random.default_rng(9)
    rates = [rng.normal(0, 1, (60, 70)).astype(np.float32) for _ in range(3)]
    assert dark_rate.temperature_law((-10, 0, 10), rates) == []
    assert dark_rate.temperature_law((-10, 0, 10), [np.full((5, 6), np.nan, dtype=np.float32)] * 3) == []
    assert dark_rate.temperature_law((-10, 0, 10), [np.full((5, 6), 2, dtype=np.float32)] * 3, min_pixels=31) == []


def test_two_temperatures_are_no_law():
    with pytest.raises(ConfigError, match="CAL109"):
        dark_rate.temperature_law((-10, 0), [np.ones((5, 6), dtype=np.float32)] * 2)
