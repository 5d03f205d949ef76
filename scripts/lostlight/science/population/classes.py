"""The populations of the solar system that sources are drawn from: every number of them, as declared data.

Inclinations are distributed as sin i times a Gaussian: mean and standard deviation in degrees.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lostlight.science.population.laws import Exponential, Flat, Law, LogNormal, Maxwell, Mixture, Normal, Rayleigh

AMPLITUDE_MAG = Exponential(0.2, high=1.2)
"""Light curves, peak to peak (Duffard et al. 2009: mean 0.25; Thirouin et al. 2010: 15 % above 0.15)."""
DISTANT_PERIOD_H = Maxwell(7.7 * math.sqrt(math.pi) / 2)
"""Of two peaks; the mean is 7.7 h (the same sources)."""
CENTAUR_PERIOD_H = Maxwell(8.95 * math.sqrt(math.pi) / 2)
ASTEROID_PERIOD_H = LogNormal(7.0, 0.8)


@dataclass(frozen=True)
class Population:
    """Bodies in orbit around the Sun.

    Parameters
    ----------
    a_au, q_au, ecc : Law or None
        Semi-major axis, distance at perihelion, eccentricity: two of them.
    inc_deg : (float, float)
        Mean and standard deviation of the Gaussian that sin i is multiplied with.
    delta_au : (float, float)
        Distances from the observer that are drawn.
    camp_deg : float or None
        Spread of longitudes about the points 60 degrees before and behind Jupiter; None: any longitude.
    slope_mag_deg : float or None
        Dimming with the phase angle; None takes the H, G system with G = 0.15.
    amplitude_mag, period_h : Law
        Of the light curve, peak to peak; of two peaks.
    """

    ecc: Law | None = None
    a_au: Law | None = None
    q_au: Flat | None = None
    inc_deg: tuple[float, float] = (0.0, 10.0)
    delta_au: tuple[float, float] = (0.02, 1000.0)
    camp_deg: float | None = None
    slope_mag_deg: float | None = 0.12
    amplitude_mag: Law = AMPLITUDE_MAG
    period_h: Law = DISTANT_PERIOD_H


@dataclass(frozen=True)
class Visitor:
    """Bodies from beyond the solar system.

    Parameters
    ----------
    v_inf_km_s : Law
        Speed far from the Sun; directions are isotropic.
    delta_au : Flat
        Distance from the observer.
    """

    v_inf_km_s: Law
    delta_au: Flat
    slope_mag_deg: float | None = None
    amplitude_mag: Law = AMPLITUDE_MAG
    period_h: Law = DISTANT_PERIOD_H


@dataclass(frozen=True)
class Kinematic:
    """Sources of which the motion alone is given.

    Parameters
    ----------
    rate_arcsec_h, pa_deg : Law
        Motion on the sky and its direction, east of north.
    """

    rate_arcsec_h: Law
    pa_deg: Law
    amplitude_mag: Law = AMPLITUDE_MAG
    period_h: Law = ASTEROID_PERIOD_H


Class = Population | Visitor | Kinematic

RESTING = Kinematic(Flat(0, 0), Flat(0, 0))
"""Sources that stay where they are."""

CLASSES: Mapping[str, Class] = {
    # Gulbis et al. 2010 (inclination); kernel and stirred belt of Petit et al. 2011
    "classical_cold": Population(
        a_au=Mixture(((0.2, Flat(43.8, 44.4)), (0.8, Flat(42.4, 47)))), ecc=Rayleigh(0.04, 0.15), inc_deg=(0, 2.0)
    ),
    "classical_hot": Population(a_au=Flat(40, 47), q_au=Flat(35, 40), inc_deg=(0, 14)),
    "plutino": Population(a_au=Normal(39.45, 0.1, 39.15, 39.75), ecc=Normal(0.18, 0.06, 0.02, 0.28), inc_deg=(0, 14)),
    "scattering": Population(a_au=Flat(35, 200, log=True), q_au=Flat(28, 38), inc_deg=(19.1, 6.9)),
    "detached": Population(a_au=Flat(48, 500, log=True), q_au=Flat(38, 55), inc_deg=(0, 16)),
    "centaur": Population(
        q_au=Flat(5.5, 28), ecc=Flat(0, 0.6), inc_deg=(0, 14), slope_mag_deg=0.1, period_h=CENTAUR_PERIOD_H
    ),
    "trojan": Population(
        a_au=Normal(5.2, 0.03, 5.05, 5.35), ecc=Rayleigh(0.06, 0.25), inc_deg=(0, 9), camp_deg=15, slope_mag_deg=None
    ),
    "mba": Population(
        a_au=Mixture(tuple((0.25, Normal(a, 0.08, 2.1, 3.35)) for a in (2.35, 2.60, 2.75, 3.12))),
        ecc=Rayleigh(0.115, 0.4),
        inc_deg=(0, 6.5),
        slope_mag_deg=None,
        period_h=ASTEROID_PERIOD_H,
    ),
    "nea": Population(
        a_au=Flat(0.7, 3.2), q_au=Flat(0.4, 1.3), inc_deg=(0, 11), delta_au=(0.02, 1.5), slope_mag_deg=None,
        period_h=ASTEROID_PERIOD_H,
    ),
    "interstellar": Visitor(Maxwell(26), Flat(0.3, 10, log=True)),
    "fast": Kinematic(Flat(60, 3600, log=True), Flat(0, 360)),
    "drift": Kinematic(Flat(0.1, 5, log=True), Flat(0, 360)),
}  # fmt: skip

TNO: Mapping[str, float] = {
    "classical_cold": 0.30, "classical_hot": 0.30, "plutino": 0.20, "scattering": 0.12, "detached": 0.08,
}  # fmt: skip
"""Shares of the populations in the sample type ``tno``."""

MAIN = ("classical_cold", "classical_hot", "plutino")
"""The main belt of the Kuiper belt: what checks of distance and rate go by."""

MIXTURES: Mapping[str, Mapping[str, float]] = {"tno": TNO, "kbo": TNO}


def with_rates(rates: Mapping[str, tuple[float, float]]) -> Mapping[str, Class]:
    """Give the populations, some of those without an orbit with limits of their own.

    Parameters
    ----------
    rates : mapping of str to (float, float)
        Slowest and fastest motion by name, arcsec per hour; uniform in the logarithm between them.
    """
    return {**CLASSES, **{name: Kinematic(Flat(*limits, log=True), Flat(0, 360)) for name, limits in rates.items()}}
