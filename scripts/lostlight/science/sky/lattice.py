"""A hexagonal lattice on the whole sphere whose circles leave no hole.

Circles of 30 arcmin cover the plane when their centres are 51.96 arcmin (√3 × 30) apart along a row, the rows 45 arcmin
(1.5 × 30) apart, and every second row shifted by half a spacing; each vertex of the hexagons is then at 30 arcmin from
three centres. On the sphere rows are circles of declination. Neighbouring rows keep the same number of tiles, so that
the shift by half a spacing holds all around, until the rows have become so short that a new number pays for the
narrower step that two rows out of phase need. All steps follow from spherical triangles, not from a flat plane.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.spatial import KDTree

from lostlight.science.sky.corners import offset, unit_vectors, wrap_ra

_SAFETY = 1 - 1e-9


def hexagonal_lattice(radius_arcmin: float = 30.0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the centres of circles that cover the whole sky, in order of declination.

    Parameters
    ----------
    radius_arcmin : float
        Radius of the circles; centres lie √3 radii apart or less.

    Returns
    -------
    ra_deg, dec_deg : ndarray of float64, (n,)
        Centres, degrees; symmetric about the equator.
    """
    rows = _northern_rows(math.radians(radius_arcmin / 60))
    rows = [(-dec, n, shift) for dec, n, shift in reversed(rows) if dec > 0] + rows
    ra = np.concatenate([(np.arange(n) + shift) * 360.0 / n for _, n, shift in rows])
    dec = np.concatenate([np.full(n, math.degrees(dec)) for dec, n, _ in rows])
    return wrap_ra(ra), dec


def within_cone(
    ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], centre_deg: tuple[float, float], radius_deg: float
) -> NDArray[np.bool_]:
    """Tell which positions, (n,), lie within `radius_deg` of a centre (ra, dec), boundary included."""
    if radius_deg >= 180:
        return np.ones(len(ra_deg), dtype=bool)
    chord = np.linalg.norm(unit_vectors(ra_deg, dec_deg) - unit_vectors(*centre_deg), axis=1)
    return chord <= 2 * math.sin(math.radians(radius_deg) / 2) + 1e-12


def rings_around(
    ra_deg: float, dec_deg: float, n_rings: int, radius_arcmin: float = 30.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give a position and its rings of neighbours in a hexagonal lattice laid around it: 1, 7, 19, … positions.

    Parameters
    ----------
    ra_deg, dec_deg : float
        The centre, degrees; comes first and unchanged.
    n_rings : int
        Rings of neighbours; ring k holds 6 k.
    radius_arcmin : float
        Circumradius of the hexagons.

    Returns
    -------
    ra_deg, dec_deg : ndarray of float64, (1 + 3 n_rings (n_rings + 1),)
        Degrees, ring after ring.
    """
    steps = range(-n_rings, n_rings + 1)
    cells = [(q, r) for q in steps for r in steps if abs(q + r) <= n_rings]
    cells.sort(key=lambda cell: (max(abs(cell[0]), abs(cell[1]), abs(sum(cell))), cell))
    east, north = hexagon_offsets(np.array(cells, dtype=np.float64), radius_arcmin)
    ra, dec = offset(ra_deg, dec_deg, east, north)
    ra[0], dec[0] = ra_deg, dec_deg
    return ra, dec


def disc_around(
    ra_deg: float, dec_deg: float, disc_deg: float, radius_arcmin: float = 30.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the lattice laid around a position as far as its centres stay within `disc_deg`, the position first."""
    n_rings = math.ceil(disc_deg / (1.5 * radius_arcmin / 60)) + 1
    ra, dec = rings_around(ra_deg, dec_deg, n_rings, radius_arcmin)
    inside = within_cone(ra, dec, (ra_deg, dec_deg), disc_deg)
    return ra[inside], dec[inside]


def hexagon_offsets(
    cells: NDArray[np.float64], radius_arcmin: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn lattice cells (q, r), (n, 2), into offsets east and north in degrees."""
    q, r = cells.T
    return math.sqrt(3) * (q + r / 2) * radius_arcmin / 60, 1.5 * r * radius_arcmin / 60


def largest_gap_arcmin(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], sample: NDArray[np.float64]) -> float:
    """Give the distance in arcmin from the worst placed of some sample unit vectors, (m, 3), to its nearest centre."""
    chord, _ = KDTree(unit_vectors(ra_deg, dec_deg)).query(sample)
    return math.degrees(2 * math.asin(float(chord.max()) / 2)) * 60


def _northern_rows(radius: float) -> list[tuple[float, int, float]]:
    """Rows from the equator to the pole: declination in radians, number of tiles, shift in units of the spacing."""
    radius *= _SAFETY
    dec, n, shift, waste = 0.0, _tiles_needed(0.0, radius), 0.0, 0.0
    rows = [(dec, n, shift)]
    while (covered := _covered_up_to(dec, n, radius)) < math.pi / 2:
        if covered >= math.pi / 2 - radius:
            return [*rows, (math.pi / 2, 1, 0.0)]
        waste += n - _tiles_needed(dec, radius)
        if waste > n / 3:  # what a step between rows out of phase costs
            n, waste, shift = _tiles_needed(covered, radius), 0.0, 0.0
            dec = _next_row(covered, n, radius)
        else:
            dec = min(covered + radius, _next_row(dec + radius, n, radius))
            shift = 0.5 - shift
        rows.append((dec, n, shift))
    return rows


def _tiles_needed(dec: float, radius: float) -> int:
    return max(3, math.ceil(2 * math.pi * math.cos(dec) / (math.sqrt(3) * radius)))


def _reach(dec: float, n: int, radius: float, side: int) -> float:
    """Declination on the meridian midway between two tiles of a row at which their circles meet, north or south."""
    along = math.sin(dec), math.cos(dec) * math.cos(math.pi / n)
    cosine = math.cos(radius) / math.hypot(*along)
    return math.atan2(*along) + side * math.acos(cosine) if cosine <= 1 else math.nan


def _covered_up_to(dec: float, n: int, radius: float) -> float:
    return _reach(dec, n, radius, +1)


def _next_row(covered: float, n: int, radius: float) -> float:
    """Northernmost row of n tiles whose circles, midway between its tiles, still reach down to `covered`."""
    top = min(covered + radius, math.pi / 2)

    def above(row: float) -> float:
        return _reach(row, n, radius, -1) - covered

    return top if above(top) <= 0 else float(brentq(above, covered, top, xtol=1e-14))
