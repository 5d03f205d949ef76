"""Raw frames as files: what their headers say, whether they are whole, and their pixels.

FITS (plain, gzip, tile-compressed, with one frame or several), TIFF and the raw files of cameras.
"""

import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.io.fits.hdu.compressed._compression import CfitsioException
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from lostlight.core.errors import BadImage
from lostlight.io import raw_camera, tiff
from lostlight.vocab.calibration import CODES

_OTHER_PLANES = frozenset(
    {"UNCERT", "MASK", "DQ", "ERR", "VAR", "WEIGHT", "WHT", "BPM", "NUSED", "REJLOW", "REJHIGH", "FLAGS"}
    | {"COV", "REJ", "WSUM"}
)
_STRUCTURE = frozenset({
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "EXTNAME", "EXTVER", "CHECKSUM", "DATASUM",
    "BZERO", "BSCALE", "BLANK", "NEXTEND", "COMMENT", "HISTORY", "",
})  # fmt: skip
_BITS = frozenset({8, 16, 32, 64, -32, -64})
_DAMAGE = (
    OSError, ValueError, TypeError, IndexError, KeyError, zlib.error, fits.VerifyError, CfitsioException,
)  # fmt: skip
"""What astropy makes of files that are not whole; the last, of compressed pixels, it does not export."""
_BLOCK = 2880
_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 20


def headers(path: Path, *, colour: bool = False) -> list[tuple[int, Header]]:
    """Read the header of every frame in a file, once the file is known to be whole.

    A FITS file holds a frame in each HDU with an image; uncertainties, masks and the like are left out. What a primary
    HDU without pixels says holds for all of its extensions.

    Parameters
    ----------
    colour : bool
        Take images of three planes as well.

    Returns
    -------
    list of (number of the HDU, Header)

    Raises
    ------
    BadImage
        CAL111 if the file is empty, truncated, damaged or holds no image.
    """
    _check_there(path)
    if path.name.lower().endswith(raw_camera.SUFFIXES):
        return [(0, raw_camera.read_header(path))]
    if path.name.lower().endswith(tiff.SUFFIXES):
        return [(0, tiff.read_header(path))]
    source = _source(path)
    _check_whole(path, source)
    with _hdus(path, source) as hdus:
        found = [(number, inherited(hdus, number)) for number, hdu in enumerate(hdus) if _is_frame_hdu(hdu, colour)]
        for number, _ in found:
            _check_scale(path, number, hdus[number])
        axes = next((hdu.shape for hdu in hdus if hdu.is_image and len(hdu.shape) > 2), ())
    if not found:
        kinds = "two-dimensional image" + (" nor one of three planes" if colour else "")
        raise broken(f"{path.name} holds no {kinds}" + (f", but {_told(axes)}" if colour and axes else ""))
    return found


def read_frame(path: Path, hdu: int = 0, *, colour: bool = False) -> tuple[NDArray[np.float32], Header]:
    """Read the pixels of one frame.

    Parameters
    ----------
    colour : bool
        Take images of three planes as well.

    Returns
    -------
    data : ndarray, shape (ny, nx) or (3, ny, nx), float32, adu
        BSCALE and BZERO are applied; BLANK and all that is not finite is NaN.
    header : Header

    Raises
    ------
    BadImage
        CAL111 if the file is damaged or the HDU holds no image.
    """
    if path.name.lower().endswith(raw_camera.SUFFIXES):
        return raw_camera.read(path)
    if path.name.lower().endswith(tiff.SUFFIXES):
        return tiff.read(path)
    with _hdus(path, _source(path)) as hdus:
        if hdu >= len(hdus) or not _is_frame_hdu(hdus[hdu], colour):
            raise broken(f"HDU {hdu} of {path.name} holds no two-dimensional image", hdu=hdu)
        header = inherited(hdus, hdu)
        return pixels(hdus[hdu]), header


def pixels(hdu: Any) -> NDArray[np.float32]:
    """Give the pixels of an HDU, shape (ny, nx) or (3, ny, nx), float32, NaN where they are not finite."""
    data = np.array(hdu.data, dtype=np.float32)
    data[~np.isfinite(data)] = np.nan
    return data.reshape(*(side for side in data.shape[:-2] if side > 1), *data.shape[-2:])


@contextmanager
def opened(path: Path, *, whole: bool = False) -> Iterator[fits.HDUList]:
    """Open a FITS file, unpacked if it is gzip; raises BadImage (CAL111) for whatever is wrong with it.

    `whole` looks first whether the file is all there.
    """
    if whole:
        _check_there(path)
    source = _source(path)
    if whole:
        _check_whole(path, source)
    with _hdus(path, source) as hdus:
        yield hdus


def is_gzip(path: Path) -> bool:
    """Say whether a file is gzip, by its first bytes: some programs compress and keep the name."""
    with path.open("rb") as stream:
        return stream.read(2) == _GZIP


def broken(said: str, **facts: str | int) -> BadImage:
    """Make the error of a frame that cannot be used."""
    code = CODES["CAL111"]
    return BadImage(f"{code.code}: {said}", hint=code.hint, code=code.code, **facts)


@contextmanager
def _hdus(path: Path, source: Path | bytes, *, packed: bool = False) -> Iterator[fits.HDUList]:
    """Open a FITS file; whatever is wrong with it becomes CAL111. `packed` leaves tiles compressed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            with fits.open(
                BytesIO(source) if isinstance(source, bytes) else source,
                memmap=False,
                uint=False,
                disable_image_compression=packed,
            ) as hdus:
                yield hdus
    except _DAMAGE as error:
        raise broken(
            f"{path.name} is damaged: {str(error).strip().splitlines()[0] if str(error) else error!r}"
        ) from error


def _source(path: Path) -> Path | bytes:
    return _unzipped(path) if is_gzip(path) else path


def _unzipped(path: Path) -> bytes:
    """Decompress a gzip file; where it breaks off, say after how many bytes."""
    content = bytearray()
    packed = path.read_bytes()
    while packed:
        machine = zlib.decompressobj(wbits=31)  # gzip, with its check sum
        try:
            for start in range(0, len(packed), _CHUNK):
                content += machine.decompress(packed[start : start + _CHUNK])
                if machine.eof:
                    rest = machine.unused_data + packed[start + _CHUNK :]
                    break
            else:
                raise broken(
                    f"{path.name} breaks off: its gzip stream ends after {len(content)} bytes of pixels and header",
                    offset=len(content),
                )
        except zlib.error as error:
            raise broken(
                f"{path.name} is damaged after {len(content)} unpacked bytes: {error}", offset=len(content)
            ) from error
        packed = rest.lstrip(b"\0")  # padding of tapes
    return bytes(content)


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise broken(f"{path.name} is {'a folder' if path.is_dir() else 'a link to nothing, or not there'}")
    if path.stat().st_size == 0:
        raise broken(f"{path.name} is empty")


def _check_whole(path: Path, source: Path | bytes) -> None:
    """Compare the bytes that the headers ask for with those there are."""
    size = len(source) if isinstance(source, bytes) else path.stat().st_size
    with path.open("rb") if isinstance(source, Path) else BytesIO(source) as stream:
        begins = stream.read(24)
        if not begins.startswith(b"SIMPLE"):
            raise broken(f"{path.name} is not a FITS file: it begins with {begins!r}")
        stream.seek(0)
        if not _has_end(stream):
            raise broken(f"{path.name} breaks off at byte {size}: its header has no end", offset=size)
        with _hdus(path, source, packed=True) as hdus:
            ends = _ends(path, hdus)
        for number, needed in enumerate(ends):
            if needed > size:
                said = f"{path.name} breaks off at byte {size}: HDU {number} needs {needed} bytes"
                raise broken(said, offset=size, needed=needed)
        # astropy passes over an extension whose header breaks off
        stream.seek(-(-ends[-1] // _BLOCK) * _BLOCK)
        if stream.read(8) == b"XTENSION":
            raise broken(f"{path.name} breaks off at byte {size}, in the header of HDU {len(ends)}", offset=size)


def _has_end(stream: BinaryIO) -> bool:
    """Read a header up to its last card; tell whether there is one."""
    while len(record := stream.read(_BLOCK)) == _BLOCK:
        if any(record[place : place + 8] == b"END     " for place in range(0, _BLOCK, 80)):
            return True
    return False


def _ends(path: Path, hdus: fits.HDUList) -> list[int]:
    """Give the byte after the pixels of each HDU; sides below zero would have astropy read the same HDU for ever."""
    ends, last = [], -1
    for number, hdu in enumerate(hdus):
        if not hasattr(hdu, "fileinfo"):  # what astropy makes of a header whose first card is wrong
            raise broken(f"{path.name} is damaged: the header of HDU {number} cannot be read", hdu=number)
        start, n_bytes = hdu.fileinfo()["hdrLoc"], hdu.size
        if start <= last or n_bytes < 0:
            raise broken(f"{path.name} is damaged: HDU {number} has an impossible size", hdu=number)
        last = start
        ends.append(hdu.fileinfo()["datLoc"] + n_bytes)
    return ends


def _is_frame_hdu(hdu: Any, colour: bool) -> bool:
    if not hdu.is_image or hdu.name.upper() in _OTHER_PLANES:
        return False
    shape = hdu.shape
    return len(shape) >= 2 and min(shape) > 0 and prod(shape[:-2]) in ((1, 3) if colour else (1,))


def _told(axes: tuple[int, ...]) -> str:
    """Say what is wrong with the axes of an image, and how to turn them."""
    said = f"one of {' x '.join(map(str, axes[::-1]))} (NAXIS1 first)"
    return said + ("; write its colours as three planes, with NAXIS3 = 3" if axes[-1] in (3, 4) else "")


def _check_scale(path: Path, number: int, hdu: Any) -> None:
    """Refuse pixels whose cards make no numbers of them."""
    zero, scale = (hdu.header.get(key, default) for key, default in (("BZERO", 0), ("BSCALE", 1)))
    told = ("BITPIX", hdu.header.get("BITPIX")), ("BZERO", zero), ("BSCALE", scale)
    is_good = told[0][1] in _BITS, _is_number(zero), _is_number(scale) and scale != 0
    for (key, value), good in zip(told, is_good, strict=True):
        if not good:
            raise broken(f"{path.name}: {key} = {value!r} in HDU {number} makes no pixels", hdu=number)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and abs(value) < np.inf


def inherited(hdus: fits.HDUList, number: int) -> Header:
    """Give the header of an HDU, with what the primary one says of all, and without cards that cannot be read."""
    header = _readable(hdus[number].header)
    if number and (hdus[0].header.get("NAXIS", 0) == 0 or header.get("INHERIT", False) is True):
        known = set(header)
        for card in _readable(hdus[0].header).cards:
            if card.keyword not in known and card.keyword not in _STRUCTURE and not card.keyword.startswith("NAXIS"):
                header.append(card, end=True)
    return header


def _readable(header: Header) -> Header:
    readable = Header()
    for card in header.cards:
        try:
            card.verify("silentfix")
            card.value  # noqa: B018  (parses, and raises VerifyError where that cannot be)
            readable.append(card, end=True)
        except (fits.VerifyError, ValueError):
            continue  # one card that no program can read must not cost the frame
    return readable
