"""What is done to a light: its masters, and what is known of its camera."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.trouble import refuse


@dataclass(frozen=True)
class Recipe:
    """What is done to a light, and what is known of its camera; numbers that are not known are NaN.

    Attributes
    ----------
    overscan_adu : float or ndarray, shape (ny, 1), adu
        Level of the overscan, of the frame or of each row.
    bias, dark, flat : Planes or None
        Masters of the shape of the light, adu; the flat around 1. What is None is not applied.
    dark_scale, dark_scale_error : float
        Multiple of the dark that is subtracted, and its standard deviation.
    same_bias : bool
        The dark had this very bias taken off, and its uncertainty contains that of the bias.
    bad : ndarray, shape (ny, nx), uint16, or None
        Bits of the map of bad pixels.
    pedestal_adu : float, adu
        Level added at the end.
    unit : str
        adu or electron.
    egain_e_adu, rdnoise_e : float
        Electrons per adu, and read noise in electrons.
    saturate_adu, nonlinear_adu : float, adu
        Raw levels from which pixels are flagged.
    zero_adu : float, adu
        Raw level without light or dark current. It is subtracted from nothing: it tells the electrons of a pixel
        where the dark still contains the bias.
    step_adu : float, adu
        Width of a digital step; 0 for pixels that were never rounded.
    planes : sequence of str
        SCI, UNCERT, DQ: those wanted.
    """

    overscan_adu: ArrayLike = 0.0
    bias: Planes | None = None
    dark: Planes | None = None
    dark_scale: float = 1.0
    dark_scale_error: float = 0.0
    same_bias: bool = False
    flat: Planes | None = None
    bad: NDArray[np.uint16] | None = None
    pedestal_adu: float = 0.0
    unit: str = "adu"
    egain_e_adu: float = np.nan
    rdnoise_e: float = np.nan
    saturate_adu: float = np.nan
    nonlinear_adu: float = np.nan
    zero_adu: float = np.nan
    step_adu: float = 1.0
    planes: Sequence[str] = ("SCI", "UNCERT", "DQ")

    def cut(self, rows: slice, columns: slice = slice(None)) -> Self:
        """Give the recipe of a part of the light."""
        changed = {"overscan_adu": self.overscan_adu[rows]} if np.ndim(self.overscan_adu) else {}
        for name in ("bias", "dark", "flat"):
            if (master := getattr(self, name)) is not None:
                changed[name] = Planes(*(cut(plane, rows, columns) for plane in three(master)))
        return replace(self, bad=cut(self.bad, rows, columns), **changed)

    def check(self, shape: tuple[int, ...]) -> None:
        """Refuse masters of another shape than the light, and electrons without a gain."""
        for name in ("bias", "dark", "flat", "bad"):
            plane = getattr(self, name)
            pixels = plane.data if isinstance(plane, Planes) else plane
            if pixels is not None and pixels.shape != shape:
                raise refuse("CAL103", f"the light is {shape[1]} x {shape[0]} pixels, its {name} {_size(pixels.shape)}")
        if self.unit == "electron" and not np.isfinite(self.egain_e_adu):
            raise refuse("CAL109", "electrons are asked for, but the gain is not known", "give camera.egain_e_adu")

    def unknown(self) -> tuple[str, ...]:
        """Say in words what the uncertainty has to do without."""
        said = []
        counts = np.isfinite(self.egain_e_adu) and self.bias is None and not np.isfinite(self.zero_adu)
        if counts and self.dark is not None:
            said.append("the noise of the dark current is left out, as the level of the bias is not known")
        for name in ("bias", "dark", "flat"):
            master = getattr(self, name)
            if master is not None and master.uncert is None:
                said.append(f"the {name} is taken to be free of noise, as it comes without uncertainty")
        return tuple(said)


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in reversed(shape))


def three(planes: Planes) -> tuple[NDArray[np.generic] | None, ...]:
    """Give pixels, uncertainty and quality bits."""
    return planes.data, planes.uncert, planes.dq


def cut(plane: NDArray[np.generic] | None, rows: slice, columns: slice = slice(None)) -> NDArray[np.generic] | None:
    """Give a part of a plane, if there is a plane."""
    return None if plane is None else plane[rows, columns]
