"""Centre and width of the samples of each pixel, by method: samples further from one than so many of the other go.

Each function takes sorted columns (N, npix), the ranks kept so far, and gives centre and width, (npix,) float32.
Sources: sigma and winsorized, PixInsight ImageIntegration; kappa, DeepSkyStacker; mad, Leys et al. 2013.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack.columns import F, Floats, Ints, median, spread
from lostlight.science.stack.engine import CONSISTENT, Engine
from lostlight.science.stack.look import Look, reach
from lostlight.science.stack.rule import SHORTEST, NoiseModel, Rule

Measure = Callable[[Floats, Ints, Ints, NDArray[np.intp]], tuple[Floats, Floats]]
"""``measure(x, lo, hi, at)``; `at` are the places of these columns in their chunk."""

MAD_SIGMA = F(1.4826)


def about_median(engine: Engine, x: Floats, lo: Ints, hi: Ints, at: NDArray) -> tuple[Floats, Floats]:
    """Median and standard deviation."""
    centre = median(x, lo, hi)
    return centre, spread(*engine.moments(x, lo, hi, centre), hi - lo, 1)


def about_mean(engine: Engine, x: Floats, lo: Ints, hi: Ints, at: NDArray) -> tuple[Floats, Floats]:
    """Mean and population standard deviation."""
    centre = median(x, lo, hi)
    first, second = engine.moments(x, lo, hi, centre)
    return (centre + first / (hi - lo)).astype(F), spread(first, second, hi - lo, 0)


def absolute(engine: Engine, x: Floats, lo: Ints, hi: Ints, at: NDArray) -> tuple[Floats, Floats]:
    """Median and median absolute deviation, scaled to that of a Gaussian."""
    centre = median(x, lo, hi)
    rank = np.arange(len(x))[:, None]
    distance = np.where((rank >= lo) & (rank < hi), abs(x - centre), F(np.inf))
    distance.sort(axis=0)
    return centre, MAD_SIGMA * median(distance, np.zeros_like(lo), hi - lo)


def winsorized(engine: Engine, x: Floats, lo: Ints, hi: Ints, at: NDArray) -> tuple[Floats, Floats]:
    """Median and winsorized standard deviation."""
    centre, width = about_median(engine, x, lo, hi, at)
    return centre, engine.winsorize(x, lo, hi, centre, width)


def modelled(noise: NoiseModel) -> Measure:
    """Median and the noise that the model gives there."""

    def measure(x: Floats, lo: Ints, hi: Ints, at: NDArray) -> tuple[Floats, Floats]:
        centre = median(x, lo, hi)
        return centre, _modelled(noise, centre)

    return measure


def _modelled(noise: NoiseModel, centre: Floats) -> Floats:
    return np.sqrt(noise.variance(centre)).astype(F)


def frozen(width: Floats) -> Measure:
    """Median, and a width that was found before and stays."""
    return lambda x, lo, hi, at: (median(x, lo, hi), width[at])


def suspects(seen: Look, n: Ints, rule: Rule, measure: Measure) -> NDArray[np.intp]:
    """Give the numbers of the columns that a first pass may take something from."""
    if rule.reject == "winsorized":
        outside = ~_certainly_whole(seen, n, rule.thresholds)
    else:
        centre, width = _at_first(seen, n, rule, measure)
        low, high = rule.thresholds
        outside = (centre - seen.smallest > F(low) * width) | (seen.largest - centre > F(high) * width)
    return np.flatnonzero(outside & (n >= SHORTEST))


def _at_first(seen: Look, n: Ints, rule: Rule, measure: Measure) -> tuple[Floats, Floats]:
    """Centre and width of all samples; most are known from the look."""
    if rule.reject == "sigma":
        return seen.centre, spread(seen.first, seen.second, n, 1)
    if rule.reject in ("sigma_once", "kappa"):
        return (seen.centre + seen.first / n).astype(F), spread(seen.first, seen.second, n, 0)
    if rule.reject == "noise_model":
        return seen.centre, _modelled(rule.noise, seen.centre)
    return measure(seen.columns, np.zeros_like(n), n, np.arange(n.size))


def _certainly_whole(seen: Look, n: Ints, thresholds: tuple[float, float]) -> NDArray[np.bool_]:
    """Tell where winsorized rejection can reject nothing, without iterating.

    The map from one sigma of the iteration to the next never falls, as clamping is a contraction. So where both the
    first sigma and the image of t are at least t, every iterate is; t is the sigma at which the outermost goes.
    """
    t = reach(seen, thresholds)
    image = CONSISTENT * spread(seen.clamped_first, seen.clamped_second, n, 1)
    return (spread(seen.first, seen.second, n, 1) >= t) & (image >= t)


def line_noise(seen: Look, n: Ints, nx: int) -> Floats:
    """Width of averaged sigma clipping: noise that grows with the root of the level, measured on each image line.

    IRAF imcombine avsigclip: g squared is the sum over a line of (x - a)^2 / max(1, a), over its degrees of freedom;
    the width of a pixel is g times the root of max(1, a). Here a is the median.
    """
    level = np.maximum(seen.centre, 1).astype(np.float64)
    share = np.where(n > 1, seen.second / level, 0).reshape(-1, nx)
    freedom = np.maximum(n - 1, 0).reshape(-1, nx).sum(axis=1)
    gain2 = np.array([line.sum() for line in share]) / np.maximum(freedom, 1)
    return np.sqrt(np.repeat(gain2, nx) * level).astype(F)
