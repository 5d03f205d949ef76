"""Bad pixels filled from their surroundings, so that a kernel that reaches them finds nothing sharp there.

No filled value is ever taken for data: what lies on bad pixels stays invalid. Every value depends on pixels within 17
of it alone, so that a part of a frame is filled as the whole would be.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = tuple[NDArray[np.int64], ...]
MEDIAN, STRIDES = 2, (1, 2, 4, 8)
"""Half a side of the square whose median is taken, and the steps in which the nearest value is then looked for."""
REACH = MEDIAN + sum(STRIDES)
"""Pixels on each side that a filled value depends on."""


def fill(image: Floats, bad: NDArray[np.bool_]) -> None:
    """Fill bad pixels in place: by the median of the 5 x 5 around them, farther ones by the nearest in row or column.

    Parameters
    ----------
    image : ndarray, shape (C, h, w), float32
    bad : ndarray, shape (h, w), bool
        Pixels that are not to be trusted in any colour. What is more than 15 pixels from all good ones becomes 0.
    """
    at = np.nonzero(bad)
    if not len(at[0]):
        return
    for plane in image:
        plane[bad] = np.nan
        plane[at] = _medians(plane, at)
        _spread(plane)


def _medians(plane: Floats, at: Places) -> Floats:
    """Take the median of the finite pixels of the square around each place; NaN where there are none."""
    padded = np.pad(plane, MEDIAN, constant_values=np.nan)
    side = range(2 * MEDIAN + 1)
    around = np.stack([padded[at[0] + j, at[1] + i] for j in side for i in side], axis=1)
    around.sort(axis=1)
    n = np.isfinite(around).sum(axis=1)
    lines = np.arange(len(n))
    half = np.float32(0.5)
    middle = half * around[lines, np.maximum(n - 1, 0) // 2] + half * around[lines, n // 2]
    return np.where(n > 0, middle, np.float32(np.nan))


def _spread(plane: Floats) -> None:
    left = np.nonzero(np.isnan(plane))
    for axis in (1, 0):
        for stride in STRIDES:
            for sign in (-stride, stride):
                left = _take(plane, left, axis, sign)
    plane[left] = 0


def _take(plane: Floats, left: Places, axis: int, shift: int) -> Places:
    """Give each place the value beside it, and give back the places that are still without one."""
    source = list(left)
    source[axis] = np.clip(left[axis] + shift, 0, plane.shape[axis] - 1)
    values = plane[tuple(source)]
    plane[left] = values
    still = np.isnan(values)
    return left[0][still], left[1][still]
