"""Lines of sight: from where and in which direction a source is seen, and how it then moves on the sky."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.motion.earth import GEOCENTRE, observer_position
from lostlight.science.motion.geometry import equatorial
from lostlight.science.motion.kepler import LIGHT_DAYS_PER_AU
from lostlight.science.sky.separation import ARCSEC_PER_RADIAN, positions_deg, tangent_frame

FloatArray = NDArray[np.float64]

_HALF_STEP_DAYS = 1 / 1440
_HOURS_PER_DAY = 24
_POLE = equatorial([0.0, 0.0, 1.0])


class Sight(NamedTuple):
    """Lines of sight, n of them; vectors (n, 3) along the axes of the ICRS.

    `towards`, `east` and `north` are unit vectors; `observer` (au) and `velocity` (au a day) are from the Sun. `mjd`
    has shape (n,).
    """

    towards: FloatArray
    east: FloatArray
    north: FloatArray
    observer: FloatArray
    velocity: FloatArray
    mjd: FloatArray

    def only(self, which: NDArray[np.bool_]) -> "Sight":
        """Give some of them."""
        return Sight(*(values[which] for values in self))


def sight(n: int, mjd: ArrayLike, ra_deg: ArrayLike, dec_deg: ArrayLike, observer: str = GEOCENTRE) -> Sight:
    """Look from the observer into given directions.

    Parameters
    ----------
    n : int
        How many.
    mjd : array_like, () or (n,)
        MJD, UTC.
    ra_deg, dec_deg : array_like, () or (n,)
        Degrees.
    observer : str
        As for `lostlight.science.motion.earth.observer_position`.
    """
    mjd = np.asarray(mjd, float)
    times = np.stack([mjd - _HALF_STEP_DAYS, mjd, mjd + _HALF_STEP_DAYS])
    before, place, after = observer_position(times, observer)
    velocity = (after - before) / (times[2] - times[0])[..., None]
    ra, dec = (np.broadcast_to(np.asarray(angle, float), n) for angle in (ra_deg, dec_deg))
    vectors = (np.broadcast_to(vector, (n, 3)) for vector in (place, velocity))
    return Sight(*tangent_frame(ra, dec), *vectors, np.broadcast_to(mjd, n))


def opposition(mjd: float, observer: str = GEOCENTRE) -> tuple[float, float]:
    """Give the point opposite to the Sun: right ascension and declination, degrees."""
    ra, dec = positions_deg(observer_position(mjd, observer))
    return float(ra), float(dec)


def along_ecliptic(mjd: float, elong_deg: float, observer: str = GEOCENTRE) -> tuple[float, float]:
    """Give the point of the ecliptic at an elongation, on the side of the evening sky: degrees.

    The Sun sets after it: the point lies to the east of the Sun.
    """
    away = observer_position(mjd, observer)
    away = away / np.linalg.norm(away)
    # bodies that go round with the planets are seen to move about this axis
    east_of_sun = np.cross(_POLE, -away)
    east_of_sun /= np.linalg.norm(east_of_sun)
    angle = np.radians(elong_deg)
    ra, dec = positions_deg(-np.cos(angle) * away + np.sin(angle) * east_of_sun)
    return float(ra), float(dec)


def apparent_rates(position: FloatArray, velocity: FloatArray, seen: Sight) -> tuple[FloatArray, FloatArray]:
    """Tell how fast bodies move on the sky.

    Parameters
    ----------
    position, velocity : ndarray, (n, 3)
        From the Sun when the light left, au and au a day.
    seen : Sight

    Returns
    -------
    rate_ra_arcsec_h, rate_dec_arcsec_h : ndarray, (n,), float64
        Towards the east (with cos dec) and the north.
    """
    relative = velocity - seen.velocity
    away = dot(relative, seen.towards) / (1 + dot(velocity, seen.towards) * LIGHT_DAYS_PER_AU)
    # light from a body that recedes takes ever longer: its clock runs slow
    motion = velocity * (1 - away * LIGHT_DAYS_PER_AU)[:, None] - seen.velocity
    per_hour = ARCSEC_PER_RADIAN / _HOURS_PER_DAY / np.linalg.norm(position - seen.observer, axis=-1)
    return dot(motion, seen.east) * per_hour, dot(motion, seen.north) * per_hour


def dot(one: FloatArray, other: FloatArray) -> FloatArray:
    """Scalar products of vectors (n, 3)."""
    return np.einsum("...i,...i->...", one, other)
