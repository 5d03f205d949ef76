"""Statistics of sorted columns: for each pixel, of the samples whose rank is from `lo` up to, not including, `hi`.

Sums run about a centre close to the samples, in order of rank, as the compiled twin adds too: both give the same
bits.
"""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack.rule import Floats

Ints = NDArray[np.int32]
F = np.float32


def pick(x: NDArray, columns: NDArray) -> NDArray:
    """Take some columns, by rising numbers or by truth; rows stay contiguous, as the sums over planes need."""
    if columns.dtype != bool and columns.size == x.shape[1]:
        return x
    return np.compress(columns, x, axis=1) if columns.dtype == bool else np.take(x, columns, axis=1)


def total(x: NDArray) -> NDArray:
    """Add up the rows of `x` one after the other, in its own type.

    Of a single column NumPy would add pairs of samples first, and the sum would depend on the neighbours of a pixel.
    """
    if x.shape[1] == 1:
        return np.add.reduce(np.repeat(x, 2, axis=1), axis=0)[:1]
    return np.add.reduce(x, axis=0)


def at_rank(x: Floats, rank: Ints) -> Floats:
    """Give the sample of each column that has this rank; shape (npix,)."""
    rank = np.minimum(np.maximum(rank, 0), len(x) - 1)
    usual = rank[rank.size // 2] if rank.size else 0
    values = x[usual].copy()
    others = np.flatnonzero(rank != usual)
    values[others] = x[rank[others], others]
    return values


def median(x: Floats, lo: Ints, hi: Ints) -> Floats:
    """Give the median of each column, the mean of the two central samples of an even number; NaN of none."""
    upper = at_rank(x, (lo + hi) >> 1)
    lower = at_rank(x, (lo + hi - 1) >> 1)
    return np.where(hi > lo, F(0.5) * lower + F(0.5) * upper, F(np.nan))


def deviation(x: Floats, n: Ints, centre: Floats) -> Floats:
    """Give the median absolute deviation from the median of each column, without sorting the deviations.

    The samples nearest to the median stand side by side in a sorted column: so many of them reach as far as the
    narrowest run of that many does.

    Parameters
    ----------
    x : ndarray, shape (N, npix), float32
        Sorted columns, +inf beyond the `n` valid samples of each.
    n : ndarray, shape (npix,), int32
    centre : ndarray, shape (npix,), float32
        Medians.

    Returns
    -------
    ndarray, shape (npix,), float32
        Infinite of no samples.
    """
    result = np.full(x.shape[1], np.inf, F)
    for size in np.flatnonzero(np.bincount(n)).tolist():
        at = np.flatnonzero(n == size)
        some, middle = pick(x, at), centre[at]
        result[at] = F(0.5) * _reach(some, middle, size, (size + 1) // 2)
        result[at] += F(0.5) * _reach(some, middle, size, size // 2 + 1)
    return result


def _reach(x: Floats, centre: Floats, n: int, nearest: int) -> Floats:
    reach = np.full(x.shape[1], np.inf, F)
    for k in range(n - nearest + 1 if n else 0):
        np.minimum(reach, np.maximum(centre - x[k], x[k + nearest - 1] - centre), out=reach)
    return reach


def moments(x: Floats, lo: Ints, hi: Ints, centre: Floats) -> tuple[NDArray[np.float64], Floats]:
    """Add up the differences from a centre, and their squares.

    Parameters
    ----------
    x : ndarray, shape (N, npix), float32
        Sorted columns, +inf beyond the valid samples.
    lo, hi : ndarray, shape (npix,), int32
        Ranks of the samples that count.
    centre : ndarray, shape (npix,), float32

    Returns
    -------
    first : ndarray, shape (npix,), float64
    second : ndarray, shape (npix,), float32
    """
    first, second, d = np.zeros(x.shape[1]), np.zeros(x.shape[1], F), np.empty(x.shape[1], F)
    start, stop = int(lo.max(initial=0)), int(hi.min(initial=len(x)))
    for rank in range(int(lo.min(initial=len(x))), int(hi.max(initial=0))):
        sample = x[rank]
        if not start <= rank < stop:
            inside = (rank >= lo) & (rank < hi)
            np.subtract(np.where(inside, sample, centre), centre, out=d)
            first += np.where(inside, sample, F(0))
        else:
            np.subtract(sample, centre, out=d)
            first += sample
        np.multiply(d, d, out=d)
        second += d
    return first - (hi - lo) * centre.astype(np.float64), second


def clamped(x: Floats, lo: Ints, hi: Ints, centre: Floats, bound: Floats) -> tuple[Floats, Floats]:
    """Add up the differences from a centre, no more than `bound` each, and their squares; both in float32."""
    d = np.minimum(np.maximum(differences(x, lo, hi, centre), -bound), bound)
    first = total(d)
    return first, total(np.multiply(d, d, out=d))


def differences(x: Floats, lo: Ints, hi: Ints, centre: Floats) -> Floats:
    """Give the differences from a centre; zero of the samples that do not count."""
    d = x - centre
    for rank in (*range(int(lo.max(initial=0))), *range(int(hi.min(initial=len(x))), len(x))):
        d[rank, (rank < lo) | (rank >= hi)] = 0
    return d


def spread(first: NDArray, second: Floats, n: Ints, ddof: int) -> Floats:
    """Give the standard deviation from sums of differences and of squares; zero of too few samples."""
    n, first = n.astype(np.float64), first.astype(np.float64)
    variance = (second - first * first / n) / (n - ddof)
    return np.sqrt(np.where(variance > 0, variance, 0)).astype(F)
