"""The search in plain NumPy: slow, and what the kernels must agree with."""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.search.rules import Peaks, Window

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]


def shifted(plane: Floats, window: Window, dx: int, dy: int) -> Floats:
    """Cut a window, shifted by whole pixels, out of a plane; zero beyond its edges."""
    result = np.zeros(window.shape, np.float32)
    y0, x0 = window.y0 + dy, window.x0 + dx
    y1, x1 = y0 + window.shape[0], x0 + window.shape[1]
    inside = plane[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
    if inside.size:
        top, left = max(-y0, 0), max(-x0, 0)
        result[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return result


def search_window(psi: Floats, phi: Floats, dx: Ints, dy: Ints, window: Window, min_epochs: int, top: int) -> Peaks:
    """Find the best paths through each pixel of a window.

    Sums are made in single precision, image after image, so that kernels can give the very same.

    Parameters
    ----------
    psi, phi : float32, shape (T, H, W)
    dx, dy : int32, shape (V, T)
    window : Window
        Of pixels at mid-arc; it may reach beyond the images.
    min_epochs : int
        Images that a path must have.
    top : int
        Paths kept for each pixel.

    Returns
    -------
    Peaks
    """
    shape = window.shape
    lh, velocity = np.full((top, *shape), -np.inf, np.float32), np.full((top, *shape), -1, np.int32)
    for v in range(len(dx)):
        evidence, weight, n = np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.int32)
        for t in range(len(psi)):
            evidence += shifted(psi[t], window, dx[v, t], dy[v, t])
            part = shifted(phi[t], window, dx[v, t], dy[v, t])
            weight += part
            n += part > 0
        enough = n >= max(min_epochs, 1)
        one = np.where(enough, evidence / np.sqrt(np.where(enough, weight, 1)), -np.inf).astype(np.float32)
        # Put above all that are below it, which move down: of equals the first stays first.
        which = np.where(enough, np.int32(v), np.int32(-1))
        better = np.zeros(shape, bool)
        for k in range(top):
            better = better | (one > lh[k])
            lh[k], one = np.where(better, one, lh[k]), np.where(better, lh[k], one)
            velocity[k], which = np.where(better, which, velocity[k]), np.where(better, velocity[k], which)
    return Peaks(lh, velocity, window)
