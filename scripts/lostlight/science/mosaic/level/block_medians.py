"""Medians of a window of the canvas in square blocks of its pixels."""

import warnings

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.level.stats import Cells
from lostlight.science.mosaic.window import Window

MEDIAN_VARIANCE = 1.57
"""Variance of a median of n samples: this over n, times theirs."""
FEWEST = 0.75
"""A block counts that is covered by this fraction."""


def block_medians(
    data: NDArray[np.float32],
    mask: NDArray[np.bool_],
    window: Window,
    side_px: int,
    sigma: NDArray[np.float64],
    fewest: float = FEWEST,
) -> Cells:
    """Take the median of every block of the canvas that a window covers well enough.

    Parameters
    ----------
    data : ndarray, shape (C, h, w), float32, adu
        Pixels of the window.
    mask : ndarray, shape (h, w), bool
        Pixels that count.
    window : Window
        Where they lie; the blocks are those of the canvas, so that windows share them.
    side_px : int
        Side of a block.
    sigma : ndarray, shape (C,), adu
        Noise of a pixel.
    fewest : float
        Fraction of a block that must be covered.

    Returns
    -------
    Cells
    """
    valid = mask & np.isfinite(data).all(0)
    index, count, u, v = _places(valid, window, side_px)
    kept = count >= max(fewest * side_px**2, 1)
    if not kept.any():
        return Cells.none(len(data))
    planes = [_medians(np.where(valid, plane, np.nan), window, side_px)[kept] for plane in data]
    value = np.stack(planes, axis=1).astype(np.float32)
    variance = (MEDIAN_VARIANCE * np.asarray(sigma, np.float64) ** 2 / count[kept, None]).astype(np.float32)
    return Cells(index[kept], u[kept], v[kept], value, variance, count[kept])


_ACROSS = 1 << 24
"""Blocks in a row of a canvas larger than any: numbers do not depend on how wide it is."""


def _places(valid: NDArray[np.bool_], window: Window, side: int):
    """Number, pixels, and mean position of each block."""
    rows, columns = np.nonzero(valid)
    y, x = rows + window.y0, columns + window.x0
    ny, nx = _blocks(window, side)
    at = (y // side - window.y0 // side) * nx + (x // side - window.x0 // side)
    count = np.bincount(at, minlength=ny * nx)
    some = np.maximum(count, 1)
    u, v = (np.bincount(at, p, ny * nx) / some for p in (x, y))
    row, column = np.divmod(np.arange(ny * nx), nx)
    index = (row + window.y0 // side) * np.int64(_ACROSS) + column + window.x0 // side
    return index.astype(np.int64), count, u, v


def _blocks(window: Window, side: int) -> tuple[int, int]:
    down = (window.y0 + window.height - 1) // side - window.y0 // side + 1
    across = (window.x0 + window.width - 1) // side - window.x0 // side + 1
    return down, across


def _medians(plane: NDArray[np.floating], window: Window, side: int) -> NDArray[np.float64]:
    ny, nx = _blocks(window, side)
    padded = np.full((ny * side, nx * side), np.nan, np.float32)
    y, x = window.y0 % side, window.x0 % side
    padded[y : y + window.height, x : x + window.width] = plane
    blocks = padded.reshape(ny, side, nx, side).swapaxes(1, 2).reshape(ny * nx, side * side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # blocks without any pixel
        return np.nanmedian(blocks, axis=1)
