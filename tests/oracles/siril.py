"""Rejection as Siril 1.0.6 does it, one pixel at a time: what it defines and where it goes astray, seen from outside.

Each function takes the samples of one pixel in order of frames, and gives ``(result, n_low, n_high)``. Samples of zero
are no data. Where Siril departs from ours, and from the books:

* rejection pauses in a pass once its samples, less all that were rejected so far, are `SPARED`; as it goes through
  samples in the order they lie in, which of them are spared depends on that order (here: of frames; Siril's own is
  shuffled, so that its result is not foretold where the pause comes);
* `winsorized` clamps 16-bit frames at whole numbers (`whole`);
* `linear_fit` goes on with the mean and the variance of the first pass's ranks (`stale`) when samples are gone, and
  its width is the mean absolute residual;
* `mad` is not scaled to a standard deviation, and is taken about the median of the pass before, rounded up for 16-bit
  frames (`whole`); its float frames are not foretold;
* `gesdt` rejects two samples whatever they are, and of those above rejects a neighbour once one below is gone;
* `median_sigma` puts the median in place of what it rejects, rounded down for 16-bit frames (`whole`);
* `median` alone takes zeros for data.
"""

import math

import numpy as np
from scipy import stats

SPARED = 4
F = np.float32


def data_of(samples):
    """The samples that Siril takes for data."""
    return [float(x) for x in samples if math.isfinite(x) and x != 0]


def written(result):
    """A result of 16-bit frames as a pixel of the file that Siril writes: 1 is full scale, rounded twice."""
    return F(result) * F(1 / 65535)


def median(samples):
    return _median([float(x) for x in samples if math.isfinite(x)]), 0, 0


def sigma(samples, low=3.0, high=3.0):
    return _clip(data_of(samples), lambda x: _sides(x, _median(x), _deviation(x), low, high))


def percentile(samples, low=0.2, high=0.1):
    x = data_of(samples)
    return _clip(x, lambda x: _sides(x, _median(x), _median(x), low, high), passes=1)


def winsorized(samples, low=3.0, high=3.0, whole=False):
    return _clip(data_of(samples), lambda x: _sides(x, _median(x), _winsorized(x, whole), low, high))


def mad(samples, low=3.0, high=3.0, whole=False, passes=10_000):
    centres = []

    def judge(x):
        centres.append(_median(x))
        about = centres[max(len(centres) - 2, 0)]
        about = math.floor(about + 0.5) if whole else about
        return _sides(x, centres[-1], _median([abs(value - about) for value in x]), low, high)

    return _clip(data_of(samples), judge, passes)


def linear_fit(samples, low=3.0, high=3.0, stale=True, passes=10_000):
    """The samples are sorted first, so that the order of frames does not matter."""
    first = sorted(data_of(samples))

    def judge(x):
        n = len(first) if stale else len(x)
        mean_rank, variance_of_rank = (n - 1) / 2, (n * n - 1) / 12
        mean = sum(x) / len(x)
        slope = sum(i * (value - mean) for i, value in enumerate(x)) / len(x) / variance_of_rank
        residual = [value - mean - slope * (i - mean_rank) for i, value in enumerate(x)]
        width = sum(map(abs, residual)) / len(x)
        return [_side(-r > low * width, r > high * width) for r in residual]

    return _clip(first, judge, passes)


def gesdt(samples, fraction=0.3, alpha=0.05):
    x = sorted(data_of(samples))
    left, places, below, outliers = list(x), [], 0, 2
    for step in range(int(fraction * len(x))):
        n, mean = len(left), np.mean(left)
        t = stats.t.ppf(1 - alpha / (2 * n), n - 2)
        limit = (n - 1) * t / math.sqrt(n * (n - 2 + t * t)) * np.std(left, ddof=1)
        lowest = mean - left[0] > left[-1] - mean
        # The place of one above is not moved up by those that are gone below.
        places.append(below if lowest else len(left) - 1)
        below += lowest
        gone = left.pop(0 if lowest else -1)
        outliers = max(outliers, step + 1) if abs(gone - mean) > limit else outliers
    places = set(places[:outliers])
    n_low = sum(x[i] < _median(x) for i in places)
    return float(np.mean([value for i, value in enumerate(x) if i not in places])), n_low, len(places) - n_low


def median_sigma(samples, low=3.0, high=3.0, whole=False):
    x, n_low, n_high = data_of(samples), 0, 0
    while True:
        m = _median(x)
        sides = _sides(x, m, _deviation(x), low, high)
        if not any(sides):
            return float(np.mean(x)), n_low, n_high
        put = math.floor(m) if whole else m
        x = [put if side else value for value, side in zip(x, sides, strict=True)]
        n_low, n_high = n_low + sides.count(-1), n_high + sides.count(1)


def _clip(x, judge, passes=10_000):
    n_low = n_high = 0
    for _ in range(passes):
        if len(x) < 3:
            break
        kept = []
        for value, side in zip(x, judge(x), strict=True):
            if side and len(x) - n_low - n_high > SPARED:
                n_low, n_high = n_low + (side < 0), n_high + (side > 0)
            else:
                kept.append(value)
        if len(kept) == len(x):
            break
        x = kept
    return float(np.mean(x)) if x else 0.0, n_low, n_high


def _sides(x, centre, width, low, high):
    return [_side(centre - value > low * width, value - centre > high * width) for value in x]


def _side(below, above):
    return -1 if below else 1 if above else 0


def _median(x):
    return float(np.median(x))


def _deviation(x):
    return float(F(np.std(x, ddof=1)))


def _winsorized(x, whole):
    centre, width = _median(x), _deviation(x)
    while True:
        bottom, top = centre - 1.5 * width, centre + 1.5 * width
        if whole:
            bottom, top = math.floor(bottom + 0.5), math.floor(top + 0.5)
        x = [min(max(value, bottom), top) for value in x]
        before, width = width, float(F(1.134 * np.std(x, ddof=1)))
        if abs(width - before) <= 0.0005 * before:
            return width
