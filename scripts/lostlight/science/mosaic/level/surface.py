"""The smooth surface by which the sky of one frame differs from that of the others."""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.window import Window
from lostlight.science.stack.planes import cast

N_TERMS = {0: 1, 1: 3, 2: 6}
"""Coefficients of a surface by its order: a constant, a plane, a quadratic."""


def basis(x_px: NDArray, y_px: NDArray, centre: NDArray, half_px: float, order: int) -> NDArray[np.float64]:
    """Give the terms of the surface at canvas positions.

    Parameters
    ----------
    x_px, y_px : ndarray, shape (m,), canvas px
    centre : ndarray, shape (m, 2) or (2,), canvas px
        x and y of the middle of the frame.
    half_px : float
        Distance from the middle where u and v are 1.
    order : int
        0, 1 or 2.

    Returns
    -------
    ndarray, shape (m, B), float64
        1; u, v; u² - 1/3, uv, v² - 1/3.
    """
    u, v = (x_px - centre[..., 0]) / half_px, (y_px - centre[..., 1]) / half_px
    terms = [np.ones_like(u), u, v, u * u - 1 / 3, u * v, v * v - 1 / 3]
    return np.stack(terms[: N_TERMS[order]], axis=-1)


def sky_surface(
    coefficients: NDArray[np.float64], centre: NDArray[np.float64], half_px: float, window: Window, xp: ModuleType = np
) -> Any:
    """Give what is subtracted from a frame, after its gain, to bring it to the level of the others.

    Parameters
    ----------
    coefficients : ndarray, shape (B,), adu
        One channel of `Photometry.sky` of the frame; B is 1, 3 or 6.
    centre : ndarray, shape (2,), canvas px
        x and y of the middle of the frame.
    half_px : float
        `Photometry.half_px`.
    window : Window
        Pixels of the canvas.
    xp : module
        Array namespace of what is given back.

    Returns
    -------
    array, shape (height, width), float32, adu
        The same at a pixel whatever the window.
    """
    c = np.zeros(6)
    c[: len(coefficients)] = coefficients
    u = (np.arange(window.x0, window.x0 + window.width) - centre[0]) / half_px
    v = ((np.arange(window.y0, window.y0 + window.height) - centre[1]) / half_px)[:, None]
    along_x = c[0] + c[1] * u + c[3] * (u * u - 1 / 3)
    along_y = c[2] * v + c[5] * (v * v - 1 / 3)
    surface = xp.asarray(along_x) + xp.asarray(along_y)
    if c[4]:
        surface = surface + float(c[4]) * (xp.asarray(u) * xp.asarray(v))
    return cast(surface, xp.float32, xp)
