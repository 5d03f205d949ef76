"""What any frame shows above the sky: one mask of stars for all, so that the same sky is compared in each."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from lostlight.science.mosaic.footprint import Polygon, cells_inside, to_pixels, to_world
from lostlight.science.mosaic.frame.measure import Measured

OFTEN = 0.1
"""A source is common if more than this part of the frames that cover its place show it: a cosmic ray is not."""
BLURRED = 1.6
"""Frames whose stars are wider than the typical ones by this factor have too large circles for the others."""
_CELL_PX = 64
_HALF_DIAGONAL = 0.71


def common_sources(
    circles: Sequence[NDArray[np.float64]],
    outlines: Sequence[Polygon],
    fwhms_px: Sequence[float],
    shape: tuple[int, int],
) -> NDArray[np.float32]:
    """Join the sources of all frames.

    Each frame finds other faint stars, and draws other circles around the bright ones. With masks of their own the
    medians of two frames would be of different pixels, and on a nebula or among faint stars of different sky.

    Parameters
    ----------
    circles : sequence of ndarray, shape (m, 3), canvas px
        x, y and radius of the sources of each frame; NaN where they have no place.
    outlines : sequence of ndarray, shape (k, 2), canvas px
        Outlines of the frames.
    fwhms_px : sequence of float, canvas px
        Star widths of the frames; NaN for those without stars.
    shape : tuple of int
        Rows and columns of the canvas.

    Returns
    -------
    ndarray, shape (n, 3), float32, canvas px
        Circles that hold those of the frames, one for each pixel that any of them is centred on.
    """
    covered = _coverage(outlines, shape)
    known = [width for width in fwhms_px if np.isfinite(width)]
    limit = BLURRED * float(np.median(known)) if known else np.inf
    sharp = [np.asarray(c) for c, width in zip(circles, fwhms_px, strict=True) if not width > limit]
    every = np.concatenate([c[np.isfinite(c).all(axis=1)] for c in sharp] or [np.empty((0, 3))])
    at = np.rint(every[:, :2]).astype(np.int64)
    on = ((at >= 0) & (at < (shape[1], shape[0]))).all(axis=1)
    at, radius = at[on], every[on, 2]
    places, of, times = np.unique(at, axis=0, return_inverse=True, return_counts=True)
    widest = np.zeros(len(places))
    np.maximum.at(widest, of.ravel(), radius)
    column, row = (places // _CELL_PX).T
    often = times > OFTEN * (covered[row, column] - 1)
    # Half pixels: what hardly changes in a frame changes nothing for the others.
    reach = np.ceil(2 * (widest + _HALF_DIAGONAL)) / 2
    return np.asarray(np.column_stack([places, reach])[often], np.float32)


def with_common(measured: Measured, circles: NDArray[np.float32], canvas_wcs: WCS, wcs: WCS, side: float) -> Measured:
    """Put the sources that others found beside those that a frame shows itself.

    Parameters
    ----------
    measured : Measured
        In pixels of the frame.
    circles : ndarray, shape (n, 3), float32, canvas px
        As `common_sources` gives them.
    canvas_wcs, wcs : astropy.wcs.WCS
        Of the canvas and of the frame.
    side : float
        A canvas pixel in pixels of the frame.
    """
    x, y = to_pixels(wcs, *to_world(canvas_wcs, *circles[:, :2].T.astype(np.float64)))
    there = np.column_stack([x, y, circles[:, 2] * side]).astype(np.float32)
    there = there[np.isfinite(there).all(axis=1)]
    return replace(measured, sources=np.concatenate([measured.sources, there]))


def _coverage(outlines: Sequence[Polygon], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Count the frames over each cell of a coarse grid."""
    height, width = (-(-side // _CELL_PX) for side in shape)
    covered = np.zeros((height, width), np.int64)
    for polygon in outlines:
        if len(polygon) > 2:
            covered += cells_inside((polygon + 0.5) / _CELL_PX, (height, width))
    return covered
