"""Kernel drizzle: every pixel of a frame shrunk to a drop and dropped onto the canvas (Fruchter & Hook 2002).

The package drizzle does the work, on fixed tiles of the canvas, so that its sums do not depend on the window.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.warp.feather import feather
from lostlight.science.mosaic.warp.gather import Spec, usable
from lostlight.science.mosaic.warp.nodes import Route, areas, expand
from lostlight.science.mosaic.warp.patch import Rows
from lostlight.science.mosaic.window import Window

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
TILE_PX, MARGIN_PX, ROUNDS = 256, 3, 8
"""Side of a tile; pixels of the frame around one; and rounds of its inverse, each at least ten times as exact."""


def drizzle(
    rows: Rows, n_channels: int, route: Route, window: Window, spec: Spec, pixfrac: float
) -> tuple[Floats, Floats]:
    """Drop a frame onto a window of the canvas, which lies in that of the route.

    Parameters
    ----------
    rows : callable
        ``rows(y0, y1)`` gives (C, y1 - y0, nx) float32, NaN where invalid.
    n_channels : int
    route : Route
    window : Window
    spec : Spec
    pixfrac : float
        Side of a drop, in pixels of the frame.

    Returns
    -------
    data : ndarray, shape (C, height, width), float32
        NaN where no drop falls.
    weight : ndarray, shape (height, width), float32
        Feather; 0 where invalid.

    Raises
    ------
    ConfigError
        Without the package drizzle.
    """
    data = np.full((n_channels, *window.shape), np.nan, np.float32)
    weight = np.zeros(window.shape, np.float32)
    first_y, first_x = (start // TILE_PX * TILE_PX for start in (window.y0, window.x0))
    for y0 in range(first_y, window.y0 + window.height, TILE_PX):
        for x0 in range(first_x, window.x0 + window.width, TILE_PX):
            tile = Window(y0, x0, TILE_PX, TILE_PX).meet(route.window)
            values, weights = _tile(rows, n_channels, route, tile, spec, pixfrac)
            part = tile.meet(window)
            data[:, *part.within(window)] = values[:, *part.within(tile)]
            weight[part.within(window)] = weights[part.within(tile)]
    return data, weight


def _tile(rows: Rows, n_channels: int, route: Route, tile: Window, spec: Spec, pixfrac: float) -> tuple[Floats, Floats]:
    x, y = (expand(nodes, tile, route.step_px) for nodes in route.part(tile))
    inside, distance = usable(x, y, spec, np)
    nothing = np.full((n_channels, *tile.shape), np.nan, np.float32), np.zeros(tile.shape, np.float32)
    if not inside.any():
        return nothing
    (top, bottom), (left, right) = (
        (max(int(each[inside].min()) - MARGIN_PX, 0), min(int(each[inside].max()) + MARGIN_PX + 2, n))
        for each, n in zip((y, x), spec.frame_shape, strict=True)
    )
    image = rows(top, bottom)[:, :, left:right]
    good = np.isfinite(image).all(axis=0)
    places = _on_canvas(route, np.arange(left, right), np.arange(top, bottom)) - (tile.x0, tile.y0)
    planes = [_drop(np.where(good, plane, 0), good, places, tile.shape, pixfrac) for plane in image]
    factor = spec.factor * (areas(*route.part(tile), tile, route.step_px) if spec.by_area else 1.0)
    valid = inside & (planes[0][1] > 0)
    data = np.stack([np.where(valid, plane * np.float32(factor), np.float32(np.nan)) for plane, _ in planes])
    return data, np.where(valid, feather(distance, spec.feather_px, np), 0).astype(np.float32)


def _drop(
    plane: Floats, good: NDArray[np.bool_], places: Doubles, shape: tuple[int, int], pixfrac: float
) -> tuple[Floats, Floats]:
    try:
        from drizzle.resample import Drizzle
    except ImportError as error:
        raise ConfigError(
            "kernel drizzle needs the package drizzle", hint="pip install drizzle, or choose kernel cubic"
        ) from error
    out = Drizzle(out_shape=shape, disable_ctx=True)
    plane = np.ascontiguousarray(plane, np.float32)
    out.add_image(plane, 1.0, np.ascontiguousarray(places), weight_map=good.astype(np.float32), pixfrac=pixfrac)
    return out.out_img, out.out_wht


def _on_canvas(route: Route, columns: NDArray[np.int64], rows: NDArray[np.int64]) -> Doubles:
    """Invert a route: the places on the canvas, (rows, columns, 2), of pixels of the frame.

    From the best affine transform, what it leaves is taken off in rounds.
    """
    first_v, first_u = route.window.y0 // route.step_px, route.window.x0 // route.step_px
    n_rows, n_columns = route.x.shape
    v, u = np.mgrid[first_v : first_v + n_rows, first_u : first_u + n_columns] * float(route.step_px)
    known = np.isfinite(route.x) & np.isfinite(route.y)
    affine = np.linalg.lstsq(_terms(u[known], v[known]), np.stack([route.x[known], route.y[known]], 1))[0]
    rest = np.where(known, np.stack([route.x, route.y]) - (_terms(u, v) @ affine).transpose(2, 0, 1), 0)
    wanted = np.stack(np.meshgrid(columns, rows), axis=-1) - affine[0]
    inverse = np.linalg.inv(affine[1:])
    place = wanted @ inverse
    for _ in range(ROUNDS):
        at = place[..., 1] / route.step_px - first_v, place[..., 0] / route.step_px - first_u
        left = np.stack([map_coordinates(each, at, order=1, mode="nearest") for each in rest], axis=-1)
        place = (wanted - left) @ inverse
    return place


def _terms(u: Doubles, v: Doubles) -> Doubles:
    return np.stack([np.ones_like(u), u, v], axis=-1)
