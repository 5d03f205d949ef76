"""Angles between positions on the sky, by two formulas that share nothing.

Matching uses chords between unit vectors; the validator of the match uses the formula of Vincenty.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

ARCSEC_PER_RADIAN = 180 * 3600 / np.pi

Floats = NDArray[np.float64]


def unit_vectors(ra_deg: ArrayLike, dec_deg: ArrayLike) -> Floats:
    """Turn positions into unit vectors.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Positions in degrees.

    Returns
    -------
    ndarray, shape (n, 3), float64
    """
    ra, dec = np.radians(np.asarray(ra_deg, float)), np.radians(np.asarray(dec_deg, float))
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def positions_deg(vectors: ArrayLike) -> tuple[Floats, Floats]:
    """Turn vectors of any length into right ascension (0 to 360) and declination in degrees."""
    x, y, z = np.moveaxis(np.asarray(vectors, float), -1, 0)
    ra_deg = np.degrees(np.arctan2(y, x)) % 360
    # a tiny negative angle rounds up to exactly 360
    return np.where(ra_deg >= 360, 0.0, ra_deg), np.degrees(np.arctan2(z, np.hypot(x, y)))


def chord(radius_arcsec: ArrayLike) -> Floats:
    """Length of the chord that subtends an angle given in arcsec, on the unit sphere."""
    return 2 * np.sin(np.asarray(radius_arcsec, float) / ARCSEC_PER_RADIAN / 2)


def chord_to_arcsec(length: ArrayLike) -> Floats:
    """Angle in arcsec that a chord of the unit sphere subtends; inverse of `chord`, exact for the smallest angles."""
    return 2 * np.arcsin(np.clip(np.asarray(length, float) / 2, 0, 1)) * ARCSEC_PER_RADIAN


def separation_arcsec(ra1_deg: ArrayLike, dec1_deg: ArrayLike, ra2_deg: ArrayLike, dec2_deg: ArrayLike) -> Floats:
    """Angle between positions by the formula of Vincenty, stable at every angle.

    Parameters
    ----------
    ra1_deg, dec1_deg, ra2_deg, dec2_deg : array_like
        Positions in degrees; shapes must broadcast.

    Returns
    -------
    ndarray, float64
        Separation in arcsec.

    Notes
    -----
    Vincenty (1975), Survey Review 23, 88, for a sphere.
    """
    ra1, dec1, ra2, dec2 = (np.radians(np.asarray(angle, float)) for angle in (ra1_deg, dec1_deg, ra2_deg, dec2_deg))
    sin1, cos1, sin2, cos2 = np.sin(dec1), np.cos(dec1), np.sin(dec2), np.cos(dec2)
    sin_ra, cos_ra = np.sin(ra2 - ra1), np.cos(ra2 - ra1)
    across = np.hypot(cos2 * sin_ra, cos1 * sin2 - sin1 * cos2 * cos_ra)
    return np.arctan2(across, sin1 * sin2 + cos1 * cos2 * cos_ra) * ARCSEC_PER_RADIAN


def tangent_frame(ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Unit vectors towards each position and, at each, towards the east and the north.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Positions in degrees.

    Returns
    -------
    radial, east, north : ndarray, shape (n, 3), float64
        At the poles east and north are those of the meridian `ra_deg`.
    """
    ra, dec = np.radians(np.asarray(ra_deg, float)), np.radians(np.asarray(dec_deg, float))
    east = np.stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)], axis=-1)
    north = np.stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)], axis=-1)
    return unit_vectors(ra_deg, dec_deg), east, north


class TangentPlane:
    """Gnomonic projection about a point; offsets xi (east) and eta (north) in arcsec.

    Raises nothing: positions a quarter of the sky away or further become NaN.
    """

    def __init__(self, ra_deg: float, dec_deg: float) -> None:
        self._radial, self._east, self._north = tangent_frame(ra_deg, dec_deg)

    @classmethod
    def about(cls, ra_deg: ArrayLike, dec_deg: ArrayLike) -> "TangentPlane":
        """Plane that touches the sky at the mean of some positions."""
        ra, dec = positions_deg(unit_vectors(ra_deg, dec_deg).mean(axis=0))
        return cls(float(ra), float(dec))

    def project(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[Floats, Floats]:
        """Give xi and eta in arcsec of positions in degrees."""
        vectors = unit_vectors(ra_deg, dec_deg)
        depth = vectors @ self._radial
        depth = np.where(depth > 0, depth, np.nan)
        return vectors @ self._east / depth * ARCSEC_PER_RADIAN, vectors @ self._north / depth * ARCSEC_PER_RADIAN

    def deproject(self, xi_arcsec: ArrayLike, eta_arcsec: ArrayLike) -> tuple[Floats, Floats]:
        """Give positions in degrees of xi and eta in arcsec."""
        xi = np.asarray(xi_arcsec, float)[..., None] / ARCSEC_PER_RADIAN
        eta = np.asarray(eta_arcsec, float)[..., None] / ARCSEC_PER_RADIAN
        return positions_deg(self._radial + xi * self._east + eta * self._north)


def inside_polygon(
    ra_deg: ArrayLike, dec_deg: ArrayLike, ra_corners_deg: ArrayLike, dec_corners_deg: ArrayLike
) -> NDArray[np.bool_]:
    """Tell which positions lie inside a convex polygon bounded by great circles.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Positions in degrees.
    ra_corners_deg, dec_corners_deg : array_like, shape (k,)
        Corners in degrees, in order, either way round; the polygon is smaller than a hemisphere.

    Returns
    -------
    ndarray, shape (n,), bool
        True inside and on the border.
    """
    corners = unit_vectors(ra_corners_deg, dec_corners_deg)
    sides = np.cross(corners, np.roll(corners, -1, axis=0))
    turn = np.sign(corners.mean(axis=0) @ sides.mean(axis=0))
    return np.all(turn * (unit_vectors(ra_deg, dec_deg) @ sides.T) >= -1e-15, axis=-1)
