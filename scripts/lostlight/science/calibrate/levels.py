"""The level of a frame: the number that its pixels are divided by, so that frames of different brightness compare."""

import numpy as np
from astropy.stats import SigmaClip
from numpy.typing import NDArray

from lostlight.science.calibrate.trouble import refuse

METHODS = ("median", "median_center", "mean3s", "per_cfa")
"""Median of all pixels, of the central box, clipped mean of that box, median of the box for each colour."""


def level(data: NDArray[np.float32], method: str, bad: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Measure how bright a frame is; bad pixels and NaN never take part.

    Parameters
    ----------
    data : ndarray, shape (ny, nx), float, adu
        Frame without its pedestal.
    method : str
        ``median`` of all pixels; ``median_center`` of the central half of rows and columns; ``mean3s``, the mean of
        that box within 3 sigma of its median, sigma from the median absolute deviation; ``per_cfa``, the median of
        that box for each of the four places of a 2 x 2 colour-filter array.
    bad : ndarray, shape (ny, nx), bool, optional
        Pixels to leave out.

    Returns
    -------
    ndarray, shape (1, 1), or (2, 2) for ``per_cfa``, float64, adu
        Level of the pixels whose row and column leave these remainders: see `spread`.

    Raises
    ------
    LostlightError
        CAL108 if no good pixel is left, CAL109 for an unknown method.
    """
    if method not in METHODS:
        raise refuse("CAL109", f"normalize is {method!r}, not one of {', '.join(METHODS)}")
    good = np.isfinite(data) if bad is None else np.isfinite(data) & ~bad
    if method == "median":
        return np.array([[_median(data[good], method)]])
    box = _center(data.shape)
    if method == "per_cfa":
        inside = np.zeros(data.shape, bool)
        inside[box] = True
        good &= inside
        return np.array([[_median(data[y::2, x::2][good[y::2, x::2]], method) for x in (0, 1)] for y in (0, 1)])
    values = data[box][good[box]]
    return np.array([[_median(values, method) if method == "median_center" else _clipped_mean(values, method)]])


def spread(levels: NDArray[np.float64], shape: tuple[int, int], y0: int = 0) -> NDArray[np.float64]:
    """Lay levels out over pixels, ready to divide by.

    Parameters
    ----------
    levels : ndarray, shape (1, 1) or (2, 2), adu
        What `level` gave.
    shape : tuple of int
        (ny, nx) of the pixels.
    y0 : int
        Row of the frame that the first of these rows is, as only its parity tells the colour.

    Returns
    -------
    ndarray, shape (1, 1) or (ny, nx), float64, adu
        It broadcasts against the pixels.
    """
    if levels.size == 1:
        return levels
    rows, columns = (y0 + np.arange(shape[0])) % 2, np.arange(shape[1]) % 2
    return levels[np.ix_(rows, columns)]


def _center(shape: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(n // 4, n - n // 4) for n in shape)


def _median(values: NDArray[np.float32], method: str) -> float:
    _some(values, method)
    return float(np.median(values))


def _clipped_mean(values: NDArray[np.float32], method: str) -> float:
    _some(values, method)
    clip = SigmaClip(sigma=3, maxiters=None, cenfunc="median", stdfunc="mad_std")
    return float(np.mean(clip(values.astype(float), masked=False, copy=False), dtype=float))


def _some(values: NDArray[np.float32], method: str) -> None:
    if not values.size:
        raise refuse("CAL108", f"every pixel that {method} would measure the level from is masked or not a number")
