"""How fast distant bodies seem to move, in which direction, and how they are lit.

For circular orbits in the plane of the Earth's; see Tatum, Celestial Mechanics, chapter 8. With R the distance from the
Sun in au, phi the angle at the Sun between the Earth and the body, Delta^2 = 1 + R^2 - 2 R cos(phi):

    dlambda/dt = k [1 + sqrt(R) - (R + 1/sqrt(R)) cos(phi)] / Delta^2
    at opposition  -k / (R + sqrt(R));  stationary where  cos(phi) = sqrt(R) / (R - sqrt(R) + 1)
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray = NDArray[np.float64]

EARTH_RATE_ARCSEC_H = 147.8412
"""Mean motion of the Earth about the Sun."""
OBLIQUITY_DEG = 84381.448 / 3600
"""Of the ecliptic of J2000 to the equator (IAU 1976), as in the elements of JPL and the Minor Planet Center."""

_COS, _SIN = np.cos(np.radians(OBLIQUITY_DEG)), np.sin(np.radians(OBLIQUITY_DEG))


def ecliptic_rate(r_au: ArrayLike, elong_deg: ArrayLike) -> FloatArray:
    """Give the apparent rate of a body on a circular orbit in the plane of the ecliptic.

    Parameters
    ----------
    r_au : array_like
        Distance from the Sun, above 1 au.
    elong_deg : array_like
        Elongation from the Sun, 180 at opposition.

    Returns
    -------
    ndarray, float64
        Change of ecliptic longitude, arcsec an hour; negative where the body seems to go backwards.
    """
    r = np.asarray(r_au, np.float64)
    return _rate(r, np.cos(angle_at_sun(r, elong_deg)))


def opposition_rate(r_au: ArrayLike) -> FloatArray:
    """Give the size of `ecliptic_rate` at opposition, arcsec an hour."""
    r = np.asarray(r_au, np.float64)
    return EARTH_RATE_ARCSEC_H / (r + np.sqrt(r))


def stationary_elongation(r_au: ArrayLike) -> FloatArray:
    """Give the elongation, in degrees, at which `ecliptic_rate` changes its sign."""
    r = np.asarray(r_au, np.float64)
    cosine = np.sqrt(r) / (r - np.sqrt(r) + 1)
    delta = np.sqrt(1 + r**2 - 2 * r * cosine)
    return np.degrees(np.arccos((1 - r * cosine) / delta))


def angle_at_sun(r_au: ArrayLike, elong_deg: ArrayLike) -> FloatArray:
    """Give the angle at the Sun between the Earth, at 1 au, and a body beyond it, in radians."""
    elongation = np.radians(np.asarray(elong_deg, np.float64))
    return np.pi - elongation - np.arcsin(np.sin(elongation) / np.asarray(r_au, np.float64))


def ecliptic_pa(ra_deg: ArrayLike, dec_deg: ArrayLike) -> FloatArray:
    """Give the direction of growing ecliptic longitude on the sky; bodies at opposition go the opposite way.

    Parameters
    ----------
    ra_deg, dec_deg : array_like
        Degrees.

    Returns
    -------
    ndarray, float64
        Position angle, degrees east of north, 0 to 180.
    """
    ra, dec, tilt = (np.radians(np.asarray(angle, np.float64)) for angle in (ra_deg, dec_deg, OBLIQUITY_DEG))
    turn = np.arctan2(np.cos(ra) * np.sin(tilt), np.cos(tilt) * np.cos(dec) + np.sin(tilt) * np.sin(dec) * np.sin(ra))
    return 90 - np.degrees(turn)


def rate_and_pa(rate_ra_arcsec_h: ArrayLike, rate_dec_arcsec_h: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Turn motion to the east and the north into its size and its position angle (degrees, 0 to 360)."""
    east, north = np.asarray(rate_ra_arcsec_h, np.float64), np.asarray(rate_dec_arcsec_h, np.float64)
    return np.hypot(east, north), np.degrees(np.arctan2(east, north)) % 360


def rate_components(rate_arcsec_h: ArrayLike, pa_deg: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Turn the size and the position angle of a motion into motion to the east and the north; inverse of the above."""
    rate, pa = np.asarray(rate_arcsec_h, np.float64), np.radians(np.asarray(pa_deg, np.float64))
    return rate * np.sin(pa), rate * np.cos(pa)


def equatorial(ecliptic: ArrayLike) -> FloatArray:
    """Turn vectors from the axes of the ecliptic J2000 to those of the equator; shape (..., 3)."""
    x, y, z = np.moveaxis(np.asarray(ecliptic, np.float64), -1, 0)
    # written out: a product of matrices rounds differently with their size
    return np.stack([x, _COS * y - _SIN * z, _SIN * y + _COS * z], axis=-1)


class Aspect(NamedTuple):
    """How a body is seen: arrays of one shape; au and degrees."""

    r_helio_au: FloatArray
    delta_au: FloatArray
    elong_deg: FloatArray
    phase_deg: FloatArray


def aspect(position_au: ArrayLike, observer_au: ArrayLike) -> Aspect:
    """Tell distances and angles between the Sun, the observer and a body.

    Parameters
    ----------
    position_au, observer_au : array_like, (..., 3)
        From the Sun, along the same axes.
    """
    body, observer = np.asarray(position_au, np.float64), np.asarray(observer_au, np.float64)
    sight = body - observer
    return Aspect(_length(body), _length(sight), _angle(sight, -observer), _angle(sight, body))


def _rate(r: FloatArray, cosine: FloatArray) -> FloatArray:
    root = np.sqrt(r)
    return EARTH_RATE_ARCSEC_H * (1 + root - (r + 1 / root) * cosine) / (1 + r**2 - 2 * r * cosine)


def _length(vectors: FloatArray) -> FloatArray:
    return np.sqrt(np.sum(np.square(vectors), axis=-1))


def _angle(one: FloatArray, other: FloatArray) -> FloatArray:
    # arccos of a product would be blind to angles below 1e-8
    return np.degrees(np.arctan2(_length(np.cross(one, other)), np.sum(one * other, axis=-1)))
