"""The combination of one block in the array API standard: for graphics cards, and to compare with.

The same functions run on NumPy, CuPy or any other namespace of the standard, for the methods that a mosaic uses most.
They agree with `lostlight.science.stack.combine` to the rounding of float32.
"""

from types import ModuleType
from typing import Any

import numpy as np

from lostlight.core.errors import ConfigError
from lostlight.science.stack.average import median_excess
from lostlight.science.stack.engine import CONSISTENT, CONVERGED
from lostlight.science.stack.look import CLAMP
from lostlight.science.stack.namespace_shrunk import keep_shrunk
from lostlight.science.stack.planes import at_rank, cast, median, number_of, shifted, table
from lostlight.science.stack.rule import SHORTEST, Counted, Rule

Array = Any
REJECTS = ("none", "shrunk", "sigma", "sigma_once", "kappa", "mad", "winsorized")
MAD_SIGMA = 1.4826


def combine_block(
    x: Array, noises: Array | None, weights: Array | None, rule: Rule, xp: ModuleType, *, blurs: Array | None = None,
    counted: Counted = None,
) -> dict[str, Array]:  # fmt: skip
    """Combine one block of aligned frames, all at once.

    Parameters
    ----------
    x : array, shape (N, ny, nx), float32
        Samples; NaN where invalid.
    noises, weights : array, shape (N,) or (N, ny, nx), float32, or None
        One standard deviation of the samples, and what they count in the mean.
    rule : Rule
        Mean or median; one of `REJECTS`.
    xp : module
        Namespace of these arrays: numpy, cupy, array_api_strict.
    blurs : array, shape (N,), float32, or None
        As of `lostlight.science.stack.combine.combine`.
    counted : (slice, slice) or None
        The same.

    Returns
    -------
    dict of str to array
        What `lostlight.science.stack.rule.Combined` has, by name; numbers of samples are int32.

    Raises
    ------
    ConfigError
        Another method, or weights of a median.
    """
    if rule.combine not in ("mean", "median") or rule.reject not in REJECTS:
        raise ConfigError(
            f"a block cannot be combined by {rule.combine} with rejection {rule.reject}",
            f"combine by mean or median, reject by {', '.join(REJECTS)}, or run on the CPU",
        )
    if weights is not None and rule.combine != "mean":
        raise ConfigError("combine median takes no weights", "combine by mean, or weigh none")
    noises, weights, blurs = (_column(values, xp) for values in (noises, weights, blurs))
    valid = xp.isfinite(x)
    if noises is not None:
        valid = valid & (noises > 0) & xp.isfinite(noises)
    z = xp.where(valid, x, xp.asarray(np.inf, dtype=x.dtype))
    if rule.reject == "shrunk":
        low, high = keep_shrunk(z, valid, noises, blurs, rule, xp)
    else:
        low, high = _clip(z, valid, rule, xp)
    if rule.grow:
        low, high = _grown(valid, low, high, xp)
    names = {"rejected_low": low, "rejected_high": high, "n_valid": valid}
    return _average(z, valid, (low, high), noises, weights, rule, xp) | {
        name: number_of(mask, counted, xp) for name, mask in names.items()
    }


def _column(values: Array | None, xp: ModuleType) -> Array | None:
    return xp.reshape(values, (-1, 1, 1)) if values is not None and values.ndim == 1 else values


def _number(keep: Array, xp: ModuleType) -> Array:
    return xp.sum(cast(keep, xp.int32, xp), axis=0, dtype=xp.int32)


def _average(
    z: Array, valid: Array, rejected: tuple[Array, Array], noises: Array | None, weights: Array | None, rule: Rule,
    xp: ModuleType,
) -> dict[str, Array]:  # fmt: skip
    keep = valid & ~rejected[0] & ~rejected[1]
    n, zero = _number(keep, xp), xp.zeros(z.shape, dtype=xp.float64)
    centre = median(xp.sort(xp.where(keep, z, xp.asarray(np.inf, dtype=z.dtype)), axis=0), n, xp)
    d = xp.where(keep, cast(z, xp.float64, xp) - cast(centre, xp.float64, xp), zero)
    one = xp.ones((1, 1, 1), dtype=xp.float64)
    w = xp.where(keep, one if weights is None else cast(weights, xp.float64, xp), zero)
    whole = xp.sum(w, axis=0)
    is_median = rule.combine == "median"
    value = cast(centre, xp.float64, xp) + (0 * whole if is_median else xp.sum(w * d, axis=0) / whole)
    excess = table(median_excess(np.arange(z.shape[0] + 1)) if is_median else np.ones(z.shape[0] + 1), n, xp)
    share = xp.sum(w * w, axis=0) / whole**2
    sigma = empirical = xp.sqrt(_variance(d, n, 1, xp) * share * excess)
    if noises is not None:
        s = xp.where(keep, cast(noises, xp.float64, xp) + zero, zero)
        sigma = xp.sqrt(xp.sum(w * w * s * s, axis=0) * excess) / whole
    planes = {"data": value, "sigma": sigma, "sigma_empirical": empirical, "weight": whole}
    counts = {"n_used": n, "n_low": _number(rejected[0], xp), "n_high": _number(rejected[1], xp)}
    return {name: cast(plane, xp.float32, xp) for name, plane in planes.items()} | counts


def _variance(d: Array, n: Array, ddof: int, xp: ModuleType) -> Array:
    """Give the variance of differences from a centre, zero where they do not count; NaN of too few."""
    many = cast(n, xp.float64, xp)
    first, second = xp.sum(d, axis=0, dtype=xp.float64), xp.sum(d * d, axis=0, dtype=xp.float64)
    variance = (second - first * first / many) / (many - ddof)
    return xp.where(n > ddof, xp.where(variance > 0, variance, 0 * many), xp.asarray(np.nan, dtype=xp.float64))


def _clip(z: Array, valid: Array, rule: Rule, xp: ModuleType) -> tuple[Array, Array]:
    """Clip pass by pass; gives what is rejected below and above."""
    n = _number(valid, xp)
    three = (n == SHORTEST) & (rule.minkeep == SHORTEST)
    floor = xp.where(three, n - 1, xp.minimum(n, xp.asarray(rule.minkeep, dtype=n.dtype)))
    low, high = xp.zeros_like(valid), xp.zeros_like(valid)
    going = n >= SHORTEST
    for _ in range(rule.passes if rule.reject != "none" else 0):
        keep = valid & ~low & ~high
        centre, width = _MEASURES[rule.reject](z, keep, xp)
        below = keep & going & (centre - z > rule.low * width)
        above = keep & going & (z - centre > rule.high * width)
        back = _nearest(below | above, xp.abs(z - centre), floor - _number(keep & ~below & ~above, xp), xp)
        below, above = below & ~back, above & ~back
        if not xp.any(below | above):
            break
        low, high = low | below, high | above
        going = xp.any(below | above, axis=0) & (_number(valid & ~low & ~high, xp) >= SHORTEST)
    return low, high


def _nearest(rejected: Array, distance: Array, missing: Array, xp: ModuleType) -> Array:
    """Mark the `missing` nearest of the rejected samples of each pixel, with ties."""
    far = xp.where(rejected, distance, xp.asarray(np.inf, dtype=distance.dtype))
    return rejected & (missing > 0) & (far <= at_rank(xp.sort(far, axis=0), missing - 1, xp))


def _centred(z: Array, keep: Array, xp: ModuleType) -> tuple[Array, Array, Array]:
    """Give the median of what is kept, differences from it, and how many there are."""
    n = _number(keep, xp)
    centre = median(xp.sort(xp.where(keep, z, xp.asarray(np.inf, dtype=z.dtype)), axis=0), n, xp)
    return centre, xp.where(keep, z - centre, xp.zeros_like(z)), n


def _about_median(z: Array, keep: Array, xp: ModuleType) -> tuple[Array, Array]:
    centre, d, n = _centred(z, keep, xp)
    return centre, cast(xp.sqrt(_variance(d, n, 1, xp)), z.dtype, xp)


def _about_mean(z: Array, keep: Array, xp: ModuleType) -> tuple[Array, Array]:
    centre, d, n = _centred(z, keep, xp)
    mean = xp.sum(d, axis=0, dtype=xp.float64) / cast(n, xp.float64, xp)
    return cast(centre + mean, z.dtype, xp), cast(xp.sqrt(_variance(d, n, 0, xp)), z.dtype, xp)


def _absolute(z: Array, keep: Array, xp: ModuleType) -> tuple[Array, Array]:
    centre, d, n = _centred(z, keep, xp)
    far = xp.where(keep, xp.abs(d), xp.asarray(np.inf, dtype=z.dtype))
    return centre, MAD_SIGMA * median(xp.sort(far, axis=0), n, xp)


def _winsorized(z: Array, keep: Array, xp: ModuleType) -> tuple[Array, Array]:
    centre, d, n = _centred(z, keep, xp)
    width = cast(xp.sqrt(_variance(d, n, 1, xp)), z.dtype, xp)
    bound, going = CLAMP.item() * width, xp.isfinite(width)
    while xp.any(going):
        bound = xp.minimum(bound, CLAMP.item() * width)
        moved = xp.minimum(xp.maximum(d, -bound), bound)
        new = CONSISTENT.item() * cast(xp.sqrt(_variance(moved, n, 1, xp)), z.dtype, xp)
        left = going & (xp.abs(new - width) > CONVERGED.item() * width)
        width, going = xp.where(going, new, width), left
    return centre, width


_MEASURES = {
    "sigma": _about_median, "sigma_once": _about_mean, "kappa": _about_mean, "mad": _absolute,
    "winsorized": _winsorized,
}  # fmt: skip


def _grown(valid: Array, low: Array, high: Array, xp: ModuleType) -> tuple[Array, Array]:
    """Reject the neighbours of what is rejected; the last of a pixel stays."""
    left = valid & ~low & ~high
    above = left & _around(high, xp)
    below = left & ~above & _around(low, xp)
    more = xp.any(left & ~above & ~below, axis=0)
    return low | (below & more), high | (above & more)


def _around(mask: Array, xp: ModuleType) -> Array:
    rows = mask | shifted(mask, 1, 0, False, xp) | shifted(mask, -1, 0, False, xp)
    return rows | shifted(rows, 0, 1, False, xp) | shifted(rows, 0, -1, False, xp)
