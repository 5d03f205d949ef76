"""Motion of drawn sources, by the model that is asked for."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.motion.abg import AbgMotion
from lostlight.science.motion.earth import GEOCENTRE
from lostlight.science.motion.kepler import KeplerMotion
from lostlight.science.motion.linear import LinearMotion
from lostlight.science.motion.rates import Motion
from lostlight.science.population.draw import Draws

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MixedMotion:
    """Sources of which some have orbits, and the others rates alone.

    Parameters
    ----------
    orbits, straight : Motion
        Of either kind.
    has_orbit : ndarray of bool, (n,)
    """

    orbits: Motion
    straight: Motion
    has_orbit: NDArray[np.bool_]

    def at(self, mjd: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Say where the sources are: right ascension and declination, (n, *S) degrees, at times of any shape S."""
        both = [
            np.empty((len(self.has_orbit), *np.shape(mjd))),
            np.empty((len(self.has_orbit), *np.shape(mjd))),
        ]
        for motion, which in ((self.orbits, self.has_orbit), (self.straight, ~self.has_orbit)):
            for values, part in zip(both, motion.at(mjd), strict=True):
                values[which] = part
        return both[0], both[1]


def motion_of(
    draws: Draws,
    model: Literal["linear", "abg", "kepler"],
    mjd_ref: float,
    ra_deg: ArrayLike,
    dec_deg: ArrayLike,
    observer: str = GEOCENTRE,
) -> Motion:
    """Give the motion of drawn sources.

    Parameters
    ----------
    draws : Draws
        Drawn for these positions, this time and this observer.
    model : {"linear", "abg", "kepler"}
        Straight at the rate of `mjd_ref`; orbits of distant bodies; orbits of two bodies. Sources without orbit move
        straight whatever is asked for.
    mjd_ref : float
        MJD, UTC.
    ra_deg, dec_deg : array_like, () or (n,)
        Where the sources are at `mjd_ref`, degrees.
    observer : str
    """
    ra, dec = (np.broadcast_to(np.asarray(angle, float), len(draws)) for angle in (ra_deg, dec_deg))
    has_orbit = np.isfinite(draws.a_au)
    if model == "linear" or not has_orbit.any():
        return LinearMotion(ra, dec, mjd_ref, draws.rate_ra_arcsec_h, draws.rate_dec_arcsec_h)
    with_orbit = draws.only(has_orbit)
    orbits = (KeplerMotion if model == "kepler" else AbgMotion.from_elements)(
        with_orbit.a_au, with_orbit.ecc, with_orbit.inc_deg, with_orbit.node_deg, with_orbit.peri_deg,
        with_orbit.anomaly_deg, mjd_ref, observer,
    )  # fmt: skip
    if has_orbit.all():
        return orbits
    rest = draws.only(~has_orbit)
    straight = LinearMotion(ra[~has_orbit], dec[~has_orbit], mjd_ref, rest.rate_ra_arcsec_h, rest.rate_dec_arcsec_h)
    return MixedMotion(orbits, straight, has_orbit)
