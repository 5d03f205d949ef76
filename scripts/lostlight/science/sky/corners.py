"""The tangent plane: corners of a tile, and offsets from a position, right at the poles and across RA = 0."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_SIGNS = ((1, -1), (-1, -1), (-1, 1), (1, 1))


def from_tangent_plane(
    ra0_deg: ArrayLike, dec0_deg: ArrayLike, xi_deg: ArrayLike, eta_deg: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn offsets on the tangent plane into positions on the sky (inverse gnomonic projection).

    Parameters
    ----------
    ra0_deg, dec0_deg : array_like of float
        Tangent point, degrees.
    xi_deg, eta_deg : array_like of float
        Standard coordinates towards east and north, degrees; broadcast against the tangent points.

    Returns
    -------
    ra_deg, dec_deg : ndarray of float64
        Degrees, 0 <= ra_deg < 360.
    """
    ra0, dec0, xi, eta = (
        np.radians(np.asarray(value, dtype=np.float64)) for value in (ra0_deg, dec0_deg, xi_deg, eta_deg)
    )
    north = np.cos(dec0) - eta * np.sin(dec0)
    ra = ra0 + np.arctan2(xi, north)
    dec = np.arctan2(np.sin(dec0) + eta * np.cos(dec0), np.hypot(xi, north))
    return wrap_ra(np.degrees(ra)), np.degrees(dec)


def tile_corners(
    ra_deg: ArrayLike, dec_deg: ArrayLike, width_arcmin: float, height_arcmin: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the four corners of tiles that are rectangles on the tangent plane, north up.

    Parameters
    ----------
    ra_deg, dec_deg : array_like of float, (n,)
        Centres of the tiles, degrees.
    width_arcmin, height_arcmin : float
        Sides of the rectangle.

    Returns
    -------
    ra_deg, dec_deg : ndarray of float64, (n, 4)
        South-east, south-west, north-west, north-east: counter-clockwise on the sky seen with north up, east left.
    """
    half_width, half_height = (np.degrees(np.tan(np.radians(side / 120))) for side in (width_arcmin, height_arcmin))
    xi, eta = (
        np.array(signs) * half for signs, half in zip(zip(*_SIGNS, strict=True), (half_width, half_height), strict=True)
    )
    return from_tangent_plane(np.asarray(ra_deg)[:, None], np.asarray(dec_deg)[:, None], xi, eta)


def offset(
    ra_deg: ArrayLike, dec_deg: ArrayLike, east_deg: ArrayLike, north_deg: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Walk along great circles: from a start, so far towards east and so far towards north, all in degrees."""
    east, north = np.asarray(east_deg, dtype=np.float64), np.asarray(north_deg, dtype=np.float64)
    length = np.radians(np.hypot(east, north))
    # On the tangent plane a walk of length r ends at tan(r); it must stay below a quarter of the circle.
    stretch = np.divide(np.tan(length), length, out=np.ones_like(length), where=length > 0)
    return from_tangent_plane(ra_deg, dec_deg, east * stretch, north * stretch)


def unit_vectors(ra_deg: ArrayLike, dec_deg: ArrayLike) -> NDArray[np.float64]:
    """Turn positions in degrees, (n,), into unit vectors, (n, 3)."""
    ra, dec = np.radians(np.asarray(ra_deg, dtype=np.float64)), np.radians(np.asarray(dec_deg, dtype=np.float64))
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def wrap_ra(ra_deg: ArrayLike) -> NDArray[np.float64]:
    """Bring right ascensions into 0 <= ra < 360."""
    wrapped = np.mod(np.asarray(ra_deg, dtype=np.float64), 360.0)
    return np.where(wrapped >= 360.0, 0.0, wrapped)  # a tiny negative number rounds up to 360
