"""Bad pixels replaced by their neighbours."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate.local_median import Places, around, median_of_valid
from lostlight.science.calibrate.quality import mask_of
from lostlight.vocab.bits import dq as bits

Method = Literal["none", "median5", "mean3", "flag_only"]

INFLATION = 2.0
"""Factor by which the uncertainty of a repaired pixel is that of its neighbours."""

_FEWEST = 3

Repaired = tuple[NDArray[np.float32], NDArray[np.float32] | None, NDArray[np.uint16], int]


def repair(
    data: NDArray[np.float32],
    uncert: NDArray[np.float32] | None,
    dq: NDArray[np.uint16],
    bad: NDArray[np.uint16],
    method: Method = "median5",
    bayerpat: str = "",
) -> Repaired:
    """Replace bad pixels by what their neighbours say.

    With ``median5`` a pixel becomes the median of the usable pixels of its 5x5 neighbourhood, or of 9x9 where fewer
    than three are usable; with ``mean3`` the mean of 3x3, and the same where that fails. A pixel with too few usable
    neighbours stays as it is. Neighbours are of the same colour, and repaired pixels never take part.

    Parameters
    ----------
    data : ndarray, shape (ny, nx), float32
        Pixels, adu or electron.
    uncert : ndarray, shape (ny, nx), float32, or None
        One standard deviation; a repaired pixel has twice that of its neighbours.
    dq : ndarray, shape (ny, nx), uint16
        Data-quality bits.
    bad : ndarray, shape (ny, nx), uint16
        Map of bad pixels: those with bit BAD, HOT or COLD are replaced, other bits are handed on.
    method : str
        median5, mean3, flag_only (bits are set, pixels stay) or none (nothing is done).
    bayerpat : str
        Pattern of a colour-filter array.

    Returns
    -------
    data, uncert, dq : ndarray
        Copies in which bad pixels are replaced; bits of the map are set, and INTERPOLATED where a pixel was replaced.
    n : int
        Pixels replaced.
    """
    if method == "none":
        return data, uncert, dq, 0
    quality = dq | bad
    if method == "flag_only":
        return data, uncert, quality, 0
    defective = bad & bits("BAD", "HOT", "COLD") != 0
    places = np.nonzero(defective)
    usable = np.where(mask_of(quality) | defective, np.float32(np.nan), data)
    values = _from_neighbours(usable, places, method, 2 if bayerpat else 1)
    known = np.isfinite(values)
    fixed = (places[0][known], places[1][known])
    repaired = data.copy()
    repaired[fixed] = values[known]
    quality[fixed] |= bits("INTERPOLATED")
    return repaired, _inflated(uncert, usable, fixed, 2 if bayerpat else 1), quality, int(known.sum())


def _from_neighbours(usable: NDArray[np.float32], places: Places, method: Method, step: int) -> NDArray[np.float32]:
    values = np.full(places[0].size, np.nan, dtype=np.float32)
    first = _mean_of_valid if method == "mean3" else median_of_valid
    for reduce, reach in ((first, 1 if method == "mean3" else 2), (median_of_valid, 2), (median_of_valid, 4)):
        left = np.flatnonzero(np.isnan(values))
        found, counts = reduce(usable, (places[0][left], places[1][left]), reach, step)
        values[left] = np.where(counts >= _FEWEST, found, np.nan)
    return values


def _mean_of_valid(
    image: NDArray[np.float32], places: Places, reach: int, step: int
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    samples = around(image, places, reach, step)
    valid = np.isfinite(samples)
    counts = valid.sum(axis=1)
    sums = np.where(valid, samples, 0).sum(axis=1, dtype=np.float64)
    return (sums / np.maximum(counts, 1)).astype(np.float32), counts


def _inflated(
    uncert: NDArray[np.float32] | None, usable: NDArray[np.float32], fixed: Places, step: int
) -> NDArray[np.float32] | None:
    if uncert is None:
        return None
    inflated = uncert.copy()
    known = np.where(np.isfinite(usable), uncert, np.float32(np.nan))
    near, n_near = median_of_valid(known, fixed, 2, step)
    wide, _ = median_of_valid(known, fixed, 4, step)
    inflated[fixed] = INFLATION * np.where(n_near >= _FEWEST, near, wide)
    return inflated
