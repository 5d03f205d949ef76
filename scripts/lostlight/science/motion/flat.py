"""A sky for images that have none: those that were placed by their stars alone, on the pixels of one of them."""

import numpy as np
from astropy.wcs import WCS

CENTRE_DEG = 180.0, 0.0
NAME = "FLAT"
"""WCSNAME of such a sky: its positions are not those of any other."""


def flat_sky(plane: WCS, plate_scale_arcsec: float = 1.0) -> WCS:
    """Turn a plain linear mapping into a tangent plane about an arbitrary point; whole pixels stay where they were.

    All images of a set must be given the same plate scale; then each lies on the others as before.

    Parameters
    ----------
    plane : WCS
        From pixels of an image to those of the image that all are placed on.
    plate_scale_arcsec : float
        Side of a pixel of the latter.
    """
    scale_deg = plate_scale_arcsec / 3600
    matrix = plane.pixel_scale_matrix
    sky = WCS(naxis=2)
    sky.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    sky.wcs.name = NAME
    sky.wcs.cunit = ["deg", "deg"]
    sky.wcs.crval = CENTRE_DEG
    sky.wcs.cd = scale_deg * matrix
    sky.wcs.crpix = np.asarray(plane.wcs.crpix) - np.linalg.solve(matrix, np.asarray(plane.wcs.crval))
    sky.wcs.set()
    return sky


def is_flat(wcs: WCS | None) -> bool:
    """Tell whether a sky is one of these."""
    return wcs is not None and wcs.wcs.name == NAME
