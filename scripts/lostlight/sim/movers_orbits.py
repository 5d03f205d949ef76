"""Orbits of simulated movers: circles around the Sun, seen from the Earth where astropy has it."""

import numpy as np
from astropy import units
from astropy.coordinates import get_body_barycentric, solar_system_ephemeris
from astropy.time import Time
from numpy.typing import NDArray

from lostlight.sim.movers_design import Body

Values = NDArray[np.float64]

GAUSS = 0.01720209895
"""Mean motion of a massless body one astronomical unit from the Sun, radians per day."""

_OBLIQUITY = np.radians(23.4392911)
_POLE = np.array([0.0, -np.sin(_OBLIQUITY), np.cos(_OBLIQUITY)])


def earth(mjd_utc: Values) -> Values:
    """Give the Earth's place seen from the Sun: au, equatorial axes of the ICRS, shape (T, 3)."""
    with solar_system_ephemeris.set("builtin"):
        times = Time(np.atleast_1d(mjd_utc), format="mjd", scale="utc")
        away = get_body_barycentric("earth", times) - get_body_barycentric("sun", times)
    return np.asarray(away.xyz.to_value(units.au).T)


def path(body: Body, ra_deg: float, dec_deg: float, mjd_ref: float, mjd: Values) -> tuple[Values, Values]:
    """Tell where a body is seen that is at a given place of the sky at one time.

    Parameters
    ----------
    body : Body
    ra_deg, dec_deg : float
        Where the Earth's centre sees it at `mjd_ref`; light takes no time.
    mjd_ref : float
        MJD, UTC.
    mjd : ndarray of float64, (T,)
        MJD, UTC.

    Returns
    -------
    ra_deg, dec_deg : ndarray of float64, (T,)
    """
    ra, dec, tilt = np.radians([ra_deg, dec_deg, body.inc_deg])
    sight = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    start = earth(np.array(mjd_ref))[0] + body.delta_au * sight
    radius = np.linalg.norm(start)
    out = start / radius
    along = np.cross(_POLE, out)
    along /= np.linalg.norm(along)
    ahead = np.cos(tilt) * along + np.sin(tilt) * np.cross(out, along)
    angle = (GAUSS * radius**-1.5 * (np.asarray(mjd) - mjd_ref))[:, None]
    x, y, z = (radius * (np.cos(angle) * out + np.sin(angle) * ahead) - earth(np.asarray(mjd))).T
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))


def helio_au(body: Body, ra_deg: float, dec_deg: float, mjd: float) -> float:
    """Give the distance from the Sun of a body seen at a place of the sky (degrees)."""
    ra, dec = np.radians([ra_deg, dec_deg])
    sight = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    return float(np.linalg.norm(earth(np.array(mjd))[0] + body.delta_au * sight))
