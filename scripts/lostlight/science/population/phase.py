"""Magnitudes of bodies that the Sun lights: distance and phase."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.population.classes import CLASSES

FloatArray = NDArray[np.float64]

SLOPE_G = 0.15
"""Slope parameter of the H, G system."""


def apparent_mag(
    h_mag: ArrayLike,
    r_helio_au: ArrayLike,
    delta_au: ArrayLike,
    phase_deg: ArrayLike,
    slope_mag_deg: ArrayLike = np.nan,
) -> FloatArray:
    """Magnitude of a body where it is.

    Parameters
    ----------
    h_mag : array_like
        Absolute magnitude.
    r_helio_au, delta_au : array_like
        Distances from the Sun and from the observer.
    phase_deg : array_like
        Angle between both, seen from the body.
    slope_mag_deg : array_like
        Dimming with the phase angle; NaN takes the H, G system with G = 0.15.

    Returns
    -------
    ndarray, float64

    Notes
    -----
    Bowell et al. (1989), in Asteroids II, p. 524.
    """
    r, delta = np.asarray(r_helio_au, float), np.asarray(delta_au, float)
    return np.asarray(h_mag, float) + 5 * np.log10(r * delta) + phase_dimming(phase_deg, slope_mag_deg)


def absolute_mag(
    mag: ArrayLike, r_helio_au: ArrayLike, delta_au: ArrayLike, phase_deg: ArrayLike, slope_mag_deg: ArrayLike = np.nan
) -> FloatArray:
    """Absolute magnitude of a body that has a magnitude where it is; inverse of `apparent_mag`."""
    return np.asarray(mag, float) - apparent_mag(0.0, r_helio_au, delta_au, phase_deg, slope_mag_deg)


def phase_dimming(phase_deg: ArrayLike, slope_mag_deg: ArrayLike = np.nan) -> FloatArray:
    """Magnitudes by which a body is fainter than it would be at a phase angle of 0; arguments as above."""
    phase, slope = np.asarray(phase_deg, float), np.asarray(slope_mag_deg, float)
    tangent = np.tan(np.radians(phase) / 2)
    phi1, phi2 = np.exp(-3.33 * tangent**0.63), np.exp(-1.87 * tangent**1.22)
    curved = -2.5 * np.log10((1 - SLOPE_G) * phi1 + SLOPE_G * phi2)
    return np.where(np.isnan(slope), curved, slope * phase)


def phase_slopes(subclass: ArrayLike) -> FloatArray:
    """Give the dimming with the phase angle that populations have (n,), mag per degree; NaN stands for H, G."""
    names = np.asarray(subclass)
    slopes = np.full(names.shape, np.nan)
    for name in np.unique(names):
        slope = getattr(CLASSES.get(str(name)), "slope_mag_deg", None)
        slopes[names == name] = np.nan if slope is None else slope
    return slopes
