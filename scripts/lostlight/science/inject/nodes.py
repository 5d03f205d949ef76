"""Times within an exposure at which a moving source is taken: Gauss and Legendre's."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import roots_legendre

Floats = NDArray[np.float64]
_SHORTEST = 0.05
"""Trail, in standard deviations of the profile, below which one node will do."""


def exposure_nodes(mjd_mid: ArrayLike, exptime_s: ArrayLike, k: int) -> tuple[Floats, Floats]:
    """Give the times at which a source is taken within each exposure.

    Parameters
    ----------
    mjd_mid : (T,) float
        Middle of each exposure, MJD.
    exptime_s : (T,) float
        Its length in seconds.
    k : int
        Number of nodes; see `n_nodes`.

    Returns
    -------
    mjd : (T, K) float64
        Times in rising order, symmetric about the middle.
    weights : (K,) float64
        Share of the exposure that each stands for, of sum 1.
    """
    nodes, weights = roots_legendre(k)  # NumPy's leggauss takes seconds for hundreds of nodes
    half_days = np.asarray(exptime_s, np.float64)[:, None] / 2 / 86400
    return np.asarray(mjd_mid, np.float64)[:, None] + half_days * nodes, weights / weights.sum()


def n_nodes(trail_px: float, sigma_px: float) -> int:
    """Give how many nodes render a trail to 1e-4 of its peak.

    Parameters
    ----------
    trail_px : float
        Length of the longest trail in pixels; what is not finite counts as none.
    sigma_px : float
        Standard deviation of the profile, FWHM / 2.355.

    Returns
    -------
    int
        From 1 upwards.
    """
    length = trail_px / sigma_px
    return math.ceil(1.6 * length) + 2 if _SHORTEST <= length < math.inf else 1
