"""Discs, rings and bars that a mask is made of, and how to paint them."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lostlight.vocab import bits


class Shape(NamedTuple):
    """An outline on the image, in zero-based pixels.

    A disc has the radius `length_px / 2` and no width; a bar is `length_px` long at `angle_deg` counter-clockwise from
    the x axis, and `width_px` wide. `bit` is the name of its mask bit.
    """

    bit: str
    x_px: float
    y_px: float
    length_px: float
    width_px: float = 0.0
    angle_deg: float = 0.0
    text: str = ""


def disc(bit: str, x_px: float, y_px: float, radius_px: float, text: str = "") -> Shape:
    """Make a disc."""
    return Shape(bit, x_px, y_px, 2 * radius_px, text=text)


def bar(bit: str, ends_px: tuple[float, float, float, float], width_px: float, text: str = "") -> Shape:
    """Make a bar from one end to the other (x, y, x, y)."""
    x0, y0, x1, y1 = ends_px
    angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
    return Shape(bit, (x0 + x1) / 2, (y0 + y1) / 2, math.hypot(x1 - x0, y1 - y0), width_px, angle, text)


def paint(mask: NDArray[np.int32], shapes: list[Shape]) -> None:
    """Set the bit of each shape on the pixels whose centres it covers, in place.

    Parameters
    ----------
    mask : ndarray of int32, (ny, nx)
    shapes : list of Shape
        May reach beyond the image.
    """
    ny, nx = mask.shape
    for shape in shapes:
        angle = math.radians(shape.angle_deg)
        cosine, sine = math.cos(angle), math.sin(angle)
        half, side = shape.length_px / 2, (shape.width_px or shape.length_px) / 2
        reach_x = abs(half * cosine) + abs(side * sine)
        reach_y = abs(half * sine) + abs(side * cosine)
        x0, x1 = max(0, math.ceil(shape.x_px - reach_x)), min(nx, math.floor(shape.x_px + reach_x) + 1)
        y0, y1 = max(0, math.ceil(shape.y_px - reach_y)), min(ny, math.floor(shape.y_px + reach_y) + 1)
        if x0 >= x1 or y0 >= y1:
            continue
        dx, dy = np.arange(x0, x1) - shape.x_px, (np.arange(y0, y1) - shape.y_px)[:, None]
        if shape.width_px:
            inside = (np.abs(dx * cosine + dy * sine) <= half) & (np.abs(dy * cosine - dx * sine) <= side)
        else:
            inside = dx**2 + dy**2 <= half**2
        mask[y0:y1, x0:x1][inside] |= bits.mask(shape.bit)
