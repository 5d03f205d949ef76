"""Iterative clipping of sorted columns: what is too far from the centre goes, centre and width are found again."""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack.columns import F, Floats, Ints, at_rank, median, pick, total
from lostlight.science.stack.engine import Engine
from lostlight.science.stack.rule import SHORTEST, Rule
from lostlight.science.stack.widths import Measure, about_mean


def floor_of(n: Ints, minkeep: int) -> Ints:
    """Fewest samples to keep of `n`: `minkeep`, but two of three, so that three frames can be clipped."""
    return np.where((n == SHORTEST) & (minkeep == SHORTEST), SHORTEST - 1, np.minimum(n, minkeep)).astype(np.int32)


def clip(engine: Engine, x: Floats, n: Ints, rule: Rule, measure: Measure, at: NDArray[np.intp]) -> tuple[Ints, Ints]:
    """Find the ranks that stay in each column.

    Parameters
    ----------
    engine : Engine
    x : ndarray, shape (N, npix), float32
        Sorted columns, +inf beyond the `n` valid samples of each.
    n : ndarray, shape (npix,), int32
    rule : Rule
    measure : callable
        Centre and width of columns, one of `lostlight.science.stack.widths`.
    at : ndarray, shape (npix,), int
        Places of these columns in their chunk.

    Returns
    -------
    lo, hi : ndarray, shape (npix,), int32
        The kept samples are those of rank lo up to, not including, hi.
    """
    lo, hi = np.zeros_like(n), n.copy()
    floor = floor_of(n, rule.minkeep)
    going = np.arange(n.size)
    for _ in range(rule.passes):
        if not going.size:
            break
        old_lo, old_hi = lo[going], hi[going]
        centre, width = measure(x, old_lo, old_hi, at[going])
        new_lo, new_hi = engine.trim(x, old_lo, old_hi, floor[going], rule.thresholds, centre, width)
        lo[going], hi[going] = new_lo, new_hi
        left = ((new_lo != old_lo) | (new_hi != old_hi)) & (new_hi - new_lo >= SHORTEST)
        going, x = going[left], pick(x, left)
    return lo, hi


def extremes(n: Ints, n_full: int, nlow: int, nhigh: int) -> tuple[Ints, Ints]:
    """Drop so many of the lowest and of the highest, of fewer valid samples in proportion (IRAF minmax); one stays."""
    share = np.minimum(n / n_full, 1)
    lo = np.floor(nlow * share + 1e-3).astype(np.int32)
    hi = n - np.floor(nhigh * share + 1e-3).astype(np.int32)
    empty = (hi <= lo) & (n > 0)
    middle = np.minimum(lo, n - 1)
    return np.where(empty, middle, lo).astype(np.int32), np.where(empty, middle + 1, hi).astype(np.int32)


def studentized(x: Floats, n: Ints, rule: Rule, limits: NDArray[np.float64]) -> tuple[Ints, Ints]:
    """Generalised extreme studentized deviate: take the furthest from the mean away, one by one (Rosner 1983).

    All are rejected up to the last whose distance, in standard deviations of what was there, is beyond its limit.
    """
    centre = median(x, np.zeros_like(n), n)
    d = (x - centre).astype(np.float64)
    d[~np.isfinite(d)] = 0
    first, second = total(d), total(d * d)
    lo, hi, floor = np.zeros_like(n), n.copy(), floor_of(n, rule.minkeep)
    kept_lo, kept_hi = lo.copy(), hi.copy()
    candidates = np.floor(rule.gesd_fraction * n + 1e-9).astype(np.int32)
    for taken in range(int(candidates.max(initial=0))):
        left = np.maximum(hi - lo, 1)
        mean = first / left
        sigma = np.sqrt(np.maximum(second - first * mean, 0) / np.maximum(left - 1, 1))
        below, above = at_rank(d, lo), at_rank(d, hi - 1)
        going = (taken < candidates) & (hi - lo > np.maximum(floor, SHORTEST - 1))
        low = mean - below > above - mean
        lo, hi = lo + (going & low), hi - (going & ~low)
        gone = np.where(low, below, above)
        far = going & (abs(gone - mean) > limits[left] * sigma)
        kept_lo, kept_hi = np.where(far, lo, kept_lo), np.where(far, hi, kept_hi)
        first, second = np.where(going, first - gone, first), np.where(going, second - gone * gone, second)
    return kept_lo.astype(np.int32), kept_hi.astype(np.int32)


def studentized_limits(n_frames: int, alpha: float) -> NDArray[np.float64]:
    """Limits of `studentized` by the number of samples still there; shape (n_frames + 1,)."""
    from scipy.stats import t

    limits = np.full(n_frames + 1, np.inf)
    n = np.arange(3, n_frames + 1)
    value = t.ppf(1 - alpha / (2 * n), n - 2)
    limits[3:] = (n - 1) * value / np.sqrt(n * (n - 2 + value * value))
    return limits


def medians_for_outliers(engine: Engine, x: Floats, n: Ints, rule: Rule) -> tuple[Floats, Ints, Ints]:
    """Replace what is too far from the mean by the median, pass by pass (median kappa-sigma of DeepSkyStacker).

    Returns
    -------
    x : ndarray, shape (N, npix), float32
        Sorted columns with the replaced samples.
    n_low, n_high : ndarray, shape (npix,), int32
        Samples that were replaced below and above.
    """
    samples, zero = x, np.zeros_like(n)
    n_low, n_high = zero.copy(), zero.copy()
    valid = (np.arange(len(x))[:, None] < n) & (n >= SHORTEST)
    for _ in range(rule.passes):
        centre, width = about_mean(engine, x, zero, n, np.arange(n.size))
        below, above = F(rule.low) * width, F(rule.high) * width
        outside = valid & ((centre - x > below) | (x - centre > above))
        if not outside.any():
            break
        # A median that is replaced again is no sample of its own.
        n_low = np.maximum(n_low, (valid & (centre - samples > below)).sum(axis=0, dtype=np.int32))
        n_high = np.maximum(n_high, (valid & (samples - centre > above)).sum(axis=0, dtype=np.int32))
        x = np.sort(np.where(outside, median(x, zero, n), x), axis=0)
    return x, n_low, np.minimum(n_high, n - n_low)
