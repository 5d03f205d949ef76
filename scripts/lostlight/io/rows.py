"""Rows of many FITS images at once: each byte is read once, and memory holds only the rows asked for."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import BadImage
from lostlight.io import stored
from lostlight.io.stored import Stored


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
        self._sources: list[tuple[int, Stored] | NDArray[np.float32]] = []
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
        image.read(descriptor, y0, y1, out)
        return image.is_certain

    def _open(self, path: Path, hdu: int | None) -> tuple[int, Stored] | NDArray[np.float32]:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise BadImage(f"{path.name}: {error.strerror}", "check the path and the permissions") from error
        self._files.callback(os.close, descriptor)
        image = stored.primary(path, descriptor) if hdu in (0, None) else None
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
