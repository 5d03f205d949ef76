"""Photons of the light that is added: their mean, their variance, and full wells."""

import numpy as np
import pytest

from lostlight.core.errors import ConfigError
from lostlight.science.inject.noise import photon_noise, saturate, variance_added


def test_photons_have_the_mean_and_the_variance_of_their_law():
    """A11: (Y - expected) sqrt(gain / expected) over a million pixels has mean 0 and variance 1."""
    rng, gain = np.random.default_rng(5), 1.7
    expected = rng.uniform(3, 400, (1000, 1000))
    realised = photon_noise(expected, gain, rng)
    pulls = (realised - expected) / np.sqrt(variance_added(expected, gain))
    assert pulls.mean() == pytest.approx(0, abs=0.005)
    assert pulls.var() == pytest.approx(1, abs=0.01)
    np.testing.assert_allclose(variance_added(expected, gain), expected / gain)
    electrons = realised * gain
    np.testing.assert_allclose(electrons, np.rint(electrons), atol=1e-9)


def test_no_light_brings_no_photons_and_draws_nothing():
    expected = np.zeros((5, 7))
    expected[0, 0], expected[2, 2] = -3, 100
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    realised = photon_noise(expected, 2.0, one)
    assert np.count_nonzero(realised) == 1
    assert realised[2, 2] == photon_noise(np.array([100.0]), 2.0, other)[0]
    assert (variance_added(expected, 2.0) >= 0).all()
    assert one.random() == other.random()


@pytest.mark.parametrize("gain", [0, -1, np.nan, np.inf])
def test_a_gain_that_is_none_is_refused(gain):
    with pytest.raises(ConfigError):
        photon_noise(np.ones(3), gain, np.random.default_rng(1))
    with pytest.raises(ConfigError):
        variance_added(np.ones(3), gain)


def test_full_wells():
    image = np.array([[1, 60_000, np.nan], [65_000, 65_000.5, 70_000]], np.float32)
    cut, full = saturate(image, 65_000)
    np.testing.assert_array_equal(cut, np.array([[1, 60_000, np.nan], [65_000, 65_000, 65_000]], np.float32))
    assert cut.dtype == np.float32
    assert full.tolist() == [[False, False, False], [True, True, True]]
