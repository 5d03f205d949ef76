"""How many matches are chance: the same match against the catalogue shifted in four directions."""

import numpy as np
from numpy.typing import ArrayLike

from lostlight.science.match.nearest import Sky
from lostlight.science.sky.separation import ARCSEC_PER_RADIAN, positions_deg, tangent_frame


def chance_fraction(
    ra_deg: ArrayLike, dec_deg: ArrayLike, catalogue: Sky, radius_arcsec: float, shift_arcsec: float = 45.0
) -> float:
    """Fraction of positions that would match by chance, measured with four offset catalogues.

    A vanished source is lost to a chance match with this probability. Shifting every position one way is shifting the
    catalogue the other way; the four answers (north, east, south, west) are averaged.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Detected positions in degrees.
    catalogue : Sky
        Catalogued positions.
    radius_arcsec : float
        Match radius.
    shift_arcsec : float
        Shift; large against the radius, small against the field.

    Returns
    -------
    float
        Between 0 and 1; NaN without detections.
    """
    radial, east, north = tangent_frame(ra_deg, dec_deg)
    if not len(radial):
        return float("nan")
    angle = shift_arcsec / ARCSEC_PER_RADIAN
    matched = 0
    for direction in (north, east, -north, -east):
        shifted = np.cos(angle) * radial + np.sin(angle) * direction
        index, _ = catalogue.nearest(*positions_deg(shifted), radius_arcsec)
        matched += int((index >= 0).sum())
    return matched / (4 * len(radial))
