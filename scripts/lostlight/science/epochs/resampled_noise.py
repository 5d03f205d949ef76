"""What resampling does to the noise of an image: its variance, and what neighbours then share of it."""

from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from lostlight.science.mosaic.warp.spline import INVERSE
from lostlight.science.mosaic.warp.taps import PLACES, table
from lostlight.science.mosaic.warp.warp_compiled import along_row, cell_area, look_up

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
compiled = njit(cache=True, nogil=True, error_model="numpy")

_CUBIC_TAPS = 10
_LEAST_KEPT = np.float32(0.1)


@cache
def weights(kernel: str) -> Floats:
    """Give the weights of the pixels around a position in what is resampled, as `taps.table` has them.

    The cubic spline is one of coefficients, each of which depends on many pixels: in terms of pixels it has ten taps
    that matter.

    Parameters
    ----------
    kernel : str
        cubic, lanczos3 or linear.

    Returns
    -------
    ndarray, shape (1025, n), float32
        Rows add up to 1.
    """
    rows = table(kernel)
    if kernel != "cubic":
        return rows
    inverse = np.concatenate([INVERSE[:0:-1], INVERSE]).astype(np.float64)
    wide = np.array([np.convolve(row, inverse) for row in rows.astype(np.float64)])
    spare = (wide.shape[1] - _CUBIC_TAPS) // 2
    kept = wide[:, spare : spare + _CUBIC_TAPS]
    return np.asarray(kept / kept.sum(axis=1, keepdims=True), np.float32)


def resampled_variance(
    variance: Floats,
    nodes: tuple[Doubles, Doubles],
    origin: tuple[int, int],
    step: int,
    kernel: str,
    shape: tuple[int, int],
) -> Floats:
    """Propagate the variance of an image to pixels interpolated from it: the sum of squared weights times variance.

    Parameters
    ----------
    variance : ndarray, shape (h, w), float32, adu^2
        NaN where there is no measurement: interpolation goes without those.
    nodes : pair of ndarray of float64
        Zero-based x and y in the image at the nodes of a lattice around the window; see `mosaic.warp.nodes`.
    origin : (int, int)
        y and x of the window's first pixel on its canvas.
    step : int
        Distance of the nodes.
    kernel : str
        cubic, lanczos3 or linear.
    shape : (int, int)
        Rows and columns of the window.

    Returns
    -------
    ndarray of float32
        The area of a pixel counts; NaN outside, and where too little is left.
    """
    out = np.full(shape, np.nan, np.float32)
    x, y = (np.ascontiguousarray(each) for each in nodes)
    spread(np.ascontiguousarray(variance), x, y, origin, step, weights(kernel), out)
    return out


@compiled
def spread(
    variance: np.ndarray, x: np.ndarray, y: np.ndarray, origin: tuple[int, int], step: int, rows: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    """Fill `out`; beyond the edges an image goes on as in a mirror."""
    (ny, nx), (height, width), n = variance.shape, out.shape, rows.shape[1]
    before = n // 2 - 1
    along_x, along_y = np.empty(n, np.float32), np.empty(n, np.float32)
    at_x, at_y = np.empty(width), np.empty(width)
    places = np.arange(origin[1], origin[1] + width)
    cells, rests = places // step - origin[1] // step, (places % step) / step
    for v in range(height):
        node, t = (origin[0] + v) // step - origin[0] // step, ((origin[0] + v) % step) / step
        along_row(x, node, t, cells, rests, False, at_x)
        along_row(y, node, t, cells, rests, False, at_y)
        for u in range(width):
            px, py = at_x[u], at_y[u]
            if not ((px >= -0.5) & (px < nx - 0.5) & (py >= -0.5) & (py < ny - 0.5)):
                continue
            column, row = int(np.floor(px)), int(np.floor(py))
            look_up(px - column, rows, n, along_x)
            look_up(py - row, rows, n, along_y)
            total, kept = np.float32(0), np.float32(0)
            for j in range(n):
                at = mirrored(row - before + j, ny)
                for i in range(n):
                    value = variance[at, mirrored(column - before + i, nx)]
                    weight = along_y[j] * along_x[i]
                    if np.isfinite(value):
                        total += weight * weight * value
                        kept += weight
            if kept > _LEAST_KEPT:
                area = cell_area(x, y, node, cells[u], rests[u], t, step)
                out[v, u] = total / (kept * kept) * np.float32(area * area)


@compiled
def mirrored(at: int, n: int) -> int:
    """Reflect a place about the first or the last pixel."""
    at = abs(at)
    return min(at, abs(2 * (n - 1) - at))


def noise_gain(x: Doubles, y: Doubles, scale: float, kernel: str, profile: Doubles) -> float:
    """Give the noise of a flux measured with a matched filter, over what its pixels say if they are taken for white.

    Parameters
    ----------
    x, y : ndarray of float64, shape (n,)
        Places in the image of some pixels of the grid: what lies between pixels is what counts.
    scale : float
        Distance of the grid's pixels in pixels of the image.
    kernel : str
        cubic, lanczos3 or linear.
    profile : ndarray of float64, odd square
        Profile of a point on the grid; any sum.

    Returns
    -------
    float
        1 for white noise; above for what interpolation does to it. The variance is to be multiplied by its square.

    Notes
    -----
    Noise of sum(p v) with p the profile and v pixels of covariance C: sum p_i p_j C_ij, against sum p_i^2 C_ii. With
    axes along those of the image C is a product of one along x and one along y; turned grids are taken for their mean.
    """
    lags = int(np.ceil(weights(kernel).shape[1] / scale))
    overlap = fftconvolve(profile, profile[::-1, ::-1])
    middle = profile.shape[0] - 1
    reach = min(lags, middle)
    part = overlap[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1] / overlap[middle, middle]
    total = sum(
        _correlation(v, scale, reach, kernel) @ part @ _correlation(u, scale, reach, kernel)
        for u, v in zip(x.ravel(), y.ravel(), strict=True)
    )
    return float(np.sqrt(total / x.size))


def neighbour_correlation(x: Doubles, scale: float, kernel: str) -> float:
    """Give the correlation of neighbours along an axis, the mean over places `x` (n,) in pixels of the image."""
    return float(np.mean([_correlation(at, scale, 1, kernel)[2] for at in x.ravel()]))


def _correlation(at: float, scale: float, reach: int, kernel: str) -> Doubles:
    """Give the correlation of a pixel at a place with those `reach` pixels of the grid before to behind it."""
    rows = weights(kernel)
    n = rows.shape[1]
    places = at + scale * np.arange(-reach, reach + 1)
    first = np.floor(places).astype(int)
    taps = rows[np.rint((places - first) * PLACES).astype(int)].astype(np.float64)
    column = first[:, None] + np.arange(n) - first[0]
    dense = np.zeros((len(places), int(column.max()) + 1))
    np.put_along_axis(dense, column, taps, axis=1)
    norm = np.sqrt(np.sum(dense**2, axis=1))
    return dense @ dense[reach] / (norm * norm[reach])
