"""Straight paths at constant speed, and how far others are from them."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def straight(since: FloatArray, x: FloatArray, y: FloatArray) -> dict[str, float] | None:
    """Fit a straight path at constant speed; None where no image shows the source.

    Parameters
    ----------
    since : ndarray, (T,), float64
        Days since mid-arc.
    x, y : ndarray, (T,), float64
        NaN where the source is on no image.

    Returns
    -------
    dict of str to float or None
        x, y at mid-arc, vx, vy, and the times `first` and `last` between which it is seen.
    """
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        return None
    line = np.c_[np.ones(known.sum()), since[known]]
    (x0, y0), (vx, vy) = np.linalg.lstsq(line, np.c_[x[known], y[known]], rcond=None)[0]
    ends = since[known][[0, -1]]
    return {"x": float(x0), "y": float(y0), "vx": float(vx), "vy": float(vy), "first": ends[0], "last": ends[1]}


def distance(true: dict[str, float], x: FloatArray, y: FloatArray, v: FloatArray) -> FloatArray:
    """Give how far paths are from the true one, at most, at both ends and in the middle of what is seen of it.

    Parameters
    ----------
    true : dict of str to float
        Of `straight`.
    x, y : ndarray, float64
        Places at mid-arc, pixels.
    v : ndarray, (..., 2), float64
        Motions in pixels per day; without its last axis it goes with `x` and `y`.

    Returns
    -------
    ndarray, float64
        Pixels.
    """
    times = np.array([true["first"], (true["first"] + true["last"]) / 2, true["last"]])
    dx = x - true["x"] + np.multiply.outer(times, v[..., 0] - true["vx"])
    dy = y - true["y"] + np.multiply.outer(times, v[..., 1] - true["vy"])
    return np.hypot(dx, dy).max(axis=0)
