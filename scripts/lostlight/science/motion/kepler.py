"""Orbits about the Sun alone: where a body is, and where it is seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.motion.earth import GEOCENTRE, observer_position
from lostlight.science.motion.geometry import equatorial
from lostlight.science.sky.separation import positions_deg

FloatArray = NDArray[np.float64]

GM_SUN = 0.01720209895**2
"""au^3 / day^2."""
LIGHT_DAYS_PER_AU = 0.005775518331436995

_STEPS = 60
_DONE = 1e-14


@dataclass(frozen=True, eq=False)
class KeplerMotion:
    """Bodies on orbits about the Sun, ellipses or hyperbolas, that no planet disturbs.

    Good for about two weeks of asteroids, and longer the further away. Elements are heliocentric, ecliptic J2000.

    Parameters
    ----------
    a_au : ndarray, (n,), float64
        Semi-major axes; negative for hyperbolas.
    ecc : ndarray, (n,), float64
        Eccentricities; not 1.
    inc_deg, node_deg, peri_deg : ndarray, (n,), float64
        Inclination, longitude of the ascending node, argument of perihelion.
    anomaly_deg : ndarray, (n,), float64
        Mean anomaly where the body is at `mjd_ref`; it is seen there a light time later.
    mjd_ref : float
        MJD, UTC.
    observer : str
        As for `lostlight.science.motion.earth.observer_position`.

    Raises
    ------
    ConfigError
        If the shape of an orbit is impossible.
    """

    a_au: FloatArray
    ecc: FloatArray
    inc_deg: FloatArray
    node_deg: FloatArray
    peri_deg: FloatArray
    anomaly_deg: FloatArray
    mjd_ref: float
    observer: str = GEOCENTRE

    def __post_init__(self) -> None:
        a, ecc = np.atleast_1d(self.a_au), np.atleast_1d(self.ecc)
        wrong = ~((ecc >= 0) & (ecc != 1) & (a * (1 - ecc) > 0))
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise ConfigError(
                f"orbit {first}: a = {a[first]:g} au with an eccentricity of {ecc[first]:g} is no orbit",
                hint="ellipses (e < 1) have positive, hyperbolas (e > 1) negative semi-major axes; parabolas have none",
                orbit=first,
            )

    def state(self, mjd: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Say where the bodies are, not where they are seen.

        Parameters
        ----------
        mjd : array_like, any shape S

        Returns
        -------
        position, velocity : ndarray, (n, *S, 3), float64
            From the Sun along the axes of the ICRS, au and au a day.
        """
        days = np.asarray(mjd, np.float64) - self.mjd_ref
        return _state(self, np.broadcast_to(days, (len(np.atleast_1d(self.a_au)), *days.shape)))

    def seen(self, mjd: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Say where the bodies were when the light left them that arrives now; as `state`."""
        mjd = np.asarray(mjd, np.float64)
        position, velocity = self.state(mjd)
        return light_time(position, velocity, observer_position(mjd, self.observer))

    def at(self, mjd: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Say where the bodies are seen among the stars: with light time, without aberration, which stars share.

        Parameters
        ----------
        mjd : array_like, any shape S
            Times, MJD, UTC.

        Returns
        -------
        ra_deg, dec_deg : ndarray, (n, *S), float64
        """
        return positions_deg(self.seen(mjd)[0] - observer_position(mjd, self.observer))


def light_time(position: FloatArray, velocity: FloatArray, observer: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Move bodies back to when their light left them.

    To the second order of the light time: within 1e-9 au for all bodies beyond 0.3 au from the Sun.

    Parameters
    ----------
    position, velocity : ndarray, (..., 3)
        Now, from the Sun, au and au a day.
    observer : ndarray, (..., 3)
        Now, from the Sun, au.

    Returns
    -------
    position, velocity : ndarray, (..., 3)
        Then.
    """
    pull = gravity(position)
    back = 0.0
    for _ in range(3):
        then = position - velocity * back + pull * back**2 / 2
        back = np.linalg.norm(then - observer, axis=-1, keepdims=True) * LIGHT_DAYS_PER_AU
    return position - velocity * back + pull * back**2 / 2, velocity - pull * back


def gravity(position: FloatArray) -> FloatArray:
    """Give the acceleration towards the Sun, au / day^2, of bodies at (..., 3) au from it."""
    return -GM_SUN * position / np.linalg.norm(position, axis=-1, keepdims=True) ** 3


def solve_kepler(mean_anomaly: FloatArray, ecc: FloatArray) -> FloatArray:
    """Solve the equation of Kepler: E - e sin E = M for ellipses, e sinh H - H = M for hyperbolas.

    Parameters
    ----------
    mean_anomaly, ecc : ndarray, one shape
        Radians.

    Returns
    -------
    ndarray, the same shape
        E or H; radians.

    Notes
    -----
    Start and steps for ellipses as in Danby, Fundamentals of Celestial Mechanics (1988), section 6.6.
    """
    closed = ecc < 1
    start = mean_anomaly + 0.85 * ecc * np.sign(np.sin(mean_anomaly))
    solved = np.where(closed, start, np.arcsinh(mean_anomaly / np.where(closed, 1, ecc)))
    moves = np.ones(solved.shape, bool)
    for _ in range(_STEPS):
        # what is solved stays as it is, so that no body depends on the others
        step = np.where(moves, _kepler_step(solved, mean_anomaly, ecc, closed), 0)
        solved = solved + step
        moves &= np.abs(step) > _DONE * (1 + np.abs(solved))
        if not moves.any():
            break
    return solved


def _kepler_step(at: FloatArray, mean: FloatArray, ecc: FloatArray, closed: NDArray[np.bool_]) -> FloatArray:
    """Step by the first three derivatives: near a parabola the first alone is nearly zero at perihelion."""
    sine = ecc * np.where(closed, np.sin(at), np.sinh(np.where(closed, 0, at)))
    cosine = ecc * np.where(closed, np.cos(at), np.cosh(np.where(closed, 0, at)))
    way = np.where(closed, 1, -1)
    # f = (E - e sin E - M), or its negative for hyperbolas; both have the same pattern of derivatives
    f, f1, f2, f3 = way * (at - sine) - mean, way * (1 - cosine), sine, cosine
    step = -f / f1
    step = -f / (f1 + step * f2 / 2)
    return -f / (f1 + step * f2 / 2 + step**2 * f3 / 6)


def _state(orbit: KeplerMotion, days: FloatArray) -> tuple[FloatArray, FloatArray]:
    a, ecc, anomaly = (
        np.atleast_1d(np.asarray(v, np.float64)).reshape(-1, *(1,) * (days.ndim - 1))
        for v in (orbit.a_au, orbit.ecc, np.radians(orbit.anomaly_deg))
    )
    size, closed = np.abs(a), ecc < 1
    mean_motion = np.sqrt(GM_SUN / size**3)
    e = np.broadcast_to(ecc, days.shape)
    eccentric = solve_kepler(anomaly + mean_motion * days, e)
    ends = np.where(closed, 0, eccentric)
    cosine = np.where(closed, np.cos(eccentric), np.cosh(ends))
    sine = np.where(closed, np.sin(eccentric), np.sinh(ends))
    minor = size * np.sqrt(np.abs(1 - ecc**2))
    rate = mean_motion / np.abs(1 - ecc * cosine)
    x, y = a * (cosine - ecc), minor * sine
    vx, vy = -size * sine * rate, minor * cosine * rate
    towards, across = _axes(orbit)
    spread = (slice(None), *(None,) * (days.ndim - 1), slice(None))
    p, q = towards[spread], across[spread]
    return x[..., None] * p + y[..., None] * q, vx[..., None] * p + vy[..., None] * q


def _axes(orbit: KeplerMotion) -> tuple[FloatArray, FloatArray]:
    """Unit vectors (n, 3) towards perihelion and, in the plane of the orbit, a quarter turn ahead; ICRS."""
    inc, node, peri = (
        np.atleast_1d(np.radians(np.asarray(v, np.float64))) for v in (orbit.inc_deg, orbit.node_deg, orbit.peri_deg)
    )

    def along(angle: FloatArray) -> FloatArray:
        c, s = np.cos(angle), np.sin(angle)
        x = np.cos(node) * c - np.sin(node) * s * np.cos(inc)
        y = np.sin(node) * c + np.cos(node) * s * np.cos(inc)
        return equatorial(np.stack([x, y, s * np.sin(inc)], axis=-1))

    return along(peri), along(peri + np.pi / 2)
