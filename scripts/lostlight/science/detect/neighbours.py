"""The light of one source where another one is close: stamps without the neighbour, and how much of it there is.

Compiled loops, because one bright star can span half a million pixels.
"""

import numpy as np
from numba import njit


@njit(cache=True)
def own_stamp(  # pragma: no cover - compiled
    subtracted: np.ndarray, segmentation: np.ndarray, label: int, x: float, y: float, half: float
) -> tuple[np.ndarray, int, int]:
    """Cut a stamp around a source, each pixel of a neighbour replaced by the one opposite.

    Where the opposite pixel is a neighbour's too, or outside the image, it is zero: the rule of MASK_TYPE CORRECT.

    Parameters
    ----------
    subtracted : ndarray, shape (ny, nx), float32, adu
        Image without background.
    segmentation : ndarray, shape (ny, nx), int32
        Label of the source a pixel belongs to, or 0.
    label : int
        Label of the source itself.
    x, y, half : float, pixels
        Centre, zero-based, and half width.

    Returns
    -------
    stamp : ndarray, shape (my, mx), float64, adu
    x0, y0 : int
        Pixel of the image at the stamp's first corner.
    """
    ny, nx = subtracted.shape
    x0, x1 = max(int(np.floor(x - half)), 0), min(int(np.ceil(x + half)) + 1, nx)
    y0, y1 = max(int(np.floor(y - half)), 0), min(int(np.ceil(y + half)) + 1, ny)
    stamp = np.empty((max(y1 - y0, 0), max(x1 - x0, 0)))
    for iy in range(y0, y1):
        for ix in range(x0, x1):
            here = segmentation[iy, ix]
            if here in (0, label):
                stamp[iy - y0, ix - x0] = subtracted[iy, ix]
                continue
            xo, yo = int(np.rint(2 * x - ix)), int(np.rint(2 * y - iy))
            value = 0.0
            if 0 <= xo < nx and 0 <= yo < ny and segmentation[yo, xo] in (0, label):
                value = subtracted[yo, xo]
            stamp[iy - y0, ix - x0] = value
    return stamp, x0, y0


@njit(cache=True)
def foreign_fraction(  # pragma: no cover - compiled
    segmentation: np.ndarray,
    label: int,
    x: float,
    y: float,
    cxx: float,
    cyy: float,
    cxy: float,
    radius: float,
    half: float,
) -> float:
    """Give the fraction of the pixels of an ellipse that belong to other sources.

    Parameters
    ----------
    segmentation, label, x, y, half
        As for `own_stamp`; the ellipse lies within `half`.
    cxx, cyy, cxy, radius : float
        The ellipse ``cxx dx^2 + cyy dy^2 + cxy dx dy <= radius^2``.
    """
    ny, nx = segmentation.shape
    foreign = total = 0
    for iy in range(max(int(np.floor(y - half)), 0), min(int(np.ceil(y + half)) + 1, ny)):
        for ix in range(max(int(np.floor(x - half)), 0), min(int(np.ceil(x + half)) + 1, nx)):
            dx, dy = ix - x, iy - y
            if cxx * dx * dx + cyy * dy * dy + cxy * dx * dy <= radius * radius:
                total += 1
                foreign += segmentation[iy, ix] not in (0, label)
    return foreign / max(total, 1)
