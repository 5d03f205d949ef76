"""The neighbours of rejected samples go too, in the same frame: what spoils a pixel often reaches the next."""

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


def grown(
    valid: Bools, touched: NDArray[np.intp], low: Bools, high: Bools, nx: int
) -> tuple[NDArray[np.intp], Bools, Bools]:
    """Give what is rejected with the eight neighbours of each rejected sample; the last of a pixel stays.

    Parameters
    ----------
    valid : ndarray, shape (N, npix), bool
        Samples that there are, in whole rows.
    touched : ndarray, shape (n_touched,), int
        Pixels that lost a sample.
    low, high : ndarray, shape (N, n_touched), bool
        Samples rejected below and above.
    nx : int
        Pixels in a row.

    Returns
    -------
    touched, low, high
        The same after growing; neighbours count on the side of the sample that took them along, high before low.
    """
    before = [np.zeros(valid.shape, bool) for _ in range(2)]
    for plane, mask in zip(before, (low, high), strict=True):
        plane[:, touched] = mask
    left = valid & ~(before[0] | before[1])
    above = left & _around(before[1], nx)
    below = left & ~above & _around(before[0], nx)
    stay = (above | below).sum(axis=0) == left.sum(axis=0)
    below, above = before[0] | (below & ~stay), before[1] | (above & ~stay)
    touched = np.flatnonzero((below | above).any(axis=0))
    return touched, below[:, touched], above[:, touched]


def _around(masks: Bools, nx: int) -> Bools:
    images = masks.reshape(len(masks), -1, nx)
    rows = images.copy()
    rows[:, 1:] |= images[:, :-1]
    rows[:, :-1] |= images[:, 1:]
    both = rows.copy()
    both[:, :, 1:] |= rows[:, :, :-1]
    both[:, :, :-1] |= rows[:, :, 1:]
    return both.reshape(masks.shape)
