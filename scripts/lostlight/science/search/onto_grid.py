"""Likelihoods of an image brought to the pixels of the stack, through the sky of both.

The image itself is not resampled: psi and phi are made in its own pixels with its own noise, and read between them.
Psi is smooth, so a cubic through its neighbours is what would have been found at that place; what little it loses is
known from the autocorrelation A of the profile. With weights w_i and distances d_i of the neighbours, signal comes
out a = sum(w_i A(d_i)) times what it is, and noise g = sum(w_i w_j A(d_i - d_j)) times in variance, so that
a psi / g and a^2 phi / g are evidence and weight as before.
"""

from functools import lru_cache

import numpy as np
from astropy.wcs import WCS
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from lostlight.core.errors import BadImage
from lostlight.science.epochs.grid import Grid, whole_shift
from lostlight.science.inject.psf import Psf
from lostlight.science.mosaic.warp.nodes import expand, route
from lostlight.science.search.vet import autocorrelation

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

PLACES = 32
"""Places between pixels, along each axis, for which signal and noise are tabulated."""
compiled = njit(cache=True, nogil=True, error_model="numpy")


def onto_grid(
    psi: Floats, phi: Floats, wcs: WCS | None, grid: Grid, psf: Psf, scale: float = 1.0
) -> tuple[Floats, Floats]:
    """Bring likelihoods of one image to the grid of its stack.

    Parameters
    ----------
    psi, phi : float32, shape (h, w)
        In pixels of the image.
    wcs : WCS or None
        Its sky; None where the grid has none.
    grid : Grid
    psf : Psf
        Profile of a point on the image.
    scale : float
        What brings its fluxes to the scale of the first image.

    Returns
    -------
    psi, phi : float32, shape of the grid
        Zero where the image measures nothing.

    Raises
    ------
    BadImage
        The image lies outside of the grid.
    """
    result = np.zeros((2, *grid.shape), np.float32)
    on_sky = wcs is not None and grid.wcs is not None
    shift = whole_shift(wcs, grid.wcs, psi.shape) if on_sky else (-grid.x0, -grid.y0)
    if shift is not None:
        _lay(psi, phi, shift, result)
    else:
        way = route(grid.wcs, grid.shape, wcs, psi.shape)
        if way.window is None:
            raise BadImage("the image lies outside of the grid", hint="leave it out")
        x, y = (expand(nodes, way.window, way.step_px) for nodes in (way.x, way.y))
        part = (slice(way.window.y0, way.window.y0 + x.shape[0]), slice(way.window.x0, way.window.x0 + x.shape[1]))
        gains = _gains(psf.kernel().tobytes(), len(psf.kernel()))
        interpolate(psi, phi, x, y, *gains, result[0][part], result[1][part])
    result[0] /= np.float32(scale)
    result[1] /= np.float32(scale) ** 2
    return result[0], result[1]


def _lay(psi: Floats, phi: Floats, shift: tuple[int, int], result: Floats) -> None:
    """Lay an image down, shifted by whole pixels along x and y."""
    x, y = shift
    y0, x0 = max(y, 0), max(x, 0)
    y1, x1 = min(y + psi.shape[0], result.shape[1]), min(x + psi.shape[1], result.shape[2])
    if y0 >= y1 or x0 >= x1:
        raise BadImage("the image lies outside of the grid", hint="leave it out")
    for plane, out in zip((psi, phi), result, strict=True):
        out[y0:y1, x0:x1] = plane[y0 - y : y1 - y, x0 - x : x1 - x]


@lru_cache(maxsize=256)
def _gains(profile: bytes, side: int) -> tuple[Doubles, Doubles]:
    """Tabulate signal and noise between pixels: a and g, shape (PLACES + 1, PLACES + 1)."""
    whole = np.pad(autocorrelation(np.frombuffer(profile).reshape(side, side)), 4)
    middle, taps, f = len(whole) // 2, np.arange(-1, 3), np.arange(PLACES + 1) / PLACES
    w = cubic(f)
    away = f[:, None] - taps
    y, x = np.broadcast_arrays(away[:, None, :, None] + middle, away[None, :, None, :] + middle)
    signal = map_coordinates(whole, [y, x], order=5, mode="constant")
    lag = taps[:, None] - taps
    noise = whole[lag[:, None, :, None] + middle, lag[None, :, None, :] + middle]  # (y, x) of one, (y, x) of the other
    a = np.einsum("pi,qj,pqij->pq", w, w, signal)
    return a, np.einsum("pi,qj,pk,ql,ijkl->pq", w, w, w, w, noise, optimize=True)


def cubic(f: Doubles) -> Doubles:
    """Weights of the four neighbours of a place (Catmull and Rom 1974): shape (..., 4)."""
    f = np.asarray(f)[..., None]
    d = abs(f - np.arange(-1, 3))
    return np.where(d < 1, 1 - 2.5 * d**2 + 1.5 * d**3, np.where(d < 2, 2 - 4 * d + 2.5 * d**2 - 0.5 * d**3, 0))


@compiled
def interpolate(
    psi: np.ndarray,
    phi: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    signal: np.ndarray,
    noise: np.ndarray,
    out_psi: np.ndarray,
    out_phi: np.ndarray,
) -> None:
    """Read psi and phi at places between pixels; where a neighbour is not measured the nearest pixel speaks."""
    height, width = psi.shape
    places = signal.shape[0] - 1
    for j in range(x.shape[0]):
        for i in range(x.shape[1]):
            px, py = x[j, i], y[j, i]
            nx, ny = int(np.floor(px + 0.5)), int(np.floor(py + 0.5))
            if not (0 <= nx < width and 0 <= ny < height):
                continue
            x0, y0 = int(np.floor(px)), int(np.floor(py))
            fx, fy = px - x0, py - y0
            whole = x0 >= 1 and y0 >= 1 and x0 + 2 < width and y0 + 2 < height
            s = p = 0.0
            for b in range(-1, 3):
                if not whole:
                    break
                wy = _tap(abs(b - fy))
                for a in range(-1, 3):
                    weight = phi[y0 + b, x0 + a]
                    whole = whole and weight > 0
                    w = wy * _tap(abs(a - fx))
                    s += w * psi[y0 + b, x0 + a]
                    p += w * weight
            if whole and p > 0:
                row, column = int(fy * places + 0.5), int(fx * places + 0.5)
                ratio = signal[row, column] / noise[row, column]
                out_psi[j, i], out_phi[j, i] = s * ratio, p * ratio * signal[row, column]
            else:
                out_psi[j, i], out_phi[j, i] = psi[ny, nx], phi[ny, nx]


@compiled
def _tap(d: float) -> float:
    """Weight of a neighbour at a distance, as of `cubic`."""
    if d < 1:
        return 1 - 2.5 * d**2 + 1.5 * d**3
    return 2 - 4 * d + 2.5 * d**2 - 0.5 * d**3 if d < 2 else 0.0
