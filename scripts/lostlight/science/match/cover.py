"""Do the rows of a catalogue cover the tile they were fetched for?"""

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.core.errors import BadCatalogue, RemoteTruncated
from lostlight.science.match.catalogue import Catalogue, magnitude
from lostlight.science.plate.cutout import Circle
from lostlight.science.sky.separation import separation_arcsec


def is_near(ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], circle: Circle) -> NDArray[np.bool_]:
    """Tell which positions, shape (n,), degrees, lie within a cone."""
    return separation_arcsec(ra_deg, dec_deg, circle.ra_deg, circle.dec_deg) <= circle.radius_deg * 3600


def near(table: Table, circle: Circle, name: str, ra_column: str) -> Table:
    """Keep the rows of a user's reference table that lie within the cone around the tile.

    Raises
    ------
    BadCatalogue
        If there are none; the hint says so where they would be, were right ascension in hours.
    """
    inside = is_near(table["ra_deg"], table["dec_deg"], circle)
    if not inside.any():
        is_in_hours = is_near(15 * np.asarray(table["ra_deg"]) % 360, table["dec_deg"], circle).any()
        where = f"{circle.radius_deg:.2f} deg of RA {circle.ra_deg:.4f} Dec {circle.dec_deg:+.4f}"
        raise BadCatalogue(
            f"{name}: none of its {len(table)} rows lies within {where}",
            hint=f"set reference.own.units to {{{ra_column}: hourangle}}" if is_in_hours else "does it cover the tile?",
            column=ra_column,
        )
    return table[inside]


def refuse_lost_bright(tile: Table, around: Table, catalogue: Catalogue, name: str, limit_mag: float) -> None:
    """Hold the bright stars of a wide cone against all stars of the tile inside it.

    Parameters
    ----------
    tile, around : Table
        Raw rows of the tile, and of the wider cone where magnitude `name` is at most `limit_mag`.

    Raises
    ------
    RemoteTruncated
        If a bright star of the tile is not among those of the wider cone: that answer is incomplete.
    """
    bright = np.asarray(tile[catalogue.ref_id])[magnitude(tile, name) <= limit_mag]
    known = np.asarray(around[catalogue.ref_id]) if len(around) else np.array([], dtype=bright.dtype)
    if (n_lost := int(np.sum(~np.isin(bright, known)))) > 0:
        raise RemoteTruncated(
            f"{catalogue.vizier_id}: {n_lost} of {len(bright)} stars of the tile with {name} <= {limit_mag:g}"
            " are not among the bright stars around it",
            hint="the answer is incomplete; try again later with `refresh: true`",
            catalog=catalogue.vizier_id,
            rows=len(around),
        )
