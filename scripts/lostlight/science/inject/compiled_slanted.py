"""Elliptical Gaussians on pixels, compiled: exact along rows, and by a few heights within each row across them."""

import math

import numpy as np

from lostlight.science.inject.compiled import REACH, compiled, shares, span, unload

_NORM = 1 / math.sqrt(2 * math.pi)


@compiled
def add_slanted(
    page: np.ndarray,
    x: float,
    y: float,
    flux: float,
    shape: tuple,
    heights: np.ndarray,
    table: np.ndarray,
    work: np.ndarray,
) -> None:
    """Add an elliptical Gaussian to a page; `work` is (2, more than its width).

    The shape is its width along x, along y, along x at a given y, and how far x moves with y; heights are (2, Q), those
    in a row and their weights.
    """
    wide_x, wide_y, narrow_x, slope = shape
    y0, y1 = span(y, REACH * wide_y, page.shape[0])
    x0, x1 = span(x, REACH * wide_x, page.shape[1])
    if y0 >= y1 or x0 >= x1:
        return
    columns = work[0, : x1 - x0]
    for i in range(y0, y1):
        line = page[i, x0:x1]
        for q in range(heights.shape[1]):
            away = i + heights[0, q] - y
            share = flux * heights[1, q] * _NORM / wide_y * math.exp(-0.5 * (away / wide_y) ** 2)
            shares(x0, x + slope * away, narrow_x, table, work[1], columns)
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
    shape: tuple,
    heights: np.ndarray,
    table: np.ndarray,
) -> None:
    """Draw each source, a mixture of elliptical Gaussians at its nodes, on a plane of its own that was empty."""
    page, reach = np.zeros(planes.shape[1:]), REACH * widths.max()
    work = np.empty((2, page.shape[1] + 1))
    wide_x, wide_y, narrow_x, slope = shape
    for s in range(planes.shape[0]):
        for k in range(x.shape[1]):
            for m in range(weights.size):
                w = widths[m]
                scaled = w * wide_x, w * wide_y, w * narrow_x, slope
                add_slanted(page, x[s, k], y[s, k], flux[s, k] * weights[m], scaled, heights, table, work)
        unload(page, x[s], y[s], reach * wide_x, reach * wide_y, planes[s])
