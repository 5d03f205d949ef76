"""From the samples of a chunk to those that are kept: the door to all methods of rejection."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack import clip, masks, widths
from lostlight.science.stack.columns import F, Floats, Ints, deviation, median, pick
from lostlight.science.stack.engine import NUMPY, Engine
from lostlight.science.stack.grow import grown
from lostlight.science.stack.look import Look, look_at_sorted
from lostlight.science.stack.rule import SHORTEST, Rule
from lostlight.science.stack.shrunk import reject_shrunk

LOOKED = ("none", "sigma", "sigma_once", "kappa", "winsorized", "noise_model")
"""Methods that need not see the sorted samples of most pixels."""
_WIDTHS = {
    "none": widths.about_median,
    "sigma": widths.about_median,
    "sigma_once": widths.about_mean,
    "kappa": widths.about_mean,
    "mad": widths.absolute,
    "winsorized": widths.winsorized,
}


@dataclass
class Kept:
    """What rejection leaves of a chunk.

    Attributes
    ----------
    lo, hi : ndarray, shape (npix,), int32
        Ranks: the samples from lo up to, not including, hi are combined.
    n_low, n_high : ndarray, shape (npix,), int32
        Samples rejected below and above.
    touched : ndarray, shape (n_touched,), int
        Pixels that lost a sample.
    low, high : ndarray, shape (N, n_touched), bool
        Which samples these lost, by frame.
    centre : ndarray, shape (npix,), float32
        Median of the samples that are combined.
    first, second : ndarray, shape (npix,), float64 and float32
        Sums of the differences from it, and of their squares.
    columns : ndarray, shape (N, npix), float32, or None
        Sorted samples, where a method asked for them.
    """

    lo: Ints
    hi: Ints
    n_low: Ints
    n_high: Ints
    touched: NDArray[np.intp]
    low: NDArray[np.bool_]
    high: NDArray[np.bool_]
    centre: Floats
    first: NDArray[np.float64]
    second: Floats
    columns: Floats | None


@dataclass(frozen=True)
class Stack:
    """What is the same for all chunks of a stack."""

    rule: Rule
    nx: int
    engine: Engine = NUMPY
    scales: Floats | None = None
    """shape (N, 1)"""
    offsets: Floats | None = None
    """shape (N, 1)"""
    context: dict[str, Any] | None = None
    limits: NDArray[np.float64] | None = None
    """of gesd"""
    blurs: Floats | None = None
    """of shrunk, shape (N, 1)"""


def reject(x: Floats, n: Ints, stack: Stack, noises: Floats | None = None) -> Kept:
    """Reject samples of a chunk.

    Parameters
    ----------
    x : ndarray, shape (N, npix), float32
        Samples by frame, +inf where invalid.
    n : ndarray, shape (npix,), int32
        Valid samples.
    noises : ndarray, shape (N, 1) or (N, npix), float32, or None
        One standard deviation of the samples, for shrunk.
    """
    kept = _reject(x, n, stack, noises)
    if stack.rule.grow and kept.touched.size:
        masks_ = grown(x < F(np.inf), kept.touched, kept.low, kept.high, stack.nx)
        return _without(x, n, kept, *masks_, stack.engine)
    return kept


def _reject(x: Floats, n: Ints, stack: Stack, noises: Floats | None) -> Kept:
    rule, engine = stack.rule, stack.engine
    if rule.reject == "shrunk":
        seen = _look_at_mads(x, n, stack)
        return _without(x, n, seen, *reject_shrunk(x, n, seen, stack, noises), engine)
    judge = _judge(stack)
    if judge is not None:
        return _by_mask(x, n, stack, judge)
    if rule.reject in LOOKED and rule.combine != "aawa":
        return _clipped(x, n, stack, engine.look(x, n, _certificate(rule)))
    columns = engine.sort(x)
    if rule.reject == "kappa_median":
        replaced, n_low, n_high = clip.medians_for_outliers(engine, columns, n, rule)
        touched, low, high = _rejected(x, columns, n, n_low, n - n_high)
        return _kept(replaced, np.zeros_like(n), n, n_low, n_high, touched, low, high, engine)
    if rule.reject in ("minmax", "gesd"):
        return _by_rank(x, columns, n, stack)
    return _clipped(x, n, stack, look_at_sorted(columns, n, _certificate(rule), engine.moments, engine.clamped))


def _certificate(rule: Rule) -> tuple[float, float] | None:
    return rule.thresholds if rule.reject == "winsorized" else None


def _clipped(x: Floats, n: Ints, stack: Stack, seen: Look) -> Kept:
    """Clip the columns that a look at all of them cannot settle."""
    rule, engine, lo, hi = stack.rule, stack.engine, np.zeros_like(n), n.copy()
    measure = _measure(seen, n, stack)
    at = np.flatnonzero(np.zeros(n.size)) if rule.reject == "none" else widths.suspects(seen, n, rule, measure)
    samples = pick(x, at)
    columns = engine.sort(samples) if seen.columns is None else pick(seen.columns, at)
    lo[at], hi[at] = clip.clip(engine, columns, n[at], rule, measure, at)
    hit, low, high = _rejected(samples, columns, n[at], lo[at], hi[at])
    touched, columns = at[hit], pick(columns, hit)
    kept = Kept(lo, hi, lo, n - hi, touched, low, high, seen.centre, seen.first, seen.second, seen.columns)
    kept.centre[touched] = centre = median(columns, lo[touched], hi[touched])
    kept.first[touched], kept.second[touched] = engine.moments(columns, lo[touched], hi[touched], centre)
    return kept


def _look_at_mads(x: Floats, n: Ints, stack: Stack) -> Look:
    if stack.rule.combine != "aawa":
        return stack.engine.look(x, n, None, True)
    seen = look_at_sorted(stack.engine.sort(x), n, None)
    seen.mad = deviation(seen.columns, n, seen.centre)
    return seen


def _without(
    x: Floats, n: Ints, seen: Look | Kept, touched: NDArray, low: NDArray, high: NDArray, engine: Engine
) -> Kept:
    """Leave out samples that lie anywhere in their columns."""
    n_low, n_high = np.zeros_like(n), np.zeros_like(n)
    n_low[touched], n_high[touched] = low.sum(axis=0), high.sum(axis=0)
    lo, hi = np.zeros_like(n), n - n_low - n_high
    columns = engine.sort(np.where(low | high, F(np.inf), pick(x, touched)))
    kept = Kept(lo, hi, n_low, n_high, touched, low, high, seen.centre, seen.first, seen.second, seen.columns)
    kept.centre[touched] = centre = median(columns, lo[touched], hi[touched])
    kept.first[touched], kept.second[touched] = engine.moments(columns, lo[touched], hi[touched], centre)
    if kept.columns is not None:
        kept.columns[:, touched] = columns
    return kept


def _measure(seen: Look, n: Ints, stack: Stack) -> widths.Measure:
    """Give the centre and width of the method."""
    rule = stack.rule
    if rule.reject == "percentile":
        return widths.frozen(np.where(seen.centre > 0, seen.centre, F(np.inf)))
    if rule.reject == "avsigclip":
        return widths.frozen(widths.line_noise(seen, n, stack.nx))
    if rule.reject == "noise_model":
        return widths.modelled(rule.noise)
    return partial(_WIDTHS[rule.reject], stack.engine)


def _judge(stack: Stack) -> masks.Judge | None:
    rule = stack.rule
    if rule.reject == "linear_fit":
        return masks.line_through_ranks(rule)
    if rule.reject == "expression":
        return masks.predicate(rule, stack.context or {})
    if rule.reject == "noise_model" and stack.scales is not None:
        return masks.noise_of_frames(rule, rule.noise, stack.scales, _offsets(stack))
    return None


def _offsets(stack: Stack) -> Floats:
    return np.zeros_like(stack.scales) if stack.offsets is None else stack.offsets


def _by_mask(x: Floats, n: Ints, stack: Stack, judge: masks.Judge) -> Kept:
    columns, asked = stack.engine.sort(x), n >= SHORTEST
    if stack.rule.reject == "noise_model":
        asked &= masks.perhaps_noisy(columns, n, stack.rule, stack.rule.noise, stack.scales, _offsets(stack))
    asked = np.flatnonzero(asked)
    low, high = masks.sieve(x, n, stack.rule, judge, asked)
    hit = np.flatnonzero((low | high).any(axis=0))
    touched, low, high = asked[hit], pick(low, hit), pick(high, hit)
    n_low, n_high = np.zeros_like(n), np.zeros_like(n)
    n_low[touched], n_high[touched] = low.sum(axis=0), high.sum(axis=0)
    if touched.size:
        columns[:, touched] = stack.engine.sort(np.where(low | high, F(np.inf), pick(x, touched)))
    return _kept(columns, np.zeros_like(n), n - n_low - n_high, n_low, n_high, touched, low, high, stack.engine)


def _by_rank(x: Floats, columns: Floats, n: Ints, stack: Stack) -> Kept:
    """Reject a number of the outermost samples."""
    rule = stack.rule
    if rule.reject == "minmax":
        lo, hi = clip.extremes(n, rule.n_full or len(x), rule.nlow, rule.nhigh)
    else:
        lo, hi = clip.studentized(columns, n, rule, stack.limits)
    return _kept(columns, lo, hi, lo, n - hi, *_rejected(x, columns, n, lo, hi), stack.engine)


def _kept(
    columns: Floats, lo: Ints, hi: Ints, n_low: Ints, n_high: Ints, touched: NDArray, low: NDArray, high: NDArray,
    engine: Engine,
) -> Kept:  # fmt: skip
    centre = median(columns, lo, hi)
    return Kept(lo, hi, n_low, n_high, touched, low, high, centre, *engine.moments(columns, lo, hi, centre), columns)


def _rejected(
    x: Floats, columns: Floats, n: Ints, lo: Ints, hi: Ints
) -> tuple[NDArray[np.intp], NDArray[np.bool_], NDArray[np.bool_]]:
    """Find the pixels that lost samples, and which frames those are of; `columns` are `x`, sorted."""
    touched = np.flatnonzero((lo > 0) | (hi < n))
    samples, first, last = pick(x, touched), np.minimum(lo[touched], len(x) - 1), hi[touched]
    low = samples < columns[first, touched]
    high = (samples > columns[last - 1, touched]) & (samples < F(np.inf))
    # Where the cut goes through equal samples, those of the first frames count as the lower ones.
    n_low, n_high = (np.add.reduce(each, axis=0, dtype=np.int32) for each in (low, high))
    tied = np.flatnonzero((n_low != lo[touched]) | (n_high != n[touched] - last))
    if tied.size:
        order = np.argsort(pick(samples, tied), axis=0, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(len(x))[:, None], axis=0)
        low[:, tied] = rank < lo[touched][tied]
        high[:, tied] = (rank >= last[tied]) & (rank < n[touched][tied])
    return touched, low, high
