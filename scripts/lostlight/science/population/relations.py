"""How flux, noise and signal to noise of a point source hang together, and what a search loses of it.

p is the profile integrated over pixels, of unit sum; sigma the noise of a pixel of the background; F the total flux in
adu; g the gain in electrons per adu. The filter is matched to the profile and weighted by the background alone:

    n_eff   = 1 / sum p^2                                     noise pixels
    sigma_F = sqrt(n_eff sigma^2 + (F / g) c),  c = sum p^3 / (sum p^2)^2
    rho     = F / sigma_F

c is 4/3 for a Gaussian. A gain of infinity or NaN means that the light itself brings no noise. All arguments broadcast.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

FloatArray = NDArray[np.float64]

FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))
"""Full width at half maximum of a Gaussian of unit standard deviation."""
MAG_PER_RELATIVE = 2.5 / math.log(10)
"""Magnitudes per relative change of flux: 1.0857."""
GAUSSIAN_PHOTONS = 4 / 3
"""sum p^3 / (sum p^2)^2 of a Gaussian."""

_NEWTON_STEPS = 60
_NEWTON_DONE = 1e-13


def gaussian_n_eff(s_px: ArrayLike) -> FloatArray:
    """Noise pixels of a Gaussian integrated over pixels, mean of all places within a pixel.

    Parameters
    ----------
    s_px : array_like
        Intrinsic standard deviation in pixels, the pixel not included.

    Notes
    -----
    4 pi (s^2 + 1/12) to 0.25 % from a FWHM of 1.8 pixels on; this is the integral behind it, exact for all.
    """
    s = np.asarray(s_px, float)
    overlap = erf(1 / (2 * s)) + 2 * s / np.sqrt(np.pi) * np.expm1(-1 / (4 * s**2))
    return 1 / overlap**2


def moffat_n_eff(fwhm_px: ArrayLike, beta: ArrayLike) -> FloatArray:
    """Noise pixels of a Moffat profile, pi alpha^2 (2 beta - 1) / (beta - 1)^2; the pixel is not included."""
    fwhm, beta = np.asarray(fwhm_px, float), np.asarray(beta, float)
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    return np.pi * alpha**2 * (2 * beta - 1) / (beta - 1) ** 2


def gaussian_peak(s_px: ArrayLike) -> FloatArray:
    """Fraction of the flux in the brightest pixel of a Gaussian centred on it."""
    return erf(1 / (2 * np.sqrt(2) * np.asarray(s_px, float))) ** 2


def photon_factor(n_eff: ArrayLike, sum_p3: ArrayLike) -> FloatArray:
    """Give sum p^3 / (sum p^2)^2 from the two numbers that a `Psf` holds: 4/3 for a Gaussian."""
    return np.asarray(sum_p3, float) * np.square(np.asarray(n_eff, float))


def sigma_flux(
    flux: ArrayLike,
    sigma: ArrayLike,
    n_eff: ArrayLike,
    gain: ArrayLike = np.inf,
    photons: ArrayLike = GAUSSIAN_PHOTONS,
) -> FloatArray:
    """Noise of the flux that a matched filter measures.

    Parameters
    ----------
    flux : array_like
        Total flux, adu.
    sigma : array_like
        Noise of a pixel of the background, adu.
    n_eff : array_like
        Noise pixels.
    gain : array_like
        Electrons per adu; infinity or NaN: light brings no noise of its own.
    photons : array_like
        See `photon_factor`.

    Returns
    -------
    ndarray, float64
        adu.
    """
    background = np.asarray(n_eff, float) * np.square(np.asarray(sigma, float))
    return np.sqrt(background + np.maximum(flux, 0) * _photons_per_flux(gain, photons))


def snr(
    flux: ArrayLike,
    sigma: ArrayLike,
    n_eff: ArrayLike,
    gain: ArrayLike = np.inf,
    photons: ArrayLike = GAUSSIAN_PHOTONS,
) -> FloatArray:
    """Signal to noise of a flux on one image; arguments as in `sigma_flux`."""
    return np.asarray(flux, float) / sigma_flux(flux, sigma, n_eff, gain, photons)


def flux_for_snr(
    rho: ArrayLike,
    sigma: ArrayLike,
    n_eff: ArrayLike,
    gain: ArrayLike = np.inf,
    photons: ArrayLike = GAUSSIAN_PHOTONS,
) -> FloatArray:
    """Flux that has a given signal to noise on one image; the inverse of `snr`."""
    rho = np.asarray(rho, float)
    half = rho**2 * _photons_per_flux(gain, photons) / 2
    return half + np.sqrt(half**2 + rho**2 * np.asarray(n_eff, float) * np.square(np.asarray(sigma, float)))


def stack_snr(rho: ArrayLike, axis: int = -1) -> FloatArray:
    """Signal to noise of all images together: the root of the sum of the squares; NaN counts as not seen."""
    return np.sqrt(np.nansum(np.square(np.asarray(rho, float)), axis=axis))


def flux_for_stack_snr(
    rho: ArrayLike,
    sigma: ArrayLike,
    n_eff: ArrayLike,
    scale: ArrayLike = 1.0,
    gain: ArrayLike = np.inf,
    photons: ArrayLike = GAUSSIAN_PHOTONS,
) -> FloatArray:
    """Flux, constant on the sky, that has a given signal to noise over all images of a stack.

    Parameters
    ----------
    rho : array_like, shape (n,)
        Signal to noise of all images together.
    sigma, n_eff, gain, photons : array_like, shape (T,) or (n, T)
        Of each image, as in `sigma_flux`.
    scale : array_like, shape (T,)
        Factor that brings fluxes of an image to the scale of the first: the flux on image t is flux / scale[t].

    Returns
    -------
    ndarray, shape (n,), float64
        adu on the scale of the first image.
    """
    rho = np.asarray(rho, float)
    sigma, n_eff, scale, per_flux = np.broadcast_arrays(
        *np.atleast_1d(sigma, n_eff, np.asarray(scale, float), _photons_per_flux(gain, photons))
    )
    relative = 1 / np.asarray(scale, float)
    noise = np.asarray(n_eff, float) * np.square(sigma)
    flux = rho / np.sqrt(np.sum(relative**2 / noise, axis=-1))
    if not np.any(per_flux):
        return flux
    # rho^2 is convex in the flux: the first step of Newton overshoots, all others come down to the root
    for _ in range(_NEWTON_STEPS):
        here = flux[..., None] * relative
        variance = noise + here * per_flux
        value = np.sum(here**2 / variance, axis=-1) - rho**2
        slope = np.sum((2 * here * variance - here**2 * per_flux) / variance**2 * relative, axis=-1)
        step = np.divide(value, slope, out=np.zeros_like(flux), where=slope > 0)
        flux = flux - step
        if np.all(np.abs(step) <= _NEWTON_DONE * np.abs(flux)):
            break
    return flux


def stack_sigma_flux(sigma: ArrayLike, n_eff: ArrayLike, scale: ArrayLike = 1.0) -> float:
    """Noise of the flux from all images of a stack together, in adu on the scale of the first; background alone."""
    sigma, n_eff, scale = (np.asarray(a, float) for a in (sigma, n_eff, scale))
    return float(1 / np.sqrt(np.nansum(1 / (n_eff * sigma**2 * scale**2))))


def flux_of_mag(mag: ArrayLike, zero_mag: ArrayLike) -> FloatArray:
    """Flux in adu of a magnitude, where `zero_mag` is the magnitude of one adu."""
    return 10 ** (-0.4 * (np.asarray(mag, float) - np.asarray(zero_mag, float)))


def mag_of_flux(flux: ArrayLike, zero_mag: ArrayLike) -> FloatArray:
    """Magnitude of a flux in adu; NaN where the flux is not positive."""
    flux = np.asarray(flux, float)
    safe = np.where(flux > 0, flux, np.nan)
    return np.asarray(zero_mag, float) - 2.5 * np.log10(safe)


def mag_error(rho: ArrayLike) -> FloatArray:
    """Error of a magnitude measured at a signal to noise."""
    return MAG_PER_RELATIVE / np.asarray(rho, float)


def m50_predicted(
    zero_mag: float, threshold: float, sigma: ArrayLike, n_eff: ArrayLike, scale: ArrayLike = 1.0, loss: float = 0.0
) -> float:
    """Magnitude at which half of the sources come out above a threshold.

    Parameters
    ----------
    zero_mag : float
        Magnitude of one adu on the first image.
    threshold : float
        Least signal to noise of all images together that counts as found.
    sigma, n_eff, scale : array_like, shape (T,)
        As in `flux_for_stack_snr`.
    loss : float
        Fraction of the signal to noise that the search loses: `pixel_loss` plus `grid_loss`.
    """
    flux = threshold / (1 - loss) * stack_sigma_flux(sigma, n_eff, scale)
    return float(mag_of_flux(flux, zero_mag))


def pixel_loss(s_px: ArrayLike) -> FloatArray:
    """Fraction of the signal to noise lost, on average, where a path is followed to the nearest pixel."""
    s2 = np.square(np.asarray(s_px, float)) + 1 / 12
    return 1 / (24 * s2)


def grid_loss(step_px: ArrayLike, s_px: ArrayLike) -> FloatArray:
    """Fraction of the signal to noise lost, on average, between the paths of a grid; three times it in the corners.

    Parameters
    ----------
    step_px : array_like
        Distance of neighbouring paths at the end of the arc: step of the velocity times its length.
    s_px : array_like
        Intrinsic standard deviation of the profile.
    """
    s2 = np.square(np.asarray(s_px, float)) + 1 / 12
    return np.square(np.asarray(step_px, float)) / (288 * s2)


def trail_snr(trail_px: ArrayLike, s_px: ArrayLike) -> FloatArray:
    """Signal to noise of a trailed source against the same light in a point, where the filter is trailed too.

    Parameters
    ----------
    trail_px : array_like
        Length of the trail within the exposure.
    s_px : array_like
        Standard deviation of the profile across it.
    """
    ratio = np.maximum(np.asarray(trail_px, float) / np.asarray(s_px, float), 1e-4)  # below it: 1 to 1e-9
    return np.sqrt(2 * np.sqrt(np.pi) / ratio * erf(ratio / 2) + 4 / ratio**2 * np.expm1(-(ratio**2) / 4))


def trail_snr_point_filter(trail_px: ArrayLike, s_px: ArrayLike) -> FloatArray:
    """The same, where the filter is that of a point."""
    ratio = np.maximum(np.asarray(trail_px, float) / np.asarray(s_px, float), 1e-6)
    return 2 * np.sqrt(np.pi) / ratio * erf(ratio / 4)


def trail_loss_mag(trail_px: ArrayLike, s_px: ArrayLike, point_filter: bool = False) -> FloatArray:
    """Magnitudes by which trailing makes a source harder to see."""
    ratio = trail_snr_point_filter(trail_px, s_px) if point_filter else trail_snr(trail_px, s_px)
    return -2.5 * np.log10(ratio)


def trail_loss_fit_mag(trail_px: ArrayLike, fwhm_px: ArrayLike, point_filter: bool = False) -> FloatArray:
    """Trailing loss by the fitted forms of Jones et al. (SMTN-003), in magnitudes; pessimistic for short trails."""
    a, b = (0.420, 0.003) if point_filter else (0.761, 1.162)
    x = np.asarray(trail_px, float) / np.asarray(fwhm_px, float)
    return 1.25 * np.log10(1 + a * x**2 / (1 + b * x))


def sample_size(error_mag: float, width_mag: float = 0.2, span_mag: float = 3.5) -> int:
    """Sources to plant for an error of the magnitude at which half are found: sqrt(w / n'), n' of them per magnitude.

    Parameters
    ----------
    error_mag : float
        Error asked for, one sigma.
    width_mag : float
        Width w of the logistic fall of completeness.
    span_mag : float
        Range of magnitudes over which they are spread evenly.
    """
    return math.ceil(width_mag / error_mag**2 * span_mag)


def _photons_per_flux(gain: ArrayLike, photons: ArrayLike) -> FloatArray:
    gain = np.asarray(gain, float)
    known = np.isfinite(gain) & (gain > 0)
    return np.where(known, np.asarray(photons, float) / np.where(known, gain, 1), 0.0)
