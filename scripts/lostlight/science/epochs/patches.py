"""Small pieces of a stack: where they lie, as views of it, and their noise."""

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import BadImage
from lostlight.science.calibrate.statistics import MAD_TO_SIGMA

_LEAST_GOOD = 0.25


def patch_corners(shape: tuple[int, int], size_px: int, stride_px: int) -> NDArray[np.int64]:
    """List the first pixels of square patches that cover an image.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    size_px : int
        Side of a patch.
    stride_px : int
        Distance of neighbours; the last of each row and column is moved up to the edge.

    Returns
    -------
    ndarray of int64, shape (n, 2)
        y and x of each patch, row by row.

    Raises
    ------
    BadImage
        If the image is smaller than a patch.
    """
    if size_px > min(shape):
        raise BadImage(
            f"patches of {size_px} px do not fit into images of {shape[1]} x {shape[0]} px",
            hint=f"make patches {min(shape)} px or smaller",
        )
    rows, columns = (
        np.unique(np.minimum(np.arange(0, n - size_px + stride_px, stride_px), n - size_px)) for n in shape
    )
    return np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2).astype(np.int64)


def patch(stack: NDArray, corner: NDArray[np.int64] | tuple[int, int], size_px: int) -> NDArray:
    """Cut a patch out of an array (..., ny, nx): a view, no copy."""
    y0, x0 = (int(value) for value in corner)
    return stack[..., y0 : y0 + size_px, x0 : x0 + size_px]


def patch_noise(
    light: NDArray[np.float32], bad: NDArray[np.bool_], corners: NDArray[np.int64], size_px: int
) -> NDArray[np.float64]:
    """Measure the noise of a pixel in each patch and epoch.

    Parameters
    ----------
    light : ndarray, shape (T, ny, nx), float32, adu
        Images without their sky.
    bad : ndarray, shape (T, ny, nx), bool
        Pixels that hold no measurement; pixels of sources may be left out too.
    corners : ndarray of int64, shape (n, 2)
    size_px : int

    Returns
    -------
    ndarray of float64, shape (n, T), adu
        1.4826 times the median absolute deviation about the median; NaN with less than a quarter of good pixels.
    """
    found = np.empty((len(corners), len(light)))
    for k, corner in enumerate(corners):
        values = np.where(patch(bad, corner, size_px), np.nan, patch(light, corner, size_px)).reshape(len(light), -1)
        enough = np.isfinite(values).mean(axis=1) >= _LEAST_GOOD
        found[k] = np.nan
        if enough.any():
            some = values[enough]
            off = np.abs(some - np.nanmedian(some, axis=1, keepdims=True))
            found[k, enough] = MAD_TO_SIGMA * np.nanmedian(off, axis=1)
    return found
