"""FITS images and masks, in and out: gzip or not, old DSS headers or new, the same bytes for the same content."""

import gzip
import io
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.utils.exceptions import AstropyWarning

from lostlight.core import atomic
from lostlight.core.errors import BadImage
from lostlight.vocab import bits

_GZIP = b"\x1f\x8b"
_BLOCK = 2880


def read_bytes(path: Path) -> bytes:
    """Read a file, decompressed if it is gzip; raises BadImage if it is missing, empty or a broken archive."""
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise BadImage(f"{path.name} cannot be read: {error}", hint="check the file", file=path.name) from error
    if not content:
        raise BadImage(f"{path.name} is empty", hint="fetch or copy it again", file=path.name)
    return content


def parse_image(content: bytes, name: str) -> tuple[np.ndarray, Header]:
    """Read the first two-dimensional image of a FITS file held in memory.

    Returns
    -------
    data : ndarray, shape (ny, nx), float32, in the units of the file (adu)
    header : Header

    Raises
    ------
    BadImage
        If it is not FITS, truncated, or holds no two-dimensional image.
    """
    with _image_hdu(content, name) as hdu:
        return _native(hdu.data), _whole_header(hdu.header)


def read_image(path: Path) -> tuple[np.ndarray, Header]:
    """Read the first two-dimensional image of a FITS file as float32, shape (ny, nx); see `parse_image`."""
    return parse_image(read_bytes(path), path.name)


def parse_header(content: bytes, name: str) -> Header:
    """Read the header of the first two-dimensional image of a FITS file held in memory; see `parse_image`."""
    with _image_hdu(content, name) as hdu:
        return _whole_header(hdu.header)


def read_header(path: Path) -> Header:
    """Read the header of the first two-dimensional image of a FITS file, and not its pixels; see `parse_image`."""
    return parse_header(read_bytes(path), path.name)


def count_images(content: bytes) -> int:
    """Count the two-dimensional images of a FITS file held in memory."""
    with fits.open(io.BytesIO(content), memmap=False) as hdus:
        return sum(hdu.is_image and hdu.header.get("NAXIS") == 2 for hdu in hdus)


@contextmanager
def _image_hdu(content: bytes, name: str) -> Iterator[fits.PrimaryHDU | fits.ImageHDU]:
    """Open the first two-dimensional image; whatever astropy finds wrong with it becomes BadImage."""
    if not content.startswith(b"SIMPLE"):
        raise BadImage(f"{name} is not a FITS file: it begins with {content[:24]!r}", hint="check the file", file=name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", AstropyWarning)
            warnings.filterwarnings("ignore", message=".*non-standard.*|.*Invalid 'BLANK'.*")
            warnings.simplefilter("ignore", fits.verify.VerifyWarning)
            with fits.open(io.BytesIO(content), memmap=False) as hdus:
                for hdu in hdus:
                    if hdu.is_image and hdu.header.get("NAXIS") == 2:
                        yield hdu
                        return
    except (OSError, ValueError, TypeError, IndexError, KeyError, AstropyWarning, fits.VerifyError) as error:
        raise BadImage(
            f"{name} is damaged: {_first_line(error)}",
            hint="fetch or copy it again",
            file=name,
            bytes=len(content),
        ) from error
    raise BadImage(f"{name} holds no two-dimensional image", hint="give a FITS file with one image", file=name)


def _whole_header(header: Header) -> Header:
    """Copy a header whose every card can be read; astropy would complain only when a card is asked for."""
    whole = header.copy()
    for card in whole.cards:
        card.verify("silentfix")
        card.value  # noqa: B018  (parses, and raises VerifyError where that cannot be)
    return whole


def write_image(path: Path, data: np.ndarray, header: Header | None = None) -> None:
    """Write a two-dimensional image with CHECKSUM and DATASUM, whole or not at all.

    Parameters
    ----------
    data : ndarray, shape (ny, nx)
        Any numeric dtype; kept.
    header : Header, optional
        Cards to keep; structural and scaling cards and DATE are dropped.
    """
    hdu = fits.PrimaryHDU(data=data, header=_clean_header(header))
    write_hdus(path, fits.HDUList([hdu]))


def write_hdus(path: Path, hdus: fits.HDUList) -> None:
    """Write an HDU list with checksums that do not depend on the clock, whole or not at all."""
    for hdu in hdus:
        hdu.header.remove("DATE", ignore_missing=True, remove_all=True)
        # `when` becomes the comment of the cards; left alone it would be the time of day.
        hdu.add_checksum(when="checksum")
    content = io.BytesIO()
    hdus.writeto(content, output_verify="silentfix")
    # Through memory, because astropy writing to a full disk does not say that it is full.
    atomic.write_bytes(path, content.getvalue())


def read_mask(path: Path) -> np.ndarray:
    """Read a bit mask: shape (ny, nx), int32."""
    with fits.open(path, memmap=False) as hdus:
        return np.ascontiguousarray(hdus[0].data, dtype=np.int32)


def write_mask(path: Path, mask: np.ndarray, header: Header | None = None) -> None:
    """Write a bit mask as int16 with the meaning of each bit in the header (cards MBIT_0, MBIT_1, ...)."""
    described = fits.Header() if header is None else header.copy()
    for number, bit in enumerate(bits.MASK):
        described[f"MBIT_{number}"] = (bit.name, f"bit value {bit.value}")
    described.remove("BUNIT", ignore_missing=True)
    write_image(path, mask.astype(np.int16), described)


def cards(header: Header, names: Mapping[str, object]) -> Header:
    """Give a copy of a header with some cards set."""
    changed = header.copy()
    for name, value in names.items():
        changed[name] = value
    return changed


def _clean_header(header: Header | None) -> Header | None:
    if header is None:
        return None
    kept = header.copy(strip=True)
    for name in ("BZERO", "BSCALE", "BLANK", "DATE", "CHECKSUM", "DATASUM", "EXTEND"):
        kept.remove(name, ignore_missing=True, remove_all=True)
    return kept


def _native(data: np.ndarray | None) -> np.ndarray:
    if data is None or data.size == 0:
        raise ValueError("the image has no pixels")
    return np.ascontiguousarray(data, dtype=np.float32)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
