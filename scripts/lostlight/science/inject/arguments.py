"""What `inject` is given, checked and brought into the form that the engine works with."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.calibrate.statistics import MAD_TO_SIGMA
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject.psf import Psf, PSFParams, psf_of
from lostlight.science.inject.rules import Brightness
from lostlight.science.inject.sources import OPPOSITION
from lostlight.vocab import bits

Floats = NDArray[np.float64]
OneOrMany = Any
"""A value for all images, or a sequence of T."""


class BadArgument(ConfigError, ValueError):
    """An argument of `inject` is wrong: which, what it is, and what it should be."""


def images_of(patch_stack: ArrayLike, dtype: str) -> NDArray[Any]:
    """Give the images in the type that results have, (T, H, W).

    Raises
    ------
    BadArgument
        For arrays of other dimensions, without pixels, or types other than float32 and float64.
    """
    if np.dtype(dtype) not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise BadArgument(f"dtype is {dtype}", "take float32 or float64")
    images = np.asarray(patch_stack)
    if images.ndim != 3 or not images.size:
        raise BadArgument(f"patch_stack has shape {images.shape}", "give images, rows and columns: (T, H, W)")
    return images.astype(dtype)


def epochs_of(
    shape: tuple[int, int, int],
    timestamps: ArrayLike,
    psf_params: OneOrMany,
    sigma: Floats,
    *,
    wcs: WCS | Sequence[WCS] | None,
    mjd_mid: ArrayLike | None,
    exptime_s: ArrayLike,
    gain: ArrayLike | None,
    zero_mag: ArrayLike | None,
) -> Epochs:
    """Bring together what is known of the images; see `lostlight.science.inject.engine.inject`."""
    n = shape[0]
    mjd = times(timestamps, mjd_mid, n)
    skies = tuple(wcs) if isinstance(wcs, list | tuple) else (wcs,) * n
    if len(skies) != n:
        raise BadArgument(f"wcs has {len(skies)} of {n} images", "give one, or one for each image")
    return Epochs(
        ids=tuple(str(t) for t in range(n)),
        shape=shape[1:],
        mjd_mid=mjd,
        exptime_s=each(exptime_s, n, "exptime_s"),
        wcs=skies,
        psfs=profiles(psf_params, n),
        sigma_adu=sigma,
        gain_e_adu=each(np.nan if gain is None else gain, n, "gain"),
        zero_mag=each(np.nan if zero_mag is None else zero_mag, n, "zero_mag"),
        scale=np.ones(n),
        filters=("",) * n,
    )


def times(timestamps: ArrayLike, mjd_mid: ArrayLike | None, n: int) -> Floats:
    """Give the middle of each exposure, MJD; hours count from a time at which nothing is known of the sky.

    Raises
    ------
    BadArgument
        For times that are not finite or do not rise, or of another number than images.
    """
    name, given = ("mjd_mid", mjd_mid) if mjd_mid is not None else ("timestamps", timestamps)
    values = np.asarray(given, np.float64)
    if values.shape != (n,):
        raise BadArgument(f"{name} has shape {values.shape} for {n} images", "give one for each image")
    if not np.isfinite(values).all() or np.any(np.diff(values) <= 0):
        raise BadArgument(f"{name} must be finite and rise: {values.tolist()}", "sort the images by time")
    return values if mjd_mid is not None else OPPOSITION[0] + values / 24


def each(value: ArrayLike, n: int, name: str) -> Floats:
    """Give one number for each of `n` images; raises BadArgument where there are as many of neither."""
    values = np.asarray(value, np.float64)
    if values.shape not in ((), (n,)):
        raise BadArgument(f"{name} has shape {values.shape} for {n} images", "give one number, or one for each image")
    return np.broadcast_to(values, (n,)).copy()


def profiles(psf_params: OneOrMany, n: int) -> tuple[Psf, ...]:
    """Give the profile of each image from one or T of `PSFParams` or profiles; images with the same share it."""
    given = list(psf_params) if isinstance(psf_params, list | tuple) else [psf_params] * n
    if len(given) != n:
        raise BadArgument(f"psf_params has {len(given)} of {n} images", "give one, or one for each image")
    made = {id(one): psf_of(one) if isinstance(one, PSFParams) else one for one in given}
    return tuple(made[id(one)] for one in given)


def noise_of(images: NDArray[Any], bad: NDArray[np.bool_] | None, sigma_map: ArrayLike | None) -> Floats:
    """Give the noise of a pixel on each image, (T,): as it is given, or by its median absolute deviation.

    Raises
    ------
    BadArgument
        For a `sigma_map` of another length, or with values that are no noise.
    """
    n = len(images)
    if sigma_map is not None:
        sigma = np.asarray(sigma_map, np.float64)
        if sigma.shape == images.shape:
            sigma = np.nanmedian(sigma, axis=(1, 2))
        if sigma.shape != (n,):
            raise BadArgument(f"sigma_map has shape {sigma.shape} for {n} images", "give one value for each image")
        if not (np.isfinite(sigma) & (sigma > 0)).all():
            raise BadArgument(f"sigma_map has values that are no noise: {sigma.tolist()}", "give positive numbers")
        return sigma
    good = np.isfinite(images) if bad is None else np.isfinite(images) & ~bad
    return np.array([_deviation(image[use]) for image, use in zip(images, good, strict=True)])


def _deviation(values: NDArray[Any]) -> float:
    if not values.size:
        return float("nan")
    values = values.astype(np.float64)
    return float(MAD_TO_SIGMA * np.median(np.abs(values - np.median(values))))


def masked(mask: ArrayLike | None, images: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Give the pixels that hold no measurement: (T, H, W), or None where all do.

    Integers are bits of `lostlight.vocab.bits.STACK`; those of STACK_BAD count. Pixels that are not finite are masked.

    Raises
    ------
    BadArgument
        For a mask of another shape.
    """
    bad = ~np.isfinite(images)
    if mask is not None:
        given = np.asarray(mask)
        if given.shape not in (images.shape, images.shape[1:]):
            raise BadArgument(f"mask has shape {given.shape} for images of {images.shape}", "give (T, H, W) or (H, W)")
        bad = bad | (given if given.dtype == bool else (given.astype(np.int64) & bits.STACK_BAD) != 0)
    return bad if bad.any() else None


def check_noise(noise: str, epochs: Epochs) -> None:
    """Raise BadArgument for noise that is not known, or that needs a gain which is not."""
    if noise not in ("none", "poisson"):
        raise BadArgument(f"noise is {noise!r}", "take none or poisson")
    if noise == "poisson" and not np.isfinite(epochs.gain_e_adu).all():
        raise BadArgument("noise is poisson, but the gain is not known", "give gain, in electrons per adu")


def brightness_of(given: Brightness | Mapping[str, Any] | None, has_sigma: bool) -> Brightness:
    """Say what the brightness of a source is: what is given, or what the first injectors drew.

    Parameters
    ----------
    given : Brightness, mapping or None
        A mapping has `mode`, and `value` or `low` and `high`. None: a number between 3 and 10, times the noise of each
        image where `has_sigma` (`legacy_total`), else that flux.
    has_sigma : bool

    Raises
    ------
    BadArgument
        For a mapping with other keys.
    """
    if isinstance(given, Brightness):
        return given
    if given is None:
        return Brightness("legacy_total" if has_sigma else "flux", law="legacy")
    facts = dict(given)
    if "value" in facts:
        facts["low"] = facts["high"] = facts.pop("value")
    try:
        return Brightness(**facts)
    except TypeError as error:
        raise BadArgument(f"brightness is {dict(given)}", "give mode, and value or low and high") from error
