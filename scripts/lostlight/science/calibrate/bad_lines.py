"""Bad columns: many pixels in a line, each perhaps too faint to be told alone."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from lostlight.science.calibrate.tiles import row_medians

LENGTH_PX = 50
"""Shortest piece of a column that is told."""

_NINE_IN_TEN = 1.645  # of a Gaussian's values lie within so many sigma; its middle is distorted by the local median
_BESIDE = 5


def bad_columns(image: NDArray[np.float32], threshold: float = 6.0, step: int = 1) -> NDArray[np.bool_]:
    """Mark the pieces of columns that lie above the columns beside them.

    The medians of windows of 50 rows, overlapping by half, minus those of five columns on either side, are compared
    with their scatter over all columns (from the 90th percentile). Windows that stand out are joined, and the ends of
    the piece are put where a step fits best. The five outermost columns are not tested.

    Parameters
    ----------
    image : ndarray, shape (ny, nx), float32
        Pixels, finite; columns below their neighbours are found in the negative, rows in the transpose.
    threshold : float
        In units of the scatter of the medians.
    step : int
        2 for one colour of a colour-filter array, in which windows have half the rows.

    Returns
    -------
    ndarray, shape (ny, nx), bool
    """
    ny, nx = image.shape
    marked = np.zeros((ny, nx), dtype=bool)
    length = LENGTH_PX // step
    if ny < length or nx < length:
        return marked
    starts = np.unique(np.append(np.arange(0, ny - length, length // 2), ny - length))
    windows = (np.ascontiguousarray(image[start : start + length].T) for start in starts)
    medians = np.stack([row_medians(window) for window in windows]).astype(np.float32)
    excess = _above_neighbours(medians)
    sigma = np.quantile(np.abs(excess), 0.9, axis=1, keepdims=True) / _NINE_IN_TEN
    for column, runs in _runs((excess > threshold * sigma) & (sigma > 0)):
        left = max(column - 2 * _BESIDE, 0)
        for first, last in runs:
            rows = np.s_[max(starts[first] - length // 2, 0) : starts[last] + length + length // 2]
            level = np.median(excess[first : last + 1, column])
            own = _above_neighbours(image[rows, left : column + 2 * _BESIDE + 1])[:, column - left]
            low, high = _piece(own / level)
            if high - low >= length:
                marked[rows.start + low : rows.start + high, column] = True
    return marked


def _above_neighbours(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Take off the mean of the medians of five columns on the left and five on the right: slopes leave nothing."""
    windows = sliding_window_view(values, 2 * _BESIDE + 1, axis=1)
    left, right = (np.median(part, axis=2) for part in (windows[..., :_BESIDE], windows[..., _BESIDE + 1 :]))
    above = np.zeros_like(values)
    above[:, _BESIDE:-_BESIDE] = values[:, _BESIDE:-_BESIDE] - (left + right) / 2
    return above


def _runs(found: NDArray[np.bool_]) -> list[tuple[int, list[tuple[int, int]]]]:
    """List the columns with windows that stand out, and the first and last window of each run."""
    listed = []
    for column in np.flatnonzero(found.any(axis=0)):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], found[:, column].view(np.int8), [0]])))
        listed.append((int(column), [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]))
    return listed


def _piece(share: NDArray[np.float32]) -> tuple[int, int]:
    """Find the piece [low, high) of a column that is nearer to one than to zero, by its largest sum above a half."""
    sums = np.concatenate([[0.0], np.cumsum(share.clip(-1, 2) - 0.5, dtype=np.float64)])
    least = np.minimum.accumulate(sums)
    high = int(np.argmax(sums - least))
    return int(np.argmin(sums[: high + 1])), high
