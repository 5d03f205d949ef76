"""One pass of clipping: what lies too far out at the ends of sorted columns goes."""

import numpy as np

from lostlight.science.stack.columns import F, Floats, Ints, at_rank, pick


def trim(
    x: Floats, lo: Ints, hi: Ints, floor: Ints, thresholds: tuple[float, float], centre: Floats, width: Floats
) -> tuple[Ints, Ints]:
    """Walk in from the ends of sorted columns as long as samples are further from the centre than allowed.

    Parameters
    ----------
    x : ndarray, shape (N, npix), float32
    lo, hi : ndarray, shape (npix,), int32
        Ranks kept so far.
    floor : ndarray, shape (npix,), int32
        Fewest samples to keep.
    thresholds : (float, float)
        Distances allowed below and above, in widths.
    centre, width : ndarray, shape (npix,), float32

    Returns
    -------
    lo, hi : ndarray, shape (npix,), int32
    """
    below, above = F(thresholds[0]) * width, F(thresholds[1]) * width
    new_lo, new_hi = lo.copy(), hi.copy()
    going = np.arange(lo.size)
    while going.size:
        going = going[new_lo[going] < hi[going]]
        going = going[centre[going] - x[new_lo[going], going] > below[going]]
        new_lo[going] += 1
    going = np.arange(lo.size)
    while going.size:
        going = going[new_hi[going] > new_lo[going]]
        going = going[x[new_hi[going] - 1, going] - centre[going] > above[going]]
        new_hi[going] -= 1
    short = np.flatnonzero(new_hi - new_lo < floor)
    if short.size:
        new_lo[short], new_hi[short] = _put_back(
            pick(x, short), (lo[short], hi[short]), (new_lo[short], new_hi[short]), floor[short], centre[short]
        )
    return new_lo, new_hi


def _put_back(
    x: Floats, before: tuple[Ints, Ints], after: tuple[Ints, Ints], floor: Ints, centre: Floats
) -> tuple[Ints, Ints]:
    """Put back the nearest samples until enough are kept, and with the last of them those that are as far (IRAF)."""
    rank = np.arange(len(x), dtype=np.int32)[:, None]
    stays = (rank >= after[0]) & (rank < after[1])
    gone = (rank >= before[0]) & (rank < before[1]) & ~stays
    distance = np.where(gone, abs(x - centre), F(np.inf))
    missing = floor - (after[1] - after[0])
    furthest = at_rank(np.sort(distance, axis=0), missing - 1)
    stays |= gone & (distance <= furthest)
    lo = stays.argmax(axis=0).astype(np.int32)
    return lo, lo + stays.sum(axis=0, dtype=np.int32)
