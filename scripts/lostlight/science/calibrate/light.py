"""The pass over a light: its raw pixels, minus bias and dark, over the flat, with uncertainty and quality."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate.light_noise import Noise, background_noise, median_of_finite
from lostlight.science.calibrate.light_recipe import Recipe, cut
from lostlight.science.calibrate.planes import Planes
from lostlight.vocab.bits import dq as bits

_BLOCK = 1 << 16  # pixels that fit the cache with all their masters
_SAMPLE = 1 << 14  # pixels that tell the share of the masters in the noise


@dataclass
class Light(Planes):
    """A calibrated light.

    Attributes
    ----------
    uncsys : float
        Share of the variance that comes from the masters, so that all lights made with them have it in common:
        median over pixels, NaN without uncertainty. It is the value of card UNCSYS.
    assumed : tuple of str
        What had to be assumed for the uncertainty, in words; empty if all was known.
    """

    uncsys: float = np.nan
    assumed: tuple[str, ...] = field(default_factory=tuple)


def calibrate_light(raw: NDArray[np.generic], recipe: Recipe) -> Light:
    """Turn a raw light into a calibrated one.

    Pixels are ((raw - overscan) - bias - k dark) / flat + pedestal, times the gain for electrons. Blocks of rows stay
    in the cache from the first subtraction to the last multiplication, so that memory is read once.

    The variance is that of reading out, of the electrons counted and of rounding (1/12 of a step squared), plus that
    of the masters: k^2 var(dark) + dark^2 var(k) + var(bias), then over flat^2 with the flat's own relative error.
    A bias that was taken off the dark too enters with 1 - 2 k, as light - bias - k (dark - bias) says.
    Where gain or read noise is not known, the noise of the background is measured instead: see `light_noise`.

    Parameters
    ----------
    raw : ndarray, shape (ny, nx), uint16 or float32, adu
        Pixels as read out, already trimmed; NaN means no data.
    recipe : Recipe
        Masters and camera.

    Returns
    -------
    Light
        Pixels, their standard deviation, quality bits (those of all masters included). Pixels without a value are
        NaN and NO_DATA.

    Raises
    ------
    LostlightError
        CAL103 if a master has another shape, CAL109 for electrons without a gain.
    """
    recipe.check(raw.shape)
    with np.errstate(divide="ignore", invalid="ignore"):  # pixels without a value are flagged
        return _calibrate(raw, recipe)


def _calibrate(raw: NDArray[np.generic], recipe: Recipe) -> Light:
    data = np.empty(raw.shape, np.float32)
    uncert = np.empty(raw.shape, np.float32) if "UNCERT" in recipe.planes else None
    dq = np.zeros(raw.shape, np.uint16) if "DQ" in recipe.planes else None
    noise = Noise() if uncert is None else _noise(raw, recipe)
    n_rows = max(1, _BLOCK // raw.shape[1])
    for y in range(0, raw.shape[0], n_rows):
        rows = slice(y, y + n_rows)
        _block(raw[rows], recipe.cut(rows), noise, data[rows], cut(uncert, rows), cut(dq, rows))
    uncsys = np.nan if uncert is None else _share_of_masters(raw, recipe, noise)
    return Light(data, uncert, dq, uncsys=uncsys, assumed=noise.assumed)


def _block(
    raw: NDArray[np.generic],
    recipe: Recipe,
    noise: Noise,
    data: NDArray[np.float32],
    uncert: NDArray[np.float32] | None,
    dq: NDArray[np.uint16] | None,
) -> None:
    _reduce(raw, recipe, noise, data, uncert)
    gain = np.float32(recipe.egain_e_adu if recipe.unit == "electron" else 1)
    if recipe.pedestal_adu:
        data += np.float32(recipe.pedestal_adu)
    if gain != 1:
        data *= gain
    if uncert is not None:
        np.sqrt(uncert, out=uncert)
        if gain != 1:
            uncert *= gain
    lost = ~np.isfinite(data)
    if lost.any():
        data[lost] = np.nan
        if uncert is not None:
            uncert[lost] = np.nan
    if dq is not None:
        _flag(raw, recipe, lost, dq)


def _reduce(
    raw: NDArray[np.generic],
    recipe: Recipe,
    noise: Noise,
    data: NDArray[np.float32],
    variance: NDArray[np.float32] | None,
) -> None:
    """Subtract and divide; `variance` gets that of the result in adu^2."""
    # A level is subtracted in float64: a float32 of it would shift all pixels alike. Nothing needs no such care.
    precision = np.float64 if np.any(recipe.overscan_adu) else np.float32
    np.subtract(raw, recipe.overscan_adu, out=data, dtype=precision, casting="same_kind")
    scratch = np.empty_like(data)
    if recipe.bias is not None:
        data -= recipe.bias.data
    if variance is not None:
        _count(raw, recipe, noise, data, variance)
        _add_masters(recipe, variance, scratch)
    if recipe.dark is not None:
        data -= _scaled_dark(recipe, scratch)
    if recipe.flat is not None:
        data /= recipe.flat.data
        if variance is not None:
            _divide(recipe.flat, data, variance, scratch)


def _count(
    raw: NDArray[np.generic],
    recipe: Recipe,
    noise: Noise,
    data: NDArray[np.float32],
    variance: NDArray[np.float32],
) -> None:
    """Start the variance with what is independent from light to light: reading out, counting and rounding."""
    if recipe.bias is not None:
        np.maximum(data, np.float32(0), out=variance)
    elif np.isfinite(recipe.zero_adu):
        np.subtract(raw, recipe.zero_adu, out=variance, dtype=np.float64, casting="same_kind")
        np.maximum(variance, np.float32(0), out=variance)
    else:
        taken = 0 if recipe.dark is None else _scaled_dark(recipe, np.empty_like(data))
        np.maximum(data - taken, np.float32(0), out=variance)
    variance *= np.float32(noise.per_adu)
    variance += np.float32(noise.constant_adu2)


def _scaled_dark(recipe: Recipe, scratch: NDArray[np.float32]) -> NDArray[np.float32]:
    if recipe.dark_scale == 1:
        return recipe.dark.data
    return np.multiply(recipe.dark.data, np.float32(recipe.dark_scale), out=scratch)


def _add_masters(recipe: Recipe, variance: NDArray[np.float32], scratch: NDArray[np.float32]) -> None:
    scale = recipe.dark_scale
    if recipe.dark is not None:
        if recipe.dark.uncert is not None:
            _add_square(recipe.dark.uncert, scale**2, variance, scratch)
        if recipe.dark_scale_error:
            _add_square(recipe.dark.data, recipe.dark_scale_error**2, variance, scratch)
    if recipe.bias is not None and recipe.bias.uncert is not None:
        shared = recipe.same_bias and recipe.dark is not None
        _add_square(recipe.bias.uncert, 1 - 2 * scale if shared else 1, variance, scratch)
        if shared:
            np.maximum(variance, np.float32(0), out=variance)


def _add_square(
    plane: NDArray[np.float32], factor: float, variance: NDArray[np.float32], scratch: NDArray[np.float32]
) -> None:
    np.multiply(plane, plane, out=scratch)
    if factor != 1:
        scratch *= np.float32(factor)
    variance += scratch


def _divide(
    flat: Planes, data: NDArray[np.float32], variance: NDArray[np.float32], scratch: NDArray[np.float32]
) -> None:
    if flat.uncert is not None:
        np.multiply(data, flat.uncert, out=scratch)
        scratch *= scratch
        variance += scratch
    np.multiply(flat.data, flat.data, out=scratch)
    variance /= scratch


def _flag(raw: NDArray[np.generic], recipe: Recipe, lost: NDArray[np.bool_], dq: NDArray[np.uint16]) -> None:
    for plane in (recipe.bad, *(master.dq for master in (recipe.bias, recipe.dark) if master is not None)):
        if plane is not None:
            dq |= plane
    dq &= ~np.uint16(bits("INTERPOLATED"))  # what was mended in a master was not mended in the light
    if recipe.flat is not None and recipe.flat.dq is not None:
        # a hot pixel that was mended in the flat is as good a divisor as any
        dq |= np.where(recipe.flat.dq & bits("INTERPOLATED"), 0, recipe.flat.dq).astype(np.uint16)
    for name, where in (
        ("SATURATED", raw >= recipe.saturate_adu),
        ("NONLINEAR", raw >= recipe.nonlinear_adu),
        ("NO_DATA", lost),
    ):
        if where.any():
            dq[where] |= np.uint16(bits(name))


def _noise(raw: NDArray[np.generic], recipe: Recipe) -> Noise:
    """Take the noise from gain and read noise, or measure that of the background on some of the rows."""
    if np.isfinite(recipe.egain_e_adu) and np.isfinite(recipe.rdnoise_e):
        return Noise.of_camera(recipe.egain_e_adu, recipe.rdnoise_e, recipe.step_adu, recipe.unknown())
    rows = slice(0, None, max(1, raw.size // (8 * _BLOCK)))
    part = replace(recipe.cut(rows), flat=None)
    data, masters = np.empty(raw[rows].shape, np.float32), np.empty(raw[rows].shape, np.float32)
    _reduce(raw[rows], part, Noise(), data, masters)
    return background_noise(data, median_of_finite(masters), recipe.egain_e_adu, recipe.step_adu, recipe.unknown())


def _share_of_masters(raw: NDArray[np.generic], recipe: Recipe, noise: Noise) -> float:
    """Compare the variance with that of a camera without noise, on a lattice of pixels."""
    stride = max(1, round((raw.size / _SAMPLE) ** 0.5)) | 1  # odd, to meet all colours of a filter array
    lattice = slice(stride // 2, None, stride)
    sample, part = raw[lattice, lattice], recipe.cut(lattice, lattice)
    data, total, masters = (np.empty(sample.shape, np.float32) for _ in range(3))
    _reduce(sample, part, noise, data, total)
    _reduce(sample, part, Noise(), data, masters)
    return median_of_finite(masters / total)
