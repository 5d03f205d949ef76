"""A mosaic or a lot in one FITS file: pixels, weight, coverage, and tables of what went into it.

Primary HDU: pixels, (ny, nx) or (3, ny, nx), NaN where there are none. Extensions: WHT (inverse variance), COV (frames
that contribute), REJ (samples left out), WSUM (sum of weights; lots alone), and the tables FRAMES and LOTS.
``CCDData.read(path, hdu_uncertainty="WHT")`` of astropy takes the weight as the inverse variance it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.table import Table
from astropy.units import Unit
from numpy.typing import NDArray

from lostlight.core.errors import BadImage
from lostlight.io import bintable, frame_files, plain_fits, stored
from lostlight.io.scratch import release, scratch
from lostlight.io.stored import Stored

__all__ = ["PLANES", "MosaicFile", "open_lot", "read_table", "release", "scratch", "write"]

PLANES = ("SCI", "WHT", "COV", "REJ", "WSUM")
"""Names of the planes, in the order of the file."""
_COUNTS = ("COV", "REJ")
_STRUCTURE = ("BZERO", "BSCALE", "BLANK", "CHECKSUM", "DATASUM", "EXTNAME", "INHERIT", "DATE")
_WCS = (
    *("WCSAXES", "LONPOLE", "LATPOLE", "RADESYS", "EQUINOX"),
    *(f"{key}{axis}" for key in ("CTYPE", "CUNIT", "CRVAL", "CRPIX", "CDELT") for axis in (1, 2)),
    *(f"{key}{row}_{column}" for key in ("PC", "CD") for row in (1, 2) for column in (1, 2)),
)


@dataclass(frozen=True)
class MosaicFile:
    """A mosaic or lot whose rows are read when they are asked for; reading is safe from several threads."""

    path: Path
    header: Header
    shape: tuple[int, int]
    n_channels: int
    planes: Mapping[str, Stored]
    """Where the planes lie in the file, by name."""

    def rows(self, name: str, y0: int = 0, y1: int | None = None) -> NDArray:
        """Read rows y0 up to, not including, y1 of a plane.

        Returns
        -------
        ndarray, shape (n, y1 - y0, nx)
            float32, of SCI, WHT and WSUM; uint16 of COV and REJ. n is 3 where the plane has colours, else 1.

        Raises
        ------
        BadImage
            If the file is not there any more, or has become shorter.
        """
        plane = self.planes[name]
        y0, y1, _ = slice(y0, y1).indices(self.shape[0])
        out = np.empty((plane.n_planes, max(y1 - y0, 0), self.shape[1]), np.float32)
        with stored.opened(self.path) as descriptor:
            for number in range(plane.n_planes):
                plane.read(descriptor, y0, y1, out[number], number)
        return out.astype(np.uint16) if name in _COUNTS else out


def write(
    path: Path,
    planes: Mapping[str, NDArray],
    header: Header,
    tables: Mapping[str, Sequence[bintable.Field]] | None = None,
) -> None:
    """Write planes and tables, whole or not at all; the same content gives the same bytes.

    Parameters
    ----------
    planes : mapping
        SCI and any others of `PLANES` by name, (ny, nx) or (C, ny, nx) with C of 1 or 3: SCI, WHT and WSUM float32,
        COV and REJ uint16. Arrays in files (`scratch`) are copied piece by piece, and leave memory afterwards.
    header : Header
        Cards of the pixels: the WCS, which all planes get, BUNIT and what else is to be told.
    tables : mapping, optional
        Columns of tables by their name, FRAMES and LOTS.

    Raises
    ------
    OSError
        If the disk is full.
    """
    hdus = [_hdu(name, planes[name], header) for name in PLANES if name in planes]
    rows = [bintable.table(fields, {"EXTNAME": name}) for name, fields in (tables or {}).items()]
    plain_fits.write(path, hdus, rows)


def open_lot(path: Path) -> MosaicFile:
    """Open a mosaic or a lot, to read rows of its planes.

    Raises
    ------
    BadImage
        If it is not whole, or no file of this kind.
    """
    number, header = frame_files.headers(path, colour=True)[0]
    with frame_files.opened(path) as hdus:
        found = {hdu.name: hdu for hdu in hdus if hdu.name in PLANES and hdu.is_image} | {PLANES[0]: hdus[number]}
        planes = {name: _where(path, hdu) for name, hdu in found.items()}
    pixels = planes[PLANES[0]]
    for name, plane in planes.items():
        if plane.shape != pixels.shape:
            raise BadImage(f"{path.name} is no mosaic: {name} has another shape than the pixels", "make it again")
    return MosaicFile(path, header, pixels.shape, pixels.n_planes, planes)


def read_table(path: Path, name: str) -> Table:
    """Read a table of a mosaic, FRAMES or LOTS; text comes as str.

    Raises
    ------
    BadImage
        If the file has no such table, or is damaged.
    """
    with frame_files.opened(path) as hdus:
        if name not in hdus:
            raise BadImage(f"{path.name} has no table {name}", "make it again")
        table = Table.read(hdus[name])
    table.convert_bytestring_to_unicode()
    return table


def _where(path: Path, hdu: fits.ImageHDU) -> Stored:
    where = None
    if not isinstance(hdu, fits.CompImageHDU) and not frame_files.is_gzip(path):
        where = stored.described(path, hdu.header, hdu.fileinfo()["datLoc"])
    if where is None:
        raise BadImage(f"{path.name} is no mosaic: {hdu.name} is packed", "unpack it, or make it again")
    return where


def _hdu(name: str, plane: NDArray, header: Header) -> fits.PrimaryHDU | fits.ImageHDU:
    data = plane[0] if plane.ndim > 2 and plane.shape[0] == 1 else plane
    data = data.astype(np.uint16 if name in _COUNTS else np.float32, copy=False)
    if name == PLANES[0]:
        cards = header.copy(strip=True)
        for key in _STRUCTURE:
            cards.remove(key, ignore_missing=True, remove_all=True)
        return fits.PrimaryHDU(data, cards)
    cards = Header([header.cards[key] for key in _WCS if key in header])
    if name == "WHT":
        cards["UTYPE"] = "InverseVariance"
        if unit := _inverse_square(str(header.get("BUNIT", ""))):
            cards["BUNIT"] = unit
    return fits.ImageHDU(data, cards, name=name)


def _inverse_square(unit: str) -> str:
    """Give the unit of an inverse variance, nothing where that of the pixels is not understood."""
    try:
        return (Unit(unit) ** -2).to_string()
    except ValueError:
        return ""
