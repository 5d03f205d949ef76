"""The ragged rim that frames of a turning field leave: smoothed by the shape of the coverage, never by brightness."""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.polish.discs import closed, erode, opened
from lostlight.science.mosaic.polish.pieces import small_pieces

_LEAST_AREA = 0.005


def smooth_rim(covered: NDArray[np.bool_], open_px: int, erode_px: int) -> NDArray[np.bool_]:
    """Cut off teeth and threads at the rim, scattered scraps, and a margin.

    Holes and lines of bad pixels inside do not count as a rim: they stay as they are and do not grow.

    Parameters
    ----------
    covered : ndarray, shape (H, W), bool
    open_px : int
        Radius of the disc that must fit; 0 leaves teeth, threads and scraps as they are.
    erode_px : int
        Margin that is taken off.

    Returns
    -------
    ndarray, shape (H, W), bool
        Pixels to keep, a part of `covered`.
    """
    outline = closed(covered, max(open_px, erode_px))
    if open_px:
        outline = opened(outline, open_px)
        for row, first, last in small_pieces(outline, _LEAST_AREA):
            outline[row, first:last] = False
    outline = erode(outline, erode_px)
    outline &= covered
    return outline
