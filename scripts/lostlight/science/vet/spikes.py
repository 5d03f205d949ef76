"""The published rule against diffraction spikes: no faint source beside a bright catalogue star."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.match.nearest import Sky


def spike_rule(
    ra_deg: ArrayLike, dec_deg: ArrayLike, star_ra_deg: ArrayLike, star_dec_deg: ArrayLike, star_mag: ArrayLike, *,
    radius_arcsec: float = 90, mag: float = 12.4, slope_mag_arcsec: float = -0.09, zero_mag: float = 15.3,
    own_arcsec: float = 5,
) -> NDArray[np.bool_]:  # fmt: skip
    """Mark positions close enough to a bright star to be its diffraction spike.

    A star at distance d (arcsec, not arcmin) within the radius counts if its magnitude is at most `mag` or below
    `slope * d + zero` (Solano et al. 2022). Rows nearer than `own_arcsec` are the source itself, not a neighbour: they
    are left to the match, or a bright star that vanished would remove itself by its own first-epoch entry.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Detections in degrees.
    star_ra_deg, star_dec_deg, star_mag : array_like, shape (m,)
        Catalogue stars, degrees and red magnitudes; NaN magnitudes are passed over.

    Returns
    -------
    ndarray, shape (n,), bool
    """
    ra, dec, magnitude = (np.asarray(values, float) for values in (star_ra_deg, star_dec_deg, star_mag))
    bright = magnitude <= max(mag, zero_mag)
    stars = Sky(ra[bright], dec[bright], "bright stars")
    detection, star, distance = stars.pairs(ra_deg, dec_deg, radius_arcsec)
    found = magnitude[bright][star]
    counts = (distance > own_arcsec) & ((found <= mag) | (found < slope_mag_arcsec * distance + zero_mag))
    marked = np.zeros(np.size(ra_deg), bool)
    marked[detection[counts]] = True
    return marked
