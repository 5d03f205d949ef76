"""The samples that are kept, as one value and its uncertainty."""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack.columns import F, Floats, pick, total
from lostlight.science.stack.reject import Kept, Stack
from lostlight.science.stack.rule import NoiseModel

_SIZES = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20, 30])
_EXCESS = np.array([1, 1, 1.346, 1.192, 1.435, 1.288, 1.472, 1.347, 1.494, 1.382, 1.526, 1.470, 1.501])


def median_excess(n: NDArray) -> NDArray[np.float64]:
    """Give the variance of the median of `n` Gaussian samples over that of their mean; pi/2 of many.

    Measured up to 30; beyond, the first terms of the expansion in 1/n join it to its limit.
    """
    n = np.asarray(n, np.float64)
    return np.where(
        n <= 30, np.interp(n, _SIZES, _EXCESS), np.pi / 2 - (np.pi / 2 - _EXCESS[-1]) * 30 / np.maximum(n, 30)
    )


def average(
    x: Floats, kept: Kept, stack: Stack, weights: Floats | None, noises: Floats | None = None
) -> tuple[Floats, Floats, Floats, Floats]:
    """Combine a chunk.

    Parameters
    ----------
    x : ndarray, shape (N, npix), float32
        Samples by frame, +inf where invalid; here those that were rejected become so too.
    kept : Kept
    stack : Stack
    weights, noises : ndarray, shape (N, 1) or (N, npix), float32, or None

    Returns
    -------
    value, sigma, sigma_empirical, weight : ndarray, shape (npix,), float32
    """
    rule, n = stack.rule, kept.hi - kept.lo
    weighed = _weigh(x, kept, stack, weights, noises)
    centre, first, second = kept.centre, kept.first, kept.second
    if rule.combine == "median":
        value = centre.astype(np.float64)
    elif rule.combine == "aawa":
        value = centre + _adaptive(kept, centre, first / n, rule.aawa_iterations)
    elif weights is None:
        value = centre + first / n
    else:
        value = centre + weighed[1] / weighed[0]
    excess = median_excess(np.arange(len(x) + 1))[n] if rule.combine == "median" else 1.0
    share = 1 / n if weights is None else weighed[2] / weighed[0] ** 2
    variance = np.where(n > 1, (second - first * first / n) / (n - 1), np.nan)
    empirical = np.sqrt(np.maximum(variance, 0) * share * excess)
    if noises is not None:
        sigma = np.sqrt(weighed[3] * excess) / weighed[0]
    elif rule.noise is None:
        sigma = empirical
    elif weights is None and stack.scales is None:
        sigma = np.sqrt(rule.noise.variance(value) * share * excess)
    else:
        _leave_out(x, kept)
        sigma = np.sqrt(_propagated(value, x < np.inf, stack, rule.noise, weights) * excess)
    weight = n if weights is None else weighed[0]
    # Adding zero makes a negative zero positive.
    return (value + 0.0).astype(F), sigma.astype(F), empirical.astype(F), weight.astype(F)


def _weigh(
    x: Floats, kept: Kept, stack: Stack, weights: Floats | None, noises: Floats | None
) -> tuple[NDArray[np.float64], ...] | None:
    """Add up what the samples kept weigh; where nothing differs from pixel to pixel, for one stands for all."""
    if weights is None and noises is None:
        return None
    ones, n = np.ones((len(x), 1), F), kept.hi - kept.lo
    columns = tuple(ones if each is None else each for each in (weights, noises))
    _leave_out(x, kept)
    at = np.flatnonzero(n < len(x))
    if weights is not None or noises.shape[1] > 1 or 2 * at.size > n.size:
        return stack.engine.weigh(x, *columns, kept.centre)
    sums = [np.full(n.size, each) for each in stack.engine.weigh(ones, *columns, ones[0])]
    for whole, part in zip(sums, stack.engine.weigh(pick(x, at), *columns, kept.centre[at]), strict=True):
        whole[at] = part
    return tuple(sums)


def _leave_out(x: Floats, kept: Kept) -> None:
    if kept.touched.size:
        x[:, kept.touched] = np.where(kept.low | kept.high, F(np.inf), pick(x, kept.touched))


def _propagated(
    value: NDArray[np.float64], keep: NDArray[np.bool_], stack: Stack, noise: NoiseModel, weights: Floats | None
) -> NDArray[np.float64]:
    """Variance of the weighted mean; each frame has that of its level before it was scaled."""
    squares, whole = np.zeros_like(value), np.zeros_like(value)
    for i, counts in enumerate(keep):
        scale = 1.0 if stack.scales is None else float(stack.scales[i, 0])
        offset = 0.0 if stack.offsets is None else float(stack.offsets[i, 0])
        weight = np.where(counts, 1.0 if weights is None else weights[i], 0.0)
        squares += weight * weight * scale * scale * noise.variance(value / scale + offset)
        whole += weight
    return squares / (whole * whole)


def _adaptive(kept: Kept, centre: Floats, mean: NDArray[np.float64], iterations: int) -> NDArray[np.float64]:
    """Auto-adaptive weighted average about `centre`: samples count less the further they are (Stetson 1989)."""
    rank = np.arange(len(kept.columns))[:, None]
    inside = (rank >= kept.lo) & (rank < kept.hi)
    d = np.where(inside, kept.columns - centre.astype(np.float64), 0)
    n, value = kept.hi - kept.lo, mean
    for _ in range(iterations):
        distance2 = (d - value) ** 2
        variance = total(np.where(inside, distance2, 0)) / n
        weight = np.where(inside, variance / np.where(variance > 0, variance + distance2, 1), 0)
        sums = total(weight)
        value = np.where(sums > 0, total(weight * d) / np.where(sums > 0, sums, 1), value)
    return value
