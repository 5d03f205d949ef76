"""Straight motion on the sky: a great circle at a constant rate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.sky.separation import ARCSEC_PER_RADIAN, positions_deg, tangent_frame

FloatArray = NDArray[np.float64]

_HOURS_PER_DAY = 24


@dataclass(frozen=True, eq=False)
class LinearMotion:
    """Sources that move along great circles at constant rates, as within one night.

    Parameters
    ----------
    ra_deg, dec_deg : ndarray, (n,), float64
        Positions at `mjd_ref`, ICRS, degrees.
    mjd_ref : float
        MJD, UTC.
    rate_ra_arcsec_h, rate_dec_arcsec_h : ndarray, (n,), float64
        Motion on the sky at `mjd_ref` towards the east (with cos dec) and the north, arcsec an hour.
    """

    ra_deg: FloatArray
    dec_deg: FloatArray
    mjd_ref: float
    rate_ra_arcsec_h: FloatArray
    rate_dec_arcsec_h: FloatArray

    def at(self, mjd: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Say where the sources are.

        Parameters
        ----------
        mjd : array_like, any shape S
            Times, MJD, UTC.

        Returns
        -------
        ra_deg, dec_deg : ndarray, (n, *S), float64
            0 <= ra_deg < 360.
        """
        days = np.asarray(mjd, np.float64) - self.mjd_ref
        towards, east, north = tangent_frame(np.atleast_1d(self.ra_deg), np.atleast_1d(self.dec_deg))
        rate_ra, rate_dec = (
            np.atleast_1d(np.asarray(r, float)) for r in (self.rate_ra_arcsec_h, self.rate_dec_arcsec_h)
        )
        rate = np.hypot(rate_ra, rate_dec)
        # a source that stands still has no direction, and needs none
        ahead = (rate_ra[:, None] * east + rate_dec[:, None] * north) / np.where(rate > 0, rate, 1)[:, None]
        angle = np.multiply.outer(rate * _HOURS_PER_DAY / ARCSEC_PER_RADIAN, days)[..., None]
        spread = (slice(None), *(None,) * days.ndim, slice(None))
        return positions_deg(np.cos(angle) * towards[spread] + np.sin(angle) * ahead[spread])
