"""By what a master dark is multiplied before it is taken off a light, and which part of it."""

from dataclasses import dataclass, replace

import numpy as np

from lostlight.core.params.calibrate import CalibrateParams, DarkParams
from lostlight.science.calibrate import dark_scale, glow
from lostlight.science.calibrate.dark_scale import Scale
from lostlight.science.calibrate.frame import NAN, Frame
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.statistics import noise
from lostlight.science.calibrate.trouble import Warn, refuse
from lostlight.science.stack.rule import Floats
from lostlight.steps.calibrating.given import Master, number

NO_DARK = Scale(NAN, NAN, 0, False, "no dark")


@dataclass(frozen=True)
class Scaled:
    """A dark ready for one light: its planes, the factor, and what the user should know."""

    dark: Planes | None
    scale: Scale
    warnings: tuple[Warn, ...] = ()


@dataclass(frozen=True)
class Exposed:
    """A light without its bias, for the measurement of the factor."""

    frame: Frame
    pixels: Floats
    """shape (ny, nx), adu; NaN where saturated"""
    gain_e_adu: float
    rdnoise_e: float

    @property
    def sigma_adu(self) -> Floats | float:
        """One standard deviation of a pixel: by gain and read noise, or as measured from pixel to pixel."""
        if not np.isfinite([self.gain_e_adu, self.rdnoise_e]).all():
            return noise(self.pixels)
        shot = np.maximum(self.pixels, 0) / np.float32(self.gain_e_adu)
        return np.sqrt(shot + np.float32((self.rdnoise_e / self.gain_e_adu) ** 2))

    @property
    def is_cfa(self) -> bool:
        """Whether it has a colour-filter array."""
        return bool(self.frame.bayerpat)


def scaled(light: Exposed, dark: Master | None, params: CalibrateParams, doubling_c: float) -> Scaled:
    """Fit the master dark to a light, as the mode of the configuration says.

    `doubling_c` are the degrees over which its current doubles.

    Raises
    ------
    LostlightError
        CAL212 where one factor cannot fit a dark with amplifier glow, CAL105 where no factor can be told.
    """
    own = params.dark
    if dark is None:
        return Scaled(None, NO_DARK)
    if own.mode == "matched":
        return Scaled(dark.planes, Scale(1.0, 0.0, 0, True, "matched dark"))
    taken = _like(light.frame, dark)
    expected = _expected(light.frame, taken, own, doubling_c)
    if own.mode == "rate":
        return Scaled(dark.planes, _known(expected, light.frame))
    if own.glow == "two_component":
        return _two(light, dark.planes, expected, own)
    found, heard = _measured(light, dark.planes, expected, own)
    planes = dark.planes
    if own.glow == "model":
        planes = _regrown(planes, glow.model(planes.data, cfa=light.is_cfa), _exposures(light.frame, taken) / found.k)
    elif own.glow == "matched":
        sky_adu = noise(light.pixels)
        glow.check(glow.amplitude(planes.data, cfa=light.is_cfa), found.k, sky_adu, light.frame.frame_id)
    return Scaled(planes, _known(found, light.frame), tuple(heard))


def _measured(light: Exposed, dark: Planes, expected: Scale, own: DarkParams) -> tuple[Scale, list[Warn]]:
    if own.scale not in ("auto", "optimize"):
        return expected, []
    sigma = dark.uncert if dark.uncert is not None else noise(dark.data)
    found = dark_scale.optimise(light.pixels, dark.data, light.sigma_adu, sigma, light.gain_e_adu, cfa=light.is_cfa)
    chosen, heard = dark_scale.choose(found, expected, light.frame.frame_id)
    return chosen, [heard] if heard else []


def _two(light: Exposed, dark: Planes, expected: Scale, own: DarkParams) -> Scaled:
    """Give dark current and glow factors of their own, as one dark for the factor of the current."""
    sigma = dark.uncert if dark.uncert is not None else noise(dark.data)
    found = dark_scale.two_component(
        light.pixels, dark.data, light.sigma_adu, sigma, light.gain_e_adu, cfa=light.is_cfa
    )
    where = light.frame.frame_id
    hot, first = dark_scale.choose(found.hot, expected, where)
    bright, second = dark_scale.choose(found.glow, expected, where)
    hot = _known(hot, light.frame)
    planes = _regrown(dark, found.surface, bright.k / hot.k)
    return Scaled(planes, hot, tuple(heard for heard in (first, second) if heard))


def _regrown(dark: Planes, surface: Floats, share: float) -> Planes:
    """Multiply the glow of a dark, and leave the rest of it."""
    return replace(dark, data=dark.data + surface * np.float32(share - 1))


def _expected(light: Frame, dark: Frame, own: DarkParams, doubling_c: float) -> Scale:
    if own.scale == "fixed":
        return Scale(own.factor, 0.0, 0, True, "fixed")
    if own.scale == "exposure":
        return Scale(_exposures(light, dark), 0.0, 0, True, f"exposures {light.exptime_s:g} s / {dark.exptime_s:g} s")
    if own.scale == "temperature":
        light = replace(light, exptime_s=dark.exptime_s)
    return dark_scale.prior(light, dark, doubling_c)


def _exposures(light: Frame, dark: Frame) -> float:
    return light.exptime_s / dark.exptime_s if dark.exptime_s > 0 else NAN


def _known(scale: Scale, light: Frame) -> Scale:
    if np.isfinite(scale.k):
        return scale
    raise refuse(
        "CAL105", f"{light.frame_id}: the dark cannot be scaled: {scale.why}", "give EXPTIME, or set dark.scale: fixed"
    )


def _like(light: Frame, dark: Master) -> Frame:
    """What is known of the dark, for the comparison with a light."""
    return replace(light, exptime_s=number(dark.header, "EXPTIME"), ccd_temp_c=number(dark.header, "CCD-TEMP"))
