"""How often noise alone passes a threshold, and which threshold leaves a given number of false alarms.

Neighbouring paths share most of their light, so their likelihoods go together. Two limits are known. Paths so far apart
that each is a draw of its own give N Q(u), with N = pixels x motions and Q the tail of the normal distribution. Paths
so close that the likelihood is a smooth field over position and motion give the expected number of its peaks,
    V (2 pi)^(-5/2) sqrt(det L) (u^3 - 3 u) exp(-u^2 / 2)
(Adler 1981, The Geometry of Random Fields), where L is the curvature of its correlation, 1 / (2 s^2) for a profile of
width s. In between the two are joined as resistances are.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import ndtr

from lostlight.core.errors import ConfigError

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
PIXEL_VARIANCE = 1 / 12
HIGHEST = 40.0


def expected_alarms(
    threshold: ArrayLike, n_pixels: int, velocities: ArrayLike, days: ArrayLike, fwhm_px: float
) -> np.ndarray:
    """Expect this many sources in noise alone, at or above a threshold.

    Parameters
    ----------
    threshold : float, or floating of any shape
    n_pixels : int
        Places that paths start from.
    velocities : floating, shape (V, 2)
        Motions tried, in pixels per day, on a square lattice.
    days : floating, shape (T,)
    fwhm_px : float
        Width of a point source.

    Returns
    -------
    float64, the shape of `threshold`
    """
    u = np.asarray(threshold, np.float64)
    n_velocities = len(velocities)
    apart = n_pixels * n_velocities * ndtr(-u)
    width2 = (fwhm_px / FWHM_PER_SIGMA) ** 2 + PIXEL_VARIANCE
    spread = float(np.var(days))
    area = n_velocities * lattice_step(velocities) ** 2
    if not area * spread > 0:
        # One motion alone: peaks of a field over position.
        close = n_pixels * (2 * np.pi) ** -1.5 / (2 * width2) * u * np.exp(-(u**2) / 2) * max(n_velocities, 1)
    else:
        root = spread / (2 * width2) ** 2
        close = n_pixels * area * (2 * np.pi) ** -2.5 * root * (u**3 - 3 * u) * np.exp(-(u**2) / 2)
    close = np.where(u > 2, close, np.inf)
    return np.divide(1, 1 / np.maximum(apart, 1e-300) + 1 / np.maximum(close, 1e-300))


def threshold_for(alarms: float, n_pixels: int, velocities: ArrayLike, days: ArrayLike, fwhm_px: float) -> float:
    """Find the threshold that noise alone is expected to pass so often; parameters as of `expected_alarms`.

    Raises
    ------
    ConfigError
        The number is not above zero.
    """
    if not alarms > 0:
        raise ConfigError(f"{alarms:g} false alarms", "ask for a number above zero")

    def excess(u: float) -> float:
        return float(np.log(expected_alarms(u, n_pixels, velocities, days, fwhm_px) / alarms))

    return 2.0 if excess(2.0) <= 0 else float(brentq(excess, 2.0, HIGHEST - 3, xtol=1e-6))


def trials(threshold: float, n_pixels: int, velocities: ArrayLike, days: ArrayLike, fwhm_px: float) -> float:
    """Give the number of independent paths that would pass a threshold as often; parameters as above."""
    return float(expected_alarms(threshold, n_pixels, velocities, days, fwhm_px) / ndtr(-threshold))


def lattice_step(velocities: ArrayLike) -> float:
    """Give the distance of neighbours on a square lattice of motions; zero where there is one motion alone."""
    v = np.asarray(velocities, np.float64)
    steps = [np.diff(np.unique(each.round(9))) for each in v.T]
    return min((float(each.min()) for each in steps if each.size), default=0.0)
