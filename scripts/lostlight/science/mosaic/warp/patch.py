"""The piece of a frame that a window of the canvas needs, ready for its kernel."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.warp import fill, spline

Floats = NDArray[np.float32]
Rows = Callable[[int, int], Floats]
Span = tuple[int, int]
OUTSIDE = 4
"""Pixels beyond the edges of a frame that a kernel may touch."""
REACH = fill.REACH + spline.REACH + OUTSIDE
"""Pixels around a piece on which its values may depend."""


class Patch(NamedTuple):
    """A piece of a frame; beyond the edges of the frame it goes on as in a mirror.

    Attributes
    ----------
    data : ndarray, shape (C, h, w), float32
        Spline coefficients, or pixels; without NaN.
    bad : ndarray, shape (h, w), bool, or None
        Pixels that were invalid in any colour; None where none is.
    y0, x0 : int
        Row and column of the frame at its corner.
    """

    data: Floats
    bad: NDArray[np.bool_] | None
    y0: int
    x0: int


Prefilter = Callable[[Floats], Floats]


def patch(rows: Rows, frame_shape: tuple[int, int], y: Span, x: Span, kernel: str, coefficients: Prefilter) -> Patch:
    """Read a piece of a frame, fill its bad pixels, and filter it where the kernel wants that.

    Parameters
    ----------
    rows : callable
        ``rows(y0, y1)`` gives (C, y1 - y0, nx) float32, NaN where invalid; it is asked once, for no more than 33 rows
        above and below the piece.
    frame_shape : (int, int)
    y, x : (int, int)
        First row and column, and those behind the last; up to 4 beyond the frame.
    kernel : str
    coefficients : callable
        `lostlight.science.mosaic.warp.spline.coefficients`, of any engine.
    """
    (top, bottom), (left, right) = (_around(span, n) for span, n in zip((y, x), frame_shape, strict=True))
    image = np.array(rows(top, bottom)[:, :, left:right], np.float32)
    bad = np.asarray(~np.isfinite(image).all(axis=0))
    if kernel == "lanczos3":
        image[:, bad] = 0
    elif bad.any():
        fill.fill(image, bad)
    spans = list(zip((y, x), frame_shape, (top, left), strict=True))
    inside = [_mirror(np.arange(a, b), n) - first for (a, b), n, first in spans]
    if kernel == "cubic":
        wide = [_mirror(np.arange(a - spline.REACH, b + spline.REACH), n) - first for (a, b), n, first in spans]
        data = coefficients(_pick(image, *wide))
    else:
        data = _pick(image, *inside)
    bad = _pick(bad, *inside)
    return Patch(data, bad if bad.any() else None, y[0], x[0])


def _around(span: Span, n: int) -> Span:
    first, last = min(max(span[0], 0), n - 1), min(max(span[1], 1), n)
    return max(first - REACH, 0), min(last + REACH, n)


def _mirror(at: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Reflect places about the centres of the first and last pixel."""
    at = np.abs(at) % max(2 * (n - 1), 1)
    return np.where(at < n, at, 2 * (n - 1) - at)


def _pick(image: NDArray[Any], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[Any]:
    return np.ascontiguousarray(image[..., rows, :][..., columns])
