"""Pictures of frames and masters as PNG: the first row of the array is at the bottom, as FITS viewers show it.

North is wherever the camera had it: nothing is turned. Large images are averaged over whole squares of pixels; marks of
single pixels survive, because a square is marked where any of its pixels is. The same pixels give the same bytes.
"""

import io
import zlib

import numpy as np
from numpy.typing import DTypeLike, NDArray
from PIL import Image

from lostlight.vocab.bits import DO_NOT_USE

Limits = tuple[float, float]
_ASINH = 0.1
"""Values below this part of the range are shown in proportion, those above more and more compressed."""
_ENOUGH_PX = 2**18
"""Limits and medians of larger images are those of so many pixels."""
MISSING = 96
"""Grey of pixels without a value."""


def preview(data: NDArray, dq: NDArray | None = None, max_px: int = 2048, limits: Limits | None = None) -> bytes:
    """Draw an image in grey, or in colour where it has three planes.

    Parameters
    ----------
    data : ndarray, shape (ny, nx) or (3, ny, nx)
        Pixels, any unit; NaN is shown in grey.
    dq : ndarray, shape (ny, nx), uint16, optional
        Quality bits; pixels that must not be used do not decide the limits.
    max_px : int
        Longest side of the picture.
    limits : tuple of float, optional
        Values shown black and white; else those of ZScale.

    Returns
    -------
    bytes
        A PNG.
    """
    return png(grey(data, dq, max_px, limits))


def before_after(before: NDArray, after: NDArray, dq: NDArray | None = None, max_px: int = 2048) -> tuple[bytes, bytes]:
    """Draw a raw and a calibrated frame with the same stretch: the same range of values about the sky of each.

    Parameters
    ----------
    before : ndarray, shape (ny, nx)
        The raw frame, trimmed to the shape of `after`.
    after : ndarray, shape (ny, nx) or (3, ny, nx)
        The calibrated frame, same unit.
    dq : ndarray, shape (ny, nx), uint16, optional
        Quality bits of the calibrated frame.
    max_px : int
        Longest side of the pictures.
    """
    low, high = scale(after, dq)
    shift = _median(before) - _median(after)
    return preview(before, None, max_px, (low + shift, high + shift)), preview(after, dq, max_px, (low, high))


def scale(data: NDArray, dq: NDArray | None = None) -> Limits:
    """Give the values to show black and white, by the ZScale of IRAF."""
    from astropy.visualization import ZScaleInterval  # brings matplotlib along

    data, dq = _thinned(data), None if dq is None else _thinned(dq)
    good = np.isfinite(data) if dq is None else np.isfinite(data) & ((dq & np.uint16(DO_NOT_USE)) == 0)
    values = data[good]
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in ZScaleInterval().get_limits(values))
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def grey(
    data: NDArray, dq: NDArray | None = None, max_px: int = 2048, limits: Limits | None = None
) -> NDArray[np.uint8]:
    """Turn pixels into grey values, shape (ny, nx) or (ny, nx, 3), the top row first: linear near the sky, then asinh.

    Parameters
    ----------
    data, dq, max_px, limits
        As in `preview`.
    """
    low, high = limits or scale(data, dq)
    planes = [shrink(plane, max_px) for plane in (data if data.ndim == 3 else data[np.newaxis])]
    drawn = [np.where(np.isfinite(plane), stretched(plane, (low, high)), np.uint8(MISSING))[::-1] for plane in planes]
    return np.stack(drawn, axis=-1) if data.ndim == 3 else drawn[0]


def stretched(plane: NDArray, limits: Limits) -> NDArray[np.uint8]:
    """Turn values into grey: linear near the lower limit, then asinh; what has no value is black."""
    low, high = limits
    share = np.clip((np.nan_to_num(plane, nan=low) - low) / (high - low), 0, 1)
    bent = np.arcsinh(share / _ASINH) / np.arcsinh(1 / _ASINH)
    return np.rint(255 * bent).astype(np.uint8)


def shrink(plane: NDArray, max_px: int) -> NDArray[np.float32]:
    """Average whole squares until the longest side fits; the mean of what is finite, and NaN where nothing is."""
    return averaged(plane, factor(plane.shape, max_px))


def averaged(plane: NDArray, square: int) -> NDArray[np.float32]:
    """Average whole squares of so many pixels along each side, as `shrink`."""
    if square == 1:
        return plane.astype(np.float32)
    n = np.outer(*(np.diff([*range(0, length, square), length]) for length in plane.shape))
    means = _reduced(np.add, plane, square, np.float64) / n
    if not np.isfinite(means).all():
        known = np.isfinite(plane)
        n = _reduced(np.add, known, square, np.int64)
        sums = _reduced(np.add, np.where(known, plane, 0), square, np.float64)
        means = np.where(n > 0, sums / np.maximum(n, 1), np.nan)
    return means.astype(np.float32)


def shrink_marks(marks: NDArray, max_px: int) -> NDArray:
    """Combine bits or take the highest value of whole squares until the longest side fits."""
    return combined_marks(marks, factor(marks.shape, max_px))


def combined_marks(marks: NDArray, square: int) -> NDArray:
    """Combine whole squares of so many pixels along each side, as `shrink_marks`."""
    if square == 1:
        return marks
    return _reduced(np.bitwise_or if marks.dtype.kind in "ub" else np.maximum, marks, square, marks.dtype)


def factor(shape: tuple[int, ...], max_px: int) -> int:
    """Side of the squares that are shown as one."""
    return -(-max(shape[-2:]) // max_px)


def png(values: NDArray[np.uint8]) -> bytes:
    """Write grey values (ny, nx) or colours (ny, nx, 3), the top row first, as PNG."""
    buffer = io.BytesIO()
    # noise hardly compresses: what is quick here is about as small as what is slow
    how = {"compress_type": zlib.Z_RLE} if values.ndim == 2 else {"compress_level": 1}
    Image.fromarray(values).save(buffer, format="PNG", **how)
    return buffer.getvalue()


def _median(data: NDArray) -> float:
    part = _thinned(data)
    finite = part[np.isfinite(part)]
    return float(np.median(finite)) if finite.size else 0.0


def _thinned(data: NDArray) -> NDArray:
    """Every so manieth row of a large image, an odd number on, so that all colours of a filter array are met."""
    return data[..., :: -(-data.shape[-2] * data.shape[-1] // _ENOUGH_PX) | 1, :]


def _reduced(combine: np.ufunc, plane: NDArray, square: int, dtype: DTypeLike) -> NDArray:
    """Reduce squares along one axis, then along the other: whole slices at a time, which is far quicker than blocks."""
    for _ in range(2):
        whole = plane[::square].astype(dtype)
        for start in range(1, square):
            part = plane[start::square]
            combine(whole[: len(part)], part, out=whole[: len(part)])
        plane = whole.T
    return plane
