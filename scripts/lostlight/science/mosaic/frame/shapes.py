"""Where a star is, how wide and how long: moments under an elliptical Gaussian that takes on its shape."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Float = NDArray[np.float64]

_N_SIGMA = 4.0  # the window ends here
_LARGEST_PX = 25.0
_MOST_STEPS = 30
_CONVERGED = 1e-4
_SHARPEST_PX2 = 0.22  # variance across: of a cosmic ray's track it is less, of a star of FWHM 1 pixel more


def moments(light: NDArray[np.float32], x: Float, y: Float, sigma: Float) -> NDArray[np.float64]:
    """Measure position, second moments and flux of stars.

    The weight is an elliptical Gaussian of the star's own shape, found by repetition: for a Gaussian star this is the
    best position, size and flux there is, and neighbours hardly count.

    Parameters
    ----------
    light : ndarray, shape (ny, nx), float32, adu
        Image without its sky; NaN pixels do not count.
    x, y, sigma : ndarray, shape (n,), float64, px
        First guesses of position and width.

    Returns
    -------
    ndarray, shape (n, 7), float64
        x, y (px), variances xx, yy, xy (px²; those of the pixels' light, their own width included), flux (adu) and the
        root of the summed squared weights: times the noise of a pixel it is the error of the flux. NaN where the light
        does not look like a star: nothing there, or a single bright pixel.

    Notes
    -----
    Adaptive moments, Bernstein & Jarvis 2002, AJ 123, 583.
    """
    return _all_stars(light, *(np.ascontiguousarray(values, np.float64) for values in (x, y, sigma)))


@njit(cache=True, nogil=True)
def _all_stars(light, x, y, sigma):  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    found = np.empty((len(x), 7))
    for i in range(len(x)):
        found[i] = _one_star(light, x[i], y[i], sigma[i])
    return found


@njit(cache=True, nogil=True)
def _one_star(light, x, y, sigma):  # type: ignore[no-untyped-def]
    """Repeat until the weight has the shape of the star: weighted by itself a Gaussian has half its variance."""
    nothing = np.full(7, np.nan)
    start_x, start_y = x, y
    xx, yy, xy = sigma * sigma, sigma * sigma, 0.0
    for _ in range(_MOST_STEPS):
        total, sx, sy, sxx, syy, sxy, ww = _sums(light, x, y, xx, yy, xy)
        if not total > 0:
            return nothing
        sx, sy = sx / total, sy / total
        new_xx, new_yy = 2 * (sxx / total - sx * sx), 2 * (syy / total - sy * sy)
        new_xy = 2 * (sxy / total - sx * sy)
        change = abs(new_xx - xx) + abs(new_yy - yy) + abs(new_xy - xy)
        x, y, xx, yy, xy = x + 2 * sx, y + 2 * sy, new_xx, new_yy, new_xy
        short = 0.5 * (xx + yy) - np.sqrt(0.25 * (xx - yy) ** 2 + xy * xy)
        if not short > _SHARPEST_PX2 or max(xx, yy) * _N_SIGMA**2 > _LARGEST_PX**2:
            return nothing
        if abs(x - start_x) > 2 * sigma + 1 or abs(y - start_y) > 2 * sigma + 1:
            return nothing
        if change < _CONVERGED * (xx + yy) and abs(sx) + abs(sy) < _CONVERGED:
            break
    return np.array([x, y, xx, yy, xy, 2 * total, 2 * np.sqrt(ww)])


@njit(cache=True, nogil=True)
def _sums(light, x, y, xx, yy, xy):  # type: ignore[no-untyped-def]
    """Sum the weighted light and its moments in the window."""
    ny, nx = light.shape
    determinant = xx * yy - xy * xy
    ixx, iyy, ixy = yy / determinant, xx / determinant, -xy / determinant
    half_x, half_y = _N_SIGMA * np.sqrt(xx), _N_SIGMA * np.sqrt(yy)
    total = sx = sy = sxx = syy = sxy = ww = 0.0
    for row in range(max(0, int(y - half_y)), min(ny, int(y + half_y) + 2)):
        dy = row - y
        for column in range(max(0, int(x - half_x)), min(nx, int(x + half_x) + 2)):
            dx = column - x
            distance = ixx * dx * dx + 2 * ixy * dx * dy + iyy * dy * dy
            value = light[row, column]
            if distance <= _N_SIGMA**2 and np.isfinite(value):
                weight = np.exp(-0.5 * distance)
                one = weight * value
                total += one
                sx += one * dx
                sy += one * dy
                sxx += one * dx * dx
                syy += one * dy * dy
                sxy += one * dx * dy
                ww += weight * weight
    return total, sx, sy, sxx, syy, sxy, ww
