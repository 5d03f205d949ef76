"""Rejection as PixInsight's ImageIntegration defines it, one pixel at a time, in float64.

Each function takes the samples of one pixel and gives ``(mean of what stays, n_low, n_high)``. Where it departs from
ours:

* thresholds are not symmetric by default: 4 below and 3 above, of `linear_fit` 5 and 2.5;
* `winsorized` takes two steps at least before its width may count as settled;
* `linear_fit` starts with five samples, its width is twice the mean absolute residual, and a residual of exactly the
  threshold is rejected (ours: fit lad, fit_scale pixinsight);
* `averaged` measures its gain on each pixel alone, so that it is sigma clipping with the width of the first pass;
* no method keeps a least number of samples, but stops at fewer than three.
"""

import itertools
import math

import numpy as np


def sigma(samples, low=4.0, high=3.0):
    return _clip(samples, lambda x: _about(x, np.median(x), np.std(x, ddof=1), low, high))


def winsorized(samples, low=4.0, high=3.0):
    return _clip(samples, lambda x: _about(x, np.median(x), _winsorized(x), low, high))


def percentile(samples, low=0.2, high=0.1):
    return _clip(samples, lambda x: _about(x, np.median(x), np.median(x), low, high), passes=1)


def averaged(samples, low=4.0, high=3.0):
    x = np.sort(np.asarray(samples, float)[np.isfinite(samples)])
    m = np.median(x)
    gain = math.sqrt(((x - m) ** 2 / m).sum() / (len(x) - 1))
    return _clip(samples, lambda x: _about(x, np.median(x), gain * math.sqrt(m), low, high))


def ccd(samples, low, high, read_noise_e, gain_e_adu, scale_noise=0.0):
    def judge(x):
        m = np.median(x)
        variance = (read_noise_e / gain_e_adu) ** 2 + max(m, 0) / gain_e_adu + (scale_noise * m) ** 2
        return _about(x, m, math.sqrt(variance), low, high)

    return _clip(samples, judge)


def linear_fit(samples, low=5.0, high=2.5):
    def judge(x):
        residual = x - least_absolute_line(x)
        width = 2 * np.abs(residual).mean()
        return residual <= -low * width, residual >= high * width

    x = np.asarray(samples, float)
    return _clip(x, judge, passes=10_000 if np.isfinite(x).sum() >= 5 else 0)


def least_absolute_line(y):
    """The line with the least sum of absolute residuals goes through two of the points: all pairs are tried."""
    rank = np.arange(len(y))
    lines = ((y[i] + (y[j] - y[i]) / (j - i) * (rank - i)) for i, j in itertools.combinations(rank, 2))
    return min(lines, key=lambda line: np.abs(y - line).sum())


def _winsorized(x):
    centre, width, values = np.median(x), np.std(x, ddof=1), x
    step, before = 0, math.inf
    while step < 2 or abs(width - before) > 0.0005 * before:
        values = np.clip(values, centre - 1.5 * width, centre + 1.5 * width)
        step, before, width = step + 1, width, 1.134 * np.std(values, ddof=1)
    return width


def _about(x, centre, width, low, high):
    return centre - x > low * width, x - centre > high * width


def _clip(samples, judge, passes=10_000):
    x = np.sort(np.asarray(samples, float)[np.isfinite(samples)])
    n_low = n_high = 0
    for _ in range(passes):
        if len(x) < 3:
            break
        below, above = judge(x)
        if not (below | above).any():
            break
        x, n_low, n_high = x[~(below | above)], n_low + int(below.sum()), n_high + int(above.sum())
    return float(x.mean()), n_low, n_high
