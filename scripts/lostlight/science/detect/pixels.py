"""Lists of pixels around many sources at once, so that sums over sources are one ``bincount``."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

_MOST_PIXELS = 2_000_000


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


def batches(half_px: np.ndarray) -> Iterator[np.ndarray]:
    """Split sources into runs whose windows together stay small in memory; yields index arrays."""
    total = np.cumsum((2 * np.asarray(half_px, dtype=float) + 2) ** 2)
    number = (total // _MOST_PIXELS).astype(int)
    for batch in np.unique(number):
        yield np.flatnonzero(number == batch)


def own_light(
    subtracted: np.ndarray,
    segmentation: np.ndarray,
    numbers: np.ndarray,
    pixels: Pixels,
    x_px: np.ndarray,
    y_px: np.ndarray,
) -> np.ndarray:
    """Read the pixels of windows, each pixel of a neighbour replaced by the one opposite.

    Where the opposite pixel is a neighbour's too, or outside the image, it is zero: the rule of MASK_TYPE CORRECT.

    Parameters
    ----------
    subtracted, segmentation : ndarray, shape (ny, nx)
        Image without background (adu), and row number + 1 of the source a pixel belongs to.
    numbers : ndarray, shape (n,), int
        Row numbers of the owners.
    pixels : Pixels
        From `window`.
    x_px, y_px : ndarray, shape (n,), pixels
        Centres, zero-based.

    Returns
    -------
    ndarray, shape (n_pixels,), float64, adu
    """
    value = subtracted[pixels.y, pixels.x].astype(float)
    label = segmentation[pixels.y, pixels.x]
    foreign = np.flatnonzero((label != 0) & (label != numbers[pixels.owner] + 1))
    owner = pixels.owner[foreign]
    ny, nx = subtracted.shape
    xo = np.rint(2 * x_px[owner] - pixels.x[foreign]).astype(int)
    yo = np.rint(2 * y_px[owner] - pixels.y[foreign]).astype(int)
    inside = (xo >= 0) & (xo < nx) & (yo >= 0) & (yo < ny)
    xo, yo = np.where(inside, xo, 0), np.where(inside, yo, 0)
    opposite = segmentation[yo, xo]
    good = inside & ((opposite == 0) | (opposite == numbers[owner] + 1))
    value[foreign] = np.where(good, subtracted[yo, xo], 0)
    return value


def _span(centre: np.ndarray, half: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    low = np.clip(np.floor(centre - half).astype(int), 0, size)
    high = np.clip(np.ceil(centre + half).astype(int) + 1, low, size)
    return low, high
