"""Sorting the samples of many pixels at once, by exchanges between whole planes.

Batcher's odd-even merge sort (Batcher 1968; Knuth, The Art of Computer Programming 3, algorithm 5.2.2M) compares the
same pairs whatever the data, so each exchange is one minimum and one maximum of two planes.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack.rule import Floats

LARGEST = 512
"""Above this many samples a sort of each column is cheaper than the network."""


@cache
def comparators(n: int) -> NDArray[np.int32]:
    """List the pairs to compare and exchange to sort `n` samples; shape (n_pairs, 2), int32."""
    pairs: list[tuple[int, int]] = []
    top = 1 << max(n - 1, 0).bit_length() >> 1
    p = top
    while p:
        q, r, d = top, 0, p
        while d:
            pairs += [(i, i + d) for i in range(n - d) if i & p == r]
            d, q, r = q - p, q >> 1, p
        p >>= 1
    return np.array(pairs, np.int32).reshape(-1, 2)


def sort_planes(x: Floats) -> Floats:
    """Sort each column of `x`, shape (N, npix), float32 without NaN; gives a sorted copy."""
    if len(x) > LARGEST:
        return np.ascontiguousarray(np.sort(x.T, axis=1).T)
    x, smaller = x.copy(), np.empty(x.shape[1], x.dtype)
    for i, j in comparators(len(x)).tolist():
        np.minimum(x[i], x[j], out=smaller)
        np.maximum(x[i], x[j], out=x[j])
        x[i] = smaller
    return x
