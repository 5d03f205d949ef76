"""Compiled brushes that add light or density to an image in place; positions are zero-based pixels of that image."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Image = NDArray[np.float32]
Values = NDArray[np.float64]


@njit(cache=True)
def _span(centre: float, reach: float, n: int) -> tuple[int, int]:
    return max(0, int(np.ceil(centre - reach))), min(n, int(np.floor(centre + reach)) + 1)


@njit(cache=True)
def add_gaussians(
    image: Image, x: Values, y: Values, a: Values, b: Values, c: Values, peak: Values, reach: Values
) -> None:
    """Add elliptical Gaussians ``peak * exp(-(a dx² + 2 b dx dy + c dy²) / 2)`` out to `reach` pixels."""
    ny, nx = image.shape
    for k in range(x.size):
        y_from, y_to = _span(y[k], reach[k], ny)
        x_from, x_to = _span(x[k], reach[k], nx)
        for j in range(y_from, y_to):
            dy = j - y[k]
            for i in range(x_from, x_to):
                dx = i - x[k]
                image[j, i] += peak[k] * np.exp(-0.5 * (a[k] * dx * dx + 2 * b[k] * dx * dy + c[k] * dy * dy))


@njit(cache=True)
def add_aureoles(image: Image, x: Values, y: Values, peak: Values, core: Values, reach: Values) -> None:
    """Add haloes ``peak / (r² + core²)`` that fade to nothing at `reach` pixels."""
    ny, nx = image.shape
    for k in range(x.size):
        y_from, y_to = _span(y[k], reach[k], ny)
        x_from, x_to = _span(x[k], reach[k], nx)
        floor = 1.0 / (reach[k] ** 2 + core[k] ** 2)
        for j in range(y_from, y_to):
            for i in range(x_from, x_to):
                light = 1.0 / ((i - x[k]) ** 2 + (j - y[k]) ** 2 + core[k] ** 2) - floor
                if light > 0:
                    image[j, i] += peak[k] * light


@njit(cache=True)
def add_rings(image: Image, x: Values, y: Values, radius: Values, width: Values, peak: Values) -> None:
    """Add rings with a Gaussian profile of `width` pixels about `radius`."""
    ny, nx = image.shape
    for k in range(x.size):
        reach = radius[k] + 4 * width[k]
        y_from, y_to = _span(y[k], reach, ny)
        x_from, x_to = _span(x[k], reach, nx)
        for j in range(y_from, y_to):
            for i in range(x_from, x_to):
                r = np.sqrt((i - x[k]) ** 2 + (j - y[k]) ** 2)
                image[j, i] += peak[k] * np.exp(-0.5 * ((r - radius[k]) / width[k]) ** 2)


@njit(cache=True)
def add_spikes(image: Image, x: Values, y: Values, peak: Values, width: Values, core: Values, reach: Values) -> None:
    """Add four spikes along the axes, falling as the power -2.4 of the distance beyond `core` pixels."""
    ny, nx = image.shape
    for k in range(x.size):
        side = 4 * width[k]
        for is_upright in (False, True):
            along_y, along_x = (reach[k], side) if is_upright else (side, reach[k])
            y_from, y_to = _span(y[k], along_y, ny)
            x_from, x_to = _span(x[k], along_x, nx)
            for j in range(y_from, y_to):
                for i in range(x_from, x_to):
                    dx, dy = i - x[k], j - y[k]
                    far, across = (dy, dx) if is_upright else (dx, dy)
                    light = (far * far + core[k] * core[k]) ** -1.2
                    image[j, i] += peak[k] * light * np.exp(-0.5 * (across / width[k]) ** 2)


@njit(cache=True)
def add_lines(image: Image, x0: Values, y0: Values, x1: Values, y1: Values, width: Values, peak: Values) -> None:
    """Add straight lines from (x0, y0) to (x1, y1) with a Gaussian cross-section and soft ends."""
    ny, nx = image.shape
    for k in range(x0.size):
        dx, dy = x1[k] - x0[k], y1[k] - y0[k]
        length = max(np.hypot(dx, dy), 1e-9)
        cosine, sine = dx / length, dy / length
        reach = 4 * width[k]
        is_flat = abs(cosine) >= abs(sine)
        # Walk along the longer axis; at each step paint the strip that lies within reach of the line.
        low = min(x0[k], x1[k]) if is_flat else min(y0[k], y1[k])
        high = max(x0[k], x1[k]) if is_flat else max(y0[k], y1[k])
        first, last = max(0, int(np.ceil(low - reach))), min(nx if is_flat else ny, int(np.floor(high + reach)) + 1)
        half = reach / max(abs(cosine), abs(sine))
        for step in range(first, last):
            middle = y0[k] + (step - x0[k]) * dy / dx if is_flat else x0[k] + (step - y0[k]) * dx / dy
            from_, to = _span(middle, half, ny if is_flat else nx)
            for other in range(from_, to):
                i, j = (step, other) if is_flat else (other, step)
                along = (i - x0[k]) * cosine + (j - y0[k]) * sine
                beyond = max(-along, along - length, 0.0)
                across = (j - y0[k]) * cosine - (i - x0[k]) * sine
                image[j, i] += peak[k] * np.exp(-0.5 * (across * across + beyond * beyond) / width[k] ** 2)
