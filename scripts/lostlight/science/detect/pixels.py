"""Lists of pixels around many sources at once, so that sums over sources are one ``bincount``."""

from typing import NamedTuple

import numpy as np


class Pixels(NamedTuple):
    """Pixels of many windows, one after the other: the number of the owning source, and the position; int arrays."""

    owner: np.ndarray
    y: np.ndarray
    x: np.ndarray


def window(x_px: np.ndarray, y_px: np.ndarray, half_px: np.ndarray, shape: tuple[int, int]) -> Pixels:
    """List the pixels of square windows, cut at the edge of the image.

    Parameters
    ----------
    x_px, y_px, half_px : ndarray, shape (n,), pixels
        Centres, zero-based, and half widths.
    shape : (ny, nx)
    """
    x0, x1 = _span(x_px, half_px, shape[1])
    y0, y1 = _span(y_px, half_px, shape[0])
    width = x1 - x0
    counts = width * (y1 - y0)
    owner = np.repeat(np.arange(len(counts)), counts)
    local = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    row, column = np.divmod(local, width[owner])
    return Pixels(owner, row + y0[owner], column + x0[owner])


def _span(centre: np.ndarray, half: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    low = np.clip(np.floor(centre - half).astype(int), 0, size)
    high = np.clip(np.ceil(centre + half).astype(int) + 1, low, size)
    return low, high
