"""The loops of a resampling, compiled: the operations of `spline` and `gather` in the same order, so the same bits.

No fast-math: an addition stays where it is written, and is not merged with a multiplication.
"""

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lostlight.science.mosaic.warp.feather import FLOOR
from lostlight.science.mosaic.warp.gather import Spec
from lostlight.science.mosaic.warp.patch import Patch
from lostlight.science.mosaic.warp.spline import INVERSE, REACH
from lostlight.science.mosaic.warp.taps import PLACES, most_bad, table
from lostlight.science.mosaic.window import Window

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
ONE = np.float32(1)
compiled = njit(cache=True, nogil=True, error_model="numpy")
NO_MASK = np.zeros((1, 1), np.bool_)


def coefficients(image: Floats) -> Floats:
    """Filter an image for the cubic kernel, as `lostlight.science.mosaic.warp.spline.coefficients`."""
    n_channels, height, width = image.shape
    out = np.empty((n_channels, height - 2 * REACH, width - 2 * REACH), np.float32)
    for plane, result in zip(image, out, strict=True):
        filter_plane(plane, result, INVERSE)
    return out


def gather(patch: Patch, x: Doubles, y: Doubles, window: Window, step: int, spec: Spec) -> tuple[Floats, Floats]:
    """Resample a piece of a frame onto a window of the canvas, as `lostlight.science.mosaic.warp.gather.gather`."""
    data = np.empty((len(patch.data), *window.shape), np.float32)
    weight = np.empty(window.shape, np.float32)
    work = {"lanczos3": six_taps, "cubic": four_taps}.get(spec.kernel, two_taps)
    work(
        patch.data, NO_MASK if patch.bad is None else patch.bad, patch.bad is not None, (patch.y0, patch.x0),
        np.ascontiguousarray(x), np.ascontiguousarray(y), (window.y0, window.x0), step, table(spec.kernel),
        spec.frame_shape, spec.edge_px, float(spec.feather_px), float(spec.factor), spec.by_area,
        spec.kernel == "nearest", np.float32(most_bad(spec.kernel)), data, weight,
    )  # fmt: skip
    return data, weight


@compiled
def filter_plane(image: np.ndarray, out: np.ndarray, inverse: np.ndarray) -> None:
    """Filter along y and then along x, a row at a time."""
    reach = inverse.size - 1
    height, width = out.shape
    row = np.empty(image.shape[1], np.float32)
    for v in range(height):
        middle = image[v + reach]
        for u in range(row.size):
            row[u] = inverse[0] * middle[u]
        for k in range(1, reach + 1):
            factor, above, below = inverse[k], image[v + reach - k], image[v + reach + k]
            for u in range(row.size):
                row[u] += factor * (above[u] + below[u])
        result = out[v]
        for u in range(width):
            result[u] = inverse[0] * row[u + reach]
        for k in range(1, reach + 1):
            factor, left, right = inverse[k], row[reach - k : reach - k + width], row[reach + k : reach + k + width]
            for u in range(width):
                result[u] += factor * (left[u] + right[u])


@compiled
def look_up(left: float, rows: np.ndarray, n: int, out: np.ndarray) -> None:
    """Look up the weights of the taps along one axis."""
    place = left * np.float64(PLACES)
    k = min(np.int64(place), PLACES - 1)
    g = np.float32(place - k)
    for j in range(n):
        out[j] = rows[k, j] + g * (rows[k + 1, j] - rows[k, j])


@compiled
def fade(distance: float, width: float) -> np.float32:
    """Turn a distance from the edge into a weight."""
    if width == 0:
        return ONE
    r = distance / width
    r = min(r, 1.0) if r > 0 else 0.0
    weight = r * r * r * ((6.0 * r - 15.0) * r + 10.0)
    return np.float32(weight if weight > FLOOR else FLOOR)


@compiled
def bad_share(bad: np.ndarray, row: int, column: int, left_y: float, left_x: float) -> np.float32:
    """Give the share of the bilinear weight that lies on bad pixels."""
    s, t = np.float32(left_x), np.float32(left_y)
    a, b = np.float32(bad[row, column]), np.float32(bad[row, column + 1])
    c, d = np.float32(bad[row + 1, column]), np.float32(bad[row + 1, column + 1])
    return (ONE - t) * ((ONE - s) * a + s * b) + t * ((ONE - s) * c + s * d)


@compiled
def cell_area(x: np.ndarray, y: np.ndarray, row: int, column: int, s: float, t: float, step: int) -> float:
    """Give the area of a pixel of the canvas from the nodes around it."""
    x_u = (1 - t) * (x[row, column + 1] - x[row, column]) + t * (x[row + 1, column + 1] - x[row + 1, column])
    x_v = (1 - s) * (x[row + 1, column] - x[row, column]) + s * (x[row + 1, column + 1] - x[row, column + 1])
    y_u = (1 - t) * (y[row, column + 1] - y[row, column]) + t * (y[row + 1, column + 1] - y[row + 1, column])
    y_v = (1 - s) * (y[row + 1, column] - y[row, column]) + s * (y[row + 1, column + 1] - y[row, column + 1])
    return abs(x_u * y_v - x_v * y_u) / (step * step)


@compiled
def along_row(
    nodes: np.ndarray, row: int, t: float, cells: np.ndarray, rests: np.ndarray, nearest: bool, out: np.ndarray
) -> None:
    """Interpolate between nodes for one row of pixels; the nearest whole pixels where those are wanted."""
    along = (1 - t) * nodes[row] + t * nodes[row + 1]
    for u in range(out.size):
        out[u] = (1 - rests[u]) * along[cells[u]] + rests[u] * along[cells[u] + 1]
    if nearest:
        for u in range(out.size):
            out[u] = np.floor(out[u] + 0.5)


@compiled
def usable(x: float, y: float, ny: int, nx: int, edge: int) -> bool:
    """Say whether the nearest pixel lies inside the margin."""
    column, row = np.floor(x + 0.5), np.floor(y + 0.5)
    return (column >= edge) & (column <= nx - 1 - edge) & (row >= edge) & (row <= ny - 1 - edge)


@compiled
def to_edge(x: float, y: float, ny: int, nx: int, edge: int) -> float:
    """Give the distance from the margin."""
    return min(min(x + 0.5, (nx - 0.5) - x), min(y + 0.5, (ny - 0.5) - y)) - edge


@compiled
def add_up(plane: np.ndarray, row: int, column: int, along_y: np.ndarray, along_x: np.ndarray, n: int) -> np.float32:
    """Sum n by n pixels by their weights."""
    before = n // 2 - 1
    total = np.float32(0)
    for j in range(n):
        line = np.float32(0)
        for i in range(n):
            line += along_x[i] * np.float32(plane[row - before + j, column - before + i])
        total += along_y[j] * line
    return total


def looper(n: int) -> Callable[..., None]:
    """Make the loop over the pixels of a window for a kernel of n taps along each axis, which unrolls its sums."""

    @compiled
    def loop(
        image, bad, has_bad, corner, x, y, origin, step, rows, frame_shape, edge, feather, factor, by_area, nearest,
        most, data, weight,
    ):  # fmt: skip
        _, height, width = data.shape
        ny, nx = frame_shape
        along_x, along_y = np.empty(n, np.float32), np.empty(n, np.float32)
        at_x, at_y = np.empty(width), np.empty(width)
        places = np.arange(origin[1], origin[1] + width)
        cells, rests = places // step - origin[1] // step, (places % step) / step
        weight[:] = 0
        data[:] = np.nan
        for v in range(height):
            node, t = (origin[0] + v) // step - origin[0] // step, ((origin[0] + v) % step) / step
            along_row(x, node, t, cells, rests, nearest, at_x)
            along_row(y, node, t, cells, rests, nearest, at_y)
            for u in range(width):
                px, py = at_x[u], at_y[u]
                if not usable(px, py, ny, nx, edge):
                    continue
                column, row = np.int64(np.floor(px)), np.int64(np.floor(py))
                left_x, left_y = px - column, py - row
                column, row = column - corner[1], row - corner[0]
                if has_bad and not bad_share(bad, row, column, left_y, left_x) <= most:
                    continue
                look_up(left_x, rows, n, along_x)
                look_up(left_y, rows, n, along_y)
                area = cell_area(x, y, node, cells[u], rests[u], t, step) if by_area else 1.0
                by = np.float32(area * factor)
                kept = ONE
                if has_bad and n == 6:
                    kept = ONE - add_up(bad, row, column, along_y, along_x, n)
                for c in range(len(data)):
                    data[c, v, u] = add_up(image[c], row, column, along_y, along_x, n) / kept * by
                weight[v, u] = fade(to_edge(px, py, ny, nx, edge), feather)

    return loop


two_taps, four_taps, six_taps = looper(2), looper(4), looper(6)
