"""How fast sources move on the sky at a time, whatever they are moved by."""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.sky.separation import ARCSEC_PER_RADIAN, tangent_frame, unit_vectors

FloatArray = NDArray[np.float64]

_HOURS_PER_DAY = 24
_HALF_STEP_DAYS = 1 / 1440
"""A minute: shorter steps drown in the rounding of MJD, longer ones see the way bend."""


class Motion(Protocol):
    """What all models of motion on the sky give."""

    def at(self, mjd: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Give right ascension and declination, (n, *S) degrees, at times of any shape S."""


def rates_at(motion: Motion, mjd: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Measure motion on the sky from the positions a minute before and after.

    Parameters
    ----------
    motion : Motion
        Of n sources.
    mjd : array_like, any shape S
        Times, MJD, UTC.

    Returns
    -------
    rate_ra_arcsec_h, rate_dec_arcsec_h : ndarray, (n, *S), float64
        Towards east (with cos dec) and north, to 1e-6 of themselves.
    """
    mjd = np.asarray(mjd, np.float64)
    before, now, after = (motion.at(mjd + step) for step in (-_HALF_STEP_DAYS, 0, _HALF_STEP_DAYS))
    # the step as it is after rounding, not as it was meant
    hours = ((mjd + _HALF_STEP_DAYS) - (mjd - _HALF_STEP_DAYS)) * _HOURS_PER_DAY
    way = (unit_vectors(*after) - unit_vectors(*before)) * ARCSEC_PER_RADIAN / hours[..., None]
    _, east, north = tangent_frame(*now)
    return np.sum(way * east, axis=-1), np.sum(way * north, axis=-1)
