"""From the samples of a chunk to those that are kept: the door to all methods of rejection."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack import clip, masks, widths
from lostlight.science.stack.columns import F, Floats, Ints, median, pick
from lostlight.science.stack.engine import NUMPY, Engine
from lostlight.science.stack.rule import SHORTEST, Rule

_WIDTHS = {
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
    columns : ndarray, shape (N, npix), float32
        Sorted samples; those of rank lo up to, not including, hi are combined.
    lo, hi : ndarray, shape (npix,), int32
    n_low, n_high : ndarray, shape (npix,), int32
        Samples rejected below and above.
    touched : ndarray, shape (n_touched,), int
        Pixels that lost a sample.
    low, high : ndarray, shape (N, n_touched), bool
        Which samples these lost, by frame.
    """

    columns: Floats
    lo: Ints
    hi: Ints
    n_low: Ints
    n_high: Ints
    touched: NDArray[np.intp]
    low: NDArray[np.bool_]
    high: NDArray[np.bool_]


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


def _ranks(columns: Floats, n: Ints, stack: Stack) -> tuple[Ints, Ints]:
    """Find the ranks that the methods keep which reject from both ends of sorted columns."""
    rule, nothing = stack.rule, np.zeros_like(n)
    if rule.reject == "none":
        return nothing, n.copy()
    if rule.reject == "minmax":
        return clip.extremes(n, len(columns), rule.nlow, rule.nhigh)
    if rule.reject == "gesd":
        return clip.studentized(columns, n, rule, stack.limits)
    return clip.clip(stack.engine, columns, n, rule, _measure(columns, n, stack))


def _measure(columns: Floats, n: Ints, stack: Stack) -> widths.Measure:
    """Give the centre and width of the method."""
    rule = stack.rule
    if rule.reject == "percentile":
        centre = median(columns, np.zeros_like(n), n)
        return widths.frozen(np.where(centre > 0, centre, F(np.inf)))
    if rule.reject == "avsigclip":
        return widths.frozen(widths.line_noise(stack.engine, columns, n, stack.nx))
    if rule.reject == "noise_model":
        return widths.modelled(rule.noise)
    return partial(_WIDTHS[rule.reject], stack.engine)


def reject(x: Floats, n: Ints, stack: Stack) -> Kept:
    """Reject samples of a chunk.

    Parameters
    ----------
    x : ndarray, shape (N, npix), float32
        Samples by frame, +inf where invalid.
    n : ndarray, shape (npix,), int32
        Valid samples.
    """
    rule = stack.rule
    judge = _judge(stack)
    if judge is not None:
        return _by_mask(x, n, stack, judge)
    columns = stack.engine.sort(x)
    if rule.reject == "kappa_median":
        replaced, n_low, n_high = clip.medians_for_outliers(stack.engine, columns, n, rule)
        kept = _by_rank(x, columns, n, n_low, n - n_high)
        kept.columns, kept.lo, kept.hi = replaced, np.zeros_like(n), n
        return kept
    return _by_rank(x, columns, n, *_ranks(columns, n, stack))


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
    return Kept(columns, np.zeros_like(n), n - n_low - n_high, n_low, n_high, touched, low, high)


def _by_rank(x: Floats, columns: Floats, n: Ints, lo: Ints, hi: Ints) -> Kept:
    touched = np.flatnonzero((lo > 0) | (hi < n))
    samples, first, last = pick(x, touched), lo[touched], hi[touched]
    low = samples < columns[first, touched]
    high = (samples > columns[last - 1, touched]) & (samples < F(np.inf))
    # Where the cut goes through equal samples, those of the first frames count as the lower ones.
    tied = np.flatnonzero((low.sum(axis=0) != first) | (high.sum(axis=0) != n[touched] - last))
    if tied.size:
        order = np.argsort(pick(samples, tied), axis=0, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(len(x))[:, None], axis=0)
        low[:, tied] = rank < first[tied]
        high[:, tied] = (rank >= last[tied]) & (rank < n[touched][tied])
    return Kept(columns, lo, hi, lo, n - hi, touched, low, high)
