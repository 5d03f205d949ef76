"""Profiles that are sums of Gaussians, which pixels integrate exactly: Gaussian and Moffat, round or elliptical."""

import math
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from lostlight.core.errors import ConfigError
from lostlight.science.inject.compiled import NORMAL, draw_round
from lostlight.science.inject.compiled_slanted import draw_slanted
from lostlight.science.inject.profile import FWHM, Floats, Profile

_RATIO = 1.25
"""Of the widths of neighbouring Gaussians in a Moffat profile."""
_FIRM = 100.0
"""How firmly the light of all is held to one, against a point of the profile."""


@dataclass(frozen=True, eq=False)
class Mixture(Profile):
    """A sum of Gaussians of one shape.

    Parameters
    ----------
    name : str
        Maker of it: gaussian, moffat or elliptical.
    facts : dict
        What the maker was given.
    weights : (M,) float64
        Light of each, of sum 1.
    widths : (M,) float64
        Standard deviation of each along both axes, in pixels; of an ellipse, the geometric mean.
    axis_ratio : float
        Short over long axis.
    pa_deg : float
        Direction of the long axis, from +x towards +y.
    """

    name: str
    facts: dict[str, Any] = field(repr=False)
    weights: Floats = field(repr=False)
    widths: Floats = field(repr=False)
    axis_ratio: float = 1.0
    pa_deg: float = 0.0

    @property
    def fwhm_px(self) -> float:
        """Intrinsic full width at half maximum, the pixel not included; of an ellipse, the geometric mean."""
        return float(self.facts["fwhm_px"])

    def half_width(self, lost: float = 1e-6) -> int:
        """Give how many pixels a stamp must reach to each side so that at most this fraction of the light is lost."""
        stretch = max(self._shape[:2])
        half = 1
        while self._beyond(half / stretch) > lost:
            half = math.ceil(half * 1.02 + 0.5)
        return half

    def record(self) -> dict[str, Any]:
        """Describe it in plain JSON values, for `from_record`."""
        return {"model": self.name, **self.facts}

    def _draw(self, planes: NDArray[Any], x: Floats, y: Floats, flux: Floats) -> None:
        if self.axis_ratio == 1:
            draw_round(planes, x, y, flux, self.weights, self.widths, NORMAL)
        else:
            draw_slanted(planes, x, y, flux, self.weights, self.widths, self._shape, self._heights, NORMAL)

    @cached_property
    def _shape(self) -> tuple[float, float, float, float]:
        """Widths along x and y, width along x at a given y, and how x moves with y; each in mean widths."""
        long, short, angle = self.axis_ratio**-0.5, self.axis_ratio**0.5, math.radians(self.pa_deg)
        cos, sin = math.cos(angle), math.sin(angle)
        xx = (long * cos) ** 2 + (short * sin) ** 2
        yy = (long * sin) ** 2 + (short * cos) ** 2
        xy = (long**2 - short**2) * cos * sin
        return math.sqrt(xx), math.sqrt(yy), 1 / math.sqrt(yy), xy / yy

    @cached_property
    def _heights(self) -> Floats:
        """Heights within a row at which an ellipse is taken, in pixels from its middle, and their weights; (2, Q)."""
        narrowest = float(self.widths[self.weights > 1e-3].min()) * math.sqrt(self.axis_ratio)
        return np.array(np.polynomial.legendre.leggauss(3 if narrowest > 0.9 else 5 if narrowest > 0.45 else 9)) / 2

    def _beyond(self, half: float) -> float:
        """Give the light beyond a square of this half-width, or a little more."""
        tails = np.array([math.erfc(half / (math.sqrt(2) * width)) for width in self.widths])
        return float(2 * self.weights @ tails)


def gaussian(fwhm_px: float) -> Mixture:
    """Make a Gaussian profile.

    Parameters
    ----------
    fwhm_px : float
        Intrinsic full width at half maximum, the pixel not included.

    Raises
    ------
    ConfigError
        The width is not positive.
    """
    _check(fwhm_px)
    facts = {"fwhm_px": float(fwhm_px)}
    return Mixture("gaussian", facts, np.ones(1), np.array([fwhm_px / FWHM]))


def moffat(fwhm_px: float, beta: float) -> Mixture:
    """Make a Moffat profile, (1 + r^2 / alpha^2)^-beta, as a sum of Gaussians.

    The sum agrees to 1e-4 of the peak, for a beta below 1.8 to 2e-4; far out, where the profile itself is fainter than
    that, it ends sooner, so that trails of 40 standard deviations agree to 1e-3 where beta is below 2.5.

    Parameters
    ----------
    fwhm_px : float
        Intrinsic full width at half maximum, the pixel not included.
    beta : float
        Steepness of the wings, from 1.5 to 20.

    Raises
    ------
    ConfigError
        The width is not positive, or beta out of range.
    """
    _check(fwhm_px)
    if not 1.5 <= beta <= 20:
        raise ConfigError(f"beta of a Moffat profile is {beta:g}", "take one from 1.5 to 20; stars have 2 to 5")
    weights, widths = _mixture(beta)
    alpha = fwhm_px / (2 * math.sqrt(2 ** (1 / beta) - 1))
    return Mixture("moffat", {"fwhm_px": float(fwhm_px), "beta": float(beta)}, weights, widths * alpha)


def elliptical(fwhm_px: float, axis_ratio: float, pa_deg: float, beta: float | None = None) -> Mixture:
    """Make an elliptical profile: Gaussian, or Moffat where `beta` is given.

    Parameters
    ----------
    fwhm_px : float
        Intrinsic full width at half maximum, geometric mean of both axes, the pixel not included.
    axis_ratio : float
        Short over long axis, from 0.1 to 1.
    pa_deg : float
        Direction of the long axis in the pixel plane, from +x towards +y.
    beta : float or None

    Raises
    ------
    ConfigError
        A width, ratio or beta out of range.
    """
    if not 0.1 <= axis_ratio <= 1:
        raise ConfigError(f"axis ratio of a profile is {axis_ratio:g}", "give the short over the long axis, 0.1 to 1")
    base = gaussian(fwhm_px) if beta is None else moffat(fwhm_px, beta)
    facts = base.facts | {"axis_ratio": float(axis_ratio), "pa_deg": float(pa_deg)}
    return Mixture("elliptical", facts, base.weights, base.widths, float(axis_ratio), float(pa_deg))


def _check(fwhm_px: float) -> None:
    if not (math.isfinite(fwhm_px) and fwhm_px > 0):
        raise ConfigError(f"width of a profile is {fwhm_px} px", "give a positive full width at half maximum")


@cache
def _mixture(beta: float) -> tuple[Floats, Floats]:
    """Give weights and widths, in alpha, of the Gaussians that make up a Moffat profile.

    The widest is half the radius at which the profile is 1e-4 of its peak; weights are fitted by least squares, none
    of them below zero, so that the sum of all is one.
    """
    widest = math.sqrt(1e4 ** (1 / beta) - 1) / 2
    narrowest = 0.43 / math.sqrt(beta)
    widths = np.geomspace(narrowest, widest, round(math.log(widest / narrowest) / math.log(_RATIO)) + 1)
    radii = np.concatenate([np.linspace(0, 3, 61), np.geomspace(3.1, 6 * widest, 60)])[:, None]
    peaks = 1 / (2 * (beta - 1) * widths**2)
    shapes = np.vstack([peaks * np.exp(-(radii**2) / (2 * widths**2)), np.full_like(widths, _FIRM)])
    weights, _ = nnls(shapes, np.append((1 + radii[:, 0] ** 2) ** -beta, _FIRM))
    kept = weights > 1e-7
    return weights[kept] / weights[kept].sum(), widths[kept]
