"""Stars of high proper motion: catalogued elsewhere, here when the plate was taken."""

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from lostlight.science.match.nearest import Sky
from lostlight.science.sky.separation import separation_arcsec


def high_pm_rule(
    ra_deg: ArrayLike, dec_deg: ArrayLike, catalogue: Table, *, search_arcsec: float = 30, match_arcsec: float = 5
) -> NDArray[np.bool_]:
    """Mark positions where a star stood that has since moved out of the match radius.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Detections in degrees, at the plate's epoch.
    catalogue : Table
        `ra_deg`, `dec_deg` at the plate's epoch, `ra_catalog_deg`, `dec_catalog_deg` at the catalogue's, `has_pm`.
        Rows without a proper motion say nothing here.
    search_arcsec : float
        The catalogued position must lie within this distance of the detection.
    match_arcsec : float
        The position at the plate's epoch must lie within this distance, and the catalogued one beyond it.

    Returns
    -------
    ndarray, shape (n,), bool
    """
    marked = np.zeros(np.size(ra_deg), bool)
    moving = catalogue[np.asarray(catalogue["has_pm"], bool)]
    then, now = ("ra_deg", "dec_deg"), ("ra_catalog_deg", "dec_catalog_deg")
    moved = separation_arcsec(*(moving[name] for name in (*then, *now))) if len(moving) else np.empty(0)
    moving = moving[moved > match_arcsec]
    stars = Sky(moving["ra_deg"], moving["dec_deg"], "moving stars")
    detection, star, _ = stars.pairs(ra_deg, dec_deg, match_arcsec)
    today = separation_arcsec(
        np.asarray(ra_deg, float)[detection], np.asarray(dec_deg, float)[detection],
        np.asarray(moving["ra_catalog_deg"])[star], np.asarray(moving["dec_catalog_deg"])[star],
    )  # fmt: skip
    marked[detection[today <= search_arcsec]] = True
    return marked
