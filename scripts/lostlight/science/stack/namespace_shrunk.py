"""Shrunken rejection in the array API standard, as `lostlight.science.stack.shrunk` defines it."""

from types import ModuleType
from typing import Any

import numpy as np

from lostlight.science.stack.planes import cast, median, shifted, table
from lostlight.science.stack.rule import Rule
from lostlight.science.stack.shrunk import MEDIAN_VARIANCE, mad_factors, scatter_shares

Array = Any


def keep_shrunk(
    z: Array, valid: Array, noises: Array | None, blurs: Array | None, rule: Rule, xp: ModuleType
) -> tuple[Array, Array]:
    """Find what is rejected below and above.

    Parameters
    ----------
    z : array, shape (N, ny, nx), float32
        Samples; infinite where not valid.
    valid : array, shape (N, ny, nx), bool
    noises : array, shape (N, 1, 1) or (N, ny, nx), float32, or None
    blurs : array, shape (N, 1, 1), float32, or None
    rule : Rule
    xp : module
        Namespace of the arrays.

    Returns
    -------
    low, high : array, shape (N, ny, nx), bool
    """
    n = xp.sum(cast(valid, xp.int32, xp), axis=0, dtype=xp.int32)
    columns = xp.sort(z, axis=0)
    image = median(columns, n, xp)
    distance = xp.where(valid, xp.abs(z - image), xp.asarray(np.inf, dtype=z.dtype))
    mad = median(xp.sort(distance, axis=0), n, xp)
    width = _width(n, mad, noises, rule, xp)
    slope, bend = tolerances(image, rule.gradient, rule.psf, xp)
    extra = slope if blurs is None else slope + blurs * bend
    centre = xp.where(n == 2, columns[0, ...], image)
    some = valid & (n > 1)
    low, high = (
        some & (away > threshold * width + extra)
        for away, threshold in ((centre - z, rule.low), (z - centre, rule.high))
    )
    return _leave_one(valid, low, high, xp.abs(z - centre), xp)


def _width(n: Array, mad: Array, noises: Array | None, rule: Rule, xp: ModuleType) -> Array:
    n_most = int(xp.max(n))
    many = np.maximum(np.arange(n_most + 1), 1)
    factor, share, scale = (
        cast(table(values, n, xp), mad.dtype, xp)
        for values in (
            np.sqrt(1 + MEDIAN_VARIANCE / many), scatter_shares(n_most, rule.prior), mad_factors(n_most),
        )
    )  # fmt: skip
    share = xp.where(mad > 0, share, xp.zeros_like(share))
    scatter = xp.where(share > 0, scale * mad, xp.zeros_like(mad))
    if noises is None:
        return factor * xp.where(share > 0, scatter, xp.full_like(mad, np.inf))
    return factor * xp.sqrt((1 - share) * (noises * noises) + share * (scatter * scatter))


def _leave_one(valid: Array, low: Array, high: Array, distance: Array, xp: ModuleType) -> tuple[Array, Array]:
    distance = xp.where(valid, distance, xp.asarray(np.inf, dtype=distance.dtype))
    none = ~xp.any(valid & ~low & ~high, axis=0)
    stays = none & (distance == xp.min(distance, axis=0))
    return low & ~stays, high & ~stays


def tolerances(image: Array, gradient: float, psf: float, xp: ModuleType) -> tuple[Array, Array]:
    """Give what is tolerated of steepness, and of curvature per unit of blur, as `lostlight.science.stack.shrunk`.

    Parameters
    ----------
    image : array, shape (ny, nx), float32
        Medians; NaN where there are none.
    """
    steep2, curved = xp.zeros_like(image), xp.zeros_like(image)
    for down, right in ((1, 0), (0, 1)):
        before = image - shifted(image, down, right, np.nan, xp)
        after = shifted(image, -down, -right, np.nan, xp) - image
        number = cast(xp.isfinite(before), image.dtype, xp) + cast(xp.isfinite(after), image.dtype, xp)
        slope = (_finite(before, xp) + _finite(after, xp)) / xp.maximum(number, xp.ones_like(number))
        steep2 = steep2 + slope * slope
        curved = curved + _finite(after - before, xp)
    return gradient * _largest_around(xp.sqrt(steep2), xp), psf * _largest_around(xp.abs(curved), xp)


def _finite(x: Array, xp: ModuleType) -> Array:
    return xp.where(xp.isfinite(x), x, xp.zeros_like(x))


def _largest_around(image: Array, xp: ModuleType) -> Array:
    for down, right in ((1, 0), (0, 1)):
        one, other = (shifted(image, sign * down, sign * right, 0.0, xp) for sign in (1, -1))
        image = xp.maximum(image, xp.maximum(one, other))
    return image
