"""The common profile of the stars of a frame: how far from the middle it falls to half."""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import curve_fit

_STEP = 0.125
_BINS = 24
_GAUSSIAN_HALF = np.sqrt(2 * np.log(2))
_FEWEST = 4


def half_light_factor(light: NDArray[np.float32], shape: NDArray[np.float64]) -> float:
    """Give the half width of stars at half their maximum over that of the Gaussians fitted to them.

    All stars are laid over each other, each in units of its own size and brightness: their different places between
    the pixels sample the profile finely, whatever its form. A Gaussian has 1; wings, as of a Moffat profile, less.

    Parameters
    ----------
    light : ndarray, shape (ny, nx), float32, adu
        Image without its sky; NaN pixels do not count.
    shape : ndarray, shape (n, 7), float64
        What `shapes.moments` found of the stars.

    Returns
    -------
    float
        From 0.5 to 1.5; 1 where it cannot be told.
    """
    if len(shape) < _FEWEST:
        return 1.0
    value, weight, square = _stacked(light, np.ascontiguousarray(shape))
    seen = weight > 0
    if np.count_nonzero(seen) < _BINS // 2:
        return 1.0
    squares, heights = square[seen] / weight[seen], value[seen] / weight[seen]
    start, bounds = (1.0, 3.0, 4.0), ((0.1, 0.5, 1.2), (10.0, 50.0, 60.0))
    try:
        (_, core, beta), _ = curve_fit(_moffat, squares, heights, start, weight[seen] ** -0.5, bounds=bounds)
    except RuntimeError:  # it does not converge: no profile of stars
        return 1.0
    return float(np.clip(core * np.sqrt(2 ** (1 / beta) - 1) / _GAUSSIAN_HALF, 0.5, 1.5))


def _moffat(square: NDArray[np.float64], height: float, core: float, beta: float) -> NDArray[np.float64]:
    return height * (1 + square / core**2) ** -beta


@njit(cache=True, nogil=True)
def _stacked(light, shape):  # type: ignore[no-untyped-def]
    """Sum light, model brightness and squared distance of all stars in bins of the elliptical distance."""
    ny, nx = light.shape
    value, weight, square = np.zeros(_BINS), np.zeros(_BINS), np.zeros(_BINS)
    for k in range(len(shape)):
        x, y, xx, yy, xy, flux = shape[k, :6]
        determinant = xx * yy - xy * xy
        peak = flux / (2 * np.pi * np.sqrt(determinant))
        reach_x, reach_y = _BINS * _STEP * np.sqrt(xx), _BINS * _STEP * np.sqrt(yy)
        for row in range(max(0, int(y - reach_y)), min(ny, int(y + reach_y) + 2)):
            for column in range(max(0, int(x - reach_x)), min(nx, int(x + reach_x) + 2)):
                dx, dy = column - x, row - y
                d2 = (yy * dx * dx + xx * dy * dy - 2 * xy * dx * dy) / determinant
                place = int(np.sqrt(d2) / _STEP)
                if place < _BINS and np.isfinite(light[row, column]):
                    value[place] += light[row, column] / peak
                    weight[place] += 1.0
                    square[place] += d2
    return value, weight, square
