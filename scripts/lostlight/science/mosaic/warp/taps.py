"""The kernels of a resampling: how much each pixel around a position counts, by where between pixels it lies.

Tabulated at 1025 places and linear between them (to 2e-6), so that NumPy, compiled loops and graphics cards share one
arithmetic.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

PLACES = 1024
"""Places between two pixels at which a kernel is tabulated; a power of two, so that they are exact."""
KERNELS = ("cubic", "lanczos3", "linear", "nearest")
MOST_BAD = {"linear": 0.01}
"""Share of the bilinear weight that may lie on bad pixels, where it is not a half: linear takes nothing that is
filled, so that it covers what bilinear interpolation covers elsewhere."""


@cache
def table(kernel: str) -> NDArray[np.float32]:
    """Give the weights of the pixels around a position.

    Parameters
    ----------
    kernel : str
        cubic (the B-spline of third order, for coefficients), lanczos3, linear; nearest is linear at whole pixels.

    Returns
    -------
    ndarray, shape (1025, n), float32
        Row k is for a position k/1024 behind a pixel; column j for the pixel j - n/2 + 1 behind that one. Rows add up
        to 1.
    """
    t = np.arange(PLACES + 1)[:, None] / PLACES
    n = {"cubic": 4, "lanczos3": 6}.get(kernel, 2)
    distance = abs(t - (np.arange(n) - n // 2 + 1))
    weights = {"cubic": _spline, "lanczos3": _lanczos}.get(kernel, _triangle)(distance)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _spline(d: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(d < 1, 2 / 3 - d**2 + d**3 / 2, np.clip(2 - d, 0, None) ** 3 / 6)


def _lanczos(d: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(d < 3, np.sinc(d) * np.sinc(d / 3), 0)


def _triangle(d: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(1 - d, 0, None)


def most_bad(kernel: str) -> float:
    """Give the share of the bilinear weight of a valid pixel that may lie on bad ones."""
    return MOST_BAD.get(kernel, 0.5)
