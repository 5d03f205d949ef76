"""The connected pieces of a mask, by its runs along the rows instead of pixel by pixel."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def small_pieces(mask: NDArray[np.bool_], least: float) -> list[tuple[int, int, int]]:
    """Find the pieces, connected by their edges, that are smaller than a fraction of the whole; the largest never is.

    Parameters
    ----------
    mask : ndarray, shape (H, W), bool
    least : float
        Fraction of all set pixels.

    Returns
    -------
    list of (row, first, last)
        Runs of pixels of those pieces: columns first up to last.
    """
    starts, ends, width = _runs(mask)
    if not len(starts):
        return []
    label = _labels(starts, ends, width)
    area = np.bincount(label, weights=ends - starts)
    small = area < least * area.sum()
    small[np.argmax(area)] = False
    gone = small[label]
    rows = starts[gone] // width
    return list(zip(rows.tolist(), (starts[gone] % width).tolist(), (ends[gone] - rows * width).tolist(), strict=True))


def _runs(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Runs in pixels counted over all rows, each row one pixel longer so that no run goes on into the next."""
    width = mask.shape[1] + 1
    edges = np.zeros((mask.shape[0], width), bool)
    edges[:, 0] = mask[:, 0]
    edges[:, 1:-1] = mask[:, 1:] != mask[:, :-1]
    edges[:, -1] = mask[:, -1]
    places = np.flatnonzero(edges)
    return places[::2], places[1::2], width


def _labels(starts: NDArray[np.int64], ends: NDArray[np.int64], width: int) -> NDArray[np.int32]:
    """Number the pieces that runs belong to: runs of neighbouring rows touch where they share a column."""
    first = np.searchsorted(ends, starts + width, side="right")
    last = np.searchsorted(starts, ends + width, side="left")
    n = np.maximum(last - first, 0)
    one = np.repeat(np.arange(len(starts)), n)
    other = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n) + np.repeat(first, n)
    links = coo_array((np.ones(len(one), bool), (one, other)), shape=(len(starts),) * 2)
    return connected_components(links, directed=False)[1]
