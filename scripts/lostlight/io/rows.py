"""Rows of many FITS images at once: each byte is read once, and memory holds only the rows asked for."""

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import BadImage

RECORD, CARD = 2880, 80
LONGEST_HEADER = 1000 * RECORD
SIGN = 1 << 15
"""Where BZERO is this, 16-bit pixels are unsigned: their first bit is stored the other way round."""


@dataclass(frozen=True)
class _Image:
    """Where the pixels of a plain image lie, and how they are stored."""

    shape: tuple[int, int]
    start: int
    kind: np.dtype
    zero: float
    scale: float
    blank: int | None


class RowReader:
    """Read rows of FITS images, as float32 with NaN for what is blank.

    Plain images are read straight from where their rows lie; compressed ones, and those in extensions, are unpacked
    by astropy when they are opened. Reading is safe from several threads.

    Parameters
    ----------
    paths : sequence of path
    hdus : sequence of int, or None
        Number of the HDU of each; None means the first with an image.

    Raises
    ------
    BadImage
        A file that is not FITS, holds no two-dimensional image, is truncated, or has another shape than the first.
    """

    def __init__(self, paths: Sequence[Path | str], hdus: Sequence[int] | None = None) -> None:
        if not paths:
            raise BadImage("no files to read", "give at least one")
        self.paths = [Path(path) for path in paths]
        self._files = contextlib.ExitStack()
        self._sources: list[tuple[int, _Image] | NDArray[np.float32]] = []
        try:
            for path, hdu in zip(self.paths, hdus or [None] * len(paths), strict=True):
                self._sources.append(self._open(path, hdu))
            self.shape = self._shape_of(0)
            self._check_shapes()
        except BaseException:
            self._files.close()
            raise

    def __enter__(self) -> "RowReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def __call__(self, frame: int, y0: int, y1: int, out: NDArray[np.float32]) -> bool:
        """Read rows y0 up to, not including, y1 of a frame into `out`, shape (y1 - y0, nx), float32.

        Gives whether every pixel is a number for certain, as integers without BLANK are: nobody need look then.
        """
        source = self._sources[frame]
        if isinstance(source, np.ndarray):
            out[:] = source[y0:y1]
            return False
        descriptor, image = source
        width = image.shape[1] * image.kind.itemsize
        stored = np.empty((y1 - y0, image.shape[1]), image.kind)
        got = os.preadv(descriptor, [memoryview(stored).cast("B")], image.start + y0 * width)
        if got != stored.nbytes:
            raise _truncated(self.paths[frame], image.start + y0 * width + got)
        _decode(stored, image, out)
        return image.kind.kind != "f" and image.blank is None and image.scale == 1 and abs(image.zero) <= 1 << 31

    def _open(self, path: Path, hdu: int | None) -> "tuple[int, _Image] | NDArray[np.float32]":
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise BadImage(f"{path.name}: {error.strerror}", "check the path and the permissions") from error
        self._files.callback(os.close, descriptor)
        image = _plain(path, descriptor) if hdu in (0, None) else None
        return _unpacked(path, hdu) if image is None else (descriptor, image)

    def _shape_of(self, frame: int) -> tuple[int, int]:
        source = self._sources[frame]
        return source.shape if isinstance(source, np.ndarray) else source[1].shape

    def _check_shapes(self) -> None:
        for frame, path in enumerate(self.paths):
            if self._shape_of(frame) != self.shape:
                raise BadImage(
                    f"{path.name} has {_size(self._shape_of(frame))} pixels, "
                    f"but {self.paths[0].name} has {_size(self.shape)}",
                    "combine frames of one shape and binning",
                )


def _size(shape: tuple[int, int]) -> str:
    return f"{shape[1]} x {shape[0]}"


def _plain(path: Path, descriptor: int) -> _Image | None:
    """Describe a plain two-dimensional primary image; None of anything that astropy must unpack."""
    cards, start = _header(descriptor)
    if cards.get("SIMPLE") != "T" or cards.get("NAXIS") != "2":
        return None
    try:
        shape = int(cards["NAXIS2"]), int(cards["NAXIS1"])
        bits = int(cards["BITPIX"])
        zero, scale = (
            float(cards.get(key, default).replace("D", "E")) for key, default in (("BZERO", "0"), ("BSCALE", "1"))
        )
        blank = int(cards["BLANK"]) if "BLANK" in cards and bits > 0 else None
    except (KeyError, ValueError):
        return None
    if bits not in (8, 16, 32, -32, -64) or min(shape) < 1:
        return None
    kind = np.dtype(f">{'f' if bits < 0 else 'u' if bits == 8 else 'i'}{abs(bits) // 8}")
    size = os.fstat(descriptor).st_size
    if size < start + shape[0] * shape[1] * kind.itemsize:
        raise _truncated(path, size)
    return _Image(shape, start, kind, zero, scale, blank)


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


def _decode(stored: NDArray, image: _Image, out: NDArray[np.float32]) -> None:
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


def _unpacked(path: Path, hdu: int | None) -> NDArray[np.float32]:
    """Read an image with astropy, which plain images need not wait for."""
    from astropy.io import fits

    try:
        with fits.open(path, memmap=False) as file:
            if hdu is None:
                hdu = next((i for i, each in enumerate(file) if each.is_image and each.header.get("NAXIS")), 0)
            data = file[hdu].data
    except (OSError, ValueError, IndexError, TypeError, KeyError, EOFError, fits.VerifyError) as error:
        raise BadImage(f"{path.name} cannot be read: {error}", "copy the file again, or leave it out") from error
    # programs write a third axis of length one
    if data is None or data.ndim < 2 or data.size != data.shape[-1] * data.shape[-2]:
        raise BadImage(f"{path.name} holds no two-dimensional image", "name the HDU that holds the pixels")
    pixels = np.array(data, np.float32).reshape(data.shape[-2:])
    pixels[~np.isfinite(pixels)] = np.nan
    return pixels


def _truncated(path: Path, size: int) -> BadImage:
    return BadImage(f"{path.name} ends after {size} bytes, in the middle of its pixels", "copy the file again")
