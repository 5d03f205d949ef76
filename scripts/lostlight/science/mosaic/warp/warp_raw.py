"""The loop of a resampling for graphics cards, one thread for each pixel of the canvas; the operations of `gather`."""

from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.warp.feather import FLOOR
from lostlight.science.mosaic.warp.gather import Spec
from lostlight.science.mosaic.warp.patch import Patch
from lostlight.science.mosaic.warp.taps import PLACES, most_bad, table
from lostlight.science.mosaic.window import Window

NAME, THREADS, OPTIONS = "warp", 256, ("--fmad=false",)
"""Name of the kernel; threads of a block; additions stay apart from multiplications, as the processor does them."""
WHOLES = (
    "height", "width", "channels", "rows", "columns", "corner_y", "corner_x", "window_y", "window_x", "step",
    "node_columns", "ny", "nx", "edge", "has_bad", "by_area", "nearest",
)  # fmt: skip
"""Whole numbers that the kernel is told, in this order; the real ones are feather, factor and the most that is bad."""
SOURCE = r"""
#define TAPS {taps}
#define PLACES {places}
#define BEFORE (TAPS / 2 - 1)

__device__ double between(const double *nodes, long long columns, long long at, double s, double t) {
    double left = (1 - t) * nodes[at] + t * nodes[at + columns];
    double right = (1 - t) * nodes[at + 1] + t * nodes[at + columns + 1];
    return (1 - s) * left + s * right;
}

__device__ double slope_x(const double *nodes, long long columns, long long at, double t) {
    return (1 - t) * (nodes[at + 1] - nodes[at]) + t * (nodes[at + columns + 1] - nodes[at + columns]);
}

__device__ double slope_y(const double *nodes, long long columns, long long at, double s) {
    return (1 - s) * (nodes[at + columns] - nodes[at]) + s * (nodes[at + columns + 1] - nodes[at + 1]);
}

__device__ double fade(double distance, double width) {
    if (width == 0) return 1;
    double r = distance / width;
    r = r > 0 ? (r < 1 ? r : 1) : 0;
    double weight = r * r * r * ((6 * r - 15) * r + 10);
    return weight > {floor} ? weight : {floor};
}

__device__ void look_up(double left, const float *table, float *out) {
    double place = left * PLACES;
    long long k = (long long)place;
    k = k < PLACES ? k : PLACES - 1;
    float g = (float)(place - k);
    for (int j = 0; j < TAPS; j++) {
        float a = table[k * TAPS + j], b = table[(k + 1) * TAPS + j];
        out[j] = a + g * (b - a);
    }
}

template <typename T>
__device__ float add_up(const T *plane, long long columns, long long at, const float *up, const float *across) {
    float total = 0;
    for (int j = 0; j < TAPS; j++) {
        float line = 0;
        for (int i = 0; i < TAPS; i++) line += across[i] * (float)plane[at + (j - BEFORE) * columns + (i - BEFORE)];
        total += up[j] * line;
    }
    return total;
}

extern "C" __global__ void warp(
    const float *image, const unsigned char *bad, const double *x, const double *y, const float *table,
    const long long *whole, const double *real, float *data, float *weight
) {
    const long long {wholes};
    long long p = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (p >= height * width) return;
    long long v = window_y + p / width, u = window_x + p % width;
    long long node = (v / step - window_y / step) * node_columns + (u / step - window_x / step);
    double t = (double)(v % step) / step, s = (double)(u % step) / step;
    double px = between(x, node_columns, node, s, t), py = between(y, node_columns, node, s, t);
    if (nearest) { px = floor(px + 0.5); py = floor(py + 0.5); }
    double near_x = floor(px + 0.5), near_y = floor(py + 0.5);
    weight[p] = 0;
    for (int c = 0; c < channels; c++) data[c * height * width + p] = nanf("");
    if (!(near_x >= edge && near_x <= nx - 1 - edge && near_y >= edge && near_y <= ny - 1 - edge)) return;

    long long column = (long long)floor(px), row = (long long)floor(py);
    double left_x = px - column, left_y = py - row;
    long long at = (row - corner_y) * columns + (column - corner_x);
    if (has_bad) {
        float sx = (float)left_x, ty = (float)left_y;
        float share = (1 - ty) * ((1 - sx) * bad[at] + sx * bad[at + 1])
                    + ty * ((1 - sx) * bad[at + columns] + sx * bad[at + columns + 1]);
        if (!(share <= (float)real[2])) return;
    }
    float across[TAPS], up[TAPS];
    look_up(left_x, table, across);
    look_up(left_y, table, up);
    double area = 1;
    if (by_area) {
        double x_u = slope_x(x, node_columns, node, t), x_v = slope_y(x, node_columns, node, s);
        double y_u = slope_x(y, node_columns, node, t), y_v = slope_y(y, node_columns, node, s);
        area = fabs(x_u * y_v - x_v * y_u) / (step * step);
    }
    float by = (float)(area * real[1]), kept = 1;
    if (has_bad && TAPS == 6) kept = 1 - add_up(bad, columns, at, up, across);
    for (int c = 0; c < channels; c++)
        data[c * height * width + p] = add_up(image + c * rows * columns, columns, at, up, across) / kept * by;
    double near_side = fmin(fmin(px + 0.5, (nx - 0.5) - px), fmin(py + 0.5, (ny - 0.5) - py));
    weight[p] = (float)fade(near_side - edge, real[0]);
}
"""


@cache
def source(taps: int) -> str:
    """Give the CUDA C++ of the kernel for so many taps along each axis."""
    wholes = ", ".join(f"{name} = whole[{k}]" for k, name in enumerate(WHOLES))
    words = {"{taps}": taps, "{places}": PLACES, "{floor}": FLOOR, "{wholes}": wholes}
    text = SOURCE
    for word, value in words.items():
        text = text.replace(word, str(value))
    return text


def gather(
    patch: Patch, x: NDArray, y: NDArray, window: Window, step: int, spec: Spec, cupy: ModuleType
) -> tuple[Any, Any]:
    """Resample a piece of a frame onto a window of the canvas, as `lostlight.science.mosaic.warp.gather.gather`.

    Parameters
    ----------
    patch : Patch
        Its arrays may lie on the card already; what does not is brought there.
    x, y : ndarray of float64
    window : Window
    step : int
    spec : Spec
    cupy : module

    Returns
    -------
    data, weight : cupy array, float32
    """
    weights = table(spec.kernel)
    n_channels, rows, columns = patch.data.shape
    whole = (
        *window.shape, n_channels, rows, columns, patch.y0, patch.x0, window.y0, window.x0, step, x.shape[1],
        *spec.frame_shape, spec.edge_px, patch.bad is not None, spec.by_area, spec.kernel == "nearest",
    )  # fmt: skip
    real = spec.feather_px, spec.factor, most_bad(spec.kernel)
    bad = np.zeros((1, 1), bool) if patch.bad is None else patch.bad
    numbers = np.array(whole, np.int64), np.array(real, np.float64)
    given = (patch.data, bad.view(np.uint8), x, y, weights, *numbers)
    data = cupy.empty((n_channels, *window.shape), np.float32)
    weight = cupy.empty(window.shape, np.float32)
    blocks = -(-window.height * window.width // THREADS)
    kernel = cupy.RawKernel(source(weights.shape[1]), NAME, OPTIONS)
    kernel((blocks,), (THREADS,), (*(cupy.ascontiguousarray(cupy.asarray(each)) for each in given), data, weight))
    return data, weight
