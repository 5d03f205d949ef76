"""Fractions found in bins, with Jeffreys' intervals: against one quantity, or against magnitude and rate together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.vet.completeness import jeffreys

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bins:
    """What came back of what was planted, bin by bin.

    Parameters
    ----------
    edges : tuple of ndarray, (m + 1,) each, float64
        Edges along each axis.
    n_planted, n_found : ndarray, one axis for each of `edges`, int64
    low, high : ndarray, same shape, float64
        68 % interval of the fraction (Brown, Cai & DasGupta 2001); 0 to 1 where nothing was planted.
    """

    edges: tuple[FloatArray, ...]
    n_planted: IntArray
    n_found: IntArray
    low: FloatArray
    high: FloatArray


def even_edges(values: ArrayLike, width: float) -> FloatArray:
    """Give edges at multiples of `width` that hold all finite values; two at least."""
    values = np.asarray(values, float)
    values = values[np.isfinite(values)]
    if not values.size:
        return np.array([0.0, width])
    first, last = np.floor(values.min() / width), np.floor(values.max() / width) + 1
    return np.arange(first, last + 0.5) * width


def count(is_found: ArrayLike, *axes: tuple[ArrayLike, ArrayLike]) -> Bins:
    """Count planted and found sources in bins along one axis or several.

    Parameters
    ----------
    is_found : array_like, (n,), bool
    *axes : (values, edges)
        A value for each source, (n,), and rising edges; a value on the last edge is inside, NaN is nowhere.

    Returns
    -------
    Bins
    """
    is_found = np.asarray(is_found, bool)
    values = np.stack([np.asarray(each, float) for each, _ in axes], axis=1)
    edges = tuple(np.asarray(each, float) for _, each in axes)
    known = np.isfinite(values).all(axis=1)
    n = np.histogramdd(values[known], edges)[0].astype(np.int64)
    k = np.histogramdd(values[known & is_found], edges)[0].astype(np.int64)
    low, high = jeffreys(k, n)
    return Bins(edges, n, k, low, high)
