"""Noise of the light that is added: photons, the variance that they bring, and full wells."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError


def photon_noise(expected: NDArray[Any], gain_e_adu: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the light that arrives where so much is expected.

    Parameters
    ----------
    expected : array of float
        Expected light, adu; below zero counts as none.
    gain_e_adu : float
        Electrons per adu.
    rng : Generator

    Returns
    -------
    array of float64
        Light, adu: whole electrons over the gain; none where none is expected.

    Raises
    ------
    ConfigError
        The gain is not positive.
    """
    gain = _positive(gain_e_adu)
    realised = np.zeros(np.shape(expected))
    lit = np.asarray(expected) > 0
    # Pixels without light draw nothing, so that a stamp costs what its lit pixels cost.
    realised[lit] = rng.poisson(np.asarray(expected, np.float64)[lit] * gain) / gain
    return realised


def variance_added(expected: NDArray[Any], gain_e_adu: float) -> NDArray[np.float64]:
    """Give the variance of that noise, adu^2: expected light over the gain.

    Raises
    ------
    ConfigError
        The gain is not positive.
    """
    return np.maximum(np.asarray(expected, np.float64), 0) / _positive(gain_e_adu)


def saturate(image: NDArray[Any], level_adu: float) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Cut an image at its full well.

    Parameters
    ----------
    image : array of float
        NaN stays NaN.
    level_adu : float

    Returns
    -------
    image : array of the same type
    is_saturated : array of bool
        Pixels that were cut or lie exactly at the level.
    """
    level = np.asarray(image).dtype.type(level_adu)
    return np.minimum(image, level), image >= level


def _positive(gain_e_adu: float) -> float:
    if not (np.isfinite(gain_e_adu) and gain_e_adu > 0):
        raise ConfigError(f"gain is {gain_e_adu} electrons per adu", "give a positive one, or no photon noise")
    return float(gain_e_adu)
