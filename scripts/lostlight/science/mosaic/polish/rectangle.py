"""Boxes in a mask: the smallest around all of it, the largest full of it."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lostlight.science.mosaic.window import Window


def bounding_box(mask: NDArray[np.bool_]) -> Window:
    """Give the smallest window that holds all set pixels; empty if there is none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return Window(0, 0, 0, 0)
    y0, x0 = int(rows[0]), int(columns[0])
    return Window(y0, x0, int(rows[-1]) - y0 + 1, int(columns[-1]) - x0 + 1)


def largest_full(mask: NDArray[np.bool_]) -> Window:
    """Give the largest window of nothing but set pixels; of equal ones that which ends first. Empty if there is none.

    Notes
    -----
    Each row as a histogram of the set pixels above it, its largest rectangle with a stack: every pixel is seen twice.
    """
    return Window(*(int(value) for value in _largest(np.ascontiguousarray(mask))))


@njit(cache=True, nogil=True)
def _largest(mask):  # type: ignore[no-untyped-def]
    ny, nx = mask.shape
    height, lefts, tops = np.zeros(nx + 1, np.int64), np.empty(nx + 1, np.int64), np.empty(nx + 1, np.int64)
    best, y0, x0, h, w = 0, 0, 0, 0, 0
    for row in range(ny):
        depth = 0
        for column in range(nx + 1):
            height[column] = height[column] + 1 if column < nx and mask[row, column] else 0
            left = column
            while depth and tops[depth - 1] >= height[column]:
                depth -= 1
                left = lefts[depth]
                area = tops[depth] * (column - left)
                if area > best:
                    best, y0, x0, h, w = area, row + 1 - tops[depth], left, tops[depth], column - left
            lefts[depth], tops[depth] = left, height[column]
            depth += 1
    return y0, x0, h, w
