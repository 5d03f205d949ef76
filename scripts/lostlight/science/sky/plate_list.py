"""Plates as squares on the sky: which of them show a position."""

from collections.abc import Iterable

import numpy as np
from astropy.io.fits import Header
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.plate.geometry import plate_centre_deg
from lostlight.science.sky.corners import unit_vectors

HALF_WIDTH_DEG = 3.3
"""Half the side of a Palomar Schmidt plate, for lists that give centres only (355 mm at 67.2 arcsec/mm)."""


COLUMNS = ("plate_id", "ra_deg", "dec_deg", "half_width_deg")


def plates_of_headers(headers: Iterable[tuple[str, Header]]) -> Table:
    """Make a table of plates (plate_id, ra_deg, dec_deg, half_width_deg) of named headers; see `plate_of_header`."""
    return Table(rows=[plate_of_header(header, name) for name, header in headers], names=COLUMNS)


def plates_of_centres(centres: Table) -> Table:
    """Complete a table of plate_id, ra_deg and dec_deg by the half width of a Palomar Schmidt plate."""
    plates = centres.copy()
    plates["half_width_deg"] = HALF_WIDTH_DEG
    return plates


def plate_of_header(header: Header, name: str) -> tuple[str, float, float, float]:
    """Read id, centre (ra, dec) and half width in degrees from the header of a whole plate.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Header of the plate; REGION is the id.
    name : str
        Where it comes from, for the message.

    Raises
    ------
    ConfigError
        If the header names no plate or no centre.
    """
    plate_id, centre = str(header.get("REGION", "")).strip(), plate_centre_deg(header)
    if not plate_id or centre is None:
        raise ConfigError(
            f"{name} is not the header of a plate: it lacks {'REGION' if not plate_id else 'PLTRAH … PLTDECS'}",
            hint="remove it from the list of plates",
        )
    try:
        half_width_mm = float(header["XPIXELS"]) * float(header["XPIXELSZ"]) / 2000
        half_width_deg = half_width_mm * float(header["PLTSCALE"]) / 3600
    except KeyError:
        half_width_deg = HALF_WIDTH_DEG
    return plate_id, *centre, half_width_deg


def candidates(plates: Table, ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64]) -> list[list[str]]:
    """Name the plates that show each position, the one with the nearest centre first.

    Parameters
    ----------
    plates : astropy.table.Table
        Columns plate_id, ra_deg, dec_deg, half_width_deg.
    ra_deg, dec_deg : ndarray of float64, (n,)
        Positions, degrees.

    Returns
    -------
    list of list of str
        One list for each position, empty where no plate shows it.
    """
    # Plates are squares on the tangent plane with sides along right ascension and declination at their centre.
    centre_ra = np.radians(np.asarray(plates["ra_deg"]))
    east = np.stack([-np.sin(centre_ra), np.cos(centre_ra), np.zeros_like(centre_ra)], axis=1)
    towards = unit_vectors(plates["ra_deg"], plates["dec_deg"])
    north = np.cross(towards, east)
    half = np.tan(np.radians(np.asarray(plates["half_width_deg"])))
    named = []
    for vector in unit_vectors(ra_deg, dec_deg):
        depth = towards @ vector
        inside = np.flatnonzero(
            (depth > 0) & (np.abs(east @ vector) <= half * depth) & (np.abs(north @ vector) <= half * depth)
        )
        nearest_first = inside[np.lexsort((inside, -depth[inside]))]
        named.append([str(plates["plate_id"][index]) for index in nearest_first])
    return named
