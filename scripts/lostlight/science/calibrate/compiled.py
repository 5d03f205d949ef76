"""The loop that costs the time of local medians, compiled; only who asks for it waits for the compiler to load."""

import numpy as np
from numba import njit

from lostlight.science.calibrate.local_median import SIDE

BLOCK = 128
"""Columns whose 25 neighbours fit the nearest cache."""


@njit(cache=True, nogil=True)
def fill_medians(padded: np.ndarray, step: int, network: np.ndarray, medians: np.ndarray) -> None:
    """Fill `medians`, as the twin in `lostlight.science.calibrate.local_median` does, with the same bits."""
    ny, nx = medians.shape
    planes = np.empty((SIDE * SIDE, BLOCK), dtype=np.float32)
    for y in range(ny):
        for x0 in range(0, nx, BLOCK):
            width = min(BLOCK, nx - x0)
            for place in range(SIDE * SIDE):
                row = y + place // SIDE * step
                start = x0 + place % SIDE * step
                planes[place, :width] = padded[row, start : start + width]
            for pair in range(network.shape[0]):
                low, high = planes[network[pair, 0]], planes[network[pair, 1]]
                for x in range(width):
                    a, b = low[x], high[x]
                    low[x] = a if a < b else b
                    high[x] = b if a < b else a
            medians[y, x0 : x0 + width] = planes[SIDE * SIDE // 2, :width]
