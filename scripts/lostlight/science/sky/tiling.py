"""Tiles: what they are called, where their corners lie, which plates may show them."""

from collections.abc import Sequence

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.sky.corners import tile_corners
from lostlight.science.sky.lattice import disc_around, rings_around
from lostlight.science.sky.plate_list import candidates


def tile_id(ra_deg: float, dec_deg: float) -> str:
    """Name a tile after its centre: ``tile_RA150.000_DECp20.000``, with p and m for north and south.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Centre, degrees.
    """
    ra, dec = round(ra_deg, 3) % 360.0, round(dec_deg, 3)
    return f"tile_RA{ra:07.3f}_DEC{'m' if dec < 0 else 'p'}{abs(dec):06.3f}"


def check_positions(ra_deg: Sequence[float], dec_deg: Sequence[float], what: str = "row") -> None:
    """Refuse positions that are not on the sky, and two that are one and the same tile.

    Parameters
    ----------
    ra_deg, dec_deg : sequence of float
        Degrees.
    what : str
        How a position is called in the message: ``row`` of a table, ``position`` of the configuration.

    Raises
    ------
    ConfigError
        Names the first position that is NaN, out of range or a duplicate, counted from 1.
    """
    seen: dict[str, int] = {}
    for number, (ra, dec) in enumerate(zip(ra_deg, dec_deg, strict=True), start=1):
        if not 0 <= ra < 360:
            raise ConfigError(f"{what} {number}: ra_deg = {ra:g} is not within 0 <= ra_deg < 360", hint="correct it")
        if not -90 <= dec <= 90:
            raise ConfigError(
                f"{what} {number}: dec_deg = {dec:g} is not within -90 <= dec_deg <= 90", hint="correct it"
            )
        first = seen.setdefault(tile_id(ra, dec), number)
        if first != number:
            raise ConfigError(
                f"{what} {number}: {ra:.3f} {dec:+.3f} is the same tile as {what} {first}",
                hint="remove one of the two; tiles are told apart by 0.001 degree",
            )


def make_tiles(
    ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], width_arcmin: float, height_arcmin: float
) -> Table:
    """Make a table of tiles from their centres; centres that share a name become one tile.

    Parameters
    ----------
    ra_deg, dec_deg : ndarray of float64, (n,)
        Centres, degrees.
    width_arcmin, height_arcmin : float
        Size of the images on the tangent plane.

    Returns
    -------
    astropy.table.Table
        Schema TILES, in the order of the centres, without plates.
    """
    names = [tile_id(ra, dec) for ra, dec in zip(ra_deg, dec_deg, strict=True)]
    first = np.sort(np.unique(np.array(names, dtype="U"), return_index=True)[1])
    ra, dec = np.asarray(ra_deg, dtype=np.float64)[first], np.asarray(dec_deg, dtype=np.float64)[first]
    tiles = Table({"tile_id": np.array(names, dtype="U")[first], "ra_deg": ra, "dec_deg": dec})
    tiles["width_arcmin"], tiles["height_arcmin"] = width_arcmin, height_arcmin
    corner_ra, corner_dec = tile_corners(ra, dec, width_arcmin, height_arcmin)
    for corner in range(4):
        tiles[f"ra{corner + 1}_deg"], tiles[f"dec{corner + 1}_deg"] = corner_ra[:, corner], corner_dec[:, corner]
    tiles["plates"] = np.full(len(tiles), "", dtype="U1")
    return tiles


def tiles_around(
    ra_deg: NDArray[np.float64], dec_deg: NDArray[np.float64], rings: int, width_arcmin: float, height_arcmin: float
) -> Table:
    """Make a tile at each position, followed by `rings` rings of hexagonal neighbours; see `make_tiles`.

    The hexagons' circumradius is half the shorter side of a tile, so that the images cover them.
    """
    radius = min(width_arcmin, height_arcmin) / 2
    groups = [rings_around(ra, dec, rings, radius) for ra, dec in zip(ra_deg, dec_deg, strict=True)]
    ra, dec = (np.concatenate(column) for column in zip(*groups, strict=True))
    return make_tiles(ra, dec, width_arcmin, height_arcmin)


def plate_tiles(plates: Table, core_deg: float, width_arcmin: float, height_arcmin: float) -> Table:
    """Lay a hexagonal grid inside the astrometric core of each plate, centred on the plate.

    Parameters
    ----------
    plates : astropy.table.Table
        Columns plate_id, ra_deg, dec_deg, half_width_deg.
    core_deg : float
        Greatest distance of a tile's centre from the plate's centre.
    width_arcmin, height_arcmin : float
        Size of the images.

    Returns
    -------
    astropy.table.Table
        Schema TILES; `plates` names the plate a tile belongs to, then the others that show its centre.
    """
    radius = min(width_arcmin, height_arcmin) / 2
    parts, owners = [], []
    for plate in plates:
        ra, dec = disc_around(plate["ra_deg"], plate["dec_deg"], core_deg, radius)
        parts.append(make_tiles(ra, dec, width_arcmin, height_arcmin))
        owners += [str(plate["plate_id"])] * len(parts[-1])
    tiles = vstack(parts)
    _, first = np.unique(tiles["tile_id"], return_index=True)
    keep = np.sort(first)
    tiles, owners = tiles[keep], [owners[index] for index in keep]
    others = candidates(plates, tiles["ra_deg"], tiles["dec_deg"])
    tiles["plates"] = [
        " ".join([owner, *(plate for plate in names if plate != owner)])
        for owner, names in zip(owners, others, strict=True)
    ]
    return tiles


def add_candidates(tiles: Table, plates: Table) -> None:
    """Fill the column `plates` with the plates that show each tile's centre, nearest centre first."""
    named = candidates(plates, tiles["ra_deg"], tiles["dec_deg"])
    tiles["plates"] = np.array([" ".join(names) for names in named], dtype="U")
