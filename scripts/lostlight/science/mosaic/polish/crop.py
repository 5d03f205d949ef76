"""What is cut off around a mosaic: outer rows and columns that are too noisy, and what holds nothing."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate.statistics import thinned
from lostlight.science.mosaic.polish.rectangle import bounding_box, largest_full
from lostlight.science.mosaic.window import Window

CropMode = Literal["bbox", "inscribed", "none"]
_BLOCK_PX = 32
_ENOUGH_PX = 2**22
_LEEWAY = 1.01
"""Where four frames meet in the centre and one at the rim the noise differs by just two: rounding must not decide."""


def autocrop(keep: NDArray[np.bool_], mode: CropMode, margin_px: int) -> Window:
    """Choose the window of the result.

    Parameters
    ----------
    keep : ndarray, shape (H, W), bool
    mode : {"bbox", "inscribed", "none"}
        The smallest window around all kept pixels, the largest full of them, or everything.
    margin_px : int
        Pixels left around it, as far as there are any.
    """
    if mode == "none":
        return Window(0, 0, *keep.shape)
    box = bounding_box(keep) if mode == "bbox" else largest_full(keep)
    return box.grown(margin_px, keep.shape)


def quiet_window(weight: NDArray[np.float32], keep: NDArray[np.bool_], factor: float) -> Window:
    """Take off outer rows and columns, 32 at a time, that are noisier than the centre.

    Parameters
    ----------
    weight : ndarray, shape (C, H, W), float32, adu^-2
        Inverse variance.
    keep : ndarray, shape (H, W), bool
        Pixels that count; at least one.
    factor : float
        Greatest ratio of the median noise of an outer strip to that of the central half of the box, in any channel.

    Returns
    -------
    Window
        What is left of the box around the kept pixels.
    """
    box = bounding_box(keep)
    middle = Window(box.y0 + box.height // 4, box.x0 + box.width // 4, -(-box.height // 2), -(-box.width // 2))
    centre = _noise(weight, keep, middle)
    if not np.isfinite(centre).all():  # nothing there: a ring, or two fields apart
        centre = _noise(weight, keep, box)
    limit = _LEEWAY * factor * centre
    trimmed = True
    while trimmed:
        trimmed = False
        for strip, rest in _strips(box):
            noise = _noise(weight, keep, strip)
            if not rest.is_empty and _too_noisy(noise, limit):
                box, trimmed = rest, True
                break
    return box


def _too_noisy(noise: NDArray[np.float64], limit: NDArray[np.float64]) -> bool:
    """Tell whether a strip is too noisy in any channel, or holds nothing."""
    return bool(np.isnan(noise).all() or (noise > limit).any())


def _strips(box: Window) -> list[tuple[Window, Window]]:
    """The four outer strips of a box, and what is left without each."""
    y, x, h, w = box.y0, box.x0, box.height, box.width
    n, m = min(_BLOCK_PX, h), min(_BLOCK_PX, w)
    return [
        (Window(y, x, n, w), Window(y + n, x, h - n, w)),
        (Window(y + h - n, x, n, w), Window(y, x, h - n, w)),
        (Window(y, x, h, m), Window(y, x + m, h, w - m)),
        (Window(y, x + w - m, h, m), Window(y, x, h, w - m)),
    ]


def _noise(weight: NDArray[np.float32], keep: NDArray[np.bool_], window: Window) -> NDArray[np.float64]:
    """Median noise of each channel in a window, of every so manieth row of large ones; NaN where nothing is kept."""
    inside = thinned(keep[window.slices], _ENOUGH_PX)
    found = []
    for plane in weight:
        some = thinned(plane[window.slices], _ENOUGH_PX)[inside]
        some = some[some > 0]
        found.append(float(np.median(some)) ** -0.5 if some.size else np.nan)
    return np.array(found)
