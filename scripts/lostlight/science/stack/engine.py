"""The loops that cost the time of a stack, in NumPy; `lostlight.science.stack.compiled` has the same, compiled."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack import columns
from lostlight.science.stack.columns import F, Floats, Ints, differences, pick, spread, total
from lostlight.science.stack.look import CLAMP, Looker, look
from lostlight.science.stack.network import sort_planes
from lostlight.science.stack.trim import trim

CONSISTENT, CONVERGED = F(1.134), F(0.0005)
"""The factor that makes the width of clamped samples that of a Gaussian, and the change of it that is none."""


class Engine(NamedTuple):
    """How columns are sorted and added up; engines give the same bits."""

    look: Looker
    sort: Callable[[Floats], Floats]
    moments: Callable[[Floats, Ints, Ints, Floats], tuple[NDArray[np.float64], Floats]]
    clamped: Callable[[Floats, Ints, Ints, Floats, Floats], tuple[Floats, Floats]]
    winsorize: Callable[[Floats, Ints, Ints, Floats, Floats], Floats]
    trim: Callable[[Floats, Ints, Ints, Ints, tuple[float, float], Floats, Floats], tuple[Ints, Ints]]
    weigh: Callable[[Floats, Floats, Floats, Floats], tuple[NDArray[np.float64], ...]]


def winsorize(x: Floats, lo: Ints, hi: Ints, centre: Floats, width: Floats) -> Floats:
    """Find the winsorized standard deviation: samples beyond 1.5 sigma are moved there, until sigma stays.

    What was moved in stays there, even where sigma grows again (PixInsight, Siril).

    Parameters
    ----------
    x : ndarray, shape (N, npix), float32
        Sorted columns.
    lo, hi : ndarray, shape (npix,), int32
        Ranks of the samples that count.
    centre, width : ndarray, shape (npix,), float32
        Median, and standard deviation to start from.
    """
    width, bound = width.copy(), np.full_like(width, np.inf)
    going, n = np.arange(width.size), hi - lo
    d = differences(x, lo, hi, centre)
    while going.size:
        bound[going] = np.minimum(bound[going], CLAMP * width[going])
        v = np.maximum(d, -bound[going])
        np.minimum(v, bound[going], out=v)
        first = total(v)
        new = CONSISTENT * spread(first, total(np.multiply(v, v, out=v)), n[going], 1)
        left = abs(new - width[going]) > CONVERGED * width[going]
        width[going] = new
        if not left.all():
            going, d = going[left], pick(d, left)
    return width


def weigh(x: Floats, weights: Floats, noises: Floats, centre: Floats) -> tuple[NDArray[np.float64], ...]:
    """Add up the weights of the samples kept, and what they weigh, frame by frame.

    Parameters
    ----------
    x : ndarray, shape (N, npix), float32
        Samples by frame, +inf where invalid or left out.
    weights, noises : ndarray, shape (N, 1) or (N, npix), float32
    centre : ndarray, shape (npix,), float32

    Returns
    -------
    whole, first, squares, variance : ndarray, shape (npix,), float64
        Sums of w, of w times the difference from the centre, of w squared, and of w squared times noise squared.
    """
    whole, first, squares, variance = (np.zeros(x.shape[1]) for _ in range(4))
    for row, each, noise in zip(x, weights.astype(np.float64), noises.astype(np.float64), strict=True):
        kept = row < np.inf
        w = np.where(kept, each, 0.0)
        s = np.where(kept, noise, 0.0)
        whole += w
        first += w * np.where(kept, row - centre.astype(np.float64), 0.0)
        squares += w * w
        variance += w * w * (s * s)
    return whole, first, squares, variance


NUMPY = Engine(look, sort_planes, columns.moments, columns.clamped, winsorize, trim, weigh)
