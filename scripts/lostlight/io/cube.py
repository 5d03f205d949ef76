"""Many frames as one FITS cube, written frame by frame so that memory does not grow with their number."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from lostlight.core import atomic

_BLOCK = 2880

ReadRows = Callable[[int, int, int, NDArray[np.float32]], object]


def write(path: Path, n_frames: int, shape: tuple[int, int], read_rows: ReadRows) -> None:
    """Write frames as a cube (n_frames, ny, nx), float32, whole or not at all.

    Parameters
    ----------
    read_rows : callable
        ``read_rows(frame, y0, y1, out)`` fills `out`, shape (y1 - y0, nx), float32.
    """
    header = fits.Header({"SIMPLE": True, "BITPIX": -32, "NAXIS": 3})
    for axis, length in enumerate((shape[1], shape[0], n_frames), 1):
        header[f"NAXIS{axis}"] = length
    frame = np.empty(shape, np.float32)
    with atomic.replacing(path) as staging, staging.open("wb") as sink:
        sink.write(header.tostring().encode("ascii"))
        for number in range(n_frames):
            read_rows(number, 0, shape[0], frame)
            sink.write(frame.astype(">f4").tobytes())
        sink.write(b"\0" * (-4 * frame.size * n_frames % _BLOCK))
