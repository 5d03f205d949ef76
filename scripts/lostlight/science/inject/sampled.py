"""Profiles given as a table of samples: effective PSFs, models of PSFEx, and images of a star."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import spline_filter, zoom

from lostlight.core.errors import BadPSF
from lostlight.science.inject.compiled_sampled import draw_sampled
from lostlight.science.inject.profile import FWHM, Floats, Profile

_RIM = 4
"""Empty samples around a table, so that its spline comes down to nothing."""
_COARSEST = 4
"""Pixels from sample to sample; PSFEx takes more than one where stars are wide."""
_FINE = 8
"""How much finer the table is looked at for its width."""


@dataclass(frozen=True, eq=False)
class Sampled(Profile):
    """A table of what a pixel sees of a point, at steps of a fraction of a pixel; a cubic spline lies between.

    Parameters
    ----------
    image : (ny, nx) float64
        Samples, the middle one that of a point in the centre of the pixel; both sides odd.
    step_px : float
        Their distance in pixels.
    """

    image: Floats = field(repr=False)
    step_px: float

    @cached_property
    def fwhm_px(self) -> float:
        """Intrinsic full width at half maximum of the circle of the same area, the pixel not included."""
        fine = zoom(self.image, _FINE, order=3, grid_mode=True, mode="grid-constant")
        area = (fine > fine.max() / 2).sum() * (self.step_px / _FINE) ** 2
        variance = (2 * math.sqrt(area / math.pi) / FWHM) ** 2 - 1 / 12
        return FWHM * math.sqrt(max(variance, 0.01))

    def half_width(self, lost: float = 1e-6) -> int:
        """Give how many pixels a stamp must reach to each side so that at most this fraction of the light is lost."""
        reach_y, reach_x = (size // 2 * self.step_px for size in self.image.shape)
        y, x = (np.abs(np.arange(size) - size // 2) * self.step_px for size in self.image.shape)
        total = self.image.sum()
        for half in range(1, math.ceil(max(reach_x, reach_y))):
            if 1 - self.image[np.ix_(y < half, x < half)].sum() / total <= lost:
                return half
        return math.ceil(max(reach_x, reach_y)) + 1

    def record(self) -> dict[str, Any]:
        """Describe it in plain JSON values, for `from_record`."""
        return {"model": "sampled", "step_px": self.step_px, "image": self.image.tolist()}

    def _draw(self, planes: NDArray[Any], x: Floats, y: Floats, flux: Floats) -> None:
        draw_sampled(planes, x, y, flux, self._spline, self.step_px)

    @cached_property
    def _spline(self) -> Floats:
        return np.ascontiguousarray(spline_filter(np.pad(self.image, _RIM), order=3, output=np.float64, mode="mirror"))


def sampled(image: NDArray[Any], step_px: float) -> Sampled:
    """Make a profile from a table of samples, such as an effective PSF or a model of PSFEx.

    Parameters
    ----------
    image : (ny, nx) float
        What a pixel sees of a point (so integrated over the pixel), the middle sample that of a point in its centre;
        both sides odd. What is below zero counts as nothing; any sum will do.
    step_px : float
        Distance of the samples in pixels. Half a pixel or less tells a profile of 2.5 pixels to a thousandth of its
        peak anywhere; a whole one does so to a hundredth.

    Raises
    ------
    BadPSF
        Not such a table.
    """
    image = np.array(image, np.float64)
    if image.ndim != 2 or min(image.shape) < 3 or not all(size % 2 for size in image.shape):
        raise BadPSF(f"a profile has the shape {image.shape}", "give two odd sides, with the peak in the middle")
    if not np.isfinite(image).all() or not image.max() > 0:
        raise BadPSF("a profile has no light, or values that are not numbers", "give finite samples of a point")
    if not 0 < step_px <= _COARSEST:
        raise BadPSF(
            f"samples of a profile are {step_px} px apart", f"give a step above 0 and up to {_COARSEST} pixels"
        )
    if min(image.shape) // 2 * step_px < 1:
        reach = f"{image.shape[0]} x {image.shape[1]} samples {step_px} px apart"
        raise BadPSF(f"{reach} do not reach from one pixel to the next", "give a table that reaches a pixel each way")
    image = image.clip(0)
    return Sampled(image / image.sum(), float(step_px))


def empirical(kernel: NDArray[Any]) -> Sampled:
    """Make a profile from the image of a point centred on a pixel, such as a kernel of PSFs; see `sampled`."""
    return sampled(kernel, 1.0)
