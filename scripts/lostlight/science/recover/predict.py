"""What fraction of sources a search must find if noise is white: the yardstick for what it does find.

Along one path the likelihood of a source of signal to noise rho is Gaussian about rho (1 - loss), of unit scatter, so
that it passes a threshold with probability Phi(rho (1 - loss) - threshold). A search takes the best of many paths near
the true one; the best is better than the nearest, which this module predicts from how paths are correlated.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

FloatArray = NDArray[np.float64]

_N_NOISE = 400
_JITTER = 1e-6


@dataclass(frozen=True, eq=False)
class Tried:
    """The grid of paths of a search, around any one source.

    Parameters
    ----------
    days : ndarray, (T,), float64
        Times of the images, days since any moment; paths are anchored at the middle of the arc.
    weights : ndarray, (T,), float64
        Squared signal to noise of each image, any scale.
    s_px : float
        Standard deviation of the profile of a point, pixels.
    step_px_day : float
        Step of both components of the velocity.
    """

    days: FloatArray
    weights: FloatArray
    s_px: float
    step_px_day: float


def expected(rho: ArrayLike, loss: ArrayLike = 0.0) -> FloatArray:
    """Likelihood expected of a source of signal to noise `rho`, on a path that loses the fraction `loss` of it."""
    return np.asarray(rho, float) * (1 - np.asarray(loss, float))


def probability(rho: ArrayLike, threshold: float, loss: ArrayLike = 0.0) -> FloatArray:
    """Probability that one path near a source passes the threshold."""
    return ndtr(expected(rho, loss) - threshold)


def probability_of_best(
    rho: ArrayLike, threshold: float, tried: Tried, rng: np.random.Generator, n_places: int = 60, reach: int = 2
) -> FloatArray:
    """Probability that the best of the paths near a source passes the threshold.

    Parameters
    ----------
    rho : array_like, (m,)
        Signal to noise of all images together, matched filter at the true place.
    threshold : float
    tried : Tried
        The grid of paths.
    rng : Generator
        Draws where on the grid sources lie, and the noise.
    n_places : int
        Sources drawn.
    reach : int
        Paths up to so many pixels to either side are tried, and one step of the velocity less than that.

    Returns
    -------
    ndarray, (m,), float64
        Mean over the places. Between two paths the noise of the likelihood is correlated by exp(-d^2 / 4 s^2), d their
        distance on each image, averaged over images; so is the signal between the source and a path.
    """
    rho = np.atleast_1d(np.asarray(rho, float))
    passed = np.zeros(len(rho))
    for _ in range(n_places):
        mean, root = _neighbours(tried, reach, rng)
        noise = root @ rng.standard_normal((len(mean), _N_NOISE))
        best = (rho[:, None, None] * mean[:, None] + noise).max(axis=1)
        passed += (best >= threshold).mean(axis=1)
    return passed / n_places


def _neighbours(tried: Tried, reach: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw a source; give what each path near it keeps of its signal, and a root of the covariance of their noise."""
    days = tried.days - (tried.days[0] + tried.days[-1]) / 2
    share = tried.weights / tried.weights.sum()
    s2 = tried.s_px**2 + 1 / 12
    signal, noise = np.ones((len(days), 1)), np.ones((len(days), 1, 1))
    for _ in range(2):  # along x and along y: the correlation is the product of both
        base = rng.uniform(-20, 20) * tried.step_px_day
        true = rng.uniform(-0.5, 0.5) + (base + rng.uniform(-0.5, 0.5) * tried.step_px_day) * days
        speeds = base + np.arange(1 - reach, reach) * tried.step_px_day
        steps = np.floor(np.multiply.outer(days, speeds) + 0.5)
        paths = (steps[:, :, None] + np.arange(-reach, reach + 1)).reshape(len(days), -1)
        one = np.exp(-((paths - true[:, None]) ** 2) / (4 * s2))
        two = np.exp(-((paths[:, :, None] - paths[:, None, :]) ** 2) / (4 * s2))
        signal = (signal[:, :, None] * one[:, None, :]).reshape(len(days), -1)
        noise = (noise[:, :, None, :, None] * two[:, None, :, None, :]).reshape(len(days), *2 * (signal.shape[1],))
    covariance = np.tensordot(share, noise, axes=1)
    root = np.linalg.cholesky(covariance + _JITTER * np.eye(len(covariance)))
    return share @ signal, root
