"""Pixels against the 24 neighbours of their own colour around them, without filtering the whole image.

A pixel is not its own neighbour: an outlier would drag the median of 25 up by 0.05 of the noise.
"""

import numpy as np
from numpy.typing import NDArray

REACH = 2
COUNT = (2 * REACH + 1) ** 2 - 1
"""Neighbours of a pixel: a square of 5x5 without its centre."""

Places = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of pixels, as `numpy.nonzero` gives them."""


def stand_out(image: NDArray[np.float32], excess: NDArray[np.float32] | float, *, cfa: bool = False) -> Places:
    """Find the pixels that exceed more than half of their 24 neighbours, hence their median, by more than `excess`.

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
    rows, cols = np.nonzero(below > COUNT // 2)
    return rows, cols


def beside(image: NDArray[np.float32], places: Places, *, cfa: bool = False) -> NDArray[np.float64]:
    """Give the median of the 24 neighbours of some pixels; NaN samples are left out.

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
    lower, upper = samples[np.maximum(count - 1, 0) // 2, here], samples[np.minimum(count // 2, COUNT - 1), here]
    return np.where(count > 0, 0.5 * (lower + upper), np.nan)


def _pad(image: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    # mirrored about the edge pixels, so that the colour of a pixel stays what it was
    return np.pad(image, REACH * step, mode="reflect")


def _offsets(step: int) -> list[tuple[int, int]]:
    side = range(0, (2 * REACH + 1) * step, step)
    return [(i, j) for i in side for j in side if (i, j) != (REACH * step, REACH * step)]
