"""Images that do not go with the others along a path are clipped: the sigma-G test of its light curve.

Fluxes are compared in units of their own errors, so that a deep image is judged more strictly than a shallow one; their
spread is found from percentiles, sigma_G = (q_high - q_low) / (z_high - z_low), which a few outliers do not change, and
taken no smaller than the noise that is known. (Ivezic et al. 2014, Statistics, Data Mining and Machine Learning, 3.2.)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri


@dataclass(frozen=True)
class SigmaG:
    """How light curves are clipped; percentiles in percent."""

    low_percent: float = 25.0
    high_percent: float = 75.0
    n_sigma: float = 2.0
    high_only: bool = False


def unclipped(psi: NDArray[np.float32], phi: NDArray[np.float32], rules: SigmaG) -> NDArray[np.bool_]:
    """Tell which images go with the others.

    Parameters
    ----------
    psi, phi : float32, shape (n, T)
        Light curves; images with phi of zero never count.
    rules : SigmaG

    Returns
    -------
    bool, shape (n, T)
    """
    seen = phi > 0
    phi = np.where(seen, phi, 1).astype(np.float64)
    flux = psi / phi
    middle = percentile(flux, seen, 50.0)
    z = (flux - middle[:, None]) * np.sqrt(phi)
    low, high = (percentile(z, seen, each) for each in (rules.low_percent, rules.high_percent))
    width = (high - low) / (ndtri(rules.high_percent / 100) - ndtri(rules.low_percent / 100))
    limit = rules.n_sigma * np.maximum(width, 1)[:, None]
    return seen & (z <= limit) & (rules.high_only | (z >= -limit))


def percentile(values: NDArray[np.float64], counts: NDArray[np.bool_], percent: float) -> NDArray[np.float64]:
    """Find a percentile of each row, among the values that count; zero where none does."""
    ordered = np.sort(np.where(counts, values, np.inf), axis=1)
    last = counts.sum(axis=1) - 1
    place = np.maximum(last, 0) * percent / 100
    below = np.floor(place).astype(np.int64)
    rows = np.arange(len(values))
    lower, upper = ordered[rows, below], ordered[rows, np.minimum(below + 1, np.maximum(last, 0))]
    some = last >= 0
    lower, upper = np.where(some, lower, 0), np.where(some, upper, 0)
    return lower + (place - below) * (upper - lower)
