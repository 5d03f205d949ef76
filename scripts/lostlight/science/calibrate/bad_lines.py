"""Bad columns: many pixels in a line, each perhaps too faint to be told alone."""

import numpy as np
from numpy.typing import NDArray

LENGTH_PX = 50
"""Shortest piece of a column that is told."""

_MAD_TO_SIGMA = 1.4826


def bad_columns(residual: NDArray[np.float32], threshold: float = 6.0, step: int = 1) -> NDArray[np.bool_]:
    """Mark the pieces of columns that lie above the columns beside them.

    The medians of windows of 50 rows, overlapping by half, are compared with their scatter over all columns
    (1.4826 MAD). Windows that stand out are joined, and the ends of the piece put where it best fits a step.

    Parameters
    ----------
    residual : ndarray, shape (ny, nx), float32
        Pixels minus their local median; columns below are found in its negative, rows in its transpose.
    threshold : float
        In units of the scatter of the medians.
    step : int
        2 for one colour of a colour-filter array, in which windows have half the rows.

    Returns
    -------
    ndarray, shape (ny, nx), bool
    """
    ny, nx = residual.shape
    marked = np.zeros((ny, nx), dtype=bool)
    length = LENGTH_PX // step
    if ny < length or nx < length:
        return marked
    starts = np.unique(np.append(np.arange(0, ny - length, length // 2), ny - length))
    values = np.nan_to_num(residual)
    medians = np.stack([np.median(values[start : start + length], axis=0) for start in starts])
    centred = medians - np.median(medians, axis=1, keepdims=True)
    sigma = _MAD_TO_SIGMA * np.median(np.abs(centred), axis=1, keepdims=True)
    for column, runs in _runs((centred > threshold * sigma) & (sigma > 0)):
        for first, last in runs:
            top = max(starts[first] - length // 2, 0)
            bottom = min(starts[last] + length + length // 2, ny)
            level = np.median(medians[first : last + 1, column])
            low, high = _piece(values[top:bottom, column] / level)
            marked[top + low : top + high, column] = True
    return marked


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
