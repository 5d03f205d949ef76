"""Raw files of photographic cameras, through rawpy (LibRaw): the mosaic as it was read out."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from lostlight.core.errors import BadImage, ToolMissing
from lostlight.io import tiff
from lostlight.vocab.calibration import CODES

SUFFIXES = (".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".dng", ".raf", ".orf", ".rw2", ".pef")


def read(path: Path) -> tuple[NDArray[np.float32], Header]:
    """Read the mosaic of a raw file.

    Returns
    -------
    data : ndarray, shape (ny, nx), float32, adu
        Counts of the visible part, black level included.
    header : Header
        BAYERPAT, SATURATE, and EXPTIME, ISOSPEED, INSTRUME and DATE-LOC as far as the file tells.

    Raises
    ------
    ToolMissing
        If rawpy is not installed.
    BadImage
        CAL111 if the file is damaged, or its colours are not in cells of 2 x 2.
    """
    rawpy = _rawpy(path)
    try:
        with rawpy.imread(str(path)) as raw:
            data = np.array(raw.raw_image_visible, dtype=np.float32)
            header = _header(raw, data.shape, path)
    except rawpy.LibRawError as error:
        raise _broken(path, error) from error
    header.update(tiff.exif_cards(path))
    return data, header


def read_header(path: Path) -> Header:
    """Read what is known of a raw file in the words of FITS; see `read`."""
    return read(path)[1]


def _rawpy(path: Path) -> ModuleType:
    try:
        import rawpy
    except ImportError as error:
        raise ToolMissing(
            f"{path.name} is a raw file of a camera, and rawpy, which reads them, is not installed",
            hint="pip install lostlight[raw], or convert the frames to FITS",
        ) from error
    return rawpy


def _header(raw: Any, shape: tuple[int, ...], path: Path) -> Header:
    header = Header({"BITPIX": 16, "NAXIS": 2, "NAXIS1": shape[-1], "NAXIS2": shape[0], "ROWORDER": "TOP-DOWN"})
    if len(shape) != 2:
        raise _broken(path, f"it has {len(shape)} axes: colours are made already")
    if raw.raw_pattern is not None:
        if raw.raw_pattern.shape != (2, 2):
            raise _broken(path, "its colours are not in cells of 2 x 2")
        letters = raw.color_desc.decode()
        colours = raw.raw_colors_visible[:2, :2]
        header["BAYERPAT"] = "".join(letters[number] for number in colours.ravel())
    if raw.white_level:
        header["SATURATE"] = float(raw.white_level)
    other = getattr(raw, "other", None)  # older versions of rawpy do not tell
    for key, name in (("EXPTIME", "shutter_speed"), ("ISOSPEED", "iso_speed")):
        if (value := getattr(other, name, 0)) > 0:
            header[key] = float(value)
    return header


def _broken(path: Path, error: object) -> BadImage:
    code = CODES["CAL111"]
    return BadImage(f"{code.code}: {path.name} cannot be used: {error}", hint=code.hint, code=code.code)
