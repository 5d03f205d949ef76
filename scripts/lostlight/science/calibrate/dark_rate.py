"""Dark current per second from darks of several exposures, and how it grows with temperature."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from lostlight.science.calibrate.trouble import refuse

MAX_CHI2_NU = 5.0
CHANCE = 1e-5
"""Probability by which noise alone may make a pixel unstable: it raises the limit where there are few darks."""
ROWS = 128
ZERO_C_K = 273.15
MIN_TEMPERATURES = 3
MIN_RATE_SIGMA = 10.0

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Rate:
    """A straight line through the darks of each pixel: level = intercept + rate t. All planes have shape (ny, nx)."""

    rate_adu_s: Plane
    """dark current, adu per second"""
    intercept_adu: Plane
    """level at exposure zero: the bias"""
    sigma_rate_adu_s: Plane
    """one standard deviation"""
    sigma_intercept_adu: Plane
    """one standard deviation"""
    chi2_nu: Plane
    """reduced chi squared; NaN where there are just two darks"""
    unstable: NDArray[np.bool_]
    """`chi2_nu` above 5, and so by chance in one of 100,000 pixels at most: pixels that jump, or saturate"""


@dataclass(frozen=True)
class TemperatureLaw:
    """ln rate = alpha + beta / T of pixels of about the same dark current, T in kelvin."""

    lowest_adu_s: float
    """least dark current of the class, at the highest temperature"""
    highest_adu_s: float
    alpha: float
    beta_k: float
    sigma_beta_k: float
    n_pixels: int

    def factor(self, from_c: float, to_c: float) -> float:
        """Give dark current at one temperature over that at another, in Celsius."""
        return math.exp(self.beta_k * (1 / (to_c + ZERO_C_K) - 1 / (from_c + ZERO_C_K)))


def rate(exposures_s: Sequence[float], darks: Sequence[Plane], sigmas: Sequence[Plane | float]) -> Rate:
    """Fit a straight line to the darks of every pixel, weighted by their noise.

    Parameters
    ----------
    exposures_s : sequence of float
        Exposures, seconds; two or more must differ.
    darks : sequence of ndarray, each of shape (ny, nx), float32, adu
        Master darks with their bias in them, at one temperature; anything whose rows can be sliced, so that they need
        not be in memory. NaN is no data.
    sigmas : sequence of ndarray of the same shape, or of float, adu
        One standard deviation of each.

    Raises
    ------
    ConfigError
        CAL109: fewer than two different exposures.
    """
    times = np.asarray(exposures_s, dtype=np.float64)
    if np.unique(times).size < 2:
        raise refuse("CAL109", f"dark rates need two different exposures, not {sorted(set(times.tolist()))} s")
    shape = darks[0].shape
    planes = np.full((5, *shape), np.nan, dtype=np.float32)
    unstable = np.zeros(shape, dtype=bool)
    degrees = np.arange(1, len(darks))
    limits = np.concatenate([[np.inf], np.maximum(MAX_CHI2_NU, chdtri(degrees, CHANCE) / degrees)])
    for y0 in range(0, shape[0], ROWS):
        rows = slice(y0, y0 + ROWS)
        level = np.stack([np.asarray(dark[rows], dtype=np.float64) for dark in darks])
        sigma = np.stack(
            [np.broadcast_to(s[rows] if isinstance(s, np.ndarray) else s, level.shape[1:]) for s in sigmas],
            dtype=np.float64,
        )
        planes[:, rows], free = _line(times, level, sigma)
        unstable[rows] = planes[4, rows] > limits[free]
    return Rate(*planes, unstable)


def temperature_law(
    temperatures_c: Sequence[float],
    rates: Sequence[Plane],
    sigma_adu_s: Plane | float = 0.0,
    *,
    n_classes: int = 4,
    min_pixels: int = 100,
) -> list[TemperatureLaw]:
    """Fit how dark current grows with temperature, apart for pixels of low and of high dark current.

    Parameters
    ----------
    temperatures_c : sequence of float
        Temperatures, Celsius; three or more.
    rates : sequence of ndarray, each of shape (ny, nx), float32, adu per second
        Dark current at each of them; NaN is no data.
    sigma_adu_s : ndarray of the same shape, or float, adu per second
        One standard deviation of the rate at the highest temperature. Pixels below ten times that are left out:
        chance would decide on their class.
    n_classes : int
        Classes of pixels: of equal width in the logarithm of the rate at the highest temperature.
    min_pixels : int
        Smaller classes are left out.

    Returns
    -------
    list of TemperatureLaw
        By rising dark current. Mean rates of classes are used, for the logarithm of one noisy pixel is biased.

    Raises
    ------
    ConfigError
        CAL109: fewer than three different temperatures.
    """
    kelvin = np.asarray(temperatures_c, dtype=np.float64) + ZERO_C_K
    if np.unique(kelvin).size < MIN_TEMPERATURES:
        raise refuse("CAL109", f"a law of temperature needs three temperatures, not {list(temperatures_c)}")
    warmest = rates[int(kelvin.argmax())]
    usable = np.logical_and.reduce([np.isfinite(plane) for plane in rates]) & (warmest > 0)
    usable &= warmest >= MIN_RATE_SIGMA * np.asarray(sigma_adu_s)
    if not usable.any():
        return []
    edges = np.geomspace(np.quantile(warmest[usable], 0.01), warmest[usable].max(), n_classes + 1)
    laws = [
        _law(kelvin, [plane[usable & (warmest >= low) & (warmest <= high)] for plane in rates], low, high, min_pixels)
        for low, high in pairwise(edges)
    ]
    return [law for law in laws if law]


def _line(
    times: NDArray[np.float64], level: NDArray[np.float64], sigma: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Five planes of `Rate`, and degrees of freedom."""
    known = np.isfinite(level) & (sigma > 0)
    weight = np.where(known, 1 / np.square(np.where(known, sigma, 1)), 0)
    level = np.where(known, level, 0)
    free = np.maximum(known.sum(axis=0) - 2, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = weight.sum(axis=0)
        centre = np.tensordot(times, weight, 1) / total
        lever = times[:, None, None] - centre
        spread = (weight * lever**2).sum(axis=0)
        slope = (weight * lever * level).sum(axis=0) / spread
        mean = (weight * level).sum(axis=0) / total
        squares = (weight * np.square(level - mean - slope * lever)).sum(axis=0)
        errors = np.sqrt(1 / spread), np.sqrt(1 / total + centre**2 / spread)
        planes = np.stack([slope, mean - slope * centre, *errors, np.where(free > 0, squares / free, np.nan)])
    # one exposure alone tells no slope, though rounding may leave a spread
    alone = ~(spread > 1e-12 * total * times.max() ** 2)
    return np.where(alone, np.nan, planes), free


def _law(
    kelvin: NDArray[np.float64], rates: list[NDArray[np.float32]], low: float, high: float, min_pixels: int
) -> TemperatureLaw | None:
    count = rates[0].size
    if count < min_pixels:
        return None
    means = np.array([np.mean(values, dtype=np.float64) for values in rates])
    errors = np.array([np.std(values, dtype=np.float64) for values in rates]) / math.sqrt(count)
    if (means <= 3 * errors).any():
        return None
    weight = np.square(means / errors)
    inverse = 1 / kelvin
    centre = np.average(inverse, weights=weight)
    spread = float(weight @ np.square(inverse - centre))
    beta = float(weight @ ((inverse - centre) * np.log(means))) / spread
    alpha = float(np.average(np.log(means), weights=weight)) - beta * centre
    return TemperatureLaw(float(low), float(high), alpha, beta, spread**-0.5, count)
