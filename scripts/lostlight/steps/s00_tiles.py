"""Step 00: from positions, a region, plates or own images to tiles."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.table import Table

from lostlight.core.errors import BadImage, ConfigError
from lostlight.core.manifest import Manifest, products
from lostlight.core.params import TilesParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import fits, moc, plate_list, positions, tables
from lostlight.io.own_files import IMAGES, listed
from lostlight.science.sky.own_images import image_tiles
from lostlight.science.sky.plate_list import plates_of_centres, plates_of_headers
from lostlight.science.sky.random_positions import random_positions
from lostlight.science.sky.selection import all_sky_tiles, clip_to_cone, corners_of, region_tiles
from lostlight.science.sky.tiling import add_candidates, check_positions, plate_tiles, tiles_around
from lostlight.vocab.columns import TILES

_POSITIONS = ("positions", "positions_csv", "region", "random_n", "all_sky")


def _plan(manifests: Sequence[Manifest], params: TilesParams) -> list[Unit]:
    """One unit, whose inputs are calibrated frames, or the user's own files."""
    if params.mode == "frames":
        return [Unit("run", {f"images/{path.name}": path for path in products(manifests, "image")})]
    kinds = {"positions_csv": (".csv",), "plates": (".json",), "images": IMAGES}
    named = {
        f"{key}/{file.name}": file
        for key, suffixes in kinds.items()
        if getattr(params, key)
        for file in listed(Path(getattr(params, key)), suffixes, f"tiles.{key}")
    }
    return [Unit("run", named)]


@step(
    "00_tiles",
    may_follow=("11_calibrate", "12_mosaic"),
    makes={"tiles": "tiles.fits", "tiles_csv": "tiles.csv", "moc": "coverage.moc.fits"},
    optional=("moc",),
    params=TilesParams,
    version=1,
    plan=_plan,
)
def tiles(unit: Unit, params: TilesParams, out: Outputs) -> Result:
    """Name the tiles of the run, with their corners and the plates that may show them."""
    known = _plates(Path(params.plates)) if params.plates else None
    table = _tiles(unit, params, known)
    if known is not None and params.mode != "plate" and not _from_images(params):
        add_candidates(table, known)
    tables.write(table, out["tiles"], TILES)
    tables.write(table, out["tiles_csv"], TILES)
    out.sizes |= {"tiles": [len(table)], "tiles_csv": [len(table)]}
    ra, dec = corners_of(table)
    coverage = moc.write(out["moc"], ra, dec) if len(ra) else 0.0
    return Result({"n_tiles": len(table), "n_unplaced": len(table) - len(ra), "sky_fraction": coverage})


def _tiles(unit: Unit, params: TilesParams, known: Table | None) -> Table:
    given = [key for key in _POSITIONS if getattr(params, key)]
    size = params.width_arcmin, params.height_arcmin
    if _from_images(params):
        images = [path for role, path in unit.inputs.items() if role.startswith("images/")]
        return image_tiles({path.name: _header(path) for path in images})
    if params.mode == "plate":
        return _plate_grid(params, known, given)
    if len(given) != 1 and set(given) != {"positions", "positions_csv"}:
        what = f"{' and '.join(given)} are all given" if given else "there are no positions"
        raise ConfigError(f"tiles: {what}", hint=f"give one of {', '.join(_POSITIONS)} or images")
    if params.mode == "single" and (params.rings or params.region or params.all_sky):
        raise ConfigError("tiles: mode single takes positions, without region, all_sky or rings", hint="use hex30")
    if params.region:
        centre = params.region.ra_deg, params.region.dec_deg
        return region_tiles(centre, params.region.radius_deg, *size)
    if params.all_sky:
        return all_sky_tiles(params.dec_min_deg, *size)
    return tiles_around(*_positions(params), params.rings, *size)


def _positions(params: TilesParams) -> tuple[np.ndarray, np.ndarray]:
    if params.random_n:
        return random_positions(params.random_n, params.seed, params.dec_min_deg)
    ra, dec = [each.ra_deg for each in params.positions], [each.dec_deg for each in params.positions]
    if params.positions_csv:
        table_ra, table_dec = positions.read(Path(params.positions_csv))
        check_positions(table_ra, table_dec, f"{Path(params.positions_csv).name}, row")
        ra, dec = ra + table_ra, dec + table_dec
    check_positions(ra, dec, "position")
    return np.array(ra), np.array(dec)


def _plate_grid(params: TilesParams, known: Table | None, given: list[str]) -> Table:
    if known is None or set(given) - {"region"}:
        raise ConfigError("tiles: mode plate takes tiles.plates, and a region at most", hint="or use mode hex30")
    grid = plate_tiles(known, params.plate_core_deg, params.width_arcmin, params.height_arcmin)
    region = params.region
    return clip_to_cone(grid, (region.ra_deg, region.dec_deg), region.radius_deg) if region else grid


def _plates(path: Path) -> Table:
    if plate_list.is_table(path):
        return plates_of_centres(plate_list.read_centres(path))
    return plates_of_headers(plate_list.read_headers(path))


def _from_images(params: TilesParams) -> bool:
    return params.mode == "frames" or (bool(params.images) and not any(getattr(params, key) for key in _POSITIONS))


def _header(path: Path) -> fits.Header | None:
    try:
        return fits.read_header(path)
    except BadImage:
        return None  # the tile stays in the table, and the step that reads its pixels says what is wrong
