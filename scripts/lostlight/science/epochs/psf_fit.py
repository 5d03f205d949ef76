"""The profile of a point on an image, from its stars."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lostlight.science.epochs import moffat_fit
from lostlight.science.epochs.noise import scatter
from lostlight.science.epochs.psf_stars import Stars, select_stars
from lostlight.science.inject.psf import Psf, gaussian, moffat

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

FALLBACK_FWHM_PX, FALLBACK_BETA = 2.5, 3.0
GOOD, FEWEST = 5, 3
"""Stars for a profile that can be relied upon, and for one at all."""
STAR_TYPE = np.dtype([
    ("x_px", "f8"), ("y_px", "f8"), ("flux_adu", "f8"), ("snr", "f8"), ("fwhm_px", "f8"), ("beta", "f8"),
    ("is_used", "?"),
])  # fmt: skip

_GAUSSIAN_BETA = 100.0
"""Moffat's profile with this exponent is a Gaussian to half a percent of its peak."""
_BETA_RANGE = 1.8, 6.0
_HALF_FWHM = 3.5
_SKY_SIGMA = 0.5
"""How far the sky under a star may be off, in units of the noise of a pixel."""
_CLIP, _CLIP_ROUNDS = 2.5, 5
_FLOOR = 0.005
"""Relative scatter of widths over an image that no fit error tells of."""


@dataclass(frozen=True, eq=False)
class MeasuredPsf:
    """The profile of a point on one image, and where it is from.

    Attributes
    ----------
    psf : Psf
    beta : float
        Exponent of Moffat's profile; NaN for a Gaussian.
    fwhm_px, fwhm_error_px : float
        Intrinsic full width at half maximum, the pixel not included.
    n_stars : int
        Stars that it rests on.
    source : str
        stars, or fallback.
    flags : tuple of str
        LOW_N with three or four stars, FALLBACK with fewer.
    rms : float
        Residual of the stars in units of their noise; about 1 if the profile is right. NaN without stars.
    stars : structured ndarray of STAR_TYPE, shape (n,)
        All stars that were fitted, brightest first.
    """

    psf: Psf
    beta: float
    fwhm_px: float
    fwhm_error_px: float
    n_stars: int
    source: str
    flags: tuple[str, ...]
    rms: float
    stars: NDArray[np.void]


def measure_psf(
    light: Floats,
    variance: Floats,
    *,
    saturate: float | None = None,
    gain: float | None = None,
    model: Literal["moffat", "gaussian"] = "moffat",
    fallback_fwhm_px: float | None = None,
) -> MeasuredPsf:
    """Measure the profile of a point from the stars of an image.

    Each star is fitted by Moffat's profile, integrated over pixels; the exponent is then that of all stars, and widths
    are fitted again.

    Parameters
    ----------
    light : ndarray, shape (ny, nx), float32, adu
        Image without its sky.
    variance : ndarray, shape (ny, nx), float32, adu^2
        Of the background or of all light; NaN where there is no measurement.
    saturate : float, optional
        Level of saturation above the sky, adu.
    gain : float, optional
        Electrons per adu, for the photon noise of the stars where the variance is that of the background.
    model : {'moffat', 'gaussian'}
    fallback_fwhm_px : float, optional
        Width to take where there are fewer than three stars; 2.5 if none is given.

    Returns
    -------
    MeasuredPsf

    Notes
    -----
    Moffat 1969, A&A 3, 455; integration over pixels as in Trujillo et al. 2001, MNRAS 328, 977.
    """
    free = model == "moffat"
    chosen = select_stars(light, variance, saturate)
    if len(chosen) < FEWEST:
        return _fallback(model, fallback_fwhm_px, len(chosen))
    weights = _variance(light, variance, gain)
    sigma = float(np.sqrt(np.nanmedian(variance)))
    start = np.zeros((len(chosen), moffat_fit.FITTED))
    start[:, moffat_fit.BETA] = FALLBACK_BETA if free else _GAUSSIAN_BETA
    start[:, moffat_fit.X], start[:, moffat_fit.Y], start[:, moffat_fit.FLUX] = chosen.x, chosen.y, chosen.flux
    start[:, moffat_fit.ALPHA] = chosen.fwhm_px / _width(start[:, moffat_fit.BETA])
    first, errors, _ = _fit(light, weights, start, chosen.fwhm_px, free, sigma)
    if free:
        first[:, moffat_fit.BETA] = _shared_beta(first, errors)
    # the width of a first, free fit may be far off, that of its core less so
    fits, errors, cost = _fit(light, weights, first, chosen.fwhm_px, False, sigma)
    fwhm = fits[:, moffat_fit.ALPHA] * _width(fits[:, moffat_fit.BETA])
    used = _kept(fwhm, cost)
    if np.count_nonzero(used) < FEWEST:
        return _fallback(model, fallback_fwhm_px, int(np.count_nonzero(used)))
    return _measured(chosen, fits, fwhm, fwhm * errors[:, 0], cost, used, free)


def _variance(light: Floats, variance: Floats, gain: float | None) -> Doubles:
    """Give the variance of every pixel, photon noise of the light included; 0 where there is none."""
    photons = np.maximum(light, 0) / gain if gain else 0.0
    return np.where(np.isfinite(light) & (variance > 0), variance + photons, 0.0).astype(np.float64)


def _fit(
    light: Floats, variance: Doubles, start: Doubles, fwhm_px: float, free: bool, sigma: float
) -> tuple[Doubles, Doubles, Doubles]:
    """Fit all stars: parameters, relative errors of core radius and exponent (n, 2), and cost for each pixel."""
    half = min(int(np.ceil(_HALF_FWHM * fwhm_px)) + 1, (min(light.shape) - 1) // 2)
    stars, found = start.copy(), np.empty((len(start), 3))
    n_free = moffat_fit.FITTED - (not free)
    moffat_fit.fit_all(np.ascontiguousarray(light), variance, stars, half, n_free, _SKY_SIGMA * sigma, found)
    with np.errstate(invalid="ignore"):
        relative = np.sqrt(found[:, :2]) / stars[:, [moffat_fit.ALPHA, moffat_fit.BETA]]
    return stars, relative, 2 * found[:, 2] / (2 * half + 1) ** 2


def _shared_beta(fits: Doubles, errors: Doubles) -> float:
    """Take the exponent of all stars: the mean of 1 / beta, which is nearly normal, by errors, outliers left out."""
    inverse = 1 / fits[:, moffat_fit.BETA]
    width = np.sqrt((inverse * errors[:, 1]) ** 2 + (0.03 * inverse) ** 2)
    good = _clipped(inverse, np.isfinite(inverse) & np.isfinite(width))
    if not good.any():
        return FALLBACK_BETA
    weight = width[good] ** -2
    return float(np.clip(weight.sum() / (weight @ inverse[good]), *_BETA_RANGE))


def _kept(fwhm: Doubles, cost: Doubles) -> NDArray[np.bool_]:
    good = np.isfinite(fwhm) & np.isfinite(cost)
    if not good.any():
        return good
    good &= cost < 4 * max(np.median(cost[good]), 1.0)
    return _clipped(fwhm, good)


def _clipped(values: Doubles, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Leave out values far from the median, again and again."""
    good = good.copy()
    for _ in range(_CLIP_ROUNDS):
        if np.count_nonzero(good) <= FEWEST:
            break
        middle = np.median(values[good])
        off = np.abs(values - middle) > _CLIP * max(scatter(values[good]), 0.002 * abs(middle))
        if not (good & off).any():
            break
        good &= ~off
    return good


def _width(beta: Doubles | float) -> Doubles:
    """Give the full width at half maximum of a core radius of one."""
    return np.asarray(2 * np.sqrt(2 ** (1 / np.asarray(beta)) - 1))


def _measured(
    chosen: Stars, fits: Doubles, fwhm: Doubles, error: Doubles, cost: Doubles, used: NDArray[np.bool_], free: bool
) -> MeasuredPsf:
    weight = 1 / (error[used] ** 2 + (_FLOOR * fwhm[used]) ** 2)
    mean = float(weight @ fwhm[used] / weight.sum())
    n = int(np.count_nonzero(used))
    spread = float(np.sqrt(weight @ (fwhm[used] - mean) ** 2 / weight.sum() / (n - 1)))
    beta = float(fits[0, moffat_fit.BETA]) if free else np.nan
    stars = np.zeros(len(chosen), STAR_TYPE)
    columns = (fits[:, moffat_fit.X], fits[:, moffat_fit.Y], fits[:, moffat_fit.FLUX], chosen.snr, fwhm)
    for name, values in zip(STAR_TYPE.names or (), (*columns, np.full(len(fits), beta), used), strict=True):
        stars[name] = values
    flags = () if n >= GOOD else ("LOW_N",)
    psf = moffat(mean, beta) if free else gaussian(mean)
    return MeasuredPsf(psf, beta, mean, spread, n, "stars", flags, float(np.sqrt(np.median(cost[used]))), stars)


def _fallback(model: str, fwhm_px: float | None, n_stars: int) -> MeasuredPsf:
    fwhm = fwhm_px or FALLBACK_FWHM_PX
    psf, beta = (moffat(fwhm, FALLBACK_BETA), FALLBACK_BETA) if model == "moffat" else (gaussian(fwhm), np.nan)
    return MeasuredPsf(psf, beta, fwhm, np.nan, n_stars, "fallback", ("FALLBACK",), np.nan, np.zeros(0, STAR_TYPE))
