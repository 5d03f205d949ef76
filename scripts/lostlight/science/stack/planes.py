"""What the array API standard lacks: ranks of sorted planes, tables by number of samples, shifted images."""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack.rule import Counted

Array = Any


def cast(x: Array, kind: Any, xp: ModuleType) -> Array:
    """Give `x` in another type; older NumPy and CuPy know this as a method alone."""
    return xp.astype(x, kind) if hasattr(xp, "astype") else x.astype(kind)


def at_rank(x: Array, rank: Array, xp: ModuleType) -> Array:
    """Give the sample of each sorted column, shape (N, ny, nx), that has this rank, shape (ny, nx)."""
    rank = xp.minimum(xp.maximum(rank, xp.zeros_like(rank)), xp.full_like(rank, x.shape[0] - 1))
    return xp.take_along_axis(x, cast(rank, xp.int64, xp)[None, ...], axis=0)[0, ...]


def median(x: Array, n: Array, xp: ModuleType) -> Array:
    """Give the median of the first `n` samples of sorted columns; NaN of none."""
    middle = 0.5 * at_rank(x, (n - 1) // 2, xp) + 0.5 * at_rank(x, n // 2, xp)
    return xp.where(n > 0, middle, xp.full_like(middle, np.nan))


def table(values: NDArray[np.floating], n: Array, xp: ModuleType) -> Array:
    """Look up one of the values for each pixel."""
    flat = xp.take(xp.asarray(values), xp.reshape(cast(n, xp.int64, xp), (-1,)), axis=0)
    return xp.reshape(flat, n.shape)


def shifted(image: Array, down: int, right: int, fill: Any, xp: ModuleType) -> Array:
    """Move the last two axes of an image by one pixel or none; what comes in is `fill`."""
    moved = xp.full_like(image, fill)
    moved[..., _to(down), _to(right)] = image[..., _to(-down), _to(-right)]
    return moved


def number_of(mask: Array, counted: Counted, xp: ModuleType) -> Array:
    """Count what is true of each frame, shape (N, ny, nx), in some rows and columns; shape (N,), int64."""
    inside = mask if counted is None else mask[:, counted[0], counted[1]]
    return xp.sum(cast(inside, xp.int64, xp), axis=(1, 2))


def _to(step: int) -> slice:
    return slice(1, None) if step > 0 else slice(None, -1) if step < 0 else slice(None)
