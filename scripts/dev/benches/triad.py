"""Memory bandwidth of this run: rates of loops that wait for memory are read beside it."""

import time
from collections.abc import Iterator
from functools import cache

import numpy as np
from numba import njit

from benches.measure import Row

CACHE, MEMORY = 20_000, 5_000_000
"""Values of each array: 0.5 MB in all, half of a second cache; and 120 MB, more than any cache."""
_told = []


def bandwidth() -> Iterator[Row]:
    """Give the bandwidth of one core in its second cache and in memory, once in a run."""
    if not _told:
        _told.append(True)
        yield Row("triad a = b + c s, second cache, one core", triad_gb_s(CACHE), unit="GB/s")
        yield Row("  memory", triad_gb_s(MEMORY), unit="GB/s")


@cache
def triad_gb_s(values: int) -> float:
    """Give the bandwidth of a = b + c s on one core for arrays of so many float64, 24 bytes a value; best of several.

    Once in a run, so that whatever is set beside it is set beside the same number.
    """
    a, b, c = (np.full(values, float(k)) for k in range(3))
    repeats = max(1, 20_000_000 // values)
    _triad(a, b, c, 1)
    spent = []
    for _ in range(5):
        start = time.process_time()
        _triad(a, b, c, repeats)
        spent.append(time.process_time() - start)
    return 24e-9 * values * repeats / min(spent)


@njit(cache=True)
def _triad(a: np.ndarray, b: np.ndarray, c: np.ndarray, repeats: int) -> None:
    for k in range(repeats):
        for i in range(a.size):
            a[i] = b[i] + (3.0 + k) * c[i]
