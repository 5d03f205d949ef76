"""The lasting sky: stars, double stars, fast stars and galaxies of one cell."""

import numpy as np
from numpy.typing import NDArray

from lostlight.sim.sources import blank, offset, unit_vectors

FAINTEST = 22.5
"""R magnitude at which the stars end."""
BRIGHT = 11.0
"""Stars above this belong to the large cells, because their haloes reach far."""

# log10 of the stars per square degree brighter than R, at the galactic pole and in the plane; faintward of R = 12 they
# give the numbers of clean stars that thousands of real plate tiles hold at each latitude.
_MAG = np.array([3.0, 5.0, 8.0, 10.0, 12.0, 15.0, 18.0, 20.0, FAINTEST])
_POLE = np.array([-2.8, -1.7, -0.35, 0.55, 1.24, 2.10, 2.72, 3.08, 3.48])
_PLANE = np.array([-2.2, -1.1, 0.30, 1.28, 2.20, 3.40, 4.45, 4.92, 5.35])
_SCALE_HEIGHT = 0.38  # e-folding of the plane's excess, in sin|b|

_GALACTIC_POLE = unit_vectors(192.85948, 27.12825)
_GRID = np.arange(_MAG[0], FAINTEST + 0.01, 0.05)

GALAXIES_R18_DEG2 = 80.0
FAST_STARS_DEG2 = 15.0
"""Stars faster than 80 mas/yr; their number falls as the power -2.8 of the speed, so some exceed 1 arcsec/yr."""
DOUBLE_FRACTION = 0.06


def sin_galactic_latitude(ra_deg: float, dec_deg: float) -> float:
    """Give the sine of the galactic latitude of a position."""
    return float(unit_vectors(ra_deg, dec_deg) @ _GALACTIC_POLE)


def star_counts(sin_b: float) -> NDArray[np.float64]:
    """Count the stars per square degree brighter than each magnitude of the internal grid."""
    weight = np.exp(-abs(sin_b) / _SCALE_HEIGHT)
    return 10 ** np.interp(_GRID, _MAG, _POLE + weight * (_PLANE - _POLE))


def stars(
    ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], mags: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.void]:
    """Give stars their colours and proper motions: red dwarfs among the faint, faster motions among the bright."""
    n = len(mags)
    table = blank(n, "star")
    table["ra_deg"], table["dec_deg"] = ra_deg, dec_deg
    table["mag_r"] = table["mag_later"] = mags
    is_red = rng.random(n) < np.clip(0.1 + 0.04 * (mags - 11), 0.05, 0.5)
    table["colour"] = np.clip(np.where(is_red, 2.3, 1.1) + 0.35 * rng.standard_normal(n), -0.3, 3.6)
    spread = 5 + 14 * 10 ** (-0.15 * (mags - 11))
    table["pm_ra_mas_yr"], table["pm_dec_mas_yr"] = spread * rng.standard_normal((2, n))
    return table


def draw_magnitudes(
    sin_b: float, area_deg2: float, brightest: float, faintest: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the R magnitudes of the stars of one cell between two limits, in a Poisson number."""
    counts = star_counts(sin_b)
    low, high = np.interp([brightest, faintest], _GRID, counts)
    n = rng.poisson((high - low) * area_deg2)
    return np.interp(rng.uniform(low, high, n), counts, _GRID)


def fast_stars(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.void]:
    """Make nearby stars of high proper motion, mostly red dwarfs."""
    n = len(ra_deg)
    table = stars(ra_deg, dec_deg, 19.5 - 8.5 * np.sqrt(rng.random(n)), rng)
    table["colour"] = np.clip(2.2 + 0.5 * rng.standard_normal(n), 0.3, 3.6)
    speed = np.minimum(80 * rng.random(n) ** (-1 / 2.8), 5000)
    angle = rng.uniform(0, 2 * np.pi, n)
    table["pm_ra_mas_yr"], table["pm_dec_mas_yr"] = speed * np.sin(angle), speed * np.cos(angle)
    return table


def companions(primaries: NDArray[np.void], rng: np.random.Generator) -> NDArray[np.void]:
    """Give some stars a fainter companion at 1 to 8 arcsec that moves along with them."""
    chosen = primaries[(rng.random(len(primaries)) < DOUBLE_FRACTION) & (primaries["mag_r"] < 20)].copy()
    n = len(chosen)
    separation, angle = rng.uniform(1, 8, n), rng.uniform(0, 2 * np.pi, n)
    chosen["ra_deg"], chosen["dec_deg"] = offset(
        chosen["ra_deg"], chosen["dec_deg"], separation * np.sin(angle), separation * np.cos(angle)
    )
    fainter = 0.1 + np.abs(1.5 * rng.standard_normal(n))
    chosen["mag_r"] += fainter
    chosen["mag_later"] += fainter
    chosen["colour"] = np.clip(chosen["colour"] + 0.2 * fainter, -0.3, 3.6)
    return chosen[chosen["mag_r"] < FAINTEST]


def galaxy_density(sin_b: float) -> float:
    """Count the galaxies per square degree to R = 22, dimmed by dust towards the galactic plane."""
    dust_mag = 0.12 / max(abs(sin_b), 0.02)
    return GALAXIES_R18_DEG2 * 10 ** (0.48 * (22 - 18 - dust_mag))


def galaxies(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.void]:
    """Make galaxies: exponential discs, larger when brighter, at random tilt."""
    n = len(ra_deg)
    table = blank(n, "galaxy")
    table["ra_deg"], table["dec_deg"] = ra_deg, dec_deg
    mags = np.maximum(22 + np.log10(rng.random(n)) / 0.48, 11.5)
    table["mag_r"] = table["mag_later"] = mags
    table["colour"] = np.clip(1.4 + 0.35 * rng.standard_normal(n), 0.2, 3)
    table["radius_arcsec"] = 3.0 * 10 ** (-0.15 * (mags - 17) + 0.15 * rng.standard_normal(n))
    table["axis_ratio"] = rng.uniform(0.25, 1, n)
    table["angle_deg"] = rng.uniform(0, 180, n)
    return table
