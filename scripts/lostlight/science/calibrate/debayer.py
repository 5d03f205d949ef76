"""Colour from a colour-filter array: bilinear interpolation, or one colour pixel for each cell."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import convolve

from lostlight.science.calibrate.cfa import colour_masks
from lostlight.science.calibrate.light_recipe import cut, three
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.trouble import refuse
from lostlight.vocab.bits import dq as bits

METHODS = ("bilinear", "superpixel")

_CROSS = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4.0
_SQUARE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4.0
_NEAR = (_SQUARE, _CROSS, _SQUARE)
"""Weights of red, green and blue neighbours: green has two pixels in each cell."""

_WIDE = np.outer([1, 2, 3, 2, 1], [1, 2, 3, 2, 1]) / 9.0
"""Weights where no near neighbour is good."""

_ROWS, _HALO = 128, 2
"""Rows worked on at once, and rows beyond them that windows reach: both even, so that each block begins a cell."""

_UNFIT = bits("BAD", "HOT", "COLD", "COSMIC", "NO_DATA")  # unless they were repaired


def debayer(mosaic: Planes, pattern: str, method: str = "bilinear") -> Planes:
    """Make a colour image of a mosaic.

    ``bilinear`` gives every pixel the mean of the nearest pixels of each colour, and its own value in its own colour.
    ``superpixel`` makes one pixel of each cell of four: red, the mean of both greens, blue. A pixel of it is the
    brightness of one raw pixel, not the sum of a cell: surface brightness stays, and the sum over an aperture is a
    quarter of that of the bilinear image. An odd last row or column is left out.

    Bad pixels that were not repaired, and those without value, take no part; bits of those that do are united.
    The variance is the sum of squared weights times variances, so noise of neighbours stays correlated and is
    smaller where more pixels were averaged.

    Parameters
    ----------
    mosaic : Planes, shape (ny, nx)
        Calibrated and repaired pixels.
    pattern : str
        Colours of the first stored cell, row by row, from `cfa.stored_pattern`; empty for a mono frame.
    method : str
        bilinear or superpixel.

    Returns
    -------
    Planes
        Pixels and uncertainty of shape (3, ny, nx), or (3, ny // 2, nx // 2), float32: red, green, blue. The bits are
        one plane, (ny, nx), for all colours. Where a colour has no good pixel, it is NaN and the bit NO_DATA is set.

    Raises
    ------
    LostlightError
        CAL109 for a mono frame, an image that has colours already, one smaller than a cell or an unknown method.
    """
    if not pattern:
        raise refuse("CAL109", "a frame without colour-filter pattern is mono and has no colours to interpolate")
    if mosaic.data.ndim != 2 or min(mosaic.data.shape) < 2:
        raise refuse("CAL109", f"pixels of shape {mosaic.data.shape} are no mosaic of a colour-filter array")
    if method not in METHODS:
        raise refuse("CAL109", f"light.debayer is {method!r}, neither bilinear nor superpixel")
    return _joined([_block(mosaic, pattern, method, y) for y in range(0, mosaic.data.shape[0], _ROWS)])


def _block(mosaic: Planes, pattern: str, method: str, y: int) -> Planes:
    """Make the colours of some rows, from these and those that their windows reach."""
    before, after = (min(y, _HALO), _HALO) if method == "bilinear" else (0, 0)
    part = Planes(*(cut(plane, slice(y - before, y + _ROWS + after)) for plane in three(mosaic)))
    dq = np.zeros(part.data.shape, np.uint16) if part.dq is None else part.dq
    good = np.isfinite(part.data) & ((dq & _UNFIT == 0) | (dq & bits("INTERPOLATED") != 0))
    average = _bilinear if method == "bilinear" else _superpixel
    made = average(part, dq, good, colour_masks(pattern, part.data.shape))
    return Planes(*(plane if plane is None else plane[..., before : before + _ROWS, :] for plane in three(made)))


def _joined(blocks: Sequence[Planes]) -> Planes:
    planes = zip(*map(three, blocks), strict=True)
    return Planes(*(None if plane[0] is None else np.concatenate(plane, axis=-2) for plane in planes))


def _bilinear(mosaic: Planes, dq: NDArray[np.uint16], good: NDArray[np.bool_], masks: NDArray[np.bool_]) -> Planes:
    planes, errors = [], []
    united = dq | _spread(np.where(good, dq, 0).astype(np.uint16))
    for mask, near in zip(masks, _NEAR, strict=True):
        value, error, filled = _weighted(mosaic, mask & good, near)
        planes.append(value)
        errors.append(error)
        united[filled] |= np.uint16(bits("INTERPOLATED"))
        united[~np.isfinite(value)] |= np.uint16(bits("NO_DATA"))
    return _colour(planes, errors, united, mosaic)


def _weighted(
    mosaic: Planes, take: NDArray[np.bool_], near: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None, NDArray[np.bool_]]:
    """Average the pixels to take around each pixel; the wide window steps in where the near one holds none."""
    value, error = _average(mosaic, take, near)
    empty = np.isnan(value)
    if empty.any():
        wide_value, wide_error = _average(mosaic, take, _WIDE)
        value[empty] = wide_value[empty]
        if error is not None and wide_error is not None:
            error[empty] = wide_error[empty]
    return value, error, empty


def _average(
    mosaic: Planes, take: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    total = _sum(take.astype(float), weights)
    total[total <= 0] = np.nan
    value = _sum(np.where(take, mosaic.data, 0), weights) / total
    if mosaic.uncert is None:
        return value, None
    variance = np.where(take, mosaic.uncert, 0).astype(float) ** 2
    return value, np.sqrt(_sum(variance, weights**2)) / total


def _sum(values: NDArray[np.floating], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    return convolve(values.astype(float), weights, mode="constant")


def _spread(dq: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Unite the bits of each pixel with those of its eight neighbours."""
    out = np.pad(dq, 1)
    out = out[:-2] | out[1:-1] | out[2:]
    return out[:, :-2] | out[:, 1:-1] | out[:, 2:]


def _superpixel(mosaic: Planes, dq: NDArray[np.uint16], good: NDArray[np.bool_], masks: NDArray[np.bool_]) -> Planes:
    united = np.bitwise_or.reduce(_cells(np.where(good, dq, 0).astype(np.uint16)), axis=0)
    variance = None if mosaic.uncert is None else _cells(mosaic.uncert.astype(float) ** 2)
    values, planes, errors = _cells(mosaic.data.astype(float)), [], []
    for mask in masks:
        take = _cells(mask & good)
        n = np.where(take.any(axis=0), take.sum(axis=0), np.nan)
        planes.append(np.where(take, values, 0).sum(axis=0) / n)
        errors.append(None if variance is None else np.sqrt(np.where(take, variance, 0).sum(axis=0)) / n)
        united[np.isnan(n)] |= np.uint16(bits("NO_DATA"))
    return _colour(planes, errors, united, mosaic)


def _cells(plane: NDArray[np.generic]) -> NDArray[np.generic]:
    """Give the four pixels of each cell, shape (4, ny // 2, nx // 2)."""
    ny, nx = (n // 2 * 2 for n in plane.shape)
    return np.array([plane[y:ny:2, x:nx:2] for y in (0, 1) for x in (0, 1)])


def _colour(planes: list, errors: list, dq: NDArray[np.uint16], mosaic: Planes) -> Planes:
    uncert = None if mosaic.uncert is None else np.array(errors, np.float32)
    return Planes(np.array(planes, np.float32), uncert, None if mosaic.dq is None else dq)
