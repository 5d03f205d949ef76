"""Tiles made of one's own images: each at its own centre and of its own size."""

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath

import numpy as np
from astropy.io.fits import Header
from astropy.table import Table

from lostlight.core.errors import ConfigError, NoWCS
from lostlight.science.plate.wcs import centre_px, pix_to_sky, sky_wcs
from lostlight.science.sky.corners import unit_vectors
from lostlight.science.sky.tiling import tile_id
from lostlight.vocab.columns import TILES

_ANGLES = TILES[1:-1]


def image_tiles(headers: Mapping[str, Header | None]) -> Table:
    """Make one tile of each image.

    Parameters
    ----------
    headers : mapping of str to astropy.io.fits.Header or None
        File name to header; None for a file that could not be read.

    Returns
    -------
    astropy.table.Table
        Schema TILES, in the order given; `plates` holds the file name. A tile is named after the centre of the image,
        and after its file too where two images share a centre. An image without usable sky mapping becomes
        a tile named after its file, with NaN for every angle: the step that reads its pixels will say what is wrong.

    Raises
    ------
    ConfigError
        If two files would give tiles of one name.
    """
    outlines = {name: _outline(header) for name, header in headers.items()}
    centres = {name: tile_id(*outline[:2]) for name, outline in outlines.items() if np.isfinite(outline[0])}
    shared = Counter(centres.values())
    names = {}
    for file in headers:
        centre = centres.get(file, "tile")
        names[file] = centre if shared[centre] == 1 else f"{centre}_{_stem(file)}"
    clash = next((name for name, count in Counter(names.values()).items() if count > 1), None)
    if clash:
        files = ", ".join(file for file, name in names.items() if name == clash)
        raise ConfigError(f"the images {files} would all be {clash}", hint="keep one of them, or rename the files")
    tiles = Table(rows=list(outlines.values()), names=_ANGLES, dtype=["f8"] * len(_ANGLES))
    tiles["tile_id"], tiles["plates"] = list(names.values()), list(names)
    return tiles


def _outline(header: Header | None) -> tuple[float, ...]:
    """Centre, width and height in arcmin, and corners counter-clockwise, in the order of the schema."""
    nothing = (float("nan"),) * len(_ANGLES)
    if header is None:
        return nothing
    try:
        wcs = sky_wcs(header)
    except NoWCS:
        return nothing
    nx, ny = header["NAXIS1"], header["NAXIS2"]
    x_mid, y_mid = centre_px(header)
    x = [x_mid, -0.5, nx - 0.5, nx - 0.5, -0.5, -0.5, nx - 0.5, x_mid, x_mid]
    y = [y_mid, -0.5, -0.5, ny - 0.5, ny - 0.5, y_mid, y_mid, -0.5, ny - 0.5]
    ra, dec = pix_to_sky(wcs, x, y)
    if not np.all(np.isfinite(ra)):
        return nothing
    towards = unit_vectors(ra, dec)
    width, height = _arcmin(towards[5], towards[6]), _arcmin(towards[7], towards[8])
    # On a mirrored image the corners would run clockwise.
    turn = np.dot(np.cross(towards[2] - towards[1], towards[3] - towards[1]), towards[0])
    order = (1, 2, 3, 4) if turn < 0 else (2, 1, 4, 3)
    return (float(ra[0]), float(dec[0]), width, height, *(float(v) for k in order for v in (ra[k], dec[k])))


def _arcmin(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(2 * np.arcsin(np.linalg.norm(a - b) / 2)) * 60)


def _stem(file: str) -> str:
    name = PurePath(file).name
    for suffix in (".gz", ".fits", ".fit", ".fts"):
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)
