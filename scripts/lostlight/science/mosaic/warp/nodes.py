"""Where the pixels of the canvas lie in a frame: exact at the nodes of a fixed lattice, bilinear between them.

Sky projections cost a microsecond a pixel, and are smooth: over 32 pixels they are straight to 1e-5 pixels, with SIP to
1e-3. The lattice is that of the canvas, so that no position depends on the window that asks for it.
"""

from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from lostlight.science.mosaic.warp.mapping import Mapping, mapping
from lostlight.science.mosaic.window import Window

Doubles = NDArray[np.float64]
EXACT_PX = 0.005
"""Positions between nodes are at most this wrong; otherwise nodes come closer."""
SMALLEST_STEP, CHECKS = 4, 8
"""Least distance of nodes, in pixels; and rows and columns of the cells where positions are checked."""
EDGE_POINTS, SLACK_PX = 33, 2
"""Points along each edge of a frame, and the margin for what its edges bend between them."""


@dataclass(frozen=True)
class Route:
    """The way from the canvas to one frame.

    Attributes
    ----------
    window : Window or None
        Part of the canvas that the frame may cover; None where it covers nothing of it.
    step_px : int
        Distance of the nodes, which lie at whole multiples of it, in pixels of the canvas.
    x, y : ndarray of float64, shape (rows, columns)
        Zero-based pixel of the frame at each node; NaN where there is none. The first node is the last one at or before
        the corner of the window, and the last ones lie behind its end.
    error_px : float
        Largest error found between nodes, in pixels of the frame.
    ratio : float
        Area of a pixel of the canvas in pixels of the frame, at the centre of the frame.
    """

    window: Window | None
    step_px: int
    x: Doubles
    y: Doubles
    error_px: float
    ratio: float

    def part(self, window: Window) -> tuple[Doubles, Doubles]:
        """Give x and y of the nodes around a window, which lies in that of the route."""
        rows, columns = _span(window.y0, window.height, self.step_px), _span(window.x0, window.width, self.step_px)
        y0, x0 = self.window.y0 // self.step_px, self.window.x0 // self.step_px
        some = slice(rows[0] - y0, rows[1] - y0), slice(columns[0] - x0, columns[1] - x0)
        return self.x[some], self.y[some]


def route(
    canvas_wcs: WCS, canvas_shape: tuple[int, int], frame_wcs: WCS, frame_shape: tuple[int, int], step_px: int = 32
) -> Route:
    """Find the part of the canvas that a frame covers, and where the pixels there lie in the frame.

    Parameters
    ----------
    canvas_wcs, frame_wcs : astropy.wcs.WCS
        Both celestial, or both plain linear ones of one plane.
    canvas_shape, frame_shape : (int, int)
        Rows and columns.
    step_px : int
        Distance of the nodes; it is halved, down to 4, until positions between them are right to 0.005 pixels.

    Raises
    ------
    ConfigError
        If one grid lies on the sky and the other does not.
    """
    to_canvas, to_frame = mapping(frame_wcs, canvas_wcs), mapping(canvas_wcs, frame_wcs)
    window = _window(to_canvas, canvas_shape, frame_shape)
    if window.is_empty:
        nothing = np.empty((0, 0))
        return Route(None, step_px, nothing, nothing, 0.0, 1.0)
    step, (x, y), error = _fine_enough(to_frame, window, step_px)
    return Route(window, step, x, y, error, _ratio(to_canvas, frame_shape, x, y, step))


def coordinates(from_wcs: WCS, to_wcs: WCS, window: Window, step_px: int = 32) -> tuple[Doubles, Doubles]:
    """Give the pixel of another grid for every pixel of a window.

    Parameters
    ----------
    from_wcs, to_wcs : astropy.wcs.WCS
        The grid of the window, and the other.
    window : Window
    step_px : int
        Distance of the exact points, halved as in `route`.

    Returns
    -------
    x, y : ndarray of float64, shape (height, width)
        Zero-based pixels of the other grid, NaN where there is none.
    """
    step, nodes, _ = _fine_enough(mapping(from_wcs, to_wcs), window, step_px)
    x, y = (expand(each, window, step) for each in nodes)
    return x, y


def expand(nodes: Doubles, window: Window, step: int) -> Doubles:
    """Interpolate between nodes, first along y and then along x: (height, width) from the nodes around a window.

    Each pixel takes the same operations in the same order whatever the window, so that its bits do not depend on it.
    """
    row, t = _cells(window.y0, window.height, step)
    column, s = _cells(window.x0, window.width, step)
    along = (1 - t)[:, None] * nodes[row] + t[:, None] * nodes[row + 1]
    return (1 - s) * np.take(along, column, axis=1) + s * np.take(along, column + 1, axis=1)


def areas(x: Doubles, y: Doubles, window: Window, step: int) -> Doubles:
    """Give the area of each pixel of a window in pixels of the frame, from the nodes around it."""
    row, t = _cells(window.y0, window.height, step)
    column, s = _cells(window.x0, window.width, step)
    t, s = t[:, None], s[None, :]

    def slopes(nodes: Doubles) -> tuple[Doubles, Doubles]:
        a, b = nodes[row][:, column], nodes[row][:, column + 1]
        c, d = nodes[row + 1][:, column], nodes[row + 1][:, column + 1]
        return (1 - t) * (b - a) + t * (d - c), (1 - s) * (c - a) + s * (d - b)

    (x_u, x_v), (y_u, y_v) = slopes(x), slopes(y)
    return abs(x_u * y_v - x_v * y_u) / (step * step)


def _cells(first: int, n: int, step: int) -> tuple[NDArray[np.int64], Doubles]:
    at = np.arange(first, first + n)
    return at // step - first // step, (at % step) / step


def _span(first: int, n: int, step: int) -> tuple[int, int]:
    return first // step, (first + n - 1) // step + 2


def _window(to_canvas: Mapping, canvas_shape: tuple[int, int], frame_shape: tuple[int, int]) -> Window:
    height, width = frame_shape
    t = np.linspace(0, 1, EDGE_POINTS)
    u, v = np.concatenate([[t, 0 * t], [t, 0 * t + 1], [0 * t, t], [0 * t + 1, t]], axis=1)
    x, y = to_canvas(u * width - 0.5, v * height - 0.5)
    seen = np.isfinite(x) & np.isfinite(y)
    whole = Window(0, 0, *canvas_shape)
    if not seen.any():
        return Window(0, 0, 0, 0)
    if not seen.all():
        return whole
    x0, y0 = (int(np.floor(each.min())) - SLACK_PX for each in (x, y))
    x1, y1 = (int(np.ceil(each.max())) + SLACK_PX + 1 for each in (x, y))
    return Window(y0, x0, y1 - y0, x1 - x0).meet(whole)


def _fine_enough(to_frame: Mapping, window: Window, step: int) -> tuple[int, tuple[Doubles, Doubles], float]:
    while True:
        nodes = _nodes(to_frame, window, step)
        error = _error(to_frame, nodes, window, step)
        if error <= EXACT_PX or step <= SMALLEST_STEP:
            return step, nodes, error
        step = max(step // 2, SMALLEST_STEP)


def _nodes(to_frame: Mapping, window: Window, step: int) -> tuple[Doubles, Doubles]:
    rows, columns = _span(window.y0, window.height, step), _span(window.x0, window.width, step)
    v, u = np.mgrid[slice(*rows), slice(*columns)] * step
    return to_frame(u, v)


def _error(to_frame: Mapping, nodes: tuple[Doubles, Doubles], window: Window, step: int) -> float:
    """Compare the centres of cells with their exact positions, where bilinear ones are worst."""
    n_rows, n_columns = nodes[0].shape
    rows, columns = (np.unique(np.linspace(0, n - 2, CHECKS).astype(int)) for n in (n_rows, n_columns))
    j, i = np.meshgrid(rows, columns, indexing="ij")
    first_row, first_column = window.y0 // step, window.x0 // step
    exact = to_frame((first_column + i + 0.5) * step, (first_row + j + 0.5) * step)
    middle = [(each[j, i] + each[j, i + 1] + each[j + 1, i] + each[j + 1, i + 1]) / 4 for each in nodes]
    off = np.hypot(middle[0] - exact[0], middle[1] - exact[1])
    return float(np.nanmax(off, initial=0.0))


def _ratio(to_canvas: Mapping, frame_shape: tuple[int, int], x: Doubles, y: Doubles, step: int) -> float:
    height, width = frame_shape
    x0, y0 = (width - 1) / 2, (height - 1) / 2
    u, v = to_canvas([x0 + 0.5, x0 - 0.5, x0, x0], [y0, y0, y0 + 0.5, y0 - 0.5])
    area = abs((u[0] - u[1]) * (v[2] - v[3]) - (u[2] - u[3]) * (v[0] - v[1]))
    if np.isfinite(area) and area > 0:
        return float(1 / area)
    return _median_area(x, y, step)


def _median_area(x: Doubles, y: Doubles, step: int) -> float:
    """Fall back on the lattice where the canvas does not reach the centre of the frame."""
    (x_v, x_u), (y_v, y_u) = ([np.diff(e, axis=0)[:, :-1], np.diff(e, axis=1)[:-1]] for e in (x, y))
    all_areas = abs(x_u * y_v - x_v * y_u) / (step * step)
    return float(np.median(all_areas[np.isfinite(all_areas)])) if np.isfinite(all_areas).any() else 1.0
