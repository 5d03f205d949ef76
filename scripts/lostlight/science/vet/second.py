"""A list of sources from elsewhere as a veto, which knows where it has not looked."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.match.nearest import Sky

COVERED_ARCSEC = 600.0
"""A position further than this from every row of a list is taken as not covered by it: absence there means nothing."""


def list_answer(
    ra_deg: ArrayLike, dec_deg: ArrayLike, listed: Sky, radius_arcsec: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which positions a list of sources matches, and which it covers at all.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Detections in degrees.
    listed : Sky
        The list.
    radius_arcsec : float
        Match radius.

    Returns
    -------
    is_match, is_covered : ndarray, shape (n,), bool
    """
    is_covered = listed.nearest(ra_deg, dec_deg, COVERED_ARCSEC)[0] >= 0
    return listed.nearest(ra_deg, dec_deg, radius_arcsec)[0] >= 0, is_covered
