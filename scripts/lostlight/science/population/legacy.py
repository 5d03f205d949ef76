"""The mixture of trans-Neptunian objects of the first injectors, kept for comparison: distances and rates, no orbits.

Rates are 128.5 / R arcsec an hour with a scatter of 8 %, at most 4.5, whatever the elongation; directions scatter by
10 degrees about the west along the ecliptic.
"""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.motion.geometry import aspect, ecliptic_pa, rate_components
from lostlight.science.population.laws import Flat, Mixture, Normal
from lostlight.science.population.sight import Sight
from lostlight.science.sky.separation import positions_deg

FloatArray = NDArray[np.float64]

LEGACY = "tno:legacy"
FASTEST_ARCSEC_H = 4.5
SNR = Mixture(((0.75, Flat(3, 6)), (0.25, Flat(6, 10))))
"""Brightness: signal to noise on each image."""

_DISTANCE_AU = Mixture(
    ((0.70, Normal(44, 2, 40, 50)), (0.20, Normal(39.4, 1, 37, 42)), (0.10, Flat(30, 100, log=True)))
)
_RATE_AU = 128.5
_SCATTER = Normal(1, 0.08)
_DIRECTION_DEG = Normal(0, 10)


def draw_legacy(numbers: FloatArray, seen: Sight) -> dict[str, FloatArray]:
    """Draw distances and motions from uniform numbers (3 or more, n)."""
    r = _DISTANCE_AU.at(numbers[0])
    rate = np.minimum(_RATE_AU / r * _SCATTER.at(numbers[1]), FASTEST_ARCSEC_H)
    pa = (ecliptic_pa(*positions_deg(seen.towards)) + 180 + _DIRECTION_DEG.at(numbers[2])) % 360
    east, north = rate_components(rate, pa)
    elongation = aspect(seen.observer + seen.towards, seen.observer).elong_deg
    return {
        "r_helio_au": r, "elong_deg": elongation, "rate_ra_arcsec_h": east, "rate_dec_arcsec_h": north,
        "rate_arcsec_h": rate, "pa_deg": pa, "weight": np.ones_like(r),
    }  # fmt: skip
