"""By what factor the dark current of a light differs from that of a dark, measured on the hot pixels of both.

Hot pixels are compared after taking off the median of their neighbours, which removes sky, nebulae and glow. The dark
is noisy too, so a plain regression would come out low; the known noise of the dark is taken out of its sum of squares
(errors in variables; Fuller 1987, Measurement Error Models, section 1.2).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate import glow
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.neighbours import Places, beside, stand_out
from lostlight.science.calibrate.trouble import Warn, warn

HOT_SIGMA = 5.0
CLIP_SIGMA = 4.0
MIN_PIXELS = 200
MAX_ERROR = 0.05
MAX_K = 10.0
PASSES = 20
CONTROLS = 20_000
LOCAL_NOISE = 1 + math.pi / 2 / 24
"""Variance of a pixel minus the median of 24 neighbours, over that of the pixel."""
QUANTISATION_ADU2 = 1 / 12
"""Variance of a raw frame that rounding alone makes."""
DOUBLING_SIGMA_C = 1.0
"""How well the doubling temperature of a camera that was never measured is known."""

Noise = NDArray[np.float32] | float


@dataclass(frozen=True)
class Scale:
    """Factor of a dark."""

    k: float
    """factor of the dark; NaN where it could not be measured"""
    sigma_k: float
    """one standard deviation of `k`"""
    n_pixels: int = 0
    """pixels, or blocks of pixels, that it was measured on; 0 for a prior"""
    ok: bool = True
    """good enough to be used"""
    why: str = ""
    """where it comes from, or why it is not good enough"""


class TwoScales(NamedTuple):
    """Factors of the two components of a dark, and the glow that the second one multiplies."""

    hot: Scale
    """factor of the dark without its glow"""
    glow: Scale
    """factor of the glow"""
    surface: NDArray[np.float32]
    """glow of the dark, shape (ny, nx), adu"""


class _Pairs(NamedTuple):
    light: NDArray[np.float64]
    dark: NDArray[np.float64]
    var_light: NDArray[np.float64]
    var_dark: NDArray[np.float64]


def optimise(
    light: NDArray[np.float32],
    dark: NDArray[np.float32],
    sigma_light: Noise,
    sigma_dark: Noise,
    gain: float,
    *,
    cfa: bool = False,
) -> Scale:
    """Measure the factor by which the dark current of a light exceeds that of a dark.

    Parameters
    ----------
    light, dark : ndarray, shape (ny, nx), float32, adu
        Frames with their bias taken off; NaN is no data: mark saturated pixels so.
    sigma_light, sigma_dark : ndarray of the same shape, or float, adu
        One standard deviation of a pixel; that of the dark is that of the master.
    gain : float
        Electrons per adu; NaN where it is not known.
    cfa : bool
        The frames have a 2x2 colour-filter array.

    Returns
    -------
    Scale
        Not `ok` if it was measured on fewer than 200 pixels, or to no better than 5 percent.

    Notes
    -----
    k = sum(w y x) / sum(w x^2 - w s_d^2), w = 1 / (s_l^2 + k x / gain + k^2 s_d^2), over pixels with x > 5 s_d and
    abs(y - k x) < 4 / sqrt(w), until k stays; x and y are dark and light minus the median of their neighbours, and the
    mean y of ordinary pixels is taken off. The error of k is that of the residuals themselves (White 1980), so that it
    is right where the noise given is not.
    """
    places = stand_out(dark, HOT_SIGMA * np.asarray(sigma_dark, dtype=np.float32), cfa=cfa)
    hot = _pairs(light, dark, sigma_light, sigma_dark, places, cfa)
    if hot.dark.size < MIN_PIXELS:
        return Scale(math.nan, math.nan, hot.dark.size, False, f"{hot.dark.size} hot pixels, {MIN_PIXELS} are needed")
    level = _level(_pairs(light, dark, sigma_light, sigma_dark, _ordinary(dark.shape), cfa))
    return _judge(*_regress(hot._replace(light=hot.light - level), 1 / gain if gain > 0 else 0.0))


def two_component(
    light: NDArray[np.float32],
    dark: NDArray[np.float32],
    sigma_light: Noise,
    sigma_dark: Noise,
    gain: float,
    *,
    cfa: bool = False,
) -> TwoScales:
    """Measure one factor for the dark current and another one for the amplifier glow.

    Parameters
    ----------
    light, dark, sigma_light, sigma_dark, gain, cfa
        As for `optimise`.

    Returns
    -------
    TwoScales
        To be used as ``light - hot.k * (dark - surface) - glow.k * surface``.
    """
    surface = glow.model(dark, cfa=cfa)
    hot = optimise(light, dark, sigma_light, sigma_dark, gain, cfa=cfa)
    fit = glow.fit(light, dark, cfa=cfa)
    return TwoScales(hot, _judge(fit.k, fit.sigma_k, fit.n_blocks, least=glow.MIN_BLOCKS, what="blocks"), surface)


def prior(light: Frame, dark: Frame, doubling_c: float) -> Scale:
    """Give the factor that exposures and temperatures suggest: t_l / t_d 2^((T_l - T_d) / doubling).

    Parameters
    ----------
    light, dark : Frame
        What is known of both; a temperature that is not known counts as equal.
    doubling_c : float
        Degrees over which dark current doubles.

    Returns
    -------
    Scale
        Not `ok` where an exposure is not known; the error is that of a doubling known to one degree.
    """
    if not (light.exptime_s > 0 and dark.exptime_s > 0):
        return Scale(math.nan, math.nan, 0, False, "no exposure time in the header of the light or of the dark")
    ratio = light.exptime_s / dark.exptime_s
    warmer_c = light.ccd_temp_c - dark.ccd_temp_c
    if math.isnan(warmer_c):
        return Scale(ratio, 0.0, 0, True, f"exposures {light.exptime_s:g} s / {dark.exptime_s:g} s")
    k = ratio * 2 ** (warmer_c / doubling_c)
    sigma_k = k * math.log(2) * abs(warmer_c) * DOUBLING_SIGMA_C / doubling_c**2
    return Scale(k, sigma_k, 0, True, f"exposures {light.exptime_s:g} s / {dark.exptime_s:g} s and {warmer_c:+.1f} C")


def choose(measured: Scale, expected: Scale, where: str) -> tuple[Scale, Warn | None]:
    """Take the measured factor if it is good enough, else the expected one, with warning CAL211.

    Parameters
    ----------
    measured : Scale
        Of `optimise`.
    expected : Scale
        Of `prior`; taken as it is, so look whether it is `ok`.
    where : str
        The light, for the warning.
    """
    if measured.ok:
        return measured, None
    said = f"{measured.why}; taken from {expected.why}: {expected.k:.4g}"
    error = measured.sigma_k / measured.k if measured.k > 0 else None
    return expected, warn("CAL211", where, said, error)


def _ordinary(shape: tuple[int, ...]) -> Places:
    # an odd stride meets all colours of a mosaic
    flat = np.arange(0, shape[0] * shape[1], max(1, shape[0] * shape[1] // CONTROLS) | 1)
    rows, cols = np.unravel_index(flat, shape)
    return rows, cols


def _pairs(
    light: NDArray[np.float32],
    dark: NDArray[np.float32],
    sigma_light: Noise,
    sigma_dark: Noise,
    places: Places,
    cfa: bool,
) -> _Pairs:
    # the noise of the light is that beside the pixel: the share of its own dark current follows from k
    of_light, of_dark = (np.broadcast_to(np.float32(sigma), dark.shape) for sigma in (sigma_light, sigma_dark))
    pairs = (
        light[places] - beside(light, places, cfa=cfa),
        dark[places] - beside(dark, places, cfa=cfa),
        (beside(of_light, places, cfa=cfa) ** 2 + QUANTISATION_ADU2) * LOCAL_NOISE,
        of_dark[places].astype(np.float64) ** 2 * LOCAL_NOISE,
    )
    good = np.logical_and.reduce([np.isfinite(values) for values in pairs])
    return _Pairs(*(values[good] for values in pairs))


def _level(pairs: _Pairs) -> float:
    """Mean of the light over pixels that are not hot: stars and hot neighbours leave it off zero."""
    calm = pairs.dark < 3 * np.sqrt(pairs.var_dark)
    light, weight = pairs.light[calm], 1 / pairs.var_light[calm]
    if not light.size:
        return 0.0
    level = float(np.median(light))
    for _ in range(PASSES):
        keep = np.square(light - level) * weight < CLIP_SIGMA**2
        level = float(np.sum(light * weight, where=keep) / max(np.sum(weight, where=keep), 1e-300))
    return level


def _regress(pairs: _Pairs, adu_per_e: float) -> tuple[float, float, int]:
    y, x, var_light, var_dark = pairs
    k = max(float(np.median(y / x)), 0.0)
    for _ in range(PASSES):
        weight = 1 / (var_light + k * x * adu_per_e + k**2 * var_dark)
        residual = y - k * x
        keep = np.square(residual) * weight < CLIP_SIGMA**2
        squares = float(np.sum(weight * (x**2 - var_dark), where=keep))
        if squares <= 0:
            return math.nan, math.nan, int(keep.sum())
        before, k = k, max(float(np.sum(weight * y * x, where=keep)) / squares, 0.0)
        if abs(k - before) < 1e-7:
            break
    sigma_k = math.sqrt(float(np.sum(np.square(weight * x * residual), where=keep))) / squares
    return k, sigma_k, int(keep.sum())


def _judge(k: float, sigma_k: float, n: int, *, least: int = MIN_PIXELS, what: str = "hot pixels") -> Scale:
    if n < least:
        return Scale(k, sigma_k, n, False, f"{n} {what} agree on a factor, {least} are needed")
    if not sigma_k < MAX_ERROR * k:
        return Scale(k, sigma_k, n, False, f"{k:.4g} ± {sigma_k:.2g} from {n} {what} is uncertain by more than 5 %")
    if k > MAX_K:
        return Scale(k, sigma_k, n, False, f"{k:.4g} from {n} {what} is beyond {MAX_K:g}")
    return Scale(k, sigma_k, n, True, f"{n} {what}")
