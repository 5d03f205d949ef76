"""Pixels of a frame gathered at any positions, in terms of the array standard: NumPy, CuPy and others.

`lostlight.science.mosaic.warp.warp_compiled` and `warp_raw` have the same operations in the same order; the first gives
the same bits.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.warp.feather import feather
from lostlight.science.mosaic.warp.nodes import areas, expand
from lostlight.science.mosaic.warp.patch import Patch
from lostlight.science.mosaic.warp.taps import PLACES, most_bad, table
from lostlight.science.mosaic.window import Window

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
STRIP_PX = 1 << 18
"""Pixels of the canvas that are worked on together."""


class Spec(NamedTuple):
    """What is gathered, and how.

    Attributes
    ----------
    kernel : str
    frame_shape : (int, int)
    edge_px : int
        Margin of the frame that is not used.
    feather_px : float
        Distance over which it fades in.
    factor : float
        Factor of all fluxes.
    by_area : bool
        Whether fluxes are multiplied by the area of each pixel of the canvas in pixels of the frame too.
    """

    kernel: str
    frame_shape: tuple[int, int]
    edge_px: int
    feather_px: float
    factor: float
    by_area: bool


def gather(patch: Patch, x: Doubles, y: Doubles, window: Window, step: int, spec: Spec) -> tuple[Floats, Floats]:
    """Resample a piece of a frame onto a window of the canvas, in NumPy.

    Parameters
    ----------
    patch : Patch
        All that the window needs.
    x, y : ndarray of float64
        Nodes around the window.
    window : Window
    step : int
        Distance of the nodes.
    spec : Spec

    Returns
    -------
    data : ndarray, shape (C, height, width), float32
        NaN where invalid.
    weight : ndarray, shape (height, width), float32
        Feather; 0 where invalid.
    """
    data = np.empty((len(patch.data), *window.shape), np.float32)
    weight = np.empty(window.shape, np.float32)
    height = max(STRIP_PX // max(window.width, 1), 1)
    for row in range(0, window.height, height):
        strip = Window(window.y0 + row, window.x0, min(height, window.height - row), window.width)
        some = slice(strip.y0 // step - window.y0 // step, None)
        area = areas(x[some], y[some], strip, step) if spec.by_area else None
        at = expand(x[some], strip, step), expand(y[some], strip, step)
        with np.errstate(invalid="ignore", divide="ignore"):
            values, weights = gather_at(patch, *at, area, spec, np)
        data[:, row : row + strip.height], weight[row : row + strip.height] = values, weights
    return data, weight


def gather_at(patch: Patch, x: Any, y: Any, area: Any, spec: Spec, xp: Any) -> Any:
    """Resample a piece of a frame at given positions.

    Parameters
    ----------
    patch : Patch
        Of arrays of the namespace.
    x, y : array of float64, shape (h, w)
        Pixels of the frame, NaN where there is none.
    area : array of float64, shape (h, w), or None
        Further factor of each pixel.
    spec : Spec
    xp : module
        Array namespace.

    Returns
    -------
    data : array, shape (C, h, w), float32
    weight : array, shape (h, w), float32
    """
    shape = x.shape
    x, y = xp.reshape(x, (-1,)), xp.reshape(y, (-1,))
    if spec.kernel == "nearest":
        x, y = xp.floor(x + 0.5), xp.floor(y + 0.5)
    inside, distance = usable(x, y, spec, xp)
    half = table(spec.kernel).shape[1] // 2
    x = xp.where(inside, x, xp.asarray(float(patch.x0 + half)))
    y = xp.where(inside, y, xp.asarray(float(patch.y0 + half)))
    (column, s), (row, t) = _split(x, xp), _split(y, xp)
    at = (row - patch.y0) * patch.data.shape[2] + (column - patch.x0)
    bad = None if patch.bad is None else xp.reshape(xp.astype(patch.bad, xp.float32), (-1,))
    if bad is not None:
        inside = inside & _trusted(bad, at, patch.data.shape[2], s, t, most_bad(spec.kernel), xp)
    values = _planes(patch, bad, at, (s, t), spec.kernel, xp)
    factor = _factor(area, spec, xp)
    nan = xp.asarray(xp.nan, dtype=xp.float32)
    data = xp.stack([xp.reshape(xp.where(inside, value * factor, nan), shape) for value in values])
    weight = xp.astype(feather(distance, spec.feather_px, xp), xp.float32)
    return data, xp.reshape(xp.where(inside, weight, xp.asarray(0.0, dtype=xp.float32)), shape)


def usable(x: Any, y: Any, spec: Spec, xp: Any) -> Any:
    """Say whose nearest pixel lies inside the margin of the frame, and how far all are from that margin."""
    ny, nx = spec.frame_shape
    column, row, edge = xp.floor(x + 0.5), xp.floor(y + 0.5), spec.edge_px
    inside = (column >= edge) & (column <= nx - 1 - edge) & (row >= edge) & (row <= ny - 1 - edge)
    near = xp.minimum(xp.minimum(x + 0.5, (nx - 0.5) - x), xp.minimum(y + 0.5, (ny - 0.5) - y))
    return inside, near - float(edge)


def _split(x: Any, xp: Any) -> Any:
    """Divide a position into the pixel before it and what is left."""
    whole = xp.floor(x)
    return xp.astype(whole, xp.int64), x - whole


def _weights(left: Any, kernel: str, xp: Any) -> Any:
    """Look up the weights of the taps along one axis."""
    rows = xp.asarray(table(kernel))
    n = rows.shape[1]
    place = left * float(PLACES)
    k = xp.astype(place, xp.int64)
    k = xp.where(k < PLACES, k, xp.asarray(PLACES - 1))
    g = xp.astype(place - xp.astype(k, xp.float64), xp.float32)
    flat = xp.reshape(rows, (-1,))
    low, high = ([xp.take(flat, (k + up) * n + j) for j in range(n)] for up in (0, 1))
    return [a + g * (b - a) for a, b in zip(low, high, strict=True)]


def _sum(flat: Any, at: Any, width: int, weights: Any, xp: Any) -> Any:
    """Add up pixels by their weights, row by row."""
    along_x, along_y = weights
    first = len(along_x) // 2 - 1
    total = None
    for j, weight in enumerate(along_y):
        row = None
        for i, each in enumerate(along_x):
            term = each * xp.take(flat, at + ((j - first) * width + (i - first)))
            row = term if row is None else row + term
        total = weight * row if total is None else total + weight * row
    return total


def _trusted(bad: Any, at: Any, width: int, s: Any, t: Any, most: float, xp: Any) -> Any:
    """Say where no more than a share of the bilinear weight lies on bad pixels."""
    s, t = xp.astype(s, xp.float32), xp.astype(t, xp.float32)
    return _sum(bad, at, width, ([1.0 - s, s], [1.0 - t, t]), xp) <= xp.asarray(most, dtype=xp.float32)


def _planes(patch: Patch, bad: Any, at: Any, left: Any, kernel: str, xp: Any) -> Any:
    """Sum each colour; Lanczos goes without bad pixels, and what is missing is made up for."""
    weights = [_weights(each, kernel, xp) for each in left]
    width = patch.data.shape[2]
    sums = [_sum(xp.reshape(patch.data[c, :, :], (-1,)), at, width, weights, xp) for c in range(patch.data.shape[0])]
    if bad is None or kernel != "lanczos3":
        return sums
    kept = 1.0 - _sum(bad, at, width, weights, xp)
    return [each / kept for each in sums]


def _factor(area: Any, spec: Spec, xp: Any) -> Any:
    if area is None:
        return xp.asarray(spec.factor, dtype=xp.float32)
    return xp.astype(xp.reshape(area, (-1,)) * spec.factor, xp.float32)
