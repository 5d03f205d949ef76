"""Distributions that turn a number between 0 and 1 into a value, so that a draw is a plain function of its numbers."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv, ndtr, ndtri

FloatArray = NDArray[np.float64]

_LATTICE = 20001


class Law(ABC):
    """A distribution of one number."""

    def at(self, u: ArrayLike) -> FloatArray:
        """Give the value below which the fraction `u` of all draws lie; for a mixture, of its part."""
        return self._value(np.asarray(u, float))

    @abstractmethod
    def _value(self, u: FloatArray) -> FloatArray: ...


@dataclass(frozen=True)
class Flat(Law):
    """Uniform between two numbers, or uniform in the logarithm."""

    low: float
    high: float
    log: bool = False

    def within(self, u: ArrayLike, low: ArrayLike = -np.inf, high: ArrayLike = np.inf) -> FloatArray:
        """Give the value at a fraction, where other numbers narrow the range."""
        low, high, u = np.maximum(self.low, low), np.minimum(self.high, high), np.asarray(u, float)
        return low * (high / low) ** u if self.log else low + (high - low) * u

    def share(self, low: ArrayLike = -np.inf, high: ArrayLike = np.inf) -> FloatArray:
        """Give the fraction of all draws that lie in the narrowed range; 0 where nothing is left of it."""
        low, high = np.maximum(self.low, low), np.minimum(self.high, high)
        if self.log:
            return np.log(np.maximum(high / low, 1)) / np.log(self.high / self.low)
        return np.maximum(high - low, 0) / (self.high - self.low)

    def _value(self, u: FloatArray) -> FloatArray:
        return self.within(u)


@dataclass(frozen=True)
class Normal(Law):
    """Gaussian, cut off at both ends."""

    mean: float
    sigma: float
    low: float = -np.inf
    high: float = np.inf

    def _value(self, u: FloatArray) -> FloatArray:
        least, most = ndtr((self.low - self.mean) / self.sigma), ndtr((self.high - self.mean) / self.sigma)
        return self.mean + self.sigma * ndtri(least + (most - least) * u)


@dataclass(frozen=True)
class Rayleigh(Law):
    """Length of a vector of two Gaussian numbers, cut off above."""

    sigma: float
    high: float = np.inf

    def _value(self, u: FloatArray) -> FloatArray:
        most = -np.expm1(-((self.high / self.sigma) ** 2) / 2)
        return self.sigma * np.sqrt(-2 * np.log1p(-most * u))


@dataclass(frozen=True)
class Maxwell(Law):
    """Length of a vector of three Gaussian numbers, by its most probable value."""

    mode: float

    def _value(self, u: FloatArray) -> FloatArray:
        return self.mode * np.sqrt(gammaincinv(1.5, u))


@dataclass(frozen=True)
class Exponential(Law):
    """Falling exponentially from 0, cut off above."""

    scale: float
    high: float = np.inf

    def _value(self, u: FloatArray) -> FloatArray:
        return -self.scale * np.log1p(np.expm1(-self.high / self.scale) * u)


@dataclass(frozen=True)
class LogNormal(Law):
    """Gaussian in the logarithm: median, and standard deviation of the natural logarithm."""

    median: float
    sigma: float

    def _value(self, u: FloatArray) -> FloatArray:
        return self.median * np.exp(self.sigma * ndtri(u))


@dataclass(frozen=True)
class Mixture(Law):
    """One of several laws, each with its share."""

    parts: tuple[tuple[float, Law], ...]

    def _value(self, u: FloatArray) -> FloatArray:
        which, within = choose([share for share, _ in self.parts], u)
        return np.select([which == k for k in range(len(self.parts))], [law.at(within) for _, law in self.parts])


def choose(shares: ArrayLike, u: ArrayLike) -> tuple[NDArray[np.int64], FloatArray]:
    """Choose one of several by their shares.

    Parameters
    ----------
    shares : array_like, (k,)
        How often each is to be chosen; they need not add up to one.
    u : array_like
        Numbers from 0 to 1.

    Returns
    -------
    which : ndarray of int
    within : ndarray, float64
        What is left of the number: again uniform from 0 to 1.
    """
    shares = np.asarray(shares, float) / np.sum(shares)
    ends = np.cumsum(shares)
    which = np.minimum(np.searchsorted(ends, u, side="right"), np.flatnonzero(shares)[-1])
    within = (np.asarray(u, float) - (ends - shares)[which]) / shares[which]
    return which, np.clip(within, 0, np.nextafter(1, 0))


def mean(law: Law) -> float:
    """Mean of a law, by the rule of midpoints."""
    return float(np.mean(law.at(_midpoints())))


def cumulative(law: Law, values: ArrayLike) -> FloatArray:
    """Fraction of all draws below given values, read off the law itself."""
    u = _midpoints()
    return np.interp(values, np.sort(law.at(u)), u, left=0.0, right=1.0)


def _midpoints() -> FloatArray:
    return (np.arange(_LATTICE) + 0.5) / _LATTICE
