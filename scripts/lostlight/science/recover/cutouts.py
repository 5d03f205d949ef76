"""Small cut-outs of all images along a path, for people to look at."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.recover.light import overlap


def cut(images: Sequence[NDArray[np.floating]], x: ArrayLike, y: ArrayLike, half_px: int = 12) -> NDArray[np.float32]:
    """Cut squares around a path.

    Parameters
    ----------
    images : sequence of T ndarray, (H, W)
        Background taken off; NaN where nothing is measured.
    x, y : array_like, (T,)
        Zero-based pixels; NaN where the path is on no image.
    half_px : int
        Pixels to either side.

    Returns
    -------
    ndarray, (T, S, S), float32
        S is 2 half + 1; the path is within half a pixel of the middle; NaN beyond the edges.
    """
    side = 2 * half_px + 1
    squares = np.full((len(images), side, side), np.nan, np.float32)
    for t, (at_x, at_y) in enumerate(zip(np.asarray(x, float), np.asarray(y, float), strict=True)):
        if np.isfinite(at_x) and np.isfinite(at_y):
            corner = (round(float(at_y)) - half_px, round(float(at_x)) - half_px)
            ours, theirs = overlap((side, side), corner, images[t].shape)
            squares[t][ours] = images[t][theirs]
    return squares
