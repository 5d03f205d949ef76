"""Bodies of a population put where they are to be seen: no draw is thrown away, each has a weight instead.

A body of given size and shape of orbit is somewhere along it, at a time drawn at random: that gives its distance from
the Sun, and with it the place on the line of sight. What is left is the direction in which it passes there. Of all
orbits of a population through one place, a fraction dt of directions t to the ecliptic has inclinations i with
cos i = cos(latitude) cos t, and as many bodies as the Gaussian of the inclination law says at i: the factor sin i of
the law cancels. t is drawn from that Gaussian; the weight is the ratio of both, times the part of the population that
the volume at this distance holds.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lostlight.science.motion.geometry import equatorial
from lostlight.science.motion.kepler import GM_SUN, LIGHT_DAYS_PER_AU, solve_kepler
from lostlight.science.population.classes import Population, Visitor
from lostlight.science.population.laws import Normal
from lostlight.science.population.sight import Sight, dot

FloatArray = NDArray[np.float64]

_AU_DAY_PER_KM_S = 86400 / 149_597_870.7
_TO_ECLIPTIC = equatorial(np.eye(3)).T
_POLE = equatorial([0.0, 0.0, 1.0])
_J2000 = 51544.5
_JUPITER_DEG, _JUPITER_DEG_DAY = 34.396, 3034.746 / 36525  # mean longitude; Standish, 1800 to 2050


class Placed(NamedTuple):
    """Bodies where they are seen: position and velocity (n, 3) from the Sun when the light left, ICRS; weights (n,)."""

    position: FloatArray
    velocity: FloatArray
    weight: FloatArray


class Elements(NamedTuple):
    """Orbits: heliocentric, ecliptic J2000; au and degrees, (n,) each."""

    a_au: FloatArray
    ecc: FloatArray
    inc_deg: FloatArray
    node_deg: FloatArray
    peri_deg: FloatArray
    anomaly_deg: FloatArray


def place_bound(kind: Population, numbers: FloatArray, seen: Sight) -> Placed:
    """Put bodies that go round the Sun on lines of sight.

    Parameters
    ----------
    kind : Population
    numbers : ndarray, (7, n)
        Uniform from 0 to 1.
    seen : Sight
        Of n directions.
    """
    nearest, farthest = kind.delta_au
    ahead = dot(seen.observer, seen.towards)
    sun2 = dot(seen.observer, seen.observer)

    def from_sun(delta: FloatArray) -> FloatArray:
        return np.sqrt(sun2 + 2 * ahead * delta + delta**2)

    r_min = from_sun(np.clip(-ahead, nearest, farthest))
    r_max = np.maximum(from_sun(np.full_like(ahead, nearest)), from_sun(np.full_like(ahead, farthest)))
    a, ecc, weight = _shape(kind, numbers[0], numbers[1], r_min, r_max)
    eccentric, part = _when(a, ecc, r_min, r_max, numbers[2])
    r = a * (1 - ecc * np.cos(eccentric))
    delta, ways = _distance(ahead, np.sqrt(np.maximum(ahead**2 + r**2 - sun2, 0)), kind.delta_au, numbers[3])
    position = seen.observer + delta[:, None] * seen.towards
    outward = np.where(numbers[4] < 0.5, -1, 1) * np.sqrt(GM_SUN * a) * ecc * np.sin(eccentric) / r
    around = np.sqrt(GM_SUN * a * (1 - ecc**2)) / r
    course, rarity = _course(kind.inc_deg, position / r[:, None], numbers[5], numbers[6])
    velocity = (outward / r)[:, None] * position + around[:, None] * course
    volume = delta**2 / (r * np.maximum(np.abs(ahead + delta), 1e-3 * r))
    if kind.camp_deg is not None:
        weight = weight * _camps(position, seen.mjd, kind.camp_deg)
    return Placed(position, velocity, weight * part * ways * rarity * volume)


def place_visitor(kind: Visitor, numbers: FloatArray, seen: Sight) -> Placed:
    """Put bodies from afar on lines of sight.

    Directions of motion are isotropic far from the Sun, and by the theorem of Liouville they are so everywhere.
    """
    delta = kind.delta_au.at(numbers[0])
    position = seen.observer + delta[:, None] * seen.towards
    v_inf = kind.v_inf_km_s.at(numbers[1]) * _AU_DAY_PER_KM_S
    speed = np.sqrt(v_inf**2 + 2 * GM_SUN / np.linalg.norm(position, axis=-1))
    z, turn = 2 * numbers[2] - 1, 2 * np.pi * numbers[3]
    flat = np.sqrt(1 - z**2)
    course = np.stack([flat * np.cos(turn), flat * np.sin(turn), z], axis=-1)
    return Placed(position, speed[:, None] * course, (delta / kind.delta_au.high) ** 3 * speed / v_inf)


def elements(placed: Placed, delta_au: FloatArray) -> Elements:
    """Turn positions and velocities into orbits; the anomaly is that of the moment at which the light arrives."""
    position, velocity = placed.position @ _TO_ECLIPTIC, placed.velocity @ _TO_ECLIPTIC
    r = np.linalg.norm(position, axis=-1)
    spin = np.cross(position, velocity)
    h2 = dot(spin, spin)
    a = 1 / (2 / r - dot(velocity, velocity) / GM_SUN)
    e_cos, e_sin = h2 / (GM_SUN * r) - 1, np.sqrt(h2) * dot(position, velocity) / (GM_SUN * r)
    ecc, true = np.hypot(e_cos, e_sin), np.arctan2(e_sin, e_cos)
    node = np.arctan2(spin[:, 0], -spin[:, 1])
    to_node = np.stack([np.cos(node), np.sin(node), np.zeros_like(node)], axis=-1)
    across = np.cross(spin, to_node) / np.sqrt(h2)[:, None]
    peri = np.arctan2(dot(position, across), dot(position, to_node)) - true
    mean = _mean_anomaly(true, ecc) + np.sqrt(GM_SUN / np.abs(a) ** 3) * delta_au * LIGHT_DAYS_PER_AU
    inc = np.degrees(np.arctan2(np.hypot(spin[:, 0], spin[:, 1]), spin[:, 2]))
    mean_deg = np.degrees(mean)
    return Elements(
        a, ecc, inc, np.degrees(node) % 360, np.degrees(peri) % 360, np.where(ecc < 1, mean_deg % 360, mean_deg)
    )


def _shape(
    kind: Population, first: FloatArray, second: FloatArray, r_min: FloatArray, r_max: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Draw axes and eccentricities, of orbits that reach the distances in sight where the law can be narrowed."""
    if kind.q_au is None:
        return kind.a_au.at(first), kind.ecc.at(second), np.ones_like(first)
    q = kind.q_au.within(first, high=r_max)
    part = kind.q_au.share(high=r_max)
    if kind.a_au is None:
        ecc = kind.ecc.at(second)
        return q / (1 - ecc), ecc, part
    low = np.maximum(q, (r_min + q) / 2)
    a = kind.a_au.within(second, low=low)
    return a, 1 - q / a, part * kind.a_au.share(low=low)


def _when(
    a: FloatArray, ecc: FloatArray, r_min: FloatArray, r_max: FloatArray, number: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Draw a time while the body is between two distances; give its eccentric anomaly, and the part of the orbit."""

    def mean_at(r: FloatArray) -> FloatArray:
        eccentric = np.arccos(np.clip((1 - r / a) / np.maximum(ecc, 1e-12), -1, 1))
        return eccentric - ecc * np.sin(eccentric)

    first, last = mean_at(np.maximum(r_min, a * (1 - ecc))), mean_at(np.minimum(r_max, a * (1 + ecc)))
    return solve_kepler(first + number * (last - first), ecc), (last - first) / np.pi


def _distance(
    ahead: FloatArray, root: FloatArray, limits: tuple[float, float], number: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Choose where the line of sight meets the sphere about the Sun; give the distance, and at how many places."""
    near, far = -ahead - root, -ahead + root
    has_near, has_far = ((limits[0] <= delta) & (delta <= limits[1]) for delta in (near, far))
    takes_near = has_near & (~has_far | (number < 0.5))
    return np.where(takes_near, near, far), has_near + has_far * 1.0


def _course(
    law: tuple[float, float], outward: FloatArray, number: FloatArray, side: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Draw the direction in which bodies pass: unit vectors across the line from the Sun, and their weights."""
    mean, sigma = law
    angle = Normal(mean, sigma, 0, 180).at(number)
    turned = np.radians(np.where(side < 0.5, -angle, angle))
    along = np.cross(_POLE, outward)
    flat = np.linalg.norm(along, axis=-1)
    along = along / flat[:, None]
    up = np.cross(outward, along)
    inclination = np.degrees(np.arccos(np.clip(flat * np.cos(turned), -1, 1)))
    weight = np.exp(((angle - mean) ** 2 - (inclination - mean) ** 2) / (2 * sigma**2))
    return np.cos(turned)[:, None] * along + np.sin(turned)[:, None] * up, weight


def _camps(position: FloatArray, mjd: FloatArray, spread_deg: float) -> FloatArray:
    """Density at longitudes of two swarms that go before and behind Jupiter, relative to that of an even ring."""
    x, y, _ = (position @ _TO_ECLIPTIC).T
    ahead = np.degrees(np.arctan2(y, x)) - (_JUPITER_DEG + _JUPITER_DEG_DAY * (mjd - _J2000))
    offsets = ((ahead - camp + 180) % 360 - 180 for camp in (60, -60))
    density = sum(np.exp(-(offset**2) / (2 * spread_deg**2)) for offset in offsets)
    return density * 360 / (2 * np.sqrt(2 * np.pi) * spread_deg)


def _mean_anomaly(true: FloatArray, ecc: FloatArray) -> FloatArray:
    closed = ecc < 1
    half = np.sqrt(np.abs(1 - ecc) / (1 + ecc)) * np.tan(true / 2)
    ellipse = 2 * np.arctan(half)
    hyperbola = 2 * np.arctanh(np.where(closed, 0, half))
    return np.where(closed, ellipse - ecc * np.sin(ellipse), ecc * np.sinh(hyperbola) - hyperbola)
