"""Elliptical Gaussians on pixels, compiled: exact along rows, and by a few heights within each row across them."""

import math

import numpy as np

from lostlight.science.inject.compiled import box_of, compiled, shares, span

_NORM = 1 / math.sqrt(2 * math.pi)


@compiled
def add_slanted(
    light: np.ndarray,
    x: float,
    y: float,
    flux: float,
    widths: tuple,
    slope: float,
    reaches: tuple,
    heights: np.ndarray,
    steps: np.ndarray,
    table: np.ndarray,
    work: np.ndarray,
) -> None:
    """Add an elliptical Gaussian to `light`; widths are those along x at a given y, and along y."""
    y0, y1 = span(y, reaches[1], light.shape[0])
    x0, x1 = span(x, reaches[0], light.shape[1])
    if y0 >= y1 or x0 >= x1:
        return
    columns = work[0, : x1 - x0]
    for i in range(y0, y1):
        line = light[i, x0:x1]
        for q in range(heights.size):
            away = i + heights[q] - y
            z = away / widths[1]
            share = flux * steps[q] * _NORM / widths[1] * math.exp(-0.5 * z * z)
            shares(x0, x + slope * away, widths[0], table, work[1], columns)
            for j in range(x1 - x0):
                line[j] += share * columns[j]


@compiled
def draw_slanted(
    planes: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    flux: np.ndarray,
    weights: np.ndarray,
    widths: np.ndarray,
    reaches: np.ndarray,
    wide_x: float,
    wide_y: float,
    narrow_x: float,
    slope: float,
    heights: np.ndarray,
    steps: np.ndarray,
    table: np.ndarray,
) -> None:
    """Draw each source, a mixture of elliptical Gaussians at its nodes, on a plane of its own that was empty."""
    n, height, width = planes.shape
    work, page = np.empty((2, width + 1)), np.empty(height * width)
    far_x, far_y = reaches.max() * wide_x + 0.5, reaches.max() * wide_y + 0.5
    for s in range(n):
        y0, y1, x0, x1 = box_of(x[s], y[s], far_x, far_y, height, width)
        if y0 >= y1 or x0 >= x1:
            continue
        light = page[: (y1 - y0) * (x1 - x0)].reshape(y1 - y0, x1 - x0)
        light[:] = 0.0
        for k in range(x.shape[1]):
            if math.isfinite(x[s, k]) and math.isfinite(y[s, k]):
                for m in range(weights.size):
                    both = widths[m] * narrow_x, widths[m] * wide_y
                    reach = reaches[m] * wide_x + 0.5, reaches[m] * wide_y + 0.5
                    add_slanted(
                        light, x[s, k] - x0, y[s, k] - y0, flux[s, k] * weights[m], both, slope, reach, heights, steps,
                        table, work,
                    )  # fmt: skip
        plane = planes[s]
        for i in range(y1 - y0):
            for j in range(x1 - x0):
                plane[y0 + i, x0 + j] = light[i, j]
