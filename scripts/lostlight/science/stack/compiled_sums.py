"""Sums over sorted columns and over frames, compiled: the same bits as those of `lostlight.science.stack.columns`.

Loops over pixels run innermost, in blocks that stay in the first level of cache, so that compilers make vector
instructions of them. No fast-math: an addition stays where it is written.
"""

import numpy as np
from numba import njit

from lostlight.science.stack.columns import F, Floats, Ints

BLOCK = 256
"""Pixels that are worked on together."""
ZERO, INFINITE = F(0), F(np.inf)
compiled = njit(cache=True, nogil=True, error_model="numpy")


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


def weigh(x: Floats, weights: Floats, noises: Floats, centre: Floats) -> tuple[np.ndarray, ...]:
    """Add up weights and what they weigh, as `lostlight.science.stack.engine.weigh`."""
    sums = tuple(np.zeros(x.shape[1]) for _ in range(4))
    add_weighted(x, weights, noises, centre, *sums)
    return sums


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
        whole_from, whole_to = from_.max(), to.min()
        for i in range(from_.min(), to.max()):
            row, whole = x[i, part], whole_from <= i < whole_to
            for p in range(row.size):
                d = row[p] - middle[p]
                d = d if d > -most[p] else -most[p]
                d = d if d < most[p] else most[p]
                d = d if whole | ((i >= from_[p]) & (i < to[p])) else ZERO
                ones[p] += d
                squares[p] += d * d


@compiled
def deviations(work: np.ndarray, n: np.ndarray, middle: np.ndarray, reach: np.ndarray, result: np.ndarray) -> None:
    """Find median absolute deviations of sorted columns, as `lostlight.science.stack.columns.deviation`."""
    half = np.float32(0.5)
    result[:] = ZERO
    for extra in range(2):
        reach[:] = INFINITE
        if n.min() == n.max():
            last = (n[0] - 1 + extra) // 2
            for k in range(n[0] - last if n[0] else 0):
                lower, upper = work[k], work[k + last]
                for p in range(reach.size):
                    below, above = middle[p] - lower[p], upper[p] - middle[p]
                    furthest = above if above > below else below
                    reach[p] = furthest if furthest < reach[p] else reach[p]
        else:
            for p in range(reach.size):
                last = (n[p] - 1 + extra) // 2
                for k in range(n[p] - last if n[p] else 0):
                    below, above = middle[p] - work[k, p], work[k + last, p] - middle[p]
                    reach[p] = min(reach[p], max(below, above))
        for p in range(result.size):
            result[p] += half * reach[p]


@compiled
def add_weighted(
    x: np.ndarray,
    weights: np.ndarray,
    noises: np.ndarray,
    centre: np.ndarray,
    whole: np.ndarray,
    first: np.ndarray,
    squares: np.ndarray,
    variance: np.ndarray,
) -> None:
    """Add up the weights of finite samples, and what they weigh, as `lostlight.science.stack.engine.weigh`."""
    weight, noise = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for start in range(0, x.shape[1], BLOCK):
        part = slice(start, min(start + BLOCK, x.shape[1]))
        middle, sums, products = centre[part], whole[part], first[part]
        twice, spread = squares[part], variance[part]
        for i in range(x.shape[0]):
            row = x[i, part]
            weight[: row.size] = weights[i, part] if weights.shape[1] > 1 else weights[i]
            noise[: row.size] = noises[i, part] if noises.shape[1] > 1 else noises[i]
            for p in range(row.size):
                kept = row[p] < INFINITE
                w = np.float64(weight[p]) if kept else 0.0
                d = np.float64(row[p]) - np.float64(middle[p]) if kept else 0.0
                s = np.float64(noise[p]) if kept else 0.0
                sums[p] += w
                products[p] += w * d
                twice[p] += w * w
                spread[p] += w * w * (s * s)
