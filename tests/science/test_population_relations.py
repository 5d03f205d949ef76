"""Flux, noise and signal to noise against sums over finely sampled profiles and against noise that is drawn."""

import numpy as np
import pytest

from lostlight.science.inject.mixture import elliptical, moffat
from lostlight.science.inject.mixture import gaussian as gaussian_psf
from lostlight.science.inject.render import render_cases
from lostlight.science.population import relations as rel
from lostlight.science.population.brightness import fluxes

FINE = 21


def gaussian(s_px, x=0.0, y=0.0, half=None):
    """Integrate a Gaussian over pixels by adding up 21 x 21 points in each: no error function."""
    half = half or int(6 * s_px + 4)
    fine = (np.arange((2 * half + 1) * FINE) + 0.5) / FINE - half - 0.5
    along, across = (np.exp(-((fine - at) ** 2) / (2 * s_px**2)).reshape(-1, FINE).sum(1) for at in (x, y))
    return np.outer(across / across.sum(), along / along.sum())


def trailed(s_px, length, half, n=400):
    offsets = (np.arange(n) + 0.5) / n * length - length / 2
    return np.mean([gaussian(s_px, x=offset, half=half) for offset in offsets], axis=0)


@pytest.mark.parametrize("fwhm", [1.2, 1.8, 1.9, 2.5, 3.6, 8.0])
def test_noise_pixels_of_a_gaussian(fwhm):
    """A4: 1 / sum p^2 is that of all places within a pixel; 4 pi (s^2 + 1/12) is it within 0.2 % (0.25 % at 1.8 px)."""
    s = fwhm / rel.FWHM_PER_SIGMA
    steps = (np.arange(7) - 3) / 7
    measured = 1 / np.mean([np.sum(gaussian(s, x, y) ** 2) for x in steps for y in steps])
    assert rel.gaussian_n_eff(s) == pytest.approx(measured, rel=1e-3)
    if fwhm >= 1.8:
        assert 4 * np.pi * (s**2 + 1 / 12) == pytest.approx(measured, rel=2e-3 if fwhm > 1.8 else 2.5e-3)
    assert rel.gaussian_n_eff(s) > 1.01 * 4 * np.pi * s**2 or fwhm > 4


def test_signal_to_noise_of_a_stack_is_what_was_asked_for():
    """A4: 1000 realisations of noise at the true sub-pixel track, each image with its own noise and profile."""
    rng = np.random.default_rng(2)
    sigma, s, scale = rng.uniform(1, 2, 12), rng.uniform(1.0, 1.6, 12), rng.uniform(0.8, 1.25, 12)
    profiles = np.array([gaussian(width, *rng.uniform(-0.5, 0.5, 2), half=9) for width in s])
    for rho in (5.0, 40.0):
        flux = rel.flux_for_stack_snr([rho], sigma, rel.gaussian_n_eff(s), scale)[0] / scale
        noise = rng.normal(0, 1, (1000, *profiles.shape)) * sigma[:, None, None]
        images = flux[:, None, None] * profiles + noise
        # likelihood of one flux common to all images, on the scale of the first
        weight = profiles / (sigma**2 * scale)[:, None, None]
        found = np.sum(images * weight, axis=(1, 2, 3)) / np.sqrt(np.sum((profiles * weight) / scale[:, None, None]))
        assert np.mean(found) == pytest.approx(rho, rel=0.01, abs=4 / np.sqrt(1000))
        assert np.std(found) == pytest.approx(1, abs=0.09)


def test_photons_of_the_source_add_noise():
    rng, gain, sigma, flux = np.random.default_rng(3), 1.7, 2.0, 900.0
    profile = gaussian(1.2, 0.2, -0.3)
    n_eff, sum_p3 = 1 / np.sum(profile**2), np.sum(profile**3)
    images = rng.poisson(flux * profile * gain, (20_000, *profile.shape)) / gain
    measured = np.sum((images + rng.normal(0, sigma, images.shape)) * profile, axis=(1, 2)) * n_eff
    told = rel.sigma_flux(flux, sigma, n_eff, gain, rel.photon_factor(n_eff, sum_p3))
    assert np.std(measured) == pytest.approx(told, rel=0.02)
    assert told > 1.5 * rel.sigma_flux(flux, sigma, n_eff)
    assert rel.photon_factor(n_eff, sum_p3) == pytest.approx(rel.GAUSSIAN_PHOTONS, rel=0.01)


@pytest.mark.parametrize("gain", [np.inf, np.nan, 1.3])
def test_flux_of_a_signal_to_noise_has_it(gain):
    rho, sigma, n_eff = np.array([0.0, 1.0, 7.0, 300.0]), 3.0, 25.0
    assert rel.snr(rel.flux_for_snr(rho, sigma, n_eff, gain), sigma, n_eff, gain) == pytest.approx(rho)


def test_flux_of_a_stack_with_photon_noise():
    rng = np.random.default_rng(4)
    sigma, n_eff, scale = rng.uniform(1, 3, 9), rng.uniform(15, 40, 9), rng.uniform(0.5, 2, 9)
    gain = np.where(np.arange(9) % 3 == 0, np.nan, 1.4)
    rho = np.array([0.0, 2.0, 15.0, 4000.0])
    flux = rel.flux_for_stack_snr(rho, sigma, n_eff, scale, gain)
    each = rel.snr(flux[:, None] / scale, sigma, n_eff, gain)
    assert rel.stack_snr(each) == pytest.approx(rho)
    assert rel.stack_snr([[3.0, np.nan, 4.0]]) == pytest.approx([5.0])
    noisier = np.tile(sigma, (4, 1)) * np.array([[1.0], [2.0], [3.0], [1.0]])
    assert rel.flux_for_stack_snr(rho, noisier, n_eff, scale) == pytest.approx(
        rho * rel.stack_sigma_flux(sigma, n_eff, scale) * [1, 2, 3, 1]
    )


def test_moffat_of_many_pixels():
    fwhm, beta = 12.0, 3.0
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    y, x = np.mgrid[-400:401, -400:401]
    profile = (1 + (x**2 + y**2) / alpha**2) ** -beta
    profile /= profile.sum()
    assert rel.moffat_n_eff(fwhm, beta) == pytest.approx(1 / np.sum(profile**2), rel=2e-3)


def test_brightest_pixel():
    assert rel.gaussian_peak(1.1) == pytest.approx(gaussian(1.1).max(), rel=1e-3)


@pytest.mark.parametrize("fwhm", [2.5, 5.0])
@pytest.mark.parametrize("trail_fwhm", [0.0, 0.5, 1.0, 2.0, 5.0, 10.0])
def test_trailing_losses(fwhm, trail_fwhm):
    """A5: within 0.01 mag of trailed profiles, for the filter of the trail and for that of a point."""
    s, length = fwhm / rel.FWHM_PER_SIGMA, trail_fwhm * fwhm
    half = int(length / 2 + 6 * s + 4)
    point, trail = gaussian(s, half=half), trailed(s, length, half)
    optimal = np.sqrt(np.sum(trail**2) / np.sum(point**2))
    stationary = np.sum(trail * point) / np.sum(point**2)
    wide = np.sqrt(s**2 + 1 / 12)
    assert rel.trail_loss_mag(length, wide) == pytest.approx(-2.5 * np.log10(optimal), abs=0.01)
    assert rel.trail_loss_mag(length, wide, True) == pytest.approx(-2.5 * np.log10(stationary), abs=0.01)


def test_fitted_trailing_losses_are_pessimistic_for_short_trails_and_agree_for_long_ones():
    for filtered in (False, True):
        exact = rel.trail_loss_mag(np.array([1.0, 5.0]), 1 / rel.FWHM_PER_SIGMA, filtered)
        fitted = rel.trail_loss_fit_mag(np.array([1.0, 5.0]), 1.0, filtered)
        assert 0.03 < fitted[0] - exact[0] < 0.09
        assert abs(fitted[1] - exact[1]) < 0.03


@pytest.mark.parametrize("fwhm", [2.5, 4.7])
def test_loss_of_the_nearest_pixel(fwhm):
    s, rng = fwhm / rel.FWHM_PER_SIGMA, np.random.default_rng(5)
    centred = gaussian(s, half=20)
    found = [
        np.sum(centred * gaussian(s, *rng.uniform(-0.5, 0.5, 2), half=20)) / np.sum(centred**2) for _ in range(400)
    ]
    assert rel.pixel_loss(s) == pytest.approx(1 - np.mean(found), rel=0.1)


def test_loss_between_the_paths_of_a_grid():
    s, step, rng = 1.5, 2.0, np.random.default_rng(6)
    centred = gaussian(s, half=20)
    lost = []
    for off in rng.uniform(-step / 2, step / 2, (200, 2)):
        along = np.linspace(-0.5, 0.5, 21)  # anchored in the middle of the arc
        signal = [np.sum(centred * gaussian(s, *(off * t), half=20)) / np.sum(centred**2) for t in along]
        lost.append(1 - np.mean(signal))
    assert rel.grid_loss(step, s) == pytest.approx(np.mean(lost), rel=0.12)
    assert np.max(lost) < 3.2 * rel.grid_loss(step, s)


def test_half_are_found_at_the_magnitude_predicted():
    rng, sigma, n_eff, scale = np.random.default_rng(7), np.full(15, 2.0), np.full(15, 22.0), np.linspace(0.9, 1.1, 15)
    mag = rel.m50_predicted(26.5, 6.0, sigma, n_eff, scale, loss=0.05)
    flux = rel.flux_of_mag(mag, 26.5)
    signal = 0.95 * rel.stack_snr(rel.snr(flux / scale, sigma, n_eff))
    assert np.mean(signal + rng.normal(size=40_000) > 6) == pytest.approx(0.5, abs=0.01)


def test_magnitudes():
    assert rel.mag_of_flux(rel.flux_of_mag(23.4, 27.1), 27.1) == pytest.approx(23.4)
    assert np.isnan(rel.mag_of_flux([-1.0, 0.0], 25.0)).all()
    fluxes = 1000 * (1 + np.random.default_rng(8).normal(0, 0.02, 100_000))
    assert rel.mag_error(50) == pytest.approx(np.std(rel.mag_of_flux(fluxes, 25)), rel=0.02)


def test_number_of_sources_for_a_precision():
    """500 of them in each magnitude give 0.02 mag where completeness falls over 0.2 mag: fitted, not looked up."""
    assert rel.sample_size(0.02, 0.2, 1.0) == 500
    rng, width = np.random.default_rng(9), 0.2
    errors = []
    for _ in range(300):
        mag = rng.uniform(-1.75, 1.75, rel.sample_size(0.05, width, 3.5))
        found = rng.random(mag.size) < 1 / (1 + np.exp(mag / width))
        trial = np.linspace(-0.3, 0.3, 121)
        chance = 1 / (1 + np.exp((mag - trial[:, None]) / width))
        errors.append(trial[np.argmax(np.sum(np.log(np.where(found, chance, 1 - chance)), axis=1))])
    assert np.std(errors) == pytest.approx(0.05, rel=0.2)


@pytest.mark.parametrize("maker", [gaussian_psf, moffat, elliptical])
def test_rendered_sources_have_the_signal_to_noise_that_was_asked_for(maker):
    """A4: rendered on 20 images of different noise and seeing, and weighed by their own profiles: 15 within 1 %."""
    rng = np.random.default_rng(10)
    fwhm, sigma, scale = rng.uniform(2.4, 3.6, 20), rng.uniform(1, 2, 20), rng.uniform(0.9, 1.1, 20)
    psfs = [maker(width, *{gaussian_psf: (), moffat: (3.0,), elliptical: (0.8, 30.0)}[maker]) for width in fwhm]
    told = {"sigma": sigma, "n_eff": [psf.n_eff for psf in psfs], "scale": scale}
    flux = fluxes("snr_stack", np.full(40, 15.0), **told)
    x, y = (25 + rng.uniform(-3, 3, (40, 20, 1)) for _ in range(2))
    light = render_cases(psfs, (51, 51), x, y, flux[..., None], np.float64)
    # the best filter is the light itself: its signal to noise is the root of sum (light / sigma)^2
    found = np.sqrt(np.sum((light / sigma[:, None, None]) ** 2, axis=(1, 2, 3)))
    assert found == pytest.approx(np.full(40, 15.0), rel=0.01)
