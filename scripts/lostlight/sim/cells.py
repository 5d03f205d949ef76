"""Cells of the sky, each with its own random streams, so that every window sees the same objects."""

from zlib import crc32

import numpy as np
from astropy import units
from astropy_healpix import HEALPix
from numpy.typing import NDArray

MARGIN_DEG = 0.12
"""How far an object may stray from the cell it was drawn in: proper motion over a century, wide groups."""


def stream(seed: int, purpose: str, *where: int) -> np.random.Generator:
    """Open the random stream that belongs to one purpose at one place.

    Philox streams are independent for every key, so the order in which places are visited changes nothing.

    Parameters
    ----------
    seed : int
        Seed of the sky.
    purpose : str
        What the numbers are for; streams of different purposes never share numbers.
    *where : int
        Cell, plate or block numbers; not negative.

    Returns
    -------
    numpy.random.Generator
    """
    key = np.random.SeedSequence(entropy=seed, spawn_key=(crc32(purpose.encode()), *where))
    return np.random.Generator(np.random.Philox(key))


class Cells:
    """Equal-area cells of the sphere (HEALPix, nested; Górski et al. 2005)."""

    def __init__(self, nside: int) -> None:
        self.pix = HEALPix(nside=nside, order="nested")
        self.area_deg2 = self.pix.pixel_area.to_value(units.deg**2)

    def around(self, ra_deg: float, dec_deg: float, radius_deg: float) -> list[int]:
        """List the cells whose objects may lie within the cone, in ascending order."""
        reach = min(radius_deg + MARGIN_DEG, 180.0)
        found = self.pix.cone_search_lonlat(ra_deg * units.deg, dec_deg * units.deg, reach * units.deg)
        return sorted(int(cell) for cell in found)

    def centre(self, cell: int) -> tuple[float, float]:
        """Give the centre (ra, dec) of a cell in degrees."""
        lon, lat = self.pix.healpix_to_lonlat(cell)
        return float(lon.deg), float(lat.deg)

    def scatter(self, cell: int, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Draw `n` positions (ra, dec in degrees) evenly over a cell."""
        index = np.full(n, cell)
        lon, lat = self.pix.healpix_to_lonlat(index, dx=rng.random(n), dy=rng.random(n))
        return lon.deg % 360.0, lat.deg
