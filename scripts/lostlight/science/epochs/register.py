"""Images of a stack on one pixel grid, for those who want them so; the search resamples no image."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from lostlight.core.errors import BadImage
from lostlight.science.epochs.grid import Grid, whole_shift
from lostlight.science.epochs.resampled_noise import neighbour_correlation, noise_gain, resampled_variance
from lostlight.science.inject.psf import Psf
from lostlight.science.mosaic.warp.nodes import Route, expand, route
from lostlight.science.mosaic.warp.warp import WarpRules, warp
from lostlight.science.mosaic.window import Window

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Kernel = Literal["lanczos3", "cubic", "linear"]

_SAMPLES = 300
"""Places at which noise is looked at."""
_SPREAD = 0.7548776662466927, 0.5698402909980532
"""Multiples of these spread evenly over a square, and over the places between pixels (Roberts 2018)."""


@dataclass(frozen=True, eq=False)
class Registered:
    """One image on the grid of its stack.

    Attributes
    ----------
    image : ndarray, shape (ny, nx), float32, adu
        Flux in each pixel of the grid; NaN where the image has none.
    variance : ndarray, shape (ny, nx), float32, adu^2
        Of each pixel alone; NaN where there is none.
    noise_gain : float
        Noise of a point's flux over what `variance` says if pixels are taken for independent.
    lag_x, lag_y : float
        Correlation of the noise of neighbours along rows and columns.
    ratio : float
        Area of a pixel of the grid in pixels of the image, in its middle: the flux factor.
    is_resampled : bool
        False where it was enough to shift the image by whole pixels.
    """

    image: Floats
    variance: Floats
    noise_gain: float
    lag_x: float
    lag_y: float
    ratio: float
    is_resampled: bool

    @property
    def footprint(self) -> Mask:
        """Pixels that the image covers."""
        return np.isfinite(self.image)


def register(
    image: Floats, variance: Floats, bad: Mask, wcs: WCS | None, grid: Grid, psf: Psf, kernel: Kernel = "lanczos3"
) -> Registered:
    """Bring an image to the grid of its stack, fluxes kept.

    Parameters
    ----------
    image : ndarray, shape (h, w), float32, adu
        Without its sky.
    variance : ndarray, shape (h, w), float32, adu^2
    bad : ndarray, shape (h, w), bool
        Pixels that hold no measurement. A pixel of the grid is NaN if more than half of the bilinear weight lies on
        such.
    wcs : WCS or None
        Sky of the image; None where the grid has none.
    grid : Grid
    psf : Psf
        Profile of a point, for `Registered.noise_gain`.
    kernel : {'lanczos3', 'cubic', 'linear'}
        Not used where whole pixels do.

    Returns
    -------
    Registered

    Raises
    ------
    BadImage
        If the image lies outside of the grid.
    """
    bad = bad | ~np.isfinite(image) | ~(variance > 0)
    hidden = [np.where(bad, np.float32(np.nan), plane).astype(np.float32) for plane in (image, variance)]
    if wcs is None or grid.wcs is None:
        return _shifted(hidden, (-grid.x0, -grid.y0), grid)
    shift = whole_shift(wcs, grid.wcs, image.shape)
    if shift is not None:
        return _shifted(hidden, shift, grid)
    way = route(grid.wcs, grid.shape, wcs, image.shape)
    if way.window is None:
        raise BadImage("the image lies outside of the grid", hint="leave it out")
    data = _resampled(hidden[0], way, grid, kernel)
    noise = np.full(grid.shape, np.nan, np.float32)
    corner = way.window.y0, way.window.x0
    inside = np.s_[corner[0] : corner[0] + way.window.height, corner[1] : corner[1] + way.window.width]
    noise[inside] = resampled_variance(hidden[1], (way.x, way.y), corner, way.step_px, kernel, way.window.shape)
    lost = ~(np.isfinite(data) & np.isfinite(noise))
    data[lost] = noise[lost] = np.nan
    scale = float(np.sqrt(way.ratio))
    x, y = _samples(way, way.window, image.shape)
    gain = noise_gain(x, y, scale, kernel, psf.kernel())
    lags = (neighbour_correlation(at, scale, kernel) for at in (x, y))
    return Registered(data, noise, gain, *lags, way.ratio, True)


def _resampled(image: Floats, way: Route, grid: Grid, kernel: Kernel) -> Floats:
    def rows(y0: int, y1: int) -> Floats:
        return image[None, y0:y1]

    rules = WarpRules(kernel, edge_px=0, jacobian="variable", feather_px=0)
    return warp(rows, image.shape, 1, way, Window(0, 0, *grid.shape), rules, backend="numba").data[0]


def _shifted(planes: list[Floats], shift: tuple[int, int], grid: Grid) -> Registered:
    """Lay an image down on the grid, some pixels to the right and up."""
    height, width = planes[0].shape
    window = Window(shift[1], shift[0], height, width).meet(Window(0, 0, *grid.shape))
    if window.is_empty:
        raise BadImage("the image lies outside of the grid", hint="leave it out")
    rows = slice(window.y0 - shift[1], window.y0 - shift[1] + window.height)
    columns = slice(window.x0 - shift[0], window.x0 - shift[0] + window.width)
    laid = []
    for plane in planes:
        out = np.full(grid.shape, np.nan, np.float32)
        out[window.y0 : window.y0 + window.height, window.x0 : window.x0 + window.width] = plane[rows, columns]
        laid.append(out)
    return Registered(laid[0], laid[1], 1.0, 0.0, 0.0, 1.0, False)


def _samples(way: Route, window: Window, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the places in the image of some pixels of the grid, spread over what it covers."""
    x, y = (expand(nodes, window, way.step_px) for nodes in (way.x, way.y))
    column, row = (
        (n * (part * np.arange(1, _SAMPLES + 1) % 1)).astype(int)
        for n, part in zip(window.shape[::-1], _SPREAD, strict=True)
    )
    x, y = x[row, column], y[row, column]
    inside = (x > 0) & (y > 0) & (x < shape[1] - 1) & (y < shape[0] - 1)
    return (x[inside], y[inside]) if inside.any() else (np.zeros(1), np.zeros(1))
