"""How the pixels of an uncompressed FITS image lie in its file, and how they become numbers."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import BadImage

RECORD, CARD = 2880, 80
LONGEST_HEADER = 1000 * RECORD
SIGN = 1 << 15
"""Where BZERO is this, 16-bit pixels are unsigned: their first bit is stored the other way round."""


@dataclass(frozen=True)
class Stored:
    """Where the pixels of an image lie, and how they are stored: planes one after the other, each row by row."""

    path: Path
    shape: tuple[int, int]
    start: int
    kind: np.dtype
    zero: float = 0.0
    scale: float = 1.0
    blank: int | None = None
    n_planes: int = 1

    @property
    def end(self) -> int:
        """The byte after the last pixel."""
        return self.start + self.n_planes * self.shape[0] * self.shape[1] * self.kind.itemsize

    @property
    def is_certain(self) -> bool:
        """Whether every pixel is a number for certain, as integers without BLANK are."""
        return self.kind.kind != "f" and self.blank is None and self.scale == 1 and abs(self.zero) <= 1 << 31

    def read(self, descriptor: int, y0: int, y1: int, out: NDArray[np.float32], plane: int = 0) -> None:
        """Read rows y0 up to, not including, y1 of a plane into `out`, shape (y1 - y0, nx); safe from several threads.

        Raises
        ------
        BadImage
            If the file ends before.
        """
        stored = np.empty((y1 - y0, self.shape[1]), self.kind)
        width = self.shape[1] * self.kind.itemsize
        place = self.start + (plane * self.shape[0] + y0) * width
        got = os.preadv(descriptor, [stored.view(np.uint8)], place)
        if got != stored.nbytes:
            raise truncated(self.path, place + got)
        _decode(stored, self, out)


def primary(path: Path, descriptor: int, n_planes: tuple[int, ...] = (1,)) -> Stored | None:
    """Describe a plain primary image, of as many planes as are allowed; None of anything that astropy must unpack.

    Raises
    ------
    BadImage
        If the file is shorter than its header says.
    """
    cards, start = _header(descriptor)
    if cards.get("SIMPLE") != "T":
        return None
    image = described(path, cards, start)
    if image is None or image.n_planes not in n_planes:
        return None
    if (size := os.fstat(descriptor).st_size) < image.end:
        raise truncated(path, size)
    return image


def described(path: Path, cards: Mapping[str, object], start: int) -> Stored | None:
    """Describe the image of two or three axes whose pixels begin at a byte; None if its cards do not."""
    try:
        axes = [int(str(cards[f"NAXIS{axis}"])) for axis in range(1, int(str(cards["NAXIS"])) + 1)]
        bits = int(str(cards["BITPIX"]))
        zero, scale = (
            float(str(cards.get(key, default)).replace("D", "E")) for key, default in (("BZERO", 0), ("BSCALE", 1))
        )
        blank = int(str(cards["BLANK"])) if "BLANK" in cards and bits > 0 else None
    except (KeyError, ValueError):
        return None
    if bits not in (8, 16, 32, -32, -64) or len(axes) not in (2, 3) or min(axes) < 1:
        return None
    kind = np.dtype(f">{'f' if bits < 0 else 'u' if bits == 8 else 'i'}{abs(bits) // 8}")
    return Stored(path, (axes[1], axes[0]), start, kind, zero, scale, blank, axes[2] if len(axes) > 2 else 1)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Open a file to read parts of it; gives its descriptor.

    Raises
    ------
    BadImage
        If it is not there or may not be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise BadImage(f"{path.name}: {error.strerror}", "check the path and the permissions") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def truncated(path: Path, size: int) -> BadImage:
    """Make the error of a file that ends too early."""
    return BadImage(f"{path.name} ends after {size} bytes, in the middle of its pixels", "copy the file again")


def _header(descriptor: int) -> tuple[dict[str, str], int]:
    """Give the values of the primary header as they are written, and where the data start; none if it has no end."""
    cards: dict[str, str] = {}
    for start in range(0, LONGEST_HEADER, RECORD):
        record = os.pread(descriptor, RECORD, start)
        if len(record) < RECORD:
            break
        for place in range(0, RECORD, CARD):
            card = record[place : place + CARD].decode("latin-1")
            if card[:8] == "END     ":
                return cards, start + RECORD
            if card[8:10] == "= ":
                cards.setdefault(card[:8].rstrip(), card[10:].split("/")[0].strip())
    return {}, 0


def _decode(stored: NDArray, image: Stored, out: NDArray[np.float32]) -> None:
    """Turn stored pixels into float32, by way of native numbers of their kind, which is faster than at once."""
    plain = image.scale == 1 and image.blank is None
    if plain and image.kind.str == ">i2" and image.zero == SIGN:
        native = stored.view(">u2").astype(np.uint16)
        native ^= SIGN
        out[:] = native
    elif plain and image.zero == 0:
        with np.errstate(over="ignore"):
            out[:] = stored.astype(image.kind.newbyteorder("="), copy=False)
    else:
        out[:] = stored.astype(np.float64) * image.scale + image.zero
        if image.blank is not None:
            out[stored == image.blank] = np.nan
    if image.kind.kind == "f":
        out[np.isinf(out)] = np.nan
