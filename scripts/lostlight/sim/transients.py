"""The changing sky: variables, sources that vanish or appear, and asteroids of one cell."""

import numpy as np
from numpy.typing import NDArray

from lostlight.sim.population import FAINTEST
from lostlight.sim.sources import blank, offset, unit_vectors

DENSITY_DEG2 = {"variable": 3.0, "vanished_A": 5.0, "vanished_B": 6.0, "vanished_C": 3.0}
"""Single objects per square degree."""
MULTIPLETS_DEG2 = 0.9
PAIRS_DEG2 = 1.2

_ECLIPTIC_POLE = unit_vectors(270.0, 66.5607)


def single(
    kind: str, ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.void]:
    """Make variables or vanished sources of class A, B or C; flashes still need their plate (`home`)."""
    n = len(ra_deg)
    table = blank(n, kind)
    table["ra_deg"], table["dec_deg"] = ra_deg, dec_deg
    table["mag_r"] = rng.uniform(15, 19, n)
    table["mag_later"] = np.nan
    table["colour"] = np.clip(1.5 + 0.6 * rng.standard_normal(n), -0.3, 3.6)
    if kind == "vanished_C":
        table["mag_later"] = table["mag_r"]
        table["mag_r"] = np.nan
    elif kind == "variable":
        table["mag_later"] = np.minimum(table["mag_r"] + rng.uniform(2, 6, n), FAINTEST + 2)
    elif kind == "vanished_B":
        table["sharpness"] = np.where(rng.random(n) < 0.5, 0.9, 1.0)
    if kind in {"vanished_A", "vanished_C", "variable"}:
        table["pm_ra_mas_yr"], table["pm_dec_mas_yr"] = 6 * rng.standard_normal((2, n))
    return table


def multiplet(ra_deg: float, dec_deg: float, rng: np.random.Generator) -> NDArray[np.void]:
    """Make three or four flashes on a line of 2 to 8 arcmin."""
    n = int(rng.integers(3, 5))
    along = np.sort(rng.uniform(-0.5, 0.5, n)) * rng.uniform(120, 480)
    angle = rng.uniform(0, np.pi)
    across = rng.normal(0, 0.7, n)
    east, north = along * np.sin(angle) - across * np.cos(angle), along * np.cos(angle) + across * np.sin(angle)
    return _flashes("vanished_D", ra_deg, dec_deg, east, north, rng)


def pair(ra_deg: float, dec_deg: float, rng: np.random.Generator) -> NDArray[np.void]:
    """Make two flashes 8 to 25 arcsec apart."""
    half, angle = rng.uniform(4, 12.5), rng.uniform(0, 2 * np.pi)
    east, north = half * np.sin(angle), half * np.cos(angle)
    return _flashes("vanished_E", ra_deg, dec_deg, np.array([east, -east]), np.array([north, -north]), rng)


def _flashes(
    kind: str,
    ra_deg: float,
    dec_deg: float,
    east_arcsec: NDArray[np.float64],
    north_arcsec: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.void]:
    n = len(east_arcsec)
    table = blank(n, kind)
    ra, dec = np.full(n, ra_deg), np.full(n, dec_deg)
    table["ra_deg"], table["dec_deg"] = offset(ra, dec, east_arcsec, north_arcsec)
    table["mag_r"] = rng.uniform(15.5, 17.5) + rng.normal(0, 0.4, n)
    table["mag_later"] = np.nan
    table["colour"] = 1.2
    return table


def asteroid_density(ra_deg: float, dec_deg: float) -> float:
    """Count the asteroids per square degree to R = 19.5, thickest on the ecliptic."""
    latitude = np.degrees(np.arcsin(unit_vectors(ra_deg, dec_deg) @ _ECLIPTIC_POLE))
    return float(6 * np.exp(-abs(latitude) / 12) + 0.3)


def asteroids(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.void]:
    """Make asteroids: most move half an arcsecond a minute along the ecliptic, one in eight is almost stationary."""
    n = len(ra_deg)
    table = blank(n, "asteroid")
    table["ra_deg"], table["dec_deg"] = ra_deg, dec_deg
    table["mag_r"] = 19.5 - 5 * rng.random(n) ** 2
    table["mag_later"] = np.nan
    table["colour"] = 1.1
    is_stationary = rng.random(n) < 0.125
    rate = np.where(is_stationary, rng.uniform(0, 0.03, n), np.abs(rng.normal(0.5, 0.15, n)))
    # The ecliptic runs along pole x position; most bodies near opposition move westward on it.
    along = np.cross(_ECLIPTIC_POLE, unit_vectors(ra_deg, dec_deg))
    ra = np.radians(ra_deg)
    east = along[:, 1] * np.cos(ra) - along[:, 0] * np.sin(ra)
    heading = np.arctan2(along[:, 2] / np.cos(np.radians(dec_deg)), east) + np.pi + rng.normal(0, 0.3, n)
    table["rate_ra_arcsec_min"], table["rate_dec_arcsec_min"] = rate * np.cos(heading), rate * np.sin(heading)
    return table
