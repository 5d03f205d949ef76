"""Psi and phi: evidence and weight of a point source in each pixel."""

import numpy as np
import pytest
from scipy.signal import correlate2d

from lostlight.core.errors import BadImage
from lostlight.science.inject.mixture import gaussian, moffat
from lostlight.science.inject.render import add_stamps, stamps
from lostlight.science.search import likelihood
from lostlight.science.search.likelihood import correlated, psi_phi

PSF = moffat(3.1, 2.6)


class Lopsided:
    """A profile without any symmetry, so that a correlation is no convolution."""

    fwhm_px = 2.0

    def kernel(self):
        k = np.random.default_rng(2).random((7, 7))
        return k / k.sum()


@pytest.mark.parametrize("psf", [gaussian(2.5), PSF, Lopsided()])
def test_sums_are_those_of_their_definition(psf):
    rng = np.random.default_rng(1)
    image, variance = rng.normal(0, 3, (31, 44)), rng.uniform(2, 5, (31, 44))
    bad = rng.random(image.shape) < 0.02
    image[4, 5], variance[7, 8], variance[9, 9] = np.nan, -1, np.inf
    psi, phi = psi_phi(image, variance, bad, psf)
    lost = bad.copy()
    lost[4, 5] = lost[7, 8] = lost[9, 9] = True
    p = psf.kernel()
    weight = np.where(lost, 0, 1 / variance)
    expected = correlate2d(np.where(lost, 0, np.nan_to_num(image) * weight), p, "same")
    enough = correlate2d(~lost * 1.0, p**2, "same") >= 0.5 * (p**2).sum()
    enough &= ~lost
    assert 0 < (~enough).sum() < enough.sum()
    np.testing.assert_allclose(psi, np.where(enough, expected, 0), atol=1e-5)
    np.testing.assert_allclose(phi, np.where(enough, correlate2d(weight, p**2, "same"), 0), atol=1e-6)
    assert psi.dtype == phi.dtype == np.float32


def test_both_ways_to_correlate_agree(monkeypatch):
    plane, p = np.random.default_rng(3).normal(size=(40, 33)), gaussian(3.0).kernel()
    by_rows = correlated(plane, p)
    monkeypatch.setattr(likelihood, "NEGLIGIBLE", -1)
    np.testing.assert_allclose(correlated(plane, p), by_rows, atol=1e-14)


def test_one_variance_for_all_pixels_is_as_a_plane_of_it():
    image = np.random.default_rng(5).normal(size=(30, 35))
    for ours, plane in zip(psi_phi(image, 2.5, None, PSF), psi_phi(image, image * 0 + 2.5, None, PSF), strict=True):
        np.testing.assert_allclose(ours, plane, rtol=1e-6)


def test_flux_and_error_of_a_source_come_out_unbiased():
    psf, sigma, flux = gaussian(2.6), 2.0, 300.0
    rng = np.random.default_rng(4)
    clean = np.zeros((41, 43))
    add_stamps(clean, *stamps(psf, np.array([[20.0]]), np.array([[21.0]]), np.array([[flux]])))
    found = []
    for _ in range(300):
        psi, phi = psi_phi(clean + rng.normal(0, sigma, clean.shape), sigma**2, None, psf)
        found.append((psi[21, 20] / phi[21, 20] - flux) * np.sqrt(phi[21, 20]))
    assert np.mean(found) == pytest.approx(0, abs=4 / np.sqrt(300))
    assert np.std(found) == pytest.approx(1, abs=4 / np.sqrt(600))


def test_noise_alone_has_likelihoods_of_unit_width():
    """A17: mean 0 +- 0.01 and sigma 1 +- 0.01, with noise that differs from pixel to pixel and masked ones."""
    rng = np.random.default_rng(6)
    variance = rng.uniform(1, 9, (600, 610))
    bad = rng.random(variance.shape) < 0.05
    sums = [psi_phi(rng.normal(0, np.sqrt(variance)), variance, bad, gaussian(1.5)) for _ in range(6)]
    lh = np.concatenate([psi[phi > 0] / np.sqrt(phi[phi > 0]) for psi, phi in sums])
    assert lh.mean() == pytest.approx(0, abs=0.01)
    assert lh.std() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("image", "variance", "bad", "match"),
    [
        (np.zeros((4, 5)), np.ones((5, 4)), None, "differ"),
        (np.zeros((4, 5)), 1.0, np.ones((4, 5), bool), "no pixel"),
        (np.zeros((4, 5)), 0.0, None, "no pixel"),
    ],
)
def test_planes_that_say_nothing_are_refused(image, variance, bad, match):
    with pytest.raises(BadImage, match=match):
        psi_phi(image, variance, bad, gaussian(2.0))
