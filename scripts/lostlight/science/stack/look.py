"""A first look at each pixel: few numbers that tell of most that nothing can be rejected there, and give the result."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack import columns
from lostlight.science.stack.columns import F, Floats, Ints, at_rank, median
from lostlight.science.stack.network import sort_planes

CLAMP = F(1.5)
"""Winsorizing moves samples beyond so many sigma to there (Huber)."""
Thresholds = tuple[float, float] | None


@dataclass
class Look:
    """Of the valid samples of each pixel, shape (npix,), float32 unless said otherwise.

    Attributes
    ----------
    centre : ndarray
        Median; NaN of no samples.
    first, second : ndarray
        Sums of the differences from the centre (float64), and of their squares.
    smallest, largest : ndarray
    clamped_first, clamped_second : ndarray or None
        The same sums for winsorized rejection, of differences clamped as they are where sigma is `reach`.
    mad : ndarray or None
        How far the nearer half of the samples reaches from the centre, for shrunk rejection.
    columns : ndarray, shape (N, npix), or None
        The sorted samples, where they were kept.
    """

    centre: Floats
    first: NDArray[np.float64]
    second: Floats
    smallest: Floats
    largest: Floats
    clamped_first: Floats | None = None
    clamped_second: Floats | None = None
    columns: Floats | None = None
    mad: Floats | None = None


Looker = Callable[[Floats, Ints, Thresholds, bool], Look]


def look(x: Floats, n: Ints, thresholds: Thresholds, mads: bool = False) -> Look:
    """Look at a chunk.

    Parameters
    ----------
    x : ndarray, shape (N, npix), float32
        Samples by frame, +inf where invalid.
    n : ndarray, shape (npix,), int32
        Valid samples.
    thresholds : (float, float) or None
        Of winsorized rejection, where the clamped sums are wanted.
    mads : bool
        Whether `mad` is wanted.
    """
    seen = look_at_sorted(sort_planes(x), n, thresholds)
    if mads:
        seen.mad = columns.deviation(seen.columns, n, seen.centre)
    return seen


def look_at_sorted(
    x: Floats, n: Ints, thresholds: Thresholds, moments: Callable = columns.moments, clamped: Callable = columns.clamped
) -> Look:
    """Look at columns that are sorted."""
    zero = np.zeros_like(n)
    centre = median(x, zero, n)
    seen = Look(centre, *moments(x, zero, n, centre), x[0], at_rank(x, n - 1), columns=x)
    if thresholds:
        seen.clamped_first, seen.clamped_second = clamped(x, zero, n, centre, CLAMP * reach(seen, thresholds))
    return seen


def reach(seen: Look, thresholds: tuple[float, float]) -> Floats:
    """Give the sigma at which the outermost sample goes."""
    low, high = F(thresholds[0]), F(thresholds[1])
    return np.maximum((seen.largest - seen.centre) / high, (seen.centre - seen.smallest) / low)
