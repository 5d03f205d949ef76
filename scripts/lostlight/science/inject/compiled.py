"""The loops of the renderer, compiled: light of a source on the pixels, added up in float64 and rounded once.

No fast-math and no mathematical library: the integral of a Gaussian is looked up in a table of cubics, so that sums of
products are all there is, and images are the same bit for bit on any number of threads and on a card.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import erf

Floats = NDArray[np.float64]
compiled = njit(cache=True, nogil=True, error_model="numpy")

STEPS, FARTHEST = 64, 8
"""Cubics of the table per standard deviation, and how many standard deviations it reaches."""


def normal_table() -> Floats:
    """Tabulate the integral of the unit Gaussian from 0 to z by cubics that meet it and its slope; to 1e-10.

    Returns
    -------
    (STEPS * FARTHEST + 1, 4) float64
        Coefficients from the constant one upwards, of the fraction of a step; the last row is that of infinity.
    """
    z = np.arange(STEPS * FARTHEST + 1) / STEPS
    value, slope = erf(z / math.sqrt(2)) / 2, np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / STEPS
    rise = np.diff(value)
    table = np.zeros((z.size, 4))
    table[:, 0], table[:-1, 1] = value, slope[:-1]
    table[:-1, 2], table[:-1, 3] = 3 * rise - 2 * slope[:-1] - slope[1:], slope[:-1] + slope[1:] - 2 * rise
    table[-1] = 0.5, 0, 0, 0
    return table


NORMAL = normal_table()
REACH = 5.2
"""Standard deviations to which a Gaussian is drawn: 4e-7 of its light lies beyond."""


@compiled
def shares(first: int, centre: float, width: float, table: np.ndarray, edges: np.ndarray, out: np.ndarray) -> None:
    """Fill `out` with what a Gaussian gives to each of a run of pixels that starts at `first`."""
    last, scale = table.shape[0] - 1, STEPS / width
    for j in range(out.size + 1):
        z = (first + j - 0.5 - centre) * scale
        a = min(abs(z), float(last))
        i = int(a)
        f = a - i
        edges[j] = math.copysign(((table[i, 3] * f + table[i, 2]) * f + table[i, 1]) * f + table[i, 0], z)
    for j in range(out.size):
        out[j] = max(edges[j + 1] - edges[j], 0.0)


@compiled
def span(centre: float, reach: float, size: int) -> tuple[int, int]:
    """Give the first pixel that light reaches, and the one after the last, of `size`; none where it is not finite."""
    if not math.isfinite(centre):
        return 0, 0
    first = math.floor(min(max(centre - reach, -1.0), size + 1.0) + 0.5)
    last = math.floor(min(max(centre + reach, -1.0), size + 1.0) + 0.5)
    return max(first, 0), min(last + 1, size)


@compiled
def unload(page: np.ndarray, x: np.ndarray, y: np.ndarray, reach_x: float, reach_y: float, plane: np.ndarray) -> None:
    """Round the light on a page and move it to a plane, where the nodes of a source can have left any."""
    top, bottom, left, right = page.shape[0], 0, page.shape[1], 0
    for k in range(x.size):
        y0, y1 = span(y[k], reach_y, page.shape[0])
        x0, x1 = span(x[k], reach_x, page.shape[1])
        if y0 < y1 and x0 < x1:
            top, bottom, left, right = min(top, y0), max(bottom, y1), min(left, x0), max(right, x1)
    for i in range(top, bottom):
        for j in range(left, right):
            plane[i, j] = page[i, j]
            page[i, j] = 0.0


@compiled
def add_round(
    page: np.ndarray, x: float, y: float, flux: float, width: float, table: np.ndarray, work: np.ndarray
) -> None:
    """Add a round Gaussian to a page; `work` is (3, more than its longer side)."""
    y0, y1 = span(y, REACH * width, page.shape[0])
    x0, x1 = span(x, REACH * width, page.shape[1])
    if y0 >= y1 or x0 >= x1:
        return
    rows, columns = work[0, : y1 - y0], work[1, : x1 - x0]
    shares(y0, y, width, table, work[2], rows)
    shares(x0, x, width, table, work[2], columns)
    for i in range(y0, y1):
        share, line = flux * rows[i - y0], page[i, x0:x1]
        for j in range(x1 - x0):
            line[j] += share * columns[j]


@compiled
def draw_round(
    planes: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    flux: np.ndarray,
    weights: np.ndarray,
    widths: np.ndarray,
    table: np.ndarray,
) -> None:
    """Draw each source, a mixture of round Gaussians at its nodes, on a plane of its own that was empty."""
    page, reach = np.zeros(planes.shape[1:]), REACH * widths.max()
    work = np.empty((3, max(page.shape) + 1))
    for s in range(planes.shape[0]):
        for k in range(x.shape[1]):
            for m in range(weights.size):
                add_round(page, x[s, k], y[s, k], flux[s, k] * weights[m], widths[m], table, work)
        unload(page, x[s], y[s], reach, reach, planes[s])
