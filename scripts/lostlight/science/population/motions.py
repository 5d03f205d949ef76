"""Motion of drawn sources, by the model that is asked for."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from lostlight.science.motion.abg import AbgMotion
from lostlight.science.motion.earth import GEOCENTRE
from lostlight.science.motion.kepler import KeplerMotion
from lostlight.science.motion.linear import LinearMotion
from lostlight.science.motion.rates import Motion
from lostlight.science.population.draw import Draws
from lostlight.science.population.place import Elements


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
    if model == "linear" or not np.isfinite(draws.a_au).all():
        return LinearMotion(ra, dec, mjd_ref, draws.rate_ra_arcsec_h, draws.rate_dec_arcsec_h)
    orbit = (getattr(draws, name) for name in Elements._fields)
    return (KeplerMotion if model == "kepler" else AbgMotion.from_elements)(*orbit, mjd_ref, observer)
