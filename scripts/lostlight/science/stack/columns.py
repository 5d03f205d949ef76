"""Statistics of sorted columns: for each pixel, of the samples whose rank is from `lo` up to, not including, `hi`.

Sums run over the samples in order of rank and about the median, in the order in which the compiled twin adds, so that
both give the same bits: of differences in float64, of their squares in float32.
"""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack.rule import Floats

Ints = NDArray[np.int32]
F = np.float32


def pick(x: NDArray, columns: NDArray) -> NDArray:
    """Take some columns, by number or by truth; rows stay contiguous, as the sums over planes need."""
    return np.compress(columns, x, axis=1) if columns.dtype == bool else np.take(x, columns, axis=1)


def total(x: NDArray) -> NDArray[np.float64]:
    """Add up the rows of `x` one after the other: NumPy's own sum orders them by the shape of the array."""
    total = np.zeros(x.shape[1])
    for row in x:
        total += row
    return total


def at_rank(x: Floats, rank: Ints) -> Floats:
    """Give the sample of each column that has this rank; shape (npix,)."""
    rank = np.clip(rank, 0, len(x) - 1)
    if rank.size and rank.min() == rank.max():
        return x[rank[0]].copy()
    return x[rank, np.arange(x.shape[1])]


def median(x: Floats, lo: Ints, hi: Ints) -> Floats:
    """Give the median of each column, the mean of the two central samples of an even number; NaN of none."""
    upper = at_rank(x, (lo + hi) >> 1)
    lower = at_rank(x, (lo + hi - 1) >> 1)
    return np.where(hi > lo, F(0.5) * lower + F(0.5) * upper, F(np.nan))


def moments(x: Floats, lo: Ints, hi: Ints, centre: Floats, bound: Floats | None = None) -> tuple[NDArray, Floats]:
    """Add up the differences from a centre, and their squares, clamped to within `bound` of it.

    Parameters
    ----------
    x : ndarray, shape (N, npix), float32
        Sorted columns, +inf beyond the valid samples.
    lo, hi : ndarray, shape (npix,), int32
        Ranks of the samples that count.
    centre, bound : ndarray, shape (npix,), float32

    Returns
    -------
    first : ndarray, shape (npix,), float64
    second : ndarray, shape (npix,), float32
    """
    first, second, d = np.zeros(x.shape[1]), np.zeros(x.shape[1], F), np.empty(x.shape[1], F)
    start, stop = (int(lo.max()), int(hi.min())) if lo.size else (0, 0)
    for rank in range(int(lo.min(initial=0)), int(hi.max(initial=0))):
        np.subtract(x[rank], centre, out=d)
        if bound is not None:
            np.minimum(np.maximum(d, -bound, out=d), bound, out=d)
        if not start <= rank < stop:
            d[(rank < lo) | (rank >= hi)] = 0
        first += d
        np.multiply(d, d, out=d)
        second += d
    return first, second


def spread(first: NDArray, second: Floats, n: Ints, ddof: int) -> Floats:
    """Give the standard deviation from sums of differences and of squares; zero of too few samples."""
    n = n.astype(np.float64)
    variance = (second - first * first / n) / (n - ddof)
    return np.sqrt(np.where(variance > 0, variance, 0)).astype(F)
