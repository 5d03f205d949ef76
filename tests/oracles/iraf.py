"""Rejection as IRAF's imcombine defines it, one pixel at a time, in float64.

Each function takes the samples of one pixel (`avsigclip`: of one image line), and gives ``(mean of what stays, n_low,
n_high)``. Where it departs from ours:

* `nkeep` is one number for all methods but minmax; ours keeps two of three samples where three are asked for;
* `avsigclip` may take its centre as the mean without extremes (`centre="mean"`) and may not; ours is the median;
* `ccdclip` has no pedestal below which there is no shot noise, and its centre may be that mean too.
"""

import math

import numpy as np


def minmax(samples, nlow=1, nhigh=1):
    """Numbers to drop are those of all frames; of fewer valid samples their share, rounded down."""
    x = _valid(samples)
    low, high = (int(n * len(x) / len(samples) + 0.001) for n in (nlow, nhigh))
    return float(x[low : len(x) - high].mean()), low, high


def sigclip(samples, low=3.0, high=3.0, nkeep=1):
    return _clip(samples, lambda x: (np.median(x), np.std(x, ddof=1)), low, high, nkeep)


def ccdclip(samples, low, high, rdnoise_e, gain_e_adu, snoise=0.0, nkeep=1, centre="median"):
    def measure(x):
        a = _centre(x, centre)
        return a, math.sqrt((rdnoise_e / gain_e_adu) ** 2 + max(a, 0) / gain_e_adu + (snoise * a) ** 2)

    return _clip(samples, measure, low, high, nkeep)


def avsigclip(line, low=3.0, high=3.0, nkeep=1, centre="median"):
    """Clip the pixels of a line with the one gain that its pixels share; shape (N, nx)."""
    pixels = [_valid(samples) for samples in np.asarray(line, float).T]
    centres = [_centre(x, centre) for x in pixels]
    squares = sum(((x - a) ** 2).sum() / max(1, a) for x, a in zip(pixels, centres, strict=True))
    gain = math.sqrt(squares / sum(len(x) - 1 for x in pixels))
    return [
        _clip(x, lambda left, a=a: (_centre(left, centre), gain * math.sqrt(max(1, a))), low, high, nkeep)
        for x, a in zip(pixels, centres, strict=True)
    ]


def _valid(samples):
    x = np.asarray(samples, float)
    return np.sort(x[np.isfinite(x)])


def _centre(x, centre):
    return np.median(x) if centre == "median" else (x.sum() - x.max() - x.min()) / (len(x) - 2)


def _clip(samples, measure, low, high, nkeep):
    x = _valid(samples)
    whole = len(x)
    n_low = n_high = 0
    while len(x) > max(nkeep, 2):
        centre, width = measure(x)
        below, above = centre - x > low * width, x - centre > high * width
        distance = np.sort(np.abs(x - centre)[below | above])
        missing = min(nkeep, whole) - (len(x) - len(distance))
        if missing > 0:  # the nearest come back, and all that are as far as the last of them
            back = np.abs(x - centre) <= distance[missing - 1]
            below, above = below & ~back, above & ~back
        if not (below | above).any():
            break
        x, n_low, n_high = x[~(below | above)], n_low + int(below.sum()), n_high + int(above.sum())
    return float(x.mean()), n_low, n_high
