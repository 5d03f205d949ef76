"""Rejections that may take any sample of a column, not only the outermost: they mark samples frame by frame.

Each pass is a function ``judge(x, keep)`` of columns (N, npix) and what is kept so far; it gives what to reject below,
what to reject above, and the distance that orders samples when too many would go.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack.clip import floor_of
from lostlight.science.stack.columns import F, Floats, Ints, at_rank, median, pick, total
from lostlight.science.stack.rule import SHORTEST, NoiseModel, Rule

Bools = NDArray[np.bool_]
Judge = Callable[[Floats, Bools, NDArray[np.intp]], tuple[Bools, Bools, NDArray]]
SAME = 1e-6
"""Distances that differ by no more than this fraction are equal."""
FIT_SCALES = {"gauss": float(np.sqrt(np.pi / 2)), "siril": 1.0, "pixinsight": 2.0}


def sieve(x: Floats, n: Ints, rule: Rule, judge: Judge, going: NDArray[np.intp]) -> tuple[Bools, Bools]:
    """Mark the samples to reject below and above, pass by pass.

    Parameters
    ----------
    x : ndarray, shape (N, npix), float32
        Columns in order of frames, +inf where invalid.
    n : ndarray, shape (npix,), int32
        Valid samples.
    going : ndarray, int
        Numbers of the columns to look at.

    Returns
    -------
    low, high : ndarray, shape (N, going.size), bool
    """
    at, going = going, np.arange(going.size)
    x, n = pick(x, at), n[at]
    low, high = np.zeros(x.shape, bool), np.zeros(x.shape, bool)
    valid, floor = np.isfinite(x), floor_of(n, rule.minkeep)
    for _ in range(rule.passes):
        if not going.size:
            break
        columns = pick(x, going)
        keep = pick(valid, going) & ~pick(low | high, going)
        below, above, distance = judge(columns, keep, at[going])
        below, above = below & keep, above & keep & ~below
        back = _nearest(below | above, distance, floor[going] - keep.sum(axis=0) + (below | above).sum(axis=0))
        below, above = below & ~back, above & ~back
        low[:, going] |= below
        high[:, going] |= above
        gone = (below | above).sum(axis=0)
        going = going[(gone > 0) & (keep.sum(axis=0) - gone >= SHORTEST)]
    return low, high


def _nearest(rejected: Bools, distance: NDArray, missing: NDArray) -> Bools:
    """Mark the `missing` nearest of the rejected samples of each column, with ties up to rounding."""
    back = np.zeros_like(rejected)
    short = np.flatnonzero(missing > 0)
    if short.size:
        far = np.where(pick(rejected, short), pick(distance, short), np.inf)
        furthest = at_rank(np.sort(far, axis=0), missing[short] - 1)
        back[:, short] = pick(rejected, short) & (far <= (1 + SAME) * furthest)
    return back


def kept_median(x: Floats, keep: Bools) -> tuple[Floats, Floats, Ints]:
    """Sort what is kept to the front; gives the sorted columns, their medians and numbers."""
    n = keep.sum(axis=0, dtype=np.int32)
    columns = np.where(keep, x, F(np.inf))
    columns.sort(axis=0)
    return columns, median(columns, np.zeros_like(n), n), n


def noise_of_frames(rule: Rule, noise: NoiseModel, scales: Floats, offsets: Floats) -> Judge:
    """Judge by the noise model where frames were scaled: each has its own width, that of its level before."""

    def judge(x: Floats, keep: Bools, at: NDArray[np.intp]) -> tuple[Bools, Bools, NDArray]:
        _, centre, _ = kept_median(x, keep)
        width = (np.abs(scales) * np.sqrt(noise.variance(centre / scales + offsets))).astype(F)
        distance = abs(x - centre) / width
        return centre - x > F(rule.low) * width, x - centre > F(rule.high) * width, distance

    return judge


def perhaps_noisy(columns: Floats, n: Ints, rule: Rule, noise: NoiseModel, scales: Floats, offsets: Floats) -> Bools:
    """Tell which sorted columns reach beyond the narrowest width that one of their frames may have: few do."""
    if scales.min() <= 0:
        return np.ones(n.size, bool)
    centre = median(columns, np.zeros_like(n), n)
    darkest = np.minimum(centre / scales.max(), centre / scales.min()) + offsets.min()
    # a little narrower than it is, so that no rounding matters
    width = 0.9999 * scales.min() * np.sqrt(noise.variance(darkest))
    return (at_rank(columns, n - 1) - centre > rule.high * width) | (centre - columns[0] > rule.low * width)


def line_through_ranks(rule: Rule) -> Judge:
    """Judge by a line through the sorted samples; ties of rank go by the order of frames."""
    scale = FIT_SCALES[rule.fit_scale]

    def judge(x: Floats, keep: Bools, at: NDArray[np.intp]) -> tuple[Bools, Bools, NDArray]:
        columns = np.where(keep, x, F(np.inf))
        order = columns.argsort(axis=0, kind="stable")
        columns = np.take_along_axis(columns, order, axis=0)
        n = keep.sum(axis=0)
        inside = np.arange(len(x))[:, None] < n
        y = np.where(inside, columns - median(columns, np.zeros_like(n), n), 0).astype(np.float64)
        rank = np.where(inside, np.arange(len(x))[:, None] - (n - 1) / 2, 0)
        slope, level = _least_absolute(rank, y, n) if rule.fit == "lad" else _least_squares(rank, y, n)
        residual = np.where(inside, y - level - slope * rank, 0)
        # A line through all samples leaves rounding errors, and they must not reject each other.
        width = np.maximum(scale * total(abs(residual)) / n, np.finfo(F).eps * abs(y).max(axis=0))
        residual = _to_frames(residual, order)
        return residual < -rule.low * width, residual > rule.high * width, abs(residual)

    return judge


def _least_squares(rank: NDArray, y: NDArray, n: NDArray) -> tuple[NDArray, NDArray]:
    return total(rank * y) / (n * (n * n - 1) / 12), total(y) / n


def _least_absolute(rank: NDArray, y: NDArray, n: NDArray) -> tuple[NDArray, NDArray]:
    """Slope where the sum of rank times sign of the residual passes zero, halved into; level the median of the rest."""
    inside = np.arange(len(y))[:, None] < n
    low, high = np.zeros(y.shape[1]), np.maximum(np.diff(y, axis=0), 0).max(axis=0)
    for _ in range(60):
        slope = (low + high) / 2
        rest = y - slope * rank
        level = _median_of(rest, inside)
        rises = total(np.where(inside, rank * np.sign(rest - level), 0)) > 0
        low, high = np.where(rises, slope, low), np.where(rises, high, slope)
    return slope, level


def _median_of(y: NDArray, inside: Bools) -> NDArray:
    n = inside.sum(axis=0)
    columns = np.sort(np.where(inside, y, np.inf), axis=0)
    return (at_rank(columns, n // 2) + at_rank(columns, (n - 1) // 2)) / 2


def _to_frames(by_rank: NDArray, order: NDArray) -> NDArray:
    by_frame = np.empty_like(by_rank)
    np.put_along_axis(by_frame, order, by_rank, axis=0)
    return by_frame


def predicate(rule: Rule, context: dict[str, Any]) -> Judge:
    """Judge by the user's expression, with fresh statistics at each pass; above the median counts as high."""

    def judge(x: Floats, keep: Bools, at: NDArray[np.intp]) -> tuple[Bools, Bools, NDArray]:
        statistics = _statistics(x, keep, rule.noise)
        samples = np.where(keep, x, F(np.nan))
        rejected = rule.expression.reject(samples, statistics, context) & keep  # type: ignore[union-attr]
        centre = statistics["median"]
        return rejected & (x < centre), rejected & (x >= centre), abs(x - centre)

    return judge


def _statistics(x: Floats, keep: Bools, noise: NoiseModel | None) -> dict[str, NDArray]:
    columns, centre, n = kept_median(x, keep)
    d = np.where(keep, x - centre, 0).astype(np.float64)
    mean = total(d) / n
    distance = np.sort(np.where(keep, abs(x - centre), F(np.inf)), axis=0)
    return {
        "n": n.astype(np.float64),
        "mean": centre + mean,
        "median": centre,
        "std": np.sqrt(total(np.where(keep, (d - mean) ** 2, 0)) / np.maximum(n - 1, 1)),
        "mad": median(distance, np.zeros_like(n), n),
        "min": columns[0],
        "max": at_rank(columns, n - 1),
        "q05": _quantile(columns, n, 0.05),
        "q95": _quantile(columns, n, 0.95),
        "sigma_model": np.sqrt(noise.variance(centre)) if noise else np.full(len(n), np.nan),
    }


def _quantile(x: Floats, n: Ints, fraction: float) -> NDArray:
    place = fraction * (n - 1)
    below = np.floor(place).astype(np.int32)
    part = place - below
    return (1 - part) * at_rank(x, below) + part * at_rank(x, np.minimum(below + 1, n - 1))
