"""What the images show along a path: a square around it from each."""

from collections.abc import Callable, Sequence

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from lostlight.science.epochs.grid import Grid
from lostlight.science.mosaic.warp.mapping import mapping

FloatArray = NDArray[np.float64]
HALF_PX = 10


def cutouts(
    image_of: Callable[[int], NDArray[np.float32]],
    grid: Grid,
    wcs: Sequence[WCS | None],
    sigma_adu: FloatArray,
    x: FloatArray,
    y: FloatArray,
    half_px: int = HALF_PX,
) -> NDArray[np.float32]:
    """Cut a square around a path from each image.

    Parameters
    ----------
    image_of : callable
        ``image_of(t)`` gives image t without its sky, (ny, nx) float32, adu.
    grid : Grid
    wcs : sequence of T WCS or None
    sigma_adu : (T,) float64
    x, y : (T,) float64
        The path, zero-based pixels of the grid; NaN where it is on no image.
    half_px : int
        Pixels to either side of the nearest.

    Returns
    -------
    (T, 2 half_px + 1, 2 half_px + 1) float32
        In sigma of each image; NaN beyond it.
    """
    side = 2 * half_px + 1
    squares = np.full((len(wcs), side, side), np.nan, np.float32)
    for t, sky in enumerate(wcs):
        at = _on_image(grid, sky, x[t], y[t])
        if at is None:
            continue
        image = image_of(t)
        y0, x0 = at[1] - half_px, at[0] - half_px
        rows, columns = (slice(max(a, 0), max(min(a + side, n), 0)) for a, n in zip((y0, x0), image.shape, strict=True))
        part = image[rows, columns]
        squares[t, rows.start - y0 :, columns.start - x0 :][: part.shape[0], : part.shape[1]] = part / sigma_adu[t]
    return squares


def _on_image(grid: Grid, wcs: WCS | None, x: float, y: float) -> tuple[int, int] | None:
    """Give the nearest pixel of an image to a place of the grid; None where that is far outside of it."""
    if wcs is None or grid.wcs is None:
        px, py = x + grid.x0, y + grid.y0
    else:
        px, py = (float(value[0]) for value in mapping(grid.wcs, wcs)(np.array([x]), np.array([y])))
    return (round(px), round(py)) if np.isfinite(px) and np.isfinite(py) and max(abs(px), abs(py)) < 1e6 else None
