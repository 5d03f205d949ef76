"""What levels a frame with the others: star fluxes through one aperture, medians of the sky in cells of the canvas."""

from collections.abc import Sequence

import numpy as np
import sep
from numba import njit
from numpy.typing import NDArray

from lostlight.science.mosaic.frame.cells import MEDIAN_VARIANCE, cell_medians, pooled, sort_into_cells
from lostlight.science.mosaic.frame.measure import Measured
from lostlight.science.mosaic.frame.star_mask import star_mask
from lostlight.science.mosaic.level.stats import Cells, Stars

FINE_PX = 15
"""Side of the cells that show the structure of the sky."""
_ANNULUS = 1.5, 2.3
_WIDTHS, _PERCENTILE = 2.5, 90
_RADIUS_PX = 4.0, 15.0
_ISOLATED = 2.0
_FEWEST_ANNULUS_PX = 20
_SHARE = 0.25
"""Smallest part of a cell that must be free of stars and inside the frame."""
_PARTS, _SMALL_PX = (5, 4, 3, 2, 1), 10
"""A large cell is so many small ones along its side, none smaller than so many pixels."""


def aperture_radius(fwhms_px: Sequence[float]) -> float:
    """Choose the one radius through which the stars of all frames are measured.

    Parameters
    ----------
    fwhms_px : sequence of float, canvas px
        Star widths of the frames, those in native pixels times the scale of theirs over that of the canvas; NaN for
        frames without stars.

    Returns
    -------
    float
        2.5 times the width that nine of ten frames stay below, from 4 to 15 canvas px.
    """
    known = [width for width in fwhms_px if np.isfinite(width)]
    wide = float(np.percentile(known, _PERCENTILE)) if known else 0.0
    return float(np.clip(_WIDTHS * wide, *_RADIUS_PX))


def levels(
    data: NDArray[np.float32],
    measured: Measured,
    x_canvas: NDArray,
    y_canvas: NDArray,
    canvas_width_px: int,
    radius_px: float,
    cell_px: int = 64,
    *,
    ratio: float = 1.0,
    factor: float | None = None,
) -> tuple[Stars, Cells, Cells]:
    """Measure star fluxes, sky cells and structure cells of a frame, in the units it has on the canvas.

    A warp that keeps fluxes multiplies every value by `ratio`: the flux of a star is then the plain sum over its native
    pixels, while levels, per pixel, are multiplied.

    Parameters
    ----------
    data : ndarray, shape (C, ny, nx), float32, adu
        Pixels with their sky; NaN where there is none.
    measured : Measured
        The stars and the noise of the frame, in its own pixels.
    x_canvas, y_canvas : ndarray, shape (ny, nx), canvas px
        Where each pixel lies on the canvas; NaN where nowhere.
    canvas_width_px : int
        Columns of the canvas.
    radius_px : float
        Radius of the aperture in canvas px, the same for all frames: the same circle on the sky.
    cell_px : int
        Side of the sky cells, canvas px.
    ratio : float
        Area of a canvas pixel over that of a native one, (s_out / s_in)².
    factor : float, optional
        What the warp multiplies values by; None means `ratio`, 1 one that keeps surface brightness.

    Returns
    -------
    stars : Stars
    sky, fine : Cells
        On the grids of `cell_px` and of 15 canvas px.
    """
    if not (measured.sigma > 0).all():  # nothing valid, or constant: no noise to weigh anything by
        return Stars.none(len(data)), Cells.none(len(data)), Cells.none(len(data))
    factor = ratio if factor is None else factor
    starry = star_mask(data.shape[1:], measured.sources)
    stars = _fluxes(data, measured, starry, x_canvas, y_canvas, radius_px * np.sqrt(ratio))
    stars = Stars(stars.x, stars.y, stars.flux * (factor / ratio), stars.error * (factor / ratio))
    valid = np.isfinite(data[0]) if len(data) == 1 else np.isfinite(data).all(axis=0)
    use = valid & ~starry
    if use.sum() < 0.1 * valid.sum():  # stars everywhere: their medians are the best there is
        use = valid
    places = x_canvas, y_canvas, canvas_width_px
    sky, fine = (_medians(data, use, measured, places, side, ratio) for side in (cell_px, FINE_PX))
    return stars, _on_canvas(sky, factor), _on_canvas(fine, factor)


def _medians(
    data: NDArray[np.float32], use: NDArray[np.bool_], measured: Measured, places: tuple[NDArray, NDArray, int],
    cell_px: int, ratio: float,
) -> Cells:  # fmt: skip
    """Take the medians of cells; those of large ones from small cells inside of them."""
    x, y, width = places
    parts = next(n for n in _PARTS if n == 1 or (cell_px % n == 0 and cell_px // n >= _SMALL_PX))
    whole = -(-width // cell_px) * cell_px
    small = _SHARE * (cell_px // parts) ** 2 * ratio
    grid = sort_into_cells(use, x, y, cell_px // parts, whole, small)
    cells = cell_medians(data, grid, x, y, measured.sigma)
    if parts > 1 and len(cells.index):
        cells = pooled(cells, parts, grid, _SHARE * cell_px**2 * ratio)
    return cells


def _on_canvas(cells: Cells, factor: float) -> Cells:
    value, variance = np.float32(factor) * cells.value, np.float32(factor**2) * cells.variance
    return Cells(cells.index, cells.u, cells.v, value, variance, cells.count)


def _fluxes(
    data: NDArray[np.float32], measured: Measured, starry: NDArray[np.bool_], x_canvas: NDArray, y_canvas: NDArray,
    radius: float,
) -> Stars:  # fmt: skip
    """Sum circles over the local sky; stars with a neighbour, a blank pixel or a border too near are left out."""
    table = measured.stars
    alone = table.nearest_px > _ISOLATED * radius
    x, y = np.ascontiguousarray(table.x[alone]), np.ascontiguousarray(table.y[alone])
    on_x, on_y = (_bilinear(grid, x, y) for grid in (x_canvas, y_canvas))
    area = np.pi * radius**2
    flux, error = np.full((len(x), len(data)), np.nan), np.full((len(x), len(data)), np.nan)
    for channel, plane in enumerate(data if len(x) else ()):
        blank = ~np.isfinite(plane)
        pixels = np.ascontiguousarray(np.where(blank, 0, plane), dtype=np.float32)
        total, _, flag = sep.sum_circle(pixels, x, y, radius, mask=blank, subpix=0)
        sky, n_sky = _annulus(np.ascontiguousarray(plane), starry, x, y, *(r * radius for r in _ANNULUS))
        good = (flag == 0) & (n_sky >= _FEWEST_ANNULUS_PX) & (total > area * sky)
        variance = measured.sigma[channel] ** 2 * area * (1 + MEDIAN_VARIANCE * area / n_sky.clip(1))
        flux[:, channel] = np.where(good, total - area * sky, np.nan)
        error[:, channel] = np.where(good, np.sqrt(variance), np.nan)
    kept = np.isfinite(flux).any(axis=1) & np.isfinite(on_x + on_y)
    return Stars(on_x[kept], on_y[kept], flux[kept], error[kept])


def _bilinear(grid: NDArray, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Read a smooth grid between its pixels."""
    ny, nx = grid.shape
    column, row = (np.clip(v.astype(int), 0, max(n - 2, 0)) for v, n in ((x, nx), (y, ny)))
    right, below = np.minimum(column + 1, nx - 1), np.minimum(row + 1, ny - 1)
    fx, fy = x - column, y - row
    upper = grid[row, column] * (1 - fx) + grid[row, right] * fx
    lower = grid[below, column] * (1 - fx) + grid[below, right] * fx
    return np.asarray(upper * (1 - fy) + lower * fy, dtype=np.float64)


@njit(cache=True, nogil=True)
def _annulus(plane, starry, x, y, inner, outer):  # type: ignore[no-untyped-def]
    """Give the median of the starless pixels in a ring around each star, and their number."""
    ny, nx = plane.shape
    sky, count = np.full(len(x), np.nan), np.zeros(len(x), np.int64)
    ring = np.empty(int((2 * outer + 3) ** 2))
    for k in range(len(x)):
        n = 0
        for row in range(max(0, int(y[k] - outer)), min(ny, int(y[k] + outer) + 2)):
            for column in range(max(0, int(x[k] - outer)), min(nx, int(x[k] + outer) + 2)):
                distance = (row - y[k]) ** 2 + (column - x[k]) ** 2
                value = plane[row, column]
                if inner**2 <= distance <= outer**2 and not starry[row, column] and np.isfinite(value):
                    ring[n] = value
                    n += 1
        if n:
            sky[k], count[k] = np.median(ring[:n]), n
    return sky, count
