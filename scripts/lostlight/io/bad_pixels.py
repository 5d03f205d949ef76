"""Maps of bad pixels that the user brings: a FITS image, a list of pixels and boxes, or DS9 regions.

Lists and regions count pixels as DS9 and FITS do: columns first, the first pixel is 1, its centre is at 1.0. They
count the binned pixels of the frames they are for.
"""

import csv
import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.vocab import bits
from lostlight.vocab.calibration import CODES

_ALL_BITS = sum(bit.value for bit in bits.DQ)
_COLUMNS = ("x", "y", "w", "h", "flag")


def read(path: Path, shape: tuple[int, int], binning: tuple[int, int] = (1, 1)) -> NDArray[np.uint16]:
    """Read a map of bad pixels.

    A FITS image whose cards DQB00, DQB01, ... name bits, as this project writes it (extension DQ, if there is one),
    is taken bit by bit; in any other, what is not zero is BAD. A list (.csv, .ecsv, or a FITS table) has columns x, y,
    those of a box also w and h, counted from x, y upwards, and flag if pixels are not just BAD: the names of bits, such
    as ``HOT``, or their sum. Regions (.reg) hold circles, boxes, ellipses, polygons and points; pixels are BAD whose
    centre lies inside.

    Parameters
    ----------
    shape : tuple of int
        (ny, nx) of the frames.
    binning : tuple of int
        Binning of the frames along columns and rows, compared with XBINNING and YBINNING of the map if it has them.

    Returns
    -------
    ndarray, shape (ny, nx), uint16
        Bits of data quality.

    Raises
    ------
    ConfigError
        CAL103 for a map of another geometry or binning, CAL109 for one that cannot be read.
    """
    if not path.is_file():
        raise _refused("CAL109", f"there is no map of bad pixels {path.name}", "correct calibrate.cosmetic.bpm")
    suffix = path.suffix.lower()
    try:
        if suffix == ".reg":
            return _regions(path, shape)
        if suffix in (".csv", ".ecsv"):
            return _listed(path, _rows(path), shape)
        return _image(path, shape, binning)
    except (OSError, ValueError, TypeError, KeyError, csv.Error, fits.VerifyError) as error:
        raise _refused(
            "CAL109",
            f"map of bad pixels {path.name} cannot be read: {error}",
            "a FITS image, a table with columns x, y, or DS9 regions",
        ) from error


def _image(path: Path, shape: tuple[int, int], binning: tuple[int, int]) -> NDArray[np.uint16]:
    with fits.open(path, memmap=False) as hdus:
        images = [hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS") == 2]
        chosen = next((hdu for hdu in images if hdu.name == "DQ"), images[0] if images else None)
        if chosen is None:
            table = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)), None)
            if table is None:
                raise ValueError("it holds neither an image nor a table")
            rows = Table(table.data)
            return _listed(path, [{name.lower(): row[name] for name in rows.colnames} for row in rows], shape)
        data, header = np.asarray(chosen.data), hdus[0].header + chosen.header
    if data.shape != shape:
        raise _refused(
            "CAL103",
            f"map of bad pixels {path.name} has {data.shape[1]} x {data.shape[0]} pixels,"
            f" the frames {shape[1]} x {shape[0]}",
        )
    made_for = tuple(header.get(key, own) for key, own in zip(("XBINNING", "YBINNING"), binning, strict=True))
    if made_for != binning:
        raise _refused(
            "CAL103",
            f"map of bad pixels {path.name} is for binning {made_for[0]} x {made_for[1]},"
            f" the frames have {binning[0]} x {binning[1]}",
        )
    if "DQB00" in chosen.header:
        return data.astype(np.uint16)
    return np.where(data != 0, bits.dq("BAD"), 0).astype(np.uint16)


def _rows(path: Path) -> list[Mapping[str, Any]]:
    if path.suffix.lower() == ".ecsv":
        return [dict(zip(row.colnames, row, strict=True)) for row in Table.read(path, format="ascii.ecsv")]
    with path.open(encoding="utf-8-sig", newline="") as stream:
        lines = (line for line in stream if line.strip() and not line.startswith("#"))
        return [
            {str(name).strip().lower(): cell for name, cell in row.items()}
            for row in csv.DictReader(lines, strict=True)
        ]


def _listed(path: Path, rows: list[Mapping[str, Any]], shape: tuple[int, int]) -> NDArray[np.uint16]:
    quality = np.zeros(shape, np.uint16)
    for number, row in enumerate(rows, start=1):
        where = f"row {number} of {path.name}"
        odd = [name for name in row if name not in _COLUMNS]
        if odd or "x" not in row or "y" not in row:
            raise ValueError(f"columns are {', '.join(map(str, row))}, but should be x, y and perhaps w, h, flag")
        x, y, w, h = (
            _whole(row.get(name), name, where, default)
            for name, default in zip("xywh", (None, None, 1, 1), strict=True)
        )
        if x < 1 or y < 1 or w < 1 or h < 1 or x + w - 1 > shape[1] or y + h - 1 > shape[0]:
            raise _refused(
                "CAL103",
                f"{where}: {w} x {h} pixels at {x}, {y} leave the frame of {shape[1]} x {shape[0]};"
                " the first pixel is 1, 1",
            )
        quality[y - 1 : y + h - 1, x - 1 : x + w - 1] |= np.uint16(_flag(row.get("flag"), where))
    return quality


def _whole(cell: Any, name: str, where: str, default: int | None) -> int:
    text = "" if cell is None or np.ma.is_masked(cell) else str(cell).strip()
    if not text and default is not None:
        return default
    number = float(text) if text else math.nan
    if number != int(number if math.isfinite(number) else 0):
        raise ValueError(f"{where}: {name} is {text!r}, not a whole number")
    return int(number)


def _flag(cell: Any, where: str) -> int:
    text = "" if cell is None or np.ma.is_masked(cell) else str(cell).strip().upper()
    if not text:
        return bits.dq("BAD")
    try:
        value = int(float(text)) if text[0].isdigit() else bits.dq(*text.replace("|", " ").replace("+", " ").split())
    except (KeyError, ValueError) as error:
        raise ValueError(f"{where}: flag {text!r} is no bit: {', '.join(bit.name for bit in bits.DQ)}") from error
    if not 0 < value <= _ALL_BITS:
        raise ValueError(f"{where}: flag {text} is not a sum of the bits 1 to {_ALL_BITS}")
    return value


def _regions(path: Path, shape: tuple[int, int]) -> NDArray[np.uint16]:
    import regions

    quality = np.zeros(shape, np.uint16)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AstropyWarning)  # a line that is not understood is not passed over
        try:
            found = regions.Regions.read(path, format="ds9")
        except AstropyWarning as warning:
            raise ValueError(str(warning)) from warning
    for region in found:
        if not isinstance(region, regions.PixelRegion):
            raise ValueError("its regions are on the sky; save them in image coordinates")
        quality[_inside(region, shape)] |= np.uint16(bits.dq("BAD"))
    return quality


def _inside(region: Any, shape: tuple[int, int]) -> NDArray[np.bool_]:
    what = type(region).__name__.removesuffix("PixelRegion").lower()
    if what == "point":
        drawn = _dot(region.center.x, region.center.y, shape)
    else:
        drawn = region.to_mask(mode="center").to_image(shape)
    if drawn is None or not drawn.any():
        raise _refused(
            "CAL103", f"a {what} lies outside of the frame of {shape[1]} x {shape[0]}, or holds no centre of a pixel"
        )
    return drawn > 0


def _dot(x: float, y: float, shape: tuple[int, int]) -> NDArray[np.bool_]:
    columns, rows = np.arange(shape[1]), np.arange(shape[0])[:, None]
    return (columns == math.floor(x + 0.5)) & (rows == math.floor(y + 0.5))


def _refused(code: str, said: str, hint: str = "") -> ConfigError:
    return ConfigError(f"{code}: {said}", hint=hint or CODES[code].hint, code=code)
