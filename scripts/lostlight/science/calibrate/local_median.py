"""The median of the neighbourhood of pixels, of their own colour: for every pixel of an image, or for a few."""

import sys
from collections.abc import Callable
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Places = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of pixels, as `numpy.nonzero` gives them."""

_REACH = 2
SIDE = 2 * _REACH + 1
_FEW = 1 << 16
COMPILED = "lostlight.science.calibrate.compiled"
WORTH_COMPILING_PX = 5e7
"""Pixels from which compiled loops save more than the second and a half that loading the compiler takes."""


def local_median(
    image: NDArray[np.float32], step: int = 1, backend: Literal["auto", "numba", "numpy"] = "auto"
) -> NDArray[np.float32]:
    """Give the median of the 5x5 neighbourhood of every pixel.

    Parameters
    ----------
    image : ndarray, shape (ny, nx), float32
        Pixels in any unit; NaN is no data, and neither is what lies outside.
    step : int
        1, or 2 for a colour-filter array: neighbours are every second pixel, those of the same colour.
    backend : str
        numba and numpy give the same bits; auto takes numba where it is loaded, or saves more than loading it takes.

    Returns
    -------
    ndarray, shape (ny, nx), float32
        Medians of the valid neighbours, the pixel itself among them; NaN where there is none.
    """
    reach = _REACH * step
    padded = np.pad(np.asarray(image, dtype=np.float32), reach, constant_values=np.nan)
    medians = np.empty(image.shape, dtype=np.float32)
    _filler(backend, image.size)(padded, step, _network(), medians)
    places = np.nonzero(_touched(np.isnan(padded), step))
    medians[places] = median_of_valid(image, places, _REACH, step)[0]
    return medians


def median_of_valid(
    image: NDArray[np.float32], places: Places, reach: int, step: int = 1
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Give the median of the valid pixels of the squares about some pixels, and how many there are.

    Parameters
    ----------
    image : ndarray, shape (ny, nx), float32
        Pixels in any unit; NaN is no data.
    places : tuple of ndarray, each of shape (n,)
        Rows and columns of the centres.
    reach : int
        Neighbours on each side.
    step : int
        Distance from one neighbour to the next.

    Returns
    -------
    medians : ndarray, shape (n,), float32
        NaN where no pixel is valid.
    counts : ndarray, shape (n,), int
        Valid pixels.
    """
    medians = np.full(places[0].size, np.nan, dtype=np.float32)
    counts = np.zeros(places[0].size, dtype=np.intp)
    for start in range(0, places[0].size, _FEW):
        part = slice(start, start + _FEW)
        samples = np.sort(around(image, (places[0][part], places[1][part]), reach, step), axis=1)
        counts[part] = np.isfinite(samples).sum(axis=1)
        here = np.arange(len(samples))
        low = samples[here, np.maximum(counts[part] - 1, 0) // 2]
        high = samples[here, np.minimum(counts[part] // 2, samples.shape[1] - 1)]
        medians[part] = np.where(counts[part] > 0, (low + high) * np.float32(0.5), np.nan)
    return medians, counts


def median_of_nine(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the median of the 3x3 neighbourhood of every pixel of an image without NaN; edges are repeated outwards.

    Columns of three are sorted; the middle of nine is that of the highest low, the middle middle and the lowest high.
    """
    padded = np.pad(image, 1, mode="edge")
    medians = np.empty_like(image)
    rows = max(_FEW // image.shape[1], 1)
    for y in range(0, image.shape[0], rows):
        medians[y : y + rows] = _of_nine(padded[y : y + rows + 2])
    return medians


def _of_nine(padded: NDArray[np.float32]) -> NDArray[np.float32]:
    ny, nx = padded.shape[0] - 2, padded.shape[1] - 2
    a, b, c = (padded[shift : shift + ny] for shift in range(3))
    low, high = np.minimum(a, b), np.maximum(a, b)
    rest = np.minimum(high, c)
    lows, middles, highs = np.minimum(low, rest), np.maximum(low, rest), np.maximum(high, c)
    left, centre, right = (slice(shift, shift + nx) for shift in range(3))
    low = np.maximum(np.maximum(lows[:, left], lows[:, centre]), lows[:, right])
    high = np.minimum(np.minimum(highs[:, left], highs[:, centre]), highs[:, right])
    return _middle(low, _middle(middles[:, left], middles[:, centre], middles[:, right]), high)


def _middle(a: NDArray[np.float32], b: NDArray[np.float32], c: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))


def around(image: NDArray[np.float32], places: Places, reach: int, step: int = 1) -> NDArray[np.float32]:
    """Gather the pixels of the squares about some pixels, shape (n, side * side); NaN outside of the image."""
    offsets = np.arange(-reach, reach + 1) * step
    dy, dx = (part.ravel() for part in np.meshgrid(offsets, offsets, indexing="ij"))
    y, x = places[0][:, None] + dy, places[1][:, None] + dx
    ny, nx = image.shape
    inside = (y >= 0) & (y < ny) & (x >= 0) & (x < nx)
    return np.where(inside, image[y.clip(0, ny - 1), x.clip(0, nx - 1)], np.float32(np.nan))


def _touched(missing: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Mark the pixels with a missing neighbour; `missing` is padded, the result is not."""
    ny, nx = (length - 2 * _REACH * step for length in missing.shape)
    columns = np.zeros((missing.shape[0], nx), dtype=bool)
    touched = np.zeros((ny, nx), dtype=bool)
    for shift in range(0, SIDE * step, step):
        columns |= missing[:, shift : shift + nx]
    for shift in range(0, SIDE * step, step):
        touched |= columns[shift : shift + ny]
    return touched


def _filler(backend: str, n_px: int) -> Callable[[NDArray, int, NDArray, NDArray], None]:
    if backend == "numpy" or (backend == "auto" and n_px < WORTH_COMPILING_PX and COMPILED not in sys.modules):
        return _fill
    from lostlight.science.calibrate.compiled import fill_medians

    return fill_medians


@cache
def _network() -> NDArray[np.int64]:
    """Comparators of a sorting network (Batcher 1968) that the middle of 25 values depends on, shape (n, 2)."""
    size, middle = SIDE * SIDE, SIDE * SIDE // 2
    needed, kept = {middle}, []
    for low, high in reversed(list(_batcher(size))):
        if low in needed or high in needed:
            needed |= {low, high}
            kept.append((low, high))
    return np.array(kept[::-1], dtype=np.int64)


def _batcher(size: int):
    p = 1
    while p < size:
        k = p
        while k >= 1:
            for j in range(k % p, size - k, 2 * k):
                for i in range(min(k, size - j - k)):
                    if (i + j) // (2 * p) == (i + j + k) // (2 * p):
                        yield i + j, i + j + k
            k //= 2
        p *= 2


def _fill(padded, step, network, medians):
    ny, nx = medians.shape
    rows = max(1, _FEW // nx)
    for y0 in range(0, ny, rows):
        here = min(rows, ny - y0)
        planes = np.empty((SIDE * SIDE, here, nx), dtype=np.float32)
        for place in range(SIDE * SIDE):
            y, x = y0 + place // SIDE * step, place % SIDE * step
            planes[place] = padded[y : y + here, x : x + nx]
        for low, high in network:
            smaller = np.minimum(planes[low], planes[high])
            np.maximum(planes[low], planes[high], out=planes[high])
            planes[low] = smaller
        medians[y0 : y0 + here] = planes[SIDE * SIDE // 2]
