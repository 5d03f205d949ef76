"""How bright sources are on each image, by any of the ways to say it."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.population.relations import GAUSSIAN_PHOTONS, flux_for_snr, flux_for_stack_snr, flux_of_mag
from lostlight.vocab.movers import BRIGHTNESS

FloatArray = NDArray[np.float64]


def fluxes(
    mode: str,
    value: ArrayLike,
    *,
    sigma: ArrayLike,
    n_eff: ArrayLike,
    zero_mag: ArrayLike = np.nan,
    scale: ArrayLike = 1.0,
    gain: ArrayLike = np.inf,
    photons: ArrayLike = GAUSSIAN_PHOTONS,
    colour_mag: ArrayLike = 0.0,
) -> FloatArray:
    """Give the total flux of sources on each image.

    Parameters
    ----------
    mode : str
        What the number drawn means. A constant source has: `snr_stack`, a signal to noise of all images together;
        `snr_frame_ref`, of the first image; `mag`, a magnitude; `flux`, adu on the scale of the first image. Brighter
        where noise is higher, as no real source is: `snr_frame_each`, the same signal to noise on each image;
        `legacy_total`, a total flux in units of the noise of a pixel; `legacy_peak`, its brightest pixel in those.
    value : array_like, (n,)
        The number drawn.
    sigma, n_eff, gain, photons : array_like, (T,) or (n, T)
        Noise of a pixel (adu), noise pixels, electrons per adu, see `lostlight.science.population.relations`.
    zero_mag : array_like, (T,)
        Magnitude of one adu.
    scale : array_like, (T,)
        Factor that brings fluxes of an image to the scale of the first.
    colour_mag : array_like, (T,) or (n, T)
        Magnitude on each image minus that on the first.

    Returns
    -------
    ndarray, (n, T), float64
        adu of each image.

    Raises
    ------
    ConfigError
        If there is no such mode, or magnitudes are asked for of images without zero point.
    """
    if mode not in BRIGHTNESS:
        raise ConfigError(f"there is no brightness mode {mode!r}", hint=f"known: {', '.join(BRIGHTNESS)}", mode=mode)
    value = np.atleast_1d(np.asarray(value, float))
    sigma, n_eff, scale, colour = (np.atleast_1d(np.asarray(a, float)) for a in (sigma, n_eff, scale, colour_mag))
    images = np.broadcast_shapes(sigma.shape, n_eff.shape, scale.shape, colour.shape)[-1]
    sigma, n_eff, gain, photons = (
        np.broadcast_to(np.asarray(a, float), (value.size, images)) for a in (sigma, n_eff, gain, photons)
    )
    dimming = np.broadcast_to(scale * 10 ** (0.4 * colour), (value.size, images))
    if mode == "mag":
        return flux_of_mag(value[:, None] + colour, np.broadcast_to(_zero_points(zero_mag), images))
    if mode in _UNEVEN:
        return np.broadcast_to(_UNEVEN[mode](value[:, None], sigma, n_eff, gain, photons), (value.size, images))
    if mode == "snr_stack":
        constant = flux_for_stack_snr(value, sigma, n_eff, dimming, gain, photons)
    elif mode == "snr_frame_ref":
        first = (a[:, 0] for a in (sigma, n_eff, gain, photons))
        constant = flux_for_snr(value, *first) * dimming[:, 0]
    else:
        constant = value
    return constant[:, None] / dimming


def colour_of(filters: Sequence[str], colours: Mapping[str, float]) -> FloatArray:
    """Give the magnitude on each image minus that on the first (T,); filters without a colour are grey."""
    offsets = np.array([colours.get(name, 0.0) for name in filters], float)
    return offsets - offsets[0]


def _zero_points(zero_mag: ArrayLike) -> FloatArray:
    zero = np.atleast_1d(np.asarray(zero_mag, float))
    if not np.isfinite(zero).all():
        raise ConfigError(
            f"brightness in magnitudes, but {np.count_nonzero(~np.isfinite(zero))} of {zero.size} images have no zero"
            " point",
            hint="give brightness.mode: snr_stack or flux, or write the zero point into the headers (MAGZERO)",
        )
    return zero


def _legacy_peak(
    value: FloatArray, sigma: FloatArray, n_eff: FloatArray, gain: FloatArray, photons: FloatArray
) -> FloatArray:
    return value * sigma * 2 * np.pi * np.maximum(n_eff / (4 * np.pi) - 1 / 12, 0)


def _legacy_total(
    value: FloatArray, sigma: FloatArray, n_eff: FloatArray, gain: FloatArray, photons: FloatArray
) -> FloatArray:
    return value * sigma


_UNEVEN = {"snr_frame_each": flux_for_snr, "legacy_total": _legacy_total, "legacy_peak": _legacy_peak}
