"""The loops of `lostlight.science.stack.engine`, compiled: the same operations in the same order, so the same bits.

Loops over pixels run innermost, in blocks that stay in the first level of cache, so that compilers make vector
instructions of them. No fast-math: an addition stays where it is written.
"""

import numpy as np
from numba import njit

from lostlight.science.stack.columns import F, Floats, Ints
from lostlight.science.stack.engine import CLAMP, CONSISTENT, CONVERGED, Engine
from lostlight.science.stack.network import LARGEST, comparators
from lostlight.science.stack.network import sort_planes as sort_columns

BLOCK = 256
"""Pixels that are sorted together."""
LANES = 32
"""Pixels that are winsorized together: they go on until the last is done."""
ZERO, INFINITE = F(0), F(np.inf)
compiled = njit(cache=True, nogil=True, error_model="numpy")


def sort_planes(x: Floats) -> Floats:
    """Sort each column of `x`, as `lostlight.science.stack.network.sort_planes`."""
    if len(x) > LARGEST:
        return sort_columns(x)
    columns = np.empty_like(x)
    exchange(x, columns, comparators(len(x)))
    return columns


def moments(x: Floats, lo: Ints, hi: Ints, centre: Floats) -> tuple[np.ndarray, Floats]:
    """Add up differences and squares, as `lostlight.science.stack.columns.moments`."""
    first, second = np.zeros(x.shape[1]), np.zeros(x.shape[1], F)
    add_up(x, lo, hi, centre, first, second)
    return first - (hi - lo) * centre.astype(np.float64), second


def clamped(x: Floats, lo: Ints, hi: Ints, centre: Floats, bound: Floats) -> tuple[Floats, Floats]:
    """Add up clamped differences and squares, as `lostlight.science.stack.columns.clamped`."""
    first, second = np.zeros(x.shape[1], F), np.zeros(x.shape[1], F)
    add_up_clamped(x, lo, hi, centre, bound, first, second)
    return first, second


@compiled
def exchange(x: np.ndarray, columns: np.ndarray, pairs: np.ndarray) -> None:
    """Apply a sorting network to the planes `x`, and write them to `columns`."""
    n, n_pixels = x.shape
    work = np.empty((n, BLOCK), np.float32)
    for start in range(0, n_pixels, BLOCK):
        size = min(BLOCK, n_pixels - start)
        for i in range(n):
            work[i, :size] = x[i, start : start + size]
        for k in range(pairs.shape[0]):
            first, second = work[pairs[k, 0]], work[pairs[k, 1]]
            for p in range(BLOCK):
                a, b = first[p], second[p]
                first[p] = a if a < b else b
                second[p] = b if a < b else a
        for i in range(n):
            columns[i, start : start + size] = work[i, :size]


@compiled
def add_up(
    x: np.ndarray, lo: np.ndarray, hi: np.ndarray, centre: np.ndarray, first: np.ndarray, second: np.ndarray
) -> None:
    """Add samples to `first`, and squares of their differences from the centre to `second`."""
    for start in range(0, x.shape[1], BLOCK):
        part = slice(start, min(start + BLOCK, x.shape[1]))
        from_, to, middle, ones, squares = lo[part], hi[part], centre[part], first[part], second[part]
        whole_from, whole_to = from_.max(), to.min()
        for i in range(from_.min(), to.max()):
            row = x[i, part]
            if whole_from <= i < whole_to:
                for p in range(row.size):
                    d = row[p] - middle[p]
                    ones[p] += row[p]
                    squares[p] += d * d
            else:
                for p in range(row.size):
                    inside = (i >= from_[p]) & (i < to[p])
                    d = row[p] - middle[p] if inside else ZERO
                    ones[p] += row[p] if inside else ZERO
                    squares[p] += d * d


@compiled
def add_up_clamped(
    x: np.ndarray,
    lo: np.ndarray,
    hi: np.ndarray,
    centre: np.ndarray,
    bound: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
) -> None:
    """Add differences from the centre, no more than the bound each, to `first`, and their squares to `second`."""
    for start in range(0, x.shape[1], BLOCK):
        part = slice(start, min(start + BLOCK, x.shape[1]))
        from_, to, middle, most = lo[part], hi[part], centre[part], bound[part]
        ones, squares = first[part], second[part]
        for i in range(from_.min(), to.max()):
            row = x[i, part]
            for p in range(row.size):
                d = row[p] - middle[p]
                d = d if d > -most[p] else -most[p]
                d = d if d < most[p] else most[p]
                d = d if (i >= from_[p]) & (i < to[p]) else ZERO
                ones[p] += d
                squares[p] += d * d


@compiled
def winsorize(x: np.ndarray, lo: np.ndarray, hi: np.ndarray, centre: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Find the winsorized standard deviation, as `lostlight.science.stack.engine.winsorize`."""
    result = width.copy()
    d = np.empty((x.shape[0], LANES), np.float32)
    for start in range(0, x.shape[1], LANES):
        size = min(LANES, x.shape[1] - start)
        d[:] = ZERO
        for p in range(size):
            for i in range(lo[start + p], hi[start + p]):
                d[i, p] = x[i, start + p] - centre[start + p]
        settle(d, hi[start : start + size] - lo[start : start + size], result[start : start + size])
    return result


@compiled
def settle(d: np.ndarray, n: np.ndarray, width: np.ndarray) -> None:
    """Iterate the widths of a few pixels until each stays."""
    size = width.size
    bound, going = np.full(LANES, INFINITE), np.ones(size, np.bool_)
    first, second = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    while going.any():
        for p in range(size):
            bound[p] = min(bound[p], CLAMP * width[p])
        first[:] = ZERO
        second[:] = ZERO
        for i in range(d.shape[0]):
            row = d[i]
            for p in range(LANES):
                v = row[p] if row[p] > -bound[p] else -bound[p]
                v = v if v < bound[p] else bound[p]
                first[p] += v
                second[p] += v * v
        for p in range(size):
            if going[p]:
                one = np.float64(first[p])
                variance = (second[p] - one * one / n[p]) / (n[p] - 1)
                new = CONSISTENT * np.float32(np.sqrt(variance if variance > 0 else 0.0))
                going[p] = abs(new - width[p]) > CONVERGED * width[p]
                width[p] = new


NUMBA = Engine(sort_planes, moments, clamped, winsorize)
