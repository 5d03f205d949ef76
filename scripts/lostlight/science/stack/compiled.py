"""Sorting and clipping in compiled loops: the same operations in the same order as the NumPy code, so the same bits.

Loops over pixels run innermost where all pixels do the same, which compilers turn into vector instructions; pixels
that lose samples go on one by one. No fast-math: an addition stays where it is written.
"""

import numpy as np
from numba import njit

from lostlight.science.stack import reject
from lostlight.science.stack.columns import F, Floats, Ints
from lostlight.science.stack.network import LARGEST, comparators
from lostlight.science.stack.network import sort_planes as sort_columns
from lostlight.science.stack.reject import Stack
from lostlight.science.stack.rule import SHORTEST
from lostlight.science.stack.widths import CLAMP, CONSISTENT, CONVERGED, MAD_SIGMA

BLOCK = 256
"""Pixels worked on together: so many, with all their samples, stay in the first level of cache."""
METHODS = {"sigma": 0, "sigma_once": 1, "kappa": 1, "mad": 2, "winsorized": 3, "noise_model": 4}
"""What is compiled, and its number there."""
MEAN, MAD, WINSORIZED, NOISE_MODEL = 1, 2, 3, 4
HALF = F(0.5)
compiled = njit(cache=True, nogil=True, error_model="numpy")


def sort_planes(x: Floats) -> Floats:
    """Sort each column of `x`, shape (N, npix), float32 without NaN, in place, and return it."""
    if len(x) > LARGEST:
        return sort_columns(x)
    exchange(x, comparators(len(x)))
    return x


def clip_planes(columns: Floats, n: Ints, stack: Stack) -> tuple[Ints, Ints]:
    """Find the ranks to keep; as `lostlight.science.stack.reject.clip_planes`, which does what is not compiled."""
    rule = stack.rule
    if rule.reject not in METHODS:
        return reject.clip_planes(columns, n, stack)
    noise = np.zeros(4)
    if rule.reject == "noise_model":
        model = rule.noise
        noise[:] = model.rdnoise_e / model.gain_e_adu, model.gain_e_adu, model.pedestal_adu, model.fraction
    lo, hi = np.zeros_like(n), n.copy()
    low, high = (F(value) for value in rule.thresholds)
    clip(columns, n, METHODS[rule.reject], low, high, rule.passes, rule.minkeep, noise, lo, hi)
    return lo, hi


@compiled
def exchange(x: np.ndarray, pairs: np.ndarray) -> None:
    """Apply a sorting network to planes, block by block."""
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
            x[i, start : start + size] = work[i, :size]


@compiled
def clip(
    x: np.ndarray,
    n: np.ndarray,
    method: int,
    low: float,
    high: float,
    passes: int,
    minkeep: int,
    noise: np.ndarray,
    lo: np.ndarray,
    hi: np.ndarray,
) -> None:
    """Clip all columns: the first pass for blocks of pixels, the rest for each that needs it."""
    column = np.empty(x.shape[0], np.float32)
    suspect = np.empty(BLOCK, np.bool_)
    for start in range(0, x.shape[1], BLOCK):
        size = min(BLOCK, x.shape[1] - start)
        block = x[:, start : start + size]
        counts = n[start : start + size]
        mark(block, counts, method, low, high, noise, suspect)
        for p in range(size):
            if suspect[p]:
                for i in range(counts[p]):
                    column[i] = block[i, p]
                lo[start + p], hi[start + p] = clip_column(column, counts[p], method, low, high, passes, minkeep, noise)


@compiled
def mark(
    x: np.ndarray, n: np.ndarray, method: int, low: float, high: float, noise: np.ndarray, suspect: np.ndarray
) -> None:
    """Mark the pixels of a block that may lose a sample; all of them where only the full width can tell."""
    size = x.shape[1]
    if method == MAD:
        suspect[:size] = n >= SHORTEST
        return
    centre, last, width = np.empty(size, np.float32), np.empty(size, np.float32), np.empty(size, np.float32)
    first, second = np.empty(size), np.empty(size, np.float32)
    for p in range(size):
        centre[p] = HALF * x[(n[p] - 1) >> 1, p] + HALF * x[n[p] >> 1, p] if n[p] > 0 else np.float32(np.nan)
        last[p] = x[max(n[p] - 1, 0), p]
    if method != NOISE_MODEL:
        block_moments(x, n, centre, np.full(size, np.float32(np.inf)), first, second)
    for p in range(size):
        if method == NOISE_MODEL:
            width[p] = modelled(centre[p], noise)
        else:
            width[p] = spread(first[p], second[p], n[p], 0 if method == MEAN else 1)
        if method == MEAN:
            centre[p] = np.float32(centre[p] + first[p] / n[p])
        outside = (centre[p] - x[0, p] > low * width[p]) | (last[p] - centre[p] > high * width[p])
        suspect[p] = outside & (n[p] >= SHORTEST)
    if method == WINSORIZED:
        doubt(x, n, centre, last, width, low, high, suspect)


@compiled
def doubt(
    x: np.ndarray,
    n: np.ndarray,
    centre: np.ndarray,
    last: np.ndarray,
    width: np.ndarray,
    low: float,
    high: float,
    suspect: np.ndarray,
) -> None:
    """Mark the pixels that are not `lostlight.science.stack.widths.certainly_whole`."""
    size = x.shape[1]
    t, bound = np.empty(size, np.float32), np.empty(size, np.float32)
    first, second = np.empty(size), np.empty(size, np.float32)
    for p in range(size):
        t[p] = max((last[p] - centre[p]) / high, (centre[p] - x[0, p]) / low)
        bound[p] = CLAMP * t[p]
    block_moments(x, n, centre, bound, first, second)
    for p in range(size):
        image = CONSISTENT * spread(first[p], second[p], n[p], 1)
        suspect[p] = (not (width[p] >= t[p] and image >= t[p])) & (n[p] >= SHORTEST)


@compiled
def block_moments(
    x: np.ndarray, n: np.ndarray, centre: np.ndarray, bound: np.ndarray, first: np.ndarray, second: np.ndarray
) -> None:
    """Sums of differences and of their squares, as `lostlight.science.stack.columns.moments`, of whole columns."""
    first[:] = 0
    second[:] = 0
    zero = np.float32(0)
    for i in range(x.shape[0]):
        row = x[i]
        for p in range(row.size):
            d = row[p] - centre[p]
            d = d if d > -bound[p] else -bound[p]
            d = d if d < bound[p] else bound[p]
            d = d if i < n[p] else zero
            first[p] += d
            second[p] += d * d


@compiled
def spread(first: float, second: float, n: int, ddof: int) -> float:
    """Standard deviation from sums of differences and of squares, float32."""
    if n <= ddof:
        return np.float32(np.nan)
    variance = (second - first * first / n) / (n - ddof)
    return np.float32(np.sqrt(variance)) if variance > 0 else np.float32(0)


@compiled
def modelled(level: float, noise: np.ndarray) -> float:
    """Noise at a level, float32: as `lostlight.science.stack.rule.NoiseModel.variance`."""
    signal = max(level - noise[2], 0.0)
    product = noise[3] * signal
    return np.float32(np.sqrt(noise[0] * noise[0] + signal / noise[1] + product * product))


@compiled
def clip_column(
    x: np.ndarray, n: int, method: int, low: float, high: float, passes: int, minkeep: int, noise: np.ndarray
) -> tuple[int, int]:
    """Clip one sorted column, as `lostlight.science.stack.clip.clip`."""
    lo, hi = 0, n
    floor = SHORTEST - 1 if n == SHORTEST and minkeep == SHORTEST else min(n, minkeep)
    for _ in range(passes):
        if hi - lo < SHORTEST:
            break
        centre, width = measure(x, lo, hi, method, noise)
        new_lo, new_hi = lo, hi
        while new_lo < hi and centre - x[new_lo] > low * width:
            new_lo += 1
        while new_hi > new_lo and x[new_hi - 1] - centre > high * width:
            new_hi -= 1
        while new_hi - new_lo < floor:
            below = abs(x[new_lo - 1] - centre) if new_lo > lo else np.float32(np.inf)
            above = abs(x[new_hi] - centre) if new_hi < hi else np.float32(np.inf)
            nearest = min(below, above)
            while new_lo > lo and abs(x[new_lo - 1] - centre) <= nearest:
                new_lo -= 1
            while new_hi < hi and abs(x[new_hi] - centre) <= nearest:
                new_hi += 1
        if new_lo == lo and new_hi == hi:
            break
        lo, hi = new_lo, new_hi
    return lo, hi


@compiled
def measure(x: np.ndarray, lo: int, hi: int, method: int, noise: np.ndarray) -> tuple[float, float]:
    """Centre and width of one column, as `lostlight.science.stack.widths`."""
    centre = HALF * x[(lo + hi - 1) >> 1] + HALF * x[(lo + hi) >> 1]
    if method == NOISE_MODEL:
        return centre, modelled(centre, noise)
    if method == MAD:
        distance = np.abs(x[lo:hi] - centre)
        distance.sort()
        n = hi - lo
        return centre, MAD_SIGMA * (HALF * distance[(n - 1) >> 1] + HALF * distance[n >> 1])
    first, second = moments(x, lo, hi, centre, np.float32(np.inf))
    if method == MEAN:
        return np.float32(centre + first / (hi - lo)), spread(first, second, hi - lo, 0)
    width = spread(first, second, hi - lo, 1)
    bound, going = np.float32(np.inf), method == WINSORIZED
    while going:
        bound = min(bound, CLAMP * width)
        first, second = moments(x, lo, hi, centre, bound)
        new = CONSISTENT * spread(first, second, hi - lo, 1)
        going = abs(new - width) > CONVERGED * width
        width = new
    return centre, width


@compiled
def moments(x: np.ndarray, lo: int, hi: int, centre: float, bound: float) -> tuple[float, float]:
    """Sums of differences from a centre, float64, and of their squares, float32, clamped to within `bound`."""
    first, second = 0.0, np.float32(0)
    for i in range(lo, hi):
        d = x[i] - centre
        d = d if d > -bound else -bound
        d = d if d < bound else bound
        first += d
        second += d * d
    return first, second
