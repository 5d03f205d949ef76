"""Pixels against the 5x5 neighbours of their own colour, at few pixels or for all, without filtering the image."""

import numpy as np
from numpy.typing import NDArray

REACH = 2
SIDE = 2 * REACH + 1

Places = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of pixels, as `numpy.nonzero` gives them."""


def stand_out(image: NDArray[np.float32], excess: NDArray[np.float32] | float, *, cfa: bool = False) -> Places:
    """Find the pixels that exceed the median of their 5x5 neighbourhood by more than `excess`.

    A median lies below a value if and only if more than half of the samples do, so that counting is enough.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        Pixels in any unit; NaN is no data and never stands out.
    excess : ndarray of the same shape, or float
        Excess asked for, in the unit of `image`.
    cfa : bool
        Neighbours are every second pixel: those of the same colour of a 2x2 colour-filter array.

    Returns
    -------
    tuple of ndarray
        Rows and columns.
    """
    step = 2 if cfa else 1
    padded = _pad(image, step)
    limit = image - np.asarray(excess, dtype=image.dtype)
    below = np.zeros(image.shape, dtype=np.uint8)
    for dy, dx in _offsets(step):
        below += padded[dy : dy + image.shape[0], dx : dx + image.shape[1]] < limit
    rows, cols = np.nonzero(below > SIDE * SIDE // 2)
    return rows, cols


def beside(image: NDArray[np.float32], places: Places, *, cfa: bool = False) -> NDArray[np.float64]:
    """Give the median of the 5x5 neighbourhood of some pixels; NaN samples are left out.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        Pixels in any unit.
    places : tuple of ndarray, each of shape (n,)
        Rows and columns of the pixels asked for.
    cfa : bool
        Neighbours are every second pixel.

    Returns
    -------
    ndarray, shape (n,), float64
        Medians, in the unit of `image`; NaN where there is no sample.
    """
    step = 2 if cfa else 1
    padded = _pad(image, step)
    rows, cols = places
    samples = np.stack([padded[rows + dy, cols + dx] for dy, dx in _offsets(step)]).astype(np.float64)
    samples.sort(axis=0)
    count = np.isfinite(samples).sum(axis=0)
    here = np.arange(samples.shape[1])
    middle = 0.5 * (
        samples[np.maximum(count - 1, 0) // 2, here] + samples[np.minimum(count // 2, SIDE * SIDE - 1), here]
    )
    return np.where(count > 0, middle, np.nan)


def _pad(image: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    # mirrored about the edge pixels, so that the colour of a pixel stays what it was
    return np.pad(image, REACH * step, mode="reflect")


def _offsets(step: int) -> list[tuple[int, int]]:
    return [(i * step, j * step) for i in range(SIDE) for j in range(SIDE)]
