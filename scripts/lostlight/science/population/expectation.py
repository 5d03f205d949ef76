"""What rates and distances a population should show, without drawing from it: sums over a lattice of orbits.

Shares no step with the draws but the declared laws: time along the orbit is a weight instead of Kepler's equation, and
no orbit is solved for.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from lostlight.science.motion.geometry import equatorial
from lostlight.science.motion.kepler import GM_SUN
from lostlight.science.population.classes import Population
from lostlight.science.population.laws import Normal
from lostlight.science.population.sight import Sight
from lostlight.science.sky.separation import ARCSEC_PER_RADIAN

FloatArray = NDArray[np.float64]

_LOG2_ORBITS = 14
_HOURS_PER_DAY = 24
_BEYOND_EARTH_AU = 1.1


class Expected(NamedTuple):
    """Means and percentiles of a population in one direction."""

    r_au: float
    rate_arcsec_h: float
    phi_p95_deg: float
    rate_max_arcsec_h: float


def expected(kind: Population, seen: Sight) -> Expected | None:
    """Say what a population shows in the direction of the first line of sight.

    Returns
    -------
    Expected or None
        None for populations that come near the Earth: what is seen of them hangs on the limits of distance.
    """
    numbers = qmc.Sobol(4, scramble=False).random_base2(_LOG2_ORBITS).T + 0.5 / 2**_LOG2_ORBITS
    a, ecc = _orbits(kind, numbers[0], numbers[1])
    if np.min(a * (1 - ecc)) < _BEYOND_EARTH_AU:
        return None
    eccentric = 2 * np.pi * numbers[2]
    time = 1 - ecc * np.cos(eccentric)
    rate, phi = _motion(a, ecc, eccentric, Normal(*kind.inc_deg, 0, 180).at(numbers[3]), seen)
    order = np.argsort(np.abs(phi))
    below = np.cumsum(time[order]) / np.sum(time)
    return Expected(
        float(np.mean(a * (1 + ecc**2 / 2))),
        float(np.average(rate, weights=time)),
        float(np.abs(phi)[order][np.searchsorted(below, 0.95)]),
        float(np.max(rate)),
    )


def _orbits(kind: Population, first: FloatArray, second: FloatArray) -> tuple[FloatArray, FloatArray]:
    if kind.q_au is None:
        return kind.a_au.at(first), kind.ecc.at(second)
    q = kind.q_au.at(first)
    if kind.a_au is None:
        ecc = kind.ecc.at(second)
        return q / (1 - ecc), ecc
    a = kind.a_au.within(second, low=q)
    return a, 1 - q / a


def _motion(
    a: FloatArray, ecc: FloatArray, eccentric: FloatArray, course_deg: FloatArray, seen: Sight
) -> tuple[FloatArray, FloatArray]:
    """Rates, and angles from the west along the ecliptic."""
    look, earth, earth_moves = seen.towards[0], seen.observer[0], seen.velocity[0]
    r = a * (1 - ecc * np.cos(eccentric))
    ahead = earth @ look
    delta = -ahead + np.sqrt(ahead**2 + r**2 - earth @ earth)
    outward = (earth + delta[:, None] * look) / r[:, None]
    pole = equatorial([0.0, 0.0, 1.0])
    prograde = np.cross(pole, outward)
    prograde /= np.linalg.norm(prograde, axis=-1, keepdims=True)
    northward = np.cross(outward, prograde)
    course = np.radians(course_deg)
    # both senses of passing the ecliptic, in turn
    course[::2] *= -1
    across = np.sqrt(GM_SUN * a * (1 - ecc**2)) / r
    along = np.sqrt(GM_SUN * a) * ecc * np.sin(eccentric) / r
    velocity = along[:, None] * outward + across[:, None] * (
        np.cos(course)[:, None] * prograde + np.sin(course)[:, None] * northward
    )
    relative = velocity - earth_moves
    rate = np.linalg.norm(np.cross(look, relative), axis=-1) / delta * ARCSEC_PER_RADIAN / _HOURS_PER_DAY
    east = np.cross(pole, look)
    east /= np.linalg.norm(east)
    north = np.cross(look, east)
    return rate, np.degrees(np.arctan2(relative @ north, -(relative @ east)))
