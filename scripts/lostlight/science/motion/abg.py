"""Orbits of distant bodies by six numbers that the sky tells: directions, the inverse distance, and their rates.

Bernstein and Khushalani (2000), AJ 120, 3323: about the direction in which a body is seen at the reference time,

    theta_x(t) = (alpha + alpha' t + gamma (g_x - X)) / (1 + gamma' t + gamma (g_z - Z)),  the same for y,

with gamma the inverse distance, (X, Y, Z) the way of the observer since then, and g the fall towards the Sun, to the
third order of time. Time is that at which the light left the body.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.motion.earth import GEOCENTRE, observer_position
from lostlight.science.motion.kepler import GM_SUN, LIGHT_DAYS_PER_AU, KeplerMotion, gravity
from lostlight.science.sky.separation import positions_deg, tangent_frame

FloatArray = NDArray[np.float64]

_AT_ONCE = 4096
"""Sources whose planes of intermediate numbers stay in the cache of a processor."""


@dataclass(frozen=True, eq=False)
class AbgMotion:
    """Distant bodies, some weeks long; alpha and beta are zero, as each has its own direction of reference.

    After a week the positions are those of `KeplerMotion` to 0.001 arcsec beyond 5 au and to 0.1 arcsec for 99 of 100
    bodies of the main belt; bodies near the Earth keep to theirs for a day.

    Parameters
    ----------
    ra_deg, dec_deg : ndarray, (n,), float64
        Where the bodies are seen at `mjd_ref`.
    gamma : ndarray, (n,), float64
        Inverse distance from the observer at `mjd_ref`, 1 / au.
    alpha_dot, beta_dot, gamma_dot : ndarray, (n,), float64
        Velocity from the Sun times gamma, towards the east, the north and away, 1 / day.
    mjd_ref : float
        MJD, UTC.
    observer : str
        As for `lostlight.science.motion.earth.observer_position`.
    """

    ra_deg: FloatArray
    dec_deg: FloatArray
    gamma: FloatArray
    alpha_dot: FloatArray
    beta_dot: FloatArray
    gamma_dot: FloatArray
    mjd_ref: float
    observer: str = GEOCENTRE

    @classmethod
    def from_state(
        cls, position_au: ArrayLike, velocity_au_day: ArrayLike, mjd_ref: float, observer: str = GEOCENTRE
    ) -> "AbgMotion":
        """Take positions and velocities as they were when the light left that arrives at `mjd_ref`.

        Parameters
        ----------
        position_au, velocity_au_day : array_like, (n, 3)
            From the Sun, along the axes of the ICRS, au and au a day.
        mjd_ref : float
            MJD, UTC.
        observer : str
        """
        sight = np.atleast_2d(np.asarray(position_au, np.float64)) - observer_position(mjd_ref, observer)
        gamma = 1 / np.linalg.norm(sight, axis=-1)
        ra, dec = positions_deg(sight)
        away, east, north = tangent_frame(ra, dec)
        velocity = np.atleast_2d(np.asarray(velocity_au_day, np.float64)) * gamma[:, None]
        rates = (np.sum(velocity * axis, axis=-1) for axis in (east, north, away))
        return cls(ra, dec, gamma, *rates, mjd_ref, observer)

    @classmethod
    def from_elements(
        cls,
        a_au: ArrayLike,
        ecc: ArrayLike,
        inc_deg: ArrayLike,
        node_deg: ArrayLike,
        peri_deg: ArrayLike,
        anomaly_deg: ArrayLike,
        mjd_ref: float,
        observer: str = GEOCENTRE,
    ) -> "AbgMotion":
        """Take elements as `lostlight.science.motion.kepler.KeplerMotion` does."""
        elements = (
            np.atleast_1d(np.asarray(v, np.float64)) for v in (a_au, ecc, inc_deg, node_deg, peri_deg, anomaly_deg)
        )
        return cls.from_state(*KeplerMotion(*elements, mjd_ref, observer).seen(mjd_ref), mjd_ref, observer)

    @property
    def is_bound(self) -> NDArray[np.bool_]:
        """Whether the Sun holds each body (n,): its velocity is below that of escape."""
        speed2 = (self.alpha_dot**2 + self.beta_dot**2 + self.gamma_dot**2) / self.gamma**2
        return speed2 < 2 * GM_SUN / np.linalg.norm(self._from_sun(), axis=-1)

    def at(self, mjd: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Say where the bodies are seen among the stars.

        Parameters
        ----------
        mjd : array_like, any shape S
            Times, MJD, UTC.

        Returns
        -------
        ra_deg, dec_deg : ndarray, (n, *S), float64
            0 <= ra_deg < 360.
        """
        mjd = np.asarray(mjd, np.float64)
        days = mjd.ravel() - self.mjd_ref
        way = observer_position(mjd.ravel(), self.observer) - observer_position(self.mjd_ref, self.observer)
        fall = self._fall()
        ra, dec = np.empty((2, len(self.gamma), len(days)))
        for first in range(0, len(ra), _AT_ONCE):
            part = slice(first, first + _AT_ONCE)
            ra[part], dec[part] = self._seen(part, days, way, fall[:, part])
        return ra.reshape(-1, *mjd.shape), dec.reshape(-1, *mjd.shape)

    def _from_sun(self) -> FloatArray:
        away, _, _ = tangent_frame(self.ra_deg, self.dec_deg)
        return observer_position(self.mjd_ref, self.observer) + away / self.gamma[:, None]

    def _fall(self) -> FloatArray:
        """Gravity of the Sun, au / day^2, and its change, au / day^3: (2, n, 3)."""
        position, frame = self._from_sun(), tangent_frame(self.ra_deg, self.dec_deg)
        rates = self.gamma_dot, self.alpha_dot, self.beta_dot
        velocity = sum(rate[:, None] * axis for rate, axis in zip(rates, frame, strict=True)) / self.gamma[:, None]
        pull = gravity(position)
        outward = np.sum(position * velocity, axis=-1, keepdims=True) / np.sum(position**2, axis=-1, keepdims=True)
        return np.stack(
            [pull, -GM_SUN * velocity / np.linalg.norm(position, axis=-1, keepdims=True) ** 3 - 3 * outward * pull]
        )

    def _seen(self, part: slice, days: FloatArray, way: FloatArray, fall: FloatArray) -> tuple[FloatArray, FloatArray]:
        gamma = self.gamma[part, None]
        frame = tangent_frame(self.ra_deg[part], self.dec_deg[part])
        # written out: a product of matrices rounds differently with their size
        parallax = [gamma * sum(np.multiply.outer(axis[:, k], way[:, k]) for k in range(3)) for axis in frame]
        pull, change = ([gamma * np.sum(order * axis, axis=-1)[:, None] for axis in frame] for order in fall)
        rates = [rate[part, None] for rate in (self.gamma_dot, self.alpha_dot, self.beta_dot)]

        def moved(days: FloatArray) -> list[FloatArray]:
            orders = zip(rates, pull, change, parallax, strict=True)
            return [days * (v + days * (g / 2 + days * g_dot / 6)) - seen for v, g, g_dot, seen in orders]

        z, x, y = moved(days)
        # light from a body that has come nearer left it later
        farther = np.sqrt((1 + z) ** 2 + x**2 + y**2) - 1
        z, x, y = moved(days - farther * LIGHT_DAYS_PER_AU / gamma)
        return _on_sky(self.ra_deg[part, None], self.dec_deg[part, None], x, y, 1 + z)


def _on_sky(
    ra_deg: FloatArray, dec_deg: FloatArray, x: FloatArray, y: FloatArray, z: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Turn vectors in the frame of a direction (east, north, away) into positions."""
    sine, cosine = np.sin(np.radians(dec_deg)), np.cos(np.radians(dec_deg))
    flat = z * cosine - y * sine
    ra = (ra_deg + np.degrees(np.arctan2(x, flat))) % 360
    return np.where(ra >= 360, 0.0, ra), np.degrees(np.arctan2(z * sine + y * cosine, np.hypot(x, flat)))
