"""Which tiles a request means: positions, a region, the whole sky, or plates."""

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.sky.lattice import hexagonal_lattice, within_cone
from lostlight.science.sky.tiling import make_tiles


def region_tiles(
    centre_deg: tuple[float, float], radius_deg: float, width_arcmin: float, height_arcmin: float
) -> Table:
    """Give the tiles of the all-sky lattice that are needed to cover a cone without holes.

    Parameters
    ----------
    centre_deg : (float, float)
        Right ascension and declination of the cone's centre, degrees.
    radius_deg : float
        Radius of the cone.
    width_arcmin, height_arcmin : float
        Size of the images; the lattice's circles have half the shorter side as radius.
    """
    circle_arcmin = min(width_arcmin, height_arcmin) / 2
    ra, dec = hexagonal_lattice(circle_arcmin)
    near = within_cone(ra, dec, centre_deg, min(180.0, radius_deg + circle_arcmin / 60))
    return make_tiles(ra[near], dec[near], width_arcmin, height_arcmin)


def all_sky_tiles(dec_min_deg: float, width_arcmin: float, height_arcmin: float) -> Table:
    """Give the tiles of the all-sky lattice whose centres lie at or north of a declination."""
    ra, dec = hexagonal_lattice(min(width_arcmin, height_arcmin) / 2)
    north = dec >= dec_min_deg
    return make_tiles(ra[north], dec[north], width_arcmin, height_arcmin)


def clip_to_cone(tiles: Table, centre_deg: tuple[float, float], radius_deg: float) -> Table:
    """Keep the tiles whose centres lie within a cone.

    Raises
    ------
    ConfigError
        If none is left.
    """
    kept = tiles[within_cone(np.asarray(tiles["ra_deg"]), np.asarray(tiles["dec_deg"]), centre_deg, radius_deg)]
    if not len(kept):
        raise ConfigError(
            f"no plate of the list has a tile within {radius_deg:g} deg of {centre_deg[0]:g} {centre_deg[1]:+g}",
            hint="widen tiles.region, or give a list of plates that reaches there",
        )
    return kept


def corners_of(tiles: Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the corners of the tiles that have any: right ascension and declination, (n, 4), degrees."""
    ra, dec = (np.stack([np.asarray(tiles[f"{axis}{k}_deg"]) for k in range(1, 5)], axis=1) for axis in ("ra", "dec"))
    known = np.all(np.isfinite(ra), axis=1)
    return ra[known], dec[known]
