"""What one object of the simulated sky is, and how it moves."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

KINDS: tuple[str, ...] = (
    "star",
    "galaxy",
    "variable",
    "vanished_A",
    "vanished_B",
    "vanished_C",
    "vanished_D",
    "vanished_E",
    "asteroid",
)
"""Labels of the truth; an object's `kind` is the index.

A: on blue and red plates of the first epoch, then gone. B: a flash on one plate. C: appeared later. D: aligned flashes.
E: a close pair of flashes.
"""

SOURCE = np.dtype(
    [
        ("truth_id", "i8"),
        ("kind", "u1"),
        ("ra_deg", "f8"),  # ICRS at J2000; of asteroids and flashes, where they are on their plate
        ("dec_deg", "f8"),
        ("pm_ra_mas_yr", "f8"),  # times cos(dec)
        ("pm_dec_mas_yr", "f8"),
        ("mag_r", "f8"),  # on the first-epoch plate; NaN: not there
        ("mag_later", "f8"),  # R at every later epoch; NaN: gone
        ("colour", "f8"),  # B-R
        ("home", "i4"),  # the one plate that shows it, or -1 for every plate
        ("group", "i8"),  # shared by the members of a multiplet or pair; 0: alone
        ("sharpness", "f8"),  # width over that of a star: below 1 for flashes shorter than the seeing
        ("radius_arcsec", "f8"),  # galaxies: half-light radius
        ("axis_ratio", "f8"),
        ("angle_deg", "f8"),  # galaxies: position angle
        ("rate_ra_arcsec_min", "f8"),  # asteroids, times cos(dec)
        ("rate_dec_arcsec_min", "f8"),
    ]
)


def blank(n: int, kind: str) -> NDArray[np.void]:
    """Make `n` objects of one kind that do not move, with everything else at rest."""
    table = np.zeros(n, SOURCE)
    table["kind"] = KINDS.index(kind)
    table["home"] = -1
    table["sharpness"] = table["axis_ratio"] = 1.0
    return table


def unit_vectors(ra_deg: ArrayLike, dec_deg: ArrayLike) -> NDArray[np.float64]:
    """Turn positions into unit vectors, shape (..., 3)."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def offset(
    ra_deg: ArrayLike, dec_deg: ArrayLike, east_arcsec: ArrayLike, north_arcsec: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move positions along the tangent plane; right at the poles and across RA 0.

    Parameters
    ----------
    ra_deg, dec_deg : array_like of float
        Degrees.
    east_arcsec, north_arcsec : array_like of float
        Offsets on the tangent plane at each position.

    Returns
    -------
    ra_deg, dec_deg : ndarray of float64
        Degrees, 0 <= ra_deg < 360.
    """
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    east = np.stack([-np.sin(ra), np.cos(ra), np.zeros_like(ra)], axis=-1)
    north = np.stack([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)], axis=-1)
    xi, eta = (np.radians(np.asarray(angle) / 3600.0)[..., None] for angle in (east_arcsec, north_arcsec))
    moved = unit_vectors(ra_deg, dec_deg) + xi * east + eta * north
    # The second remainder is for angles so little below zero that the first rounds up to 360.
    lon = np.degrees(np.arctan2(moved[..., 1], moved[..., 0])) % 360.0 % 360.0
    return lon, np.degrees(np.arctan2(moved[..., 2], np.hypot(moved[..., 0], moved[..., 1])))


def at_epoch(sources: NDArray[np.void], epoch_yr: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the positions (ra, dec in degrees) of the objects at an epoch, by linear proper motion from J2000."""
    years = np.asarray(epoch_yr) - 2000.0
    east, north = sources["pm_ra_mas_yr"] * years / 1000.0, sources["pm_dec_mas_yr"] * years / 1000.0
    return offset(sources["ra_deg"], sources["dec_deg"], east, north)


def separation_deg(ra_deg: ArrayLike, dec_deg: ArrayLike, ra0_deg: float, dec0_deg: float) -> NDArray[np.float64]:
    """Measure the angle of each position from one position, in degrees, exact at every size."""
    chord = np.linalg.norm(unit_vectors(ra_deg, dec_deg) - unit_vectors(ra0_deg, dec0_deg), axis=-1)
    return np.degrees(2 * np.arcsin(np.minimum(chord / 2, 1.0)))
