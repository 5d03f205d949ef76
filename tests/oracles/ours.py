"""The combine kernel once more, one pixel at a time, in float64 and as slow and plain as the definitions.

``kept(samples, method, **knobs)`` gives, for one pixel, which samples stay; nothing here is shared with the project.
"""

import math
import statistics

import numpy as np
from scipy import optimize, stats

NEVER_STOP = 10_000


def kept(samples, method, low=3.0, high=3.0, iterations=None, minkeep=3, n_frames=None, **knobs):
    """Indices of the samples that stay, of those that are finite."""
    valid = [i for i, x in enumerate(samples) if math.isfinite(x)]
    x = {i: float(samples[i]) for i in valid}
    if method in ("none", "minmax", "gesd"):
        return globals()[f"_{method}"](x, minkeep, len(samples), **knobs)
    passes = iterations or {"sigma_once": 1, "percentile": 1, "kappa": 5, "expression": 1}.get(method, NEVER_STOP)
    floor = 2 if len(x) == minkeep == 3 else min(minkeep, len(x))
    first = None
    for _ in range(passes):
        if len(x) < 3:
            break
        residual, width = _judge(x, method, first, **knobs)
        first = first or (residual, width)
        gone = {i for i in x if residual[i] < -low * width[i] or residual[i] > high * width[i]}
        gone = _put_back(gone, {i: abs(residual[i]) / (width[i] or 1) for i in gone}, floor - (len(x) - len(gone)))
        if not gone:
            break
        x = {i: value for i, value in x.items() if i not in gone}
    return sorted(x)


def _put_back(gone, distance, missing):
    if missing <= 0:
        return gone
    limit = sorted(distance.values())[missing - 1]
    return {i for i in gone if distance[i] > limit * (1 + 1e-6)}


def _judge(x, method, first, variance=None, line_gain=None, scale="gauss"):
    values = list(x.values())
    m = statistics.median(values)
    same = dict.fromkeys
    about = {i: v - m for i, v in x.items()}
    if method == "sigma":
        return about, same(x, statistics.stdev(values))
    if method in ("sigma_once", "kappa"):
        mean = statistics.fmean(values)
        return {i: v - mean for i, v in x.items()}, same(x, statistics.pstdev(values))
    if method == "mad":
        return about, same(x, 1.4826 * statistics.median(abs(v - m) for v in values))
    if method == "winsorized":
        return about, same(x, _winsorized(values, m))
    if method == "percentile":
        return about, same(x, m if m > 0 else math.inf)
    if method == "noise_model":
        return about, {i: math.sqrt(variance(i, m)) for i in x}
    if method == "avsigclip":
        width = first[1] if first else same(x, line_gain * math.sqrt(max(m, 1)))
        return about, width
    assert method == "linear_fit"
    return _line(x, scale)


def _winsorized(values, m):
    sigma = statistics.stdev(values)
    while True:
        values = [min(max(v, m - 1.5 * sigma), m + 1.5 * sigma) for v in values]
        new = 1.134 * statistics.stdev(values)
        if abs(new - sigma) <= 0.0005 * sigma:
            return new
        sigma = new


def _line(x, scale):
    order = sorted(x, key=lambda i: (x[i], i))
    y = np.array([x[i] for i in order])
    rank = np.arange(len(y))
    slope, level = np.polyfit(rank, y, 1)
    residual = np.round(y - level - slope * rank, 9)
    width = {"gauss": math.sqrt(math.pi / 2), "siril": 1, "pixinsight": 2}[scale] * abs(residual).mean()
    return dict(zip(order, residual, strict=True)), dict.fromkeys(x, max(width, 2**-23 * max(abs(y - np.median(y)))))


def _none(x, minkeep, n_frames):
    return sorted(x)


def _minmax(x, minkeep, n_frames, nlow=1, nhigh=1):
    order = sorted(x, key=lambda i: (x[i], i))
    low, high = (int(count * len(x) / n_frames + 0.001) for count in (nlow, nhigh))
    return sorted(order[low : len(order) - high])


def _gesd(x, minkeep, n_frames, fraction=0.3, alpha=0.05):
    left, taken, outliers = dict(x), [], 0
    floor = max(2 if len(x) == minkeep == 3 else min(minkeep, len(x)), 2)
    for step in range(int(fraction * len(x) + 1e-9)):
        n = len(left)
        if n <= floor:
            break
        mean, sigma = statistics.fmean(left.values()), statistics.stdev(left.values())
        furthest = max(left, key=lambda i: abs(left[i] - mean))
        t = stats.t.ppf(1 - alpha / (2 * n), n - 2)
        limit = (n - 1) * t / math.sqrt(n * (n - 2 + t * t))
        if abs(left[furthest] - mean) > limit * sigma:
            outliers = step + 1
        taken.append(furthest)
        del left[furthest]
    return sorted(set(x) - set(taken[:outliers]))


def kappa_median(samples, k, iterations=5):
    """Mean after replacing outliers by the median, pass by pass."""
    x = [float(v) for v in samples if math.isfinite(v)]
    for _ in range(iterations):
        mean, sigma, m = statistics.fmean(x), statistics.pstdev(x), statistics.median(x)
        x = [m if abs(v - mean) > k * sigma else v for v in x]
    return statistics.fmean(x)


def line_gain(lines):
    """Root of the variance over the level, of the pixels of one image line: averaged sigma clipping."""
    total, freedom = 0.0, 0
    for samples in lines:
        m = statistics.median(samples)
        total += sum((v - m) ** 2 for v in samples) / max(1, m)
        freedom += len(samples) - 1
    return math.sqrt(total / freedom)


def stetson(samples, iterations=5):
    """Auto-adaptive weighted average."""
    x = np.asarray(samples, float)
    r = x.mean()
    for _ in range(iterations):
        sigma = math.sqrt(((x - r) ** 2).mean())
        w = 1 / (1 + ((x - r) / sigma) ** 2)
        r = (w * x).sum() / w.sum()
    return r


def least_absolute_cost(y):
    """Smallest sum of absolute residuals of a line through y, by linear programming."""
    n = len(y)
    rank = np.arange(n)
    cost = np.r_[np.zeros(2), np.ones(2 * n)]
    lines = np.c_[np.ones(n), rank, np.eye(n), -np.eye(n)]
    return optimize.linprog(cost, A_eq=lines, b_eq=y, bounds=[(None, None)] * 2 + [(0, None)] * (2 * n)).fun
