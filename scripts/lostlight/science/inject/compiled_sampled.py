"""Cubic splines of a tabulated profile on pixels, compiled."""

import math

import numpy as np

from lostlight.science.inject.compiled import compiled, span, unload


@compiled
def taps(first: int, centre: float, step: float, middle: int, size: int, starts: np.ndarray, taps: np.ndarray) -> None:
    """Fill in, for a run of pixels, the first of the four samples that each needs and their weights."""
    for j in range(starts.size):
        u = (first + j - centre) / step + middle
        i = math.floor(u)
        inside = 1 <= i <= size - 3
        f, g = u - i, 1.0 - (u - i)
        starts[j] = i - 1 if inside else 0
        scale = 1.0 / 6.0 if inside else 0.0
        taps[j, 0] = scale * g * g * g
        taps[j, 1] = scale * (4.0 - 6.0 * f * f + 3.0 * f * f * f)
        taps[j, 2] = scale * (4.0 - 6.0 * g * g + 3.0 * g * g * g)
        taps[j, 3] = scale * f * f * f


@compiled
def look_up(
    x: float,
    y: float,
    left: int,
    low: int,
    spline: np.ndarray,
    step: float,
    stamp: np.ndarray,
    starts: np.ndarray,
    weights: np.ndarray,
) -> float:
    """Fill `stamp` with the profile around x, y, nothing below zero, and give its sum."""
    size_y, size_x = stamp.shape
    taps(low, y, step, spline.shape[0] // 2, spline.shape[0], starts[0, :size_y], weights[0, :size_y])
    taps(left, x, step, spline.shape[1] // 2, spline.shape[1], starts[1, :size_x], weights[1, :size_x])
    total = 0.0
    for i in range(size_y):
        a, wy = starts[0, i], weights[0, i]
        for j in range(size_x):
            b, wx = starts[1, j], weights[1, j]
            value = 0.0
            for p in range(4):
                row = spline[a + p]
                value += wy[p] * (wx[0] * row[b] + wx[1] * row[b + 1] + wx[2] * row[b + 2] + wx[3] * row[b + 3])
            stamp[i, j] = max(value, 0.0)
            total += stamp[i, j]
    return total


@compiled
def draw_sampled(
    planes: np.ndarray, x: np.ndarray, y: np.ndarray, flux: np.ndarray, spline: np.ndarray, step: float
) -> None:
    """Draw each source, a tabulated profile at its nodes, on a plane of its own that was empty.

    Each is of unit sum on a plane without edges, whatever its place within a pixel.
    """
    half_y, half_x = math.ceil(spline.shape[0] // 2 * step) + 1, math.ceil(spline.shape[1] // 2 * step) + 1
    size = max(2 * half_y, 2 * half_x) + 1
    starts, weights = np.empty((2, size), np.int64), np.empty((2, size, 4))
    stamp, page = np.empty((2 * half_y + 1, 2 * half_x + 1)), np.zeros(planes.shape[1:])
    for s in range(planes.shape[0]):
        for k in range(x.shape[1]):
            y0, y1 = span(y[s, k], half_y, page.shape[0])
            x0, x1 = span(x[s, k], half_x, page.shape[1])
            if y0 >= y1 or x0 >= x1:
                continue
            low, left = math.floor(y[s, k] + 0.5) - half_y, math.floor(x[s, k] + 0.5) - half_x
            total = look_up(x[s, k], y[s, k], left, low, spline, step, stamp, starts, weights)
            for i in range(y0, y1):
                for j in range(x0, x1):
                    page[i, j] += flux[s, k] / total * stamp[i - low, j - left]
        unload(page, x[s], y[s], half_x, half_y, planes[s])
