"""Where the observer is: the Earth about the Sun, and a telescope on the Earth.

Positions of the Earth are those of the series of Bretagnon and Francou (VSOP87) as reduced in ERFA, good to 20 km;
the turn of the Earth is taken from tables that come with astropy. Nothing is fetched.
"""

import math
from functools import cache
from typing import Literal

import astropy_iers_data
import erfa
import numpy as np
from astropy.time import Time
from astropy.utils import iers
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.motion.observatories import PARALLAX

FloatArray = NDArray[np.float64]

GEOCENTRE = "geocentre"

_METRES_PER_AU = 149_597_870_700.0
_EARTH_RADIUS_M = 6_378_137.0
_WGS84 = 1
_INSIDE_TABLE = iers.FROM_IERS_A, iers.FROM_IERS_B, iers.FROM_IERS_A_PREDICTION


def observer_position(
    mjd: ArrayLike, observer: str = GEOCENTRE, centre: Literal["sun", "barycentre"] = "sun"
) -> FloatArray:
    """Say where the observer is.

    Parameters
    ----------
    mjd : array_like, any shape S
        Times, MJD, UTC.
    observer : str
        geocentre, a code of the Minor Planet Center (500 is the geocentre), or longitude,latitude,height in degrees to
        the east, degrees and metres.
    centre : {"sun", "barycentre"}
        What the position is from.

    Returns
    -------
    ndarray, (*S, 3), float64
        Along the axes of the ICRS, au.

    Raises
    ------
    ConfigError
        If the observer is none of these.
    """
    site = site_m(observer)
    time = Time(np.asarray(mjd, np.float64), format="mjd", scale="utc")
    earth = erfa.epv00(time.tt.jd1, time.tt.jd2)[0 if centre == "sun" else 1]["p"]
    return earth if site is None else earth + _turned_with_earth(site, time) / _METRES_PER_AU


@cache
def site_m(observer: str) -> tuple[float, float, float] | None:
    """Find a site on the turning Earth: metres along the axes of the ITRS; None for the geocentre.

    Raises
    ------
    ConfigError
        If the site is not known.
    """
    name = observer.strip()
    if name.lower() in (GEOCENTRE, "geocenter", "500"):
        return None
    if name.upper() in PARALLAX:
        longitude_deg, across, along = PARALLAX[name.upper()]
        east = math.radians(longitude_deg)
        x, y, z = across * math.cos(east), across * math.sin(east), along
        return x * _EARTH_RADIUS_M, y * _EARTH_RADIUS_M, z * _EARTH_RADIUS_M
    return _geodetic(name)


def _geodetic(name: str) -> tuple[float, float, float]:
    try:
        longitude_deg, latitude_deg, height_m = (float(part) for part in name.split(","))
    except ValueError:
        raise _unknown(name) from None
    if not (-360 <= longitude_deg <= 360 and -90 <= latitude_deg <= 90 and -1000 <= height_m <= 20_000):
        raise _unknown(name)
    x, y, z = erfa.gd2gc(_WGS84, math.radians(longitude_deg), math.radians(latitude_deg), height_m)
    return float(x), float(y), float(z)


def _unknown(name: str) -> ConfigError:
    return ConfigError(
        f"observer: {name!r} is no site that is known",
        hint="give geocentre, longitude,latitude,height (degrees to the east, degrees, metres),"
        f" or one of the codes {', '.join(sorted(PARALLAX))}",
        observer=name,
    )


def _turned_with_earth(site: tuple[float, float, float], time: Time) -> FloatArray:
    """Turn a place on the Earth to the axes of the sky; motion of the pole, 10 m, is left out."""
    ut1_jd2 = time.utc.jd2 + _ut1_minus_utc(time) / erfa.DAYSEC
    to_terrestrial = erfa.c2t00b(time.tt.jd1, time.tt.jd2, time.utc.jd1, ut1_jd2, 0.0, 0.0)
    return sum(value * to_terrestrial[..., axis, :] for axis, value in enumerate(site))


def _ut1_minus_utc(time: Time) -> FloatArray:
    """Seconds; 0 outside of the table, where the Earth is not known to have turned otherwise."""
    seconds, status = _turns().ut1_utc(time.utc.jd1, time.utc.jd2, return_status=True)
    return np.where(np.isin(status, _INSIDE_TABLE), seconds.to_value("s"), 0.0)


@cache
def _turns() -> iers.IERS_A:
    return iers.IERS_A.open(astropy_iers_data.IERS_A_FILE)
