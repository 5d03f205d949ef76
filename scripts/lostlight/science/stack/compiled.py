"""The loops of `lostlight.science.stack.engine`, compiled: the same operations in the same order, so the same bits.

Loops over pixels run innermost, in blocks that stay in the first level of cache, so that compilers make vector
instructions of them. No fast-math: an addition stays where it is written.
"""

import numpy as np

from lostlight.science.stack.columns import F, Floats, Ints, deviation
from lostlight.science.stack.compiled_sums import (
    BLOCK,
    INFINITE,
    ZERO,
    add_up,
    add_up_clamped,
    clamped,
    compiled,
    deviations,
    moments,
    weigh,
)
from lostlight.science.stack.engine import CONSISTENT, CONVERGED, Engine
from lostlight.science.stack.look import CLAMP, Look, Thresholds, look_at_sorted
from lostlight.science.stack.network import LARGEST, comparators
from lostlight.science.stack.network import sort_planes as sort_columns

LANES = 32
"""Pixels that are winsorized together: they go on until the last is done."""


def look(x: Floats, n: Ints, thresholds: Thresholds, mads: bool = False) -> Look:
    """Look at a chunk, as `lostlight.science.stack.look.look`; sorted columns live for a block of pixels only."""
    if len(x) > LARGEST:
        seen = look_at_sorted(sort_columns(x), n, thresholds, moments, clamped)
        seen.mad = deviation(seen.columns, n, seen.centre) if mads else None
        return seen
    n_pixels = x.shape[1]
    seen = Look(np.empty(n_pixels, F), np.empty(n_pixels), *(np.empty(n_pixels, F) for _ in range(5)))
    seen.mad = np.empty(n_pixels if mads else 0, F)
    look_at_blocks(
        x, n, comparators(len(x)), *map(F, thresholds or (0, 0)), bool(thresholds), seen.centre, seen.first,
        seen.second, seen.smallest, seen.largest, seen.clamped_first, seen.clamped_second,
        seen.mad,
    )  # fmt: skip
    return seen


def sort_planes(x: Floats) -> Floats:
    """Sort each column of `x`, as `lostlight.science.stack.network.sort_planes`."""
    if len(x) > LARGEST:
        return sort_columns(x)
    columns = np.empty_like(x)
    exchange(x, columns, comparators(len(x)))
    return columns


def trim(
    x: Floats, lo: Ints, hi: Ints, floor: Ints, thresholds: tuple[float, float], centre: Floats, width: Floats
) -> tuple[Ints, Ints]:
    """Walk in from the ends, as `lostlight.science.stack.trim.trim`."""
    lo, hi = lo.copy(), hi.copy()
    walk_in(x, lo, hi, floor, F(thresholds[0]) * width, F(thresholds[1]) * width, centre)
    return lo, hi


@compiled
def exchange(x: np.ndarray, columns: np.ndarray, pairs: np.ndarray) -> None:
    """Apply a sorting network to the planes `x`, and write them to `columns`."""
    n_pixels = x.shape[1]
    work = np.empty((x.shape[0], BLOCK), np.float32)
    for start in range(0, n_pixels, BLOCK):
        size = min(BLOCK, n_pixels - start)
        sort_block(x, start, size, pairs, work)
        for i in range(x.shape[0]):
            columns[i, start : start + size] = work[i, :size]


@compiled
def sort_block(x: np.ndarray, start: int, size: int, pairs: np.ndarray, work: np.ndarray) -> None:
    """Sort the columns of some pixels into `work`."""
    for i in range(x.shape[0]):
        work[i, :size] = x[i, start : start + size]
    for k in range(pairs.shape[0]):
        first, second = work[pairs[k, 0]], work[pairs[k, 1]]
        for p in range(BLOCK):
            a, b = first[p], second[p]
            first[p] = a if a < b else b
            second[p] = b if a < b else a


@compiled
def look_at_blocks(
    x: np.ndarray,
    n: np.ndarray,
    pairs: np.ndarray,
    low: np.float32,
    high: np.float32,
    winsorized: bool,
    centre: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    smallest: np.ndarray,
    largest: np.ndarray,
    clamped_first: np.ndarray,
    clamped_second: np.ndarray,
    mad: np.ndarray,
) -> None:
    """Fill what a look gives, block by block; `mad` where it is not empty."""
    n_frames = x.shape[0]
    work = np.empty((n_frames, BLOCK), np.float32)
    lo, hi = np.zeros(BLOCK, np.int32), np.empty(BLOCK, np.int32)
    middle, bound = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    ones, one, square = np.empty(BLOCK), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    run = np.empty(BLOCK, np.float32)
    for start in range(0, x.shape[1], BLOCK):
        size = min(BLOCK, x.shape[1] - start)
        part = slice(start, start + size)
        sort_block(x, start, size, pairs, work)
        hi[:] = n_frames
        hi[:size] = n[part]
        outermost(work, hi, middle, bound)
        centre[part], smallest[part], largest[part] = middle[:size], work[0, :size], bound[:size]
        ones[:] = 0
        square[:] = ZERO
        add_up(work, lo, hi, middle, ones, square)
        for p in range(size):
            first[start + p] = ones[p] - hi[p] * np.float64(middle[p])
        second[part] = square[:size]
        if mad.size:
            deviations(work, hi, middle, run, one)
            mad[part] = one[:size]
        if winsorized:
            for p in range(BLOCK):
                bound[p] = CLAMP * max((bound[p] - middle[p]) / high, (middle[p] - work[0, p]) / low)
            one[:] = ZERO
            square[:] = ZERO
            add_up_clamped(work, lo, hi, middle, bound, one, square)
            clamped_first[part], clamped_second[part] = one[:size], square[:size]


@compiled
def outermost(work: np.ndarray, n: np.ndarray, middle: np.ndarray, largest: np.ndarray) -> None:
    """Take the median and the largest of sorted columns."""
    half, last = np.float32(0.5), work.shape[0] - 1
    if n.min() == last + 1:
        lower, upper, top = work[last >> 1], work[(last + 1) >> 1], work[last]
        for p in range(n.size):
            middle[p] = half * lower[p] + half * upper[p]
            largest[p] = top[p]
        return
    for p in range(n.size):
        one = half * work[(n[p] - 1) >> 1, p] + half * work[n[p] >> 1, p]
        middle[p] = one if n[p] > 0 else np.float32(np.nan)
        largest[p] = work[max(n[p] - 1, 0), p]


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


@compiled
def walk_in(
    x: np.ndarray,
    lo: np.ndarray,
    hi: np.ndarray,
    floor: np.ndarray,
    below: np.ndarray,
    above: np.ndarray,
    centre: np.ndarray,
) -> None:
    """Move the ranks kept, `lo` and `hi`, inwards."""
    for p in range(lo.size):
        first, last, middle = lo[p], hi[p], centre[p]
        while lo[p] < last and middle - x[lo[p], p] > below[p]:
            lo[p] += 1
        while hi[p] > lo[p] and x[hi[p] - 1, p] - middle > above[p]:
            hi[p] -= 1
        # The nearest are put back until enough are kept, and with the last of them those that are as far.
        furthest = -INFINITE
        while lo[p] > first or hi[p] < last:
            low = middle - x[lo[p] - 1, p] if lo[p] > first else INFINITE
            high = x[hi[p], p] - middle if hi[p] < last else INFINITE
            nearest = min(abs(low), abs(high))
            if hi[p] - lo[p] >= floor[p] and nearest > furthest:
                break
            furthest = nearest
            if abs(low) <= abs(high):
                lo[p] -= 1
            else:
                hi[p] += 1


NUMBA = Engine(look, sort_planes, moments, clamped, winsorize, trim, weigh)
