"""The noise of a frame from the differences of neighbouring pixels."""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate.statistics import MAD_TO_SIGMA, thinned

_FEW = 10_000
"""With fewer differences than this every row is used, not only some."""


def pixel_noise(data: NDArray[np.float32], starry: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Measure the noise of every channel; nebulae and gradients do not count, for neighbours share them.

    Parameters
    ----------
    data : ndarray, shape (C, ny, nx), float32, adu
        Pixels; NaN where there is none.
    starry : ndarray, shape (ny, nx), bool, optional
        Pixels of stars, which do not count unless there are hardly any others.

    Returns
    -------
    ndarray, shape (C,), float64, adu
        1.4826 times the median absolute deviation of the differences along the rows, divided by the square root of
        two. Zero for a constant channel, NaN where no two neighbours are valid.
    """
    return np.array([_scatter(_differences(plane, starry)) / np.sqrt(2) for plane in data])


def grouped_median(values: NDArray) -> float:
    """Give the median of values of which many may be equal, as whole counts are.

    Equal values are taken to be spread evenly over the gap between those below and above, so the median of digitised
    noise does not jump by whole counts. NaN of no values.
    """
    if not values.size:
        return np.nan
    middle = np.median(values)
    below, above = values[values < middle], values[values > middle]
    equal = values.size - below.size - above.size
    if equal < 2 or not below.size or not above.size:
        return float(middle)
    gap = min(middle - below.max(), above.min() - middle)
    return float(middle + gap * ((values.size / 2 - below.size) / equal - 0.5))


def _differences(plane: NDArray[np.float32], starry: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    for thin, without in ((True, True), (False, True), (False, False)):
        some = thinned(plane) if thin else plane
        found = np.diff(some, axis=1)
        good = np.isfinite(found)
        if without and starry is not None:
            stars = thinned(starry) if thin else starry
            good &= ~(stars[:, 1:] | stars[:, :-1])
        if np.count_nonzero(good) >= _FEW:
            break
    return found[good].astype(np.float64)


def _scatter(differences: NDArray[np.float64]) -> float:
    if not differences.size:
        return np.nan
    found = MAD_TO_SIGMA * grouped_median(np.abs(differences - np.median(differences)))
    return found if found > 0 else float(differences.std())  # more than half of the neighbours are equal
