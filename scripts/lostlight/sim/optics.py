"""How a point of light spreads over the plate: its core and wings, the field's aberration, the vignetting."""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from lostlight.sim.plates import Plate

Values = NDArray[np.float64]

SKY_MAG_ARCSEC2 = 21.0
"""Brightness of the night sky; all light is counted in units of it."""
CORE_DEG = 2.7
"""Radius of the field free of vignetting (MAPS)."""
FIELD_DEG = 3.25

# Fitted, with the response, to the widths, peaks and fluxes of stars R 9.5 to 17.5 on a real red plate (M67, XE486).
CORE_FWHM_ARCSEC = 2.1
_MOFFAT_BETA = 3.1
_SCATTER_FRACTION, _SCATTER_ARCSEC = 0.017, 3.8


def light(mag_r: Values, scale_arcsec: float) -> Values:
    """Turn R magnitudes into light on one pixel, in units of the sky on that pixel."""
    return 10 ** (0.4 * (SKY_MAG_ARCSEC2 - mag_r)) / scale_arcsec**2


def vignetting(radius_deg: Values) -> Values:
    """Give the fraction of light left at a distance from the plate centre."""
    beyond = np.maximum(radius_deg - CORE_DEG, 0)
    return 1 / (1 + (beyond / 2.2) ** 2)


def field_radius_deg(plate: Plate, x_px: Values, y_px: Values) -> tuple[Values, Values]:
    """Give the distance from the plate centre in degrees, and the direction outward in radians."""
    x_mm, y_mm = plate.millimetres(x_px, y_px)
    return np.hypot(x_mm, y_mm) * 67.2 / 3600, np.arctan2(y_mm, x_mm)


@cache
def star_mixture() -> tuple[Values, Values]:
    """Give the profile of a star as circular Gaussians: (sigma / FWHM of the core, fraction of the light).

    A Moffat core with the exponential skirt of light scattered in the emulsion (King 1971 found the same two parts).
    """
    alpha = 0.5 / np.sqrt(2 ** (1 / _MOFFAT_BETA) - 1)
    skirt = _SCATTER_ARCSEC / CORE_FWHM_ARCSEC

    def profile(r: Values) -> Values:
        core = (_MOFFAT_BETA - 1) / (np.pi * alpha**2) * (1 + (r / alpha) ** 2) ** -_MOFFAT_BETA
        wing = np.exp(-r / skirt) / (2 * np.pi * skirt**2)
        return (1 - _SCATTER_FRACTION) * core + _SCATTER_FRACTION * wing

    return _fit_mixture(profile, np.geomspace(0.3, 12.0, 12), np.linspace(0, 20, 300))


@cache
def disc_mixture() -> tuple[Values, Values]:
    """Give an exponential disc as circular Gaussians: (sigma / half-light radius, fraction of the light)."""
    scale = 1 / 1.678

    def profile(r: Values) -> Values:
        return np.exp(-r / scale) / (2 * np.pi * scale**2)

    return _fit_mixture(profile, np.geomspace(0.12, 1.6, 5), np.linspace(0, 4, 120))


def _fit_mixture(profile: Callable[[Values], Values], sigma: Values, r: Values) -> tuple[Values, Values]:
    gaussians = np.exp(-0.5 * (r[:, None] / sigma) ** 2) / (2 * np.pi * sigma**2)
    weights, _ = nnls(gaussians / profile(r)[:, None], np.ones(len(r)))
    used = weights > 1e-6
    return sigma[used], weights[used] / weights.sum()


class Gaussians:
    """A batch of elliptical Gaussians in plate pixels, ready for the brush."""

    def __init__(self, x: Values, y: Values, cxx: Values, cxy: Values, cyy: Values, total: Values) -> None:
        determinant = cxx * cyy - cxy**2
        self.x, self.y = x, y
        self.a, self.b, self.c = cyy / determinant, -cxy / determinant, cxx / determinant
        self.peak = total / (2 * np.pi * np.sqrt(determinant))
        faintest = 2e-3  # of the sky; far below the grain
        widest = np.maximum(cxx, cyy)
        self.reach = np.sqrt(2 * widest * np.log(np.maximum(self.peak / faintest, 1)))

    def arrays(self, x0_px: int, y0_px: int) -> tuple[Values, ...]:
        """Give the brush's arguments relative to a window's first pixel, without those too faint to see."""
        seen = self.reach > 0
        values = (self.x - x0_px, self.y - y0_px, self.a, self.b, self.c, self.peak, self.reach)
        return tuple(np.ascontiguousarray(value[seen]) for value in values)


def star_images(plate: Plate, x_px: Values, y_px: Values, flux: Values, sharpness: Values) -> Gaussians:
    """Spread point sources over the plate.

    Away from the plate centre images grow by up to 8 %, stretch outward by up to 8 % and grow a comatic tail.

    Parameters
    ----------
    plate : Plate
    x_px, y_px : ndarray of float64, (n,)
        Plate pixels.
    flux : ndarray of float64, (n,)
        Light in units of the sky on one pixel, vignetting included.
    sharpness : ndarray of float64, (n,)
        Width of the image over that of a star.
    """
    sigma, fraction = star_mixture()
    radius, outward = field_radius_deg(plate, x_px, y_px)
    off_axis = (radius / FIELD_DEG) ** 2
    width = plate.seeing_arcsec / plate.scale_arcsec * sharpness * (1 + 0.08 * off_axis)
    spread = width[:, None] * sigma
    along, across = (spread * (1 + 0.04 * off_axis)[:, None]) ** 2, (spread * (1 - 0.04 * off_axis)[:, None]) ** 2
    cosine, sine = np.cos(outward)[:, None], np.sin(outward)[:, None]
    tail = 0.06 * off_axis[:, None] * (spread - spread[:, :1])
    return Gaussians(
        (x_px[:, None] + tail * cosine).ravel(),
        (y_px[:, None] + tail * sine).ravel(),
        (along * cosine**2 + across * sine**2).ravel(),
        ((along - across) * cosine * sine).ravel(),
        (along * sine**2 + across * cosine**2).ravel(),
        (flux[:, None] * fraction).ravel(),
    )


def galaxy_images(
    plate: Plate, x_px: Values, y_px: Values, flux: Values, radius_px: Values, axis_ratio: Values, angle_rad: Values
) -> Gaussians:
    """Spread exponential discs over the plate; `angle_rad` is counted from the x axis."""
    disc_sigma, disc_fraction = disc_mixture()
    star_sigma, star_fraction = star_mixture()
    # The core of the star's profile is enough under a disc: two Gaussians that keep its width and its skirt.
    half = np.cumsum(star_fraction) <= 0.7
    parts = [(star_fraction[s].sum(), np.average(star_sigma[s] ** 2, weights=star_fraction[s])) for s in (half, ~half)]
    point = np.array([variance for _, variance in parts]) * (plate.seeing_arcsec / plate.scale_arcsec) ** 2
    share = np.array([total for total, _ in parts])
    major = (radius_px[:, None] * disc_sigma) ** 2
    minor = major * axis_ratio[:, None] ** 2
    cosine, sine = np.cos(angle_rad)[:, None, None], np.sin(angle_rad)[:, None, None]
    along, across = major[:, :, None] + point, minor[:, :, None] + point
    shape = along.shape
    return Gaussians(
        np.broadcast_to(x_px[:, None, None], shape).ravel(),
        np.broadcast_to(y_px[:, None, None], shape).ravel(),
        (along * cosine**2 + across * sine**2).ravel(),
        ((along - across) * cosine * sine).ravel(),
        (along * sine**2 + across * cosine**2).ravel(),
        (flux[:, None, None] * disc_fraction[:, None] * share).ravel(),
    )
