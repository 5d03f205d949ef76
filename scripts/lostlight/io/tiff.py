"""TIFF in and out, through tifffile: frames of cameras that write it, and lights for programs that ask for it.

It is loaded where it is needed, because a run without TIFF should not wait for it.
"""

from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from lostlight.core import atomic
from lostlight.core.errors import BadImage, ToolMissing
from lostlight.vocab.calibration import CODES

SUFFIXES = (".tif", ".tiff")

_BITPIX = {"uint8": 8, "uint16": 16, "int16": 16, "uint32": 32, "int32": 32, "float32": -32, "float64": -64}
_TOP = 65535


def write(path: Path, data: NDArray[np.floating], bits: int) -> None:
    """Write a calibrated light, whole or not at all.

    Of 32 bits, pixels are floats as they are. Of 16, they are rounded to whole counts; where the smallest is negative
    an offset is added, which the description of the file names: ``value = pixel + OFFSET``. What then lies beyond
    65535 is clipped, and missing pixels are 0.

    Parameters
    ----------
    data : ndarray, shape (ny, nx) or (3, ny, nx), adu or electron
    bits : int
        16 or 32.
    """
    import tifffile

    colour = data.ndim == 3
    image = np.moveaxis(data, 0, -1) if colour else data
    said = "OFFSET=0"
    if bits == 16:
        low = float(np.nanmin(image)) if np.isfinite(image).any() else 0.0
        offset = min(0.0, float(np.floor(low)))
        said = f"OFFSET={offset:.0f}"
        stored = np.clip(np.rint(np.nan_to_num(image, nan=offset, posinf=np.inf) - offset), 0, _TOP).astype(np.uint16)
    else:
        stored = image.astype(np.float32)
    content = BytesIO()
    tifffile.imwrite(
        content, np.ascontiguousarray(stored), photometric="rgb" if colour else "minisblack", description=said,
        metadata=None, software=False,
    )  # fmt: skip
    atomic.write_bytes(path, content.getvalue())


def read(path: Path) -> tuple[NDArray[np.float32], Header]:
    """Read a frame of one channel: pixels (ny, nx), float32, NaN where not finite, and what its tags say.

    Raises
    ------
    BadImage
        CAL111 if the file is damaged or holds a colour picture, whose raw counts are gone.
    ToolMissing
        If its compression needs a package that is not installed.
    """
    with _opened(path) as file:
        page = _only(file, path)
        try:
            data = np.asarray(page.asarray(), dtype=np.float32)
        except ValueError as error:
            if "imagecodecs" in str(error):
                raise ToolMissing(f"{path.name}: {error}", hint="pip install lostlight[raw]") from error
            raise _broken(path, error) from error
        header = _header(page)
    data[~np.isfinite(data)] = np.nan
    return data, header


def read_header(path: Path) -> Header:
    """Read what the tags of a TIFF file say, in the words of FITS; see `read`."""
    with _opened(path) as file:
        page = _only(file, path)
        offset, size = max(zip(page.dataoffsets, page.databytecounts, strict=True), default=(0, 0))
        if offset + size > path.stat().st_size:
            raise _broken(path, f"it breaks off at byte {path.stat().st_size} of {offset + size}")
        return _header(page)


def exif_cards(path: Path) -> Header:
    """Read exposure, ISO, camera and time of a photograph, as far as the file tells; most raw files are TIFF inside."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as file:
            return _exif(file.pages[0])
    except (tifffile.TiffFileError, ValueError, KeyError, IndexError, OSError):
        return Header()  # not TIFF inside, such as CR3 and RAF: nothing is told


def _opened(path: Path) -> Any:
    import tifffile

    try:
        return tifffile.TiffFile(path)
    except (tifffile.TiffFileError, ValueError, KeyError, IndexError, OSError) as error:
        raise _broken(path, error) from error


def _only(file: Any, path: Path) -> Any:
    page = file.pages[0] if len(file.pages) else None
    if page is None or page.ndim != 2 or str(page.dtype) not in _BITPIX:
        shape = None if page is None else page.shape
        raise _broken(path, f"shape {shape}: frames have one channel of 8 to 32 bits, and raw counts")
    return page


def _header(page: Any) -> Header:
    ny, nx = page.shape
    header = Header(
        {"BITPIX": _BITPIX[str(page.dtype)], "NAXIS": 2, "NAXIS1": nx, "NAXIS2": ny, "ROWORDER": "TOP-DOWN"}
    )
    header.update(_exif(page))
    return header


def _exif(page: Any) -> Header:
    tags = {tag.name: tag.value for tag in page.tags}
    tags |= tags.get("ExifTag") or {}
    header = Header()
    exposure = tags.get("ExposureTime")
    if exposure is not None:
        header["EXPTIME"] = exposure[0] / exposure[1] if isinstance(exposure, tuple) else float(exposure)
    iso = tags.get("ISOSpeedRatings", tags.get("PhotographicSensitivity"))
    if iso is not None:
        header["ISOSPEED"] = int(iso[0] if isinstance(iso, tuple) else iso)
    if tags.get("Model"):
        header["INSTRUME"] = str(tags["Model"]).strip("\0 ")
    if tags.get("Software"):
        header["SWCREATE"] = str(tags["Software"]).strip("\0 ")
    taken = str(tags.get("DateTimeOriginal", "")).strip("\0 ")
    try:
        # of the camera's own clock, whose zone it does not tell
        header["DATE-LOC"] = datetime.strptime(taken, "%Y:%m:%d %H:%M:%S").isoformat()
    except ValueError:
        header.remove("DATE-LOC", ignore_missing=True)
    return header


def _broken(path: Path, error: object) -> BadImage:
    code = CODES["CAL111"]
    return BadImage(f"{code.code}: {path.name} cannot be used: {error}", hint=code.hint, code=code.code)
