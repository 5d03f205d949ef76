"""How far motions are worth trying: what stays on enough images, and which way bodies seem to go."""

import numpy as np
from numpy.typing import ArrayLike

from lostlight.science.motion.earth import observer_position
from lostlight.science.motion.geometry import EARTH_RATE_ARCSEC_H, ecliptic_pa, ecliptic_rate

FASTEST_ARCSEC_H = 5.0
"""Motion that is searched up to unless something else is asked for: that of the Kuiper belt, and a little more."""
NEAREST_AU, FARTHEST_AU = 25.0, 60.0
"""Distances from the Sun of the bodies whose directions are asked for: those of the Kuiper belt."""
SPREAD = 1.5
"""Room for orbits that are not circular."""


def fastest(days: ArrayLike, shape: tuple[int, int], min_epochs: int) -> float:
    """Give the fastest motion that can be on enough images: across the field while they are taken.

    Parameters
    ----------
    days : floating, shape (T,)
        In order.
    shape : (int, int)
        Rows and columns of the field.
    min_epochs : int

    Returns
    -------
    float
        Pixels per day; infinity if one image is enough.
    """
    days = np.asarray(days, np.float64)
    spans = days[min_epochs - 1 :] - days[: len(days) - min_epochs + 1]
    shortest = float(spans.min())
    return float(np.hypot(*shape)) / shortest if shortest > 0 else np.inf


def slowest(days: ArrayLike, fwhm_px: float) -> float:
    """Give the slowest motion that can be told from none, pixels per day: two widths of a point from first to last.

    Parameters
    ----------
    days : floating, shape (T,)
    fwhm_px : float
    """
    arc = float(np.ptp(np.asarray(days, np.float64)))
    return 2 * fwhm_px / arc if arc > 0 else 0.0


def westward(ra_deg: float, dec_deg: float, mjd: float) -> tuple[float, float]:
    """Tell which way distant bodies seem to move at a place and time, and how widely their directions scatter.

    The motion of the Earth makes a body at heliocentric distance R move along the ecliptic; its own motion of up to
    k / sqrt(R), in any direction that its inclination allows, turns that by as much as their ratio.

    Parameters
    ----------
    ra_deg, dec_deg : float
    mjd : float
        UTC.

    Returns
    -------
    angle_deg, half_width_deg : float
        Position angle, east of north; 180 to either side where bodies stand nearly still.
    """
    observer = observer_position(np.array([mjd]))[0]
    ra, dec = np.radians([ra_deg, dec_deg])
    towards = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    elongation = np.degrees(np.arccos(np.clip(-towards @ observer / np.linalg.norm(observer), -1, 1)))
    r = np.array([NEAREST_AU, FARTHEST_AU])
    along = ecliptic_rate(r, elongation)
    across = SPREAD * EARTH_RATE_ARCSEC_H / np.sqrt(r) / r
    east = float(ecliptic_pa(ra_deg, dec_deg))
    if (along[0] < 0) != (along[1] < 0) or np.any(across >= np.abs(along)):
        return east, 180.0
    half = float(np.degrees(np.arcsin((across / np.abs(along)).max())))
    return (east + (180 if along[0] < 0 else 0)) % 360, half
