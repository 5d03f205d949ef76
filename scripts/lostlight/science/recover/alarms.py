"""How often noise looks like a moving source: candidates of searches that can find nothing real."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from lostlight.science.vet.completeness import LEVEL

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Alarms:
    """False candidates of one such search.

    Parameters
    ----------
    n : int
        Candidates at or above the threshold.
    low, high : float
        68 % interval of their expected number.
    n_expected : float
        What white noise is expected to give.
    thresholds, counts, expected : ndarray, (m,)
        How many there are at or above each of several thresholds, and how many noise is expected to give.
    per_deg2, per_deg2_low, per_deg2_high : float
        Per square degree; NaN where the area is not known.
    per_1e9_trials : float
        Per thousand million paths that were tried.
    """

    n: int
    low: float
    high: float
    n_expected: float
    thresholds: FloatArray
    counts: NDArray[np.int64]
    expected: FloatArray
    per_deg2: float
    per_deg2_low: float
    per_deg2_high: float
    per_1e9_trials: float


def count(
    likelihoods: ArrayLike,
    threshold: float,
    expected: FloatArray,
    thresholds: FloatArray,
    area_deg2: float = np.nan,
    n_paths: float = np.nan,
) -> Alarms:
    """Count false candidates, and say what rate they stand for.

    Parameters
    ----------
    likelihoods : array_like, (k,)
        Likelihoods of the candidates, in sigma.
    threshold : float
        From where on they count.
    expected, thresholds : ndarray, (m,)
        Candidates that noise is expected to give at or above each of rising thresholds.
    area_deg2 : float
        Area that was searched.
    n_paths : float
        Paths that were tried: pixels times velocities.
    """
    found = np.sort(np.asarray(likelihoods, float))
    n = int(np.sum(found >= threshold))
    low, high = poisson_interval(n)
    at_threshold = np.exp(np.interp(threshold, thresholds, np.log(np.maximum(expected, 1e-300))))
    return Alarms(
        n, low, high, float(at_threshold), thresholds, len(found) - np.searchsorted(found, thresholds), expected,
        n / area_deg2, low / area_deg2, high / area_deg2, n / n_paths * 1e9,
    )  # fmt: skip


def poisson_interval(n: int, level: float = LEVEL) -> tuple[float, float]:
    """Give the central interval of the mean of a Poisson variable of which `n` was seen (Garwood 1936)."""
    tail = (1 - level) / 2
    low = chi2.ppf(tail, 2 * n) / 2 if n else 0.0
    return float(low), float(chi2.isf(tail, 2 * n + 2) / 2)
