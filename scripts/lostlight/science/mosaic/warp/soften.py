"""Edges that no star has, of full wells and their trails: taken down until a cubic spline does not ring at them.

A spline through pixels sharpens them first, and cuts below the sky beside a step. Where it would, the pixels are spread
by as much as it sharpens, one sixth to either side: what is interpolated then lies between its surroundings.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from lostlight.science.mosaic.warp.bands import Changes, Floats, Places, Rows, changed

NEAR = 3
"""Pixels around one among which the peak of its star lies."""
AROUND = 2
"""Pixels beside a step that are spread with it."""
MARGIN = NEAR + AROUND + 2
LEAST = 8.0
SHARE = 0.04
"""A spline cuts too deep by so many sigma of the noise, and this part of the peak."""
SHARPEST_PX = 1.4
"""At stars as wide as this, or wider, it never does; frames of sharper ones are left as they are."""
SIXTHS = np.array([1, 4, 1]) / 6


def softened(rows: Rows, shape: tuple[int, int], sigma: NDArray[np.float64]) -> Rows:
    """Give rows of a frame with the edges of full wells spread.

    Parameters
    ----------
    rows : callable
        ``rows(y0, y1)`` gives (C, y1 - y0, nx) float32, NaN where invalid.
    shape : (int, int)
        Rows and columns of the frame.
    sigma : ndarray, shape (C,), float64
        Noise of a pixel.

    Returns
    -------
    callable
        As `rows`; pixels are the same whatever rows are asked for.
    """

    def find(data: Floats) -> Iterator[Changes]:
        for plane, noise in zip(data, sigma, strict=True):
            y, x = np.nonzero(steps(plane, float(noise)))
            yield (y, x), _spread(plane, y, x)

    return changed(rows, shape[0], MARGIN, find)


def steps(plane: Floats, sigma: float) -> NDArray[np.bool_]:
    """Mark the pixels around steps at which a cubic spline would cut far below the lower side.

    Parameters
    ----------
    plane : ndarray, shape (ny, nx), float32
        NaN where invalid.
    sigma : float
        Noise of a pixel.

    Returns
    -------
    ndarray, shape (ny, nx), bool
    """
    marks = np.zeros(plane.shape, bool)
    for turned in (False, True):
        along, mark = (plane.T, marks.T) if turned else (plane, marks)
        y, x = _cut(along, LEAST * sigma)
        if len(y):
            deep = _depth(along, y, x) > np.maximum(LEAST * sigma, SHARE * _peak(along, y, x))
            mark[y[deep], x[deep]] = mark[y[deep], x[deep] + 1] = True
    return binary_dilation(marks, np.ones((3, 3), bool), iterations=AROUND) if marks.any() else marks


def _cut(plane: Floats, least: float) -> Places:
    """Find the pixels between which and the next in their row a spline may cut deeper than this."""
    high = np.abs(plane[:, 1:] - plane[:, :-1]) > 14 * least
    y, x = np.unravel_index(np.flatnonzero(high), high.shape)
    if not len(y):
        return y, x
    # A step shows in the intervals to both sides of it.
    numbers = np.unique(np.concatenate([y * plane.shape[1] + x + beside for beside in (-1, 1)]))
    y, x = np.divmod(numbers, plane.shape[1])
    inside = (x >= 1) & (x < plane.shape[1] - 2)
    return y[inside], x[inside]


def _depth(plane: Floats, y: NDArray[np.intp], x: NDArray[np.intp]) -> NDArray[np.float64]:
    """How far below the four pixels around it the middle between two is, through a cubic; 0 where one is invalid."""
    four = np.stack([plane[y, x + k] for k in (-1, 0, 1, 2)]).astype(np.float64)
    middle = (9 * (four[1] + four[2]) - four[0] - four[3]) / 16
    return np.asarray(np.nan_to_num(four.min(axis=0) - middle), np.float64)


def _peak(plane: Floats, y: NDArray[np.intp], x: NDArray[np.intp]) -> NDArray[np.float64]:
    """Height of the brightest pixel near above the darkest."""
    ny, nx = plane.shape
    near = np.arange(-NEAR, NEAR + 1)
    rows, columns = (y[:, None] + near).clip(0, ny - 1), (x[:, None] + near).clip(0, nx - 1)
    values = plane[rows[:, :, None], columns[:, None, :]].reshape(len(y), -1)
    return np.asarray(np.nanmax(values, axis=1) - np.nanmin(values, axis=1), np.float64)


def _spread(plane: Floats, y: NDArray[np.intp], x: NDArray[np.intp]) -> Floats:
    """Spread each pixel to its neighbours as a spline does; what is invalid neither gives nor takes."""
    ny, nx = plane.shape
    centre = plane[y, x].astype(np.float64)
    total = np.zeros(len(y))
    for j, along_y in enumerate(SIXTHS):
        for i, along_x in enumerate(SIXTHS):
            value = plane[(y + j - 1).clip(0, ny - 1), (x + i - 1).clip(0, nx - 1)]
            total += along_y * along_x * np.where(np.isfinite(value), value, centre)
    return np.where(np.isfinite(centre), total, np.nan).astype(np.float32)
