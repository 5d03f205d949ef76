"""Memory bandwidth of this run: rates of loops that wait for memory are read beside it."""

import time

import numpy as np
from numba import njit


def triad_gb_s(values: int) -> float:
    """Give the bandwidth of a = b + c s on one core for arrays of so many float64, in GB/s; best of several."""
    a, b, c = (np.full(values, float(k)) for k in range(3))
    repeats = max(1, 20_000_000 // values)
    _triad(a, b, c, 1)
    spent = []
    for _ in range(3):
        start = time.process_time()
        _triad(a, b, c, repeats)
        spent.append(time.process_time() - start)
    return 24e-9 * values * repeats / min(spent)


@njit(cache=True)
def _triad(a: np.ndarray, b: np.ndarray, c: np.ndarray, repeats: int) -> None:
    for k in range(repeats):
        for i in range(a.size):
            a[i] = b[i] + (3.0 + k) * c[i]
