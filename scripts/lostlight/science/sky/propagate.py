"""Where a star was at another epoch."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.sky.corners import from_tangent_plane

_MAS_PER_DEG = 3.6e6


def propagate(
    ra_deg: ArrayLike,
    dec_deg: ArrayLike,
    pm_ra_mas_yr: ArrayLike,
    pm_dec_mas_yr: ArrayLike,
    from_yr: ArrayLike,
    to_yr: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move stars by their proper motion, linearly on the plane that touches the sky at each star.

    Parallax and perspective are left out: for all but a handful of stars they stay below 0.3 arcsec in a century.

    Parameters
    ----------
    ra_deg, dec_deg : array_like of float, (n,)
        Positions at `from_yr`, degrees.
    pm_ra_mas_yr, pm_dec_mas_yr : array_like of float, (n,)
        Proper motion, mas a year, that in right ascension times cos(dec); NaN leaves a star where it is.
    from_yr, to_yr : float
        Julian years.

    Returns
    -------
    ra_deg, dec_deg : ndarray of float64, (n,)
        0 <= ra_deg < 360.
    """
    years = np.asarray(to_yr, dtype=np.float64) - np.asarray(from_yr, dtype=np.float64)
    # A motion known along one axis only is no motion.
    known = np.isfinite(pm_ra_mas_yr) & np.isfinite(pm_dec_mas_yr)
    xi, eta = (np.where(known, pm, 0.0) * years / _MAS_PER_DEG for pm in (pm_ra_mas_yr, pm_dec_mas_yr))
    return from_tangent_plane(ra_deg, dec_deg, xi, eta)
