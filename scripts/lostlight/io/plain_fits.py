"""Uncompressed images to FITS with checksums, in one pass over the pixels and without a copy of the file in memory."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from numpy.typing import NDArray

from lostlight.core import atomic
from lostlight.io.scratch import release

RECORD = 2880
_CHUNK_PX = RECORD << 7
"""A whole number of words, and small enough for the cache."""
_UNSET = "0" * 16
_PUNCTUATION = frozenset([*range(0x3A, 0x41), *range(0x5B, 0x61)])


def write(path: Path, hdus: Iterable[fits.PrimaryHDU | fits.ImageHDU], tables: Sequence[bytes] = ()) -> None:
    """Write images with CHECKSUM and DATASUM that do not depend on the clock, whole or not at all.

    Parameters
    ----------
    hdus : iterable of HDU
        The first a primary one; their cards DATE are dropped. They may be made one by one.
    tables : sequence of bytes
        Tables that follow, as `bintable.table` makes them.

    Raises
    ------
    OSError
        If the disk is full: each write tells, which those of astropy do not.
    """
    rest = iter(hdus)
    primary, second = next(rest), next(rest, None)
    if second is not None or tables:
        primary.header.set("EXTEND", True, after=f"NAXIS{primary.header['NAXIS'] or ''}")
    with atomic.replacing(path) as staging, staging.open("wb") as stream:
        for hdu in chain([primary], [] if second is None else [second], rest):
            _write(stream, hdu)
        for table in tables:
            stream.write(table)


def _write(stream: BinaryIO, hdu: fits.PrimaryHDU | fits.ImageHDU) -> None:
    header = hdu.header
    header.remove("DATE", ignore_missing=True, remove_all=True)
    # Their comments would be the time of day if astropy set them.
    header["CHECKSUM"] = (_UNSET, "checksum")
    header["DATASUM"] = (_UNSET[:10], "checksum")
    start = stream.tell()
    stream.write(_text(header))
    total = 0
    for part in _stored(hdu.data):
        total += _sum(part)
        stream.write(part)
    stream.write(bytes(-(stream.tell() - start) % RECORD))
    header["DATASUM"] = (str(_folded(total)), "checksum")
    header["CHECKSUM"] = (_encoded(~_folded(total + _sum(_text(header))) & 0xFFFFFFFF), "checksum")
    stream.seek(start)
    stream.write(_text(header))
    stream.seek(0, 2)


def _text(header: Header) -> bytes:
    return header.tostring().encode("ascii")


def _stored(data: NDArray | None) -> Iterator[bytes]:
    """Give pixels as FITS stores them: the first byte first, unsigned integers with their first bit turned over."""
    flat = np.empty(0, np.uint8) if data is None else np.ascontiguousarray(data).ravel()
    sign = flat.dtype.type(1 << (8 * flat.itemsize - 1)) if flat.dtype.kind == "u" and flat.itemsize > 1 else None
    for start in range(0, flat.size, _CHUNK_PX):
        part = flat[start : start + _CHUNK_PX]
        yield (part if sign is None else part ^ sign).astype(flat.dtype.newbyteorder(">")).tobytes()
        release(flat)


def _sum(content: bytes) -> int:
    """Add up words of four bytes; what is missing of the last is zero."""
    whole = len(content) // 4 * 4
    rest = int.from_bytes(content[whole:].ljust(4, b"\0"), "big")
    return int(np.frombuffer(content, ">u4", whole // 4).sum(dtype=np.uint64)) + rest


def _folded(total: int) -> int:
    """Carry what exceeds 32 bits around to the lowest: addition in ones' complement."""
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def _encoded(value: int) -> str:
    """Write 32 bits as 16 letters and digits whose sum they are (FITS Standard 4.0, appendix J)."""
    quarters = []
    for byte in value.to_bytes(4, "big"):
        four = [byte // 4 + 0x30 + (byte % 4 if place == 0 else 0) for place in range(4)]
        while any(code in _PUNCTUATION for code in four):
            for first in (0, 2):
                if {four[first], four[first + 1]} & _PUNCTUATION:
                    four[first] += 1
                    four[first + 1] -= 1
        quarters.append(four)
    text = "".join(chr(quarters[byte][place]) for place in range(4) for byte in range(4))
    return text[-1] + text[:-1]
