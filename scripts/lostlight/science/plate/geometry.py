"""Where on its plate a source lies: how far from the edge, how far from the centre."""

import numpy as np
from astropy.coordinates import angular_separation
from astropy.io.fits import Header
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import binary_erosion
from scipy.spatial import KDTree

from lostlight.vocab import bits


def edge_distance(mask: NDArray[np.integer], x_px: ArrayLike, y_px: ArrayLike) -> NDArray[np.float32]:
    """Measure how far each position is from the nearest unusable margin of the plate.

    Parameters
    ----------
    mask : ndarray of int, (ny, nx)
        Mask bits of `lostlight.vocab.bits.MASK`; EDGE and BLANK pixels count as outside.
    x_px, y_px : array_like of float, (n,)
        Zero-based pixel positions.

    Returns
    -------
    ndarray of float32, (n,)
        Pixels to the centre of the nearest EDGE or BLANK pixel or to the border of the image, whichever is nearer; 0
        on such a pixel or outside the image.
    """
    x, y = np.atleast_1d(np.asarray(x_px, dtype=np.float64)), np.atleast_1d(np.asarray(y_px, dtype=np.float64))
    ny, nx = mask.shape
    to_border = np.minimum.reduce([x + 0.5, nx - 0.5 - x, y + 0.5, ny - 0.5 - y])
    outside = (mask & bits.mask("EDGE", "BLANK")) != 0
    # Seen from a usable position the nearest unusable pixel always has a usable neighbour.
    rim_y, rim_x = np.nonzero(outside & ~binary_erosion(outside, border_value=1))
    distance = to_border
    if rim_x.size:
        to_rim, _ = KDTree(np.column_stack([rim_x, rim_y])).query(np.column_stack([x, y]))
        distance = np.minimum(to_border, to_rim)
    column, row = np.clip(np.rint(x), 0, nx - 1).astype(int), np.clip(np.rint(y), 0, ny - 1).astype(int)
    return np.where(outside[row, column], 0.0, np.maximum(distance, 0.0)).astype(np.float32)


def plate_centre_deg(header: Header) -> tuple[float, float] | None:
    """Give the centre (ra, dec) of the plate in degrees, from PLTRA* and PLTDEC* or PLATERA and PLATEDEC, or None."""
    keys = ("PLTRAH", "PLTRAM", "PLTRAS", "PLTDECD", "PLTDECM", "PLTDECS")
    if all(_is_number(header.get(key)) for key in keys):
        hours, minutes, seconds, degrees, arcmin, arcsec = (float(header[key]) for key in keys)
        sign = -1.0 if str(header.get("PLTDECSN", "+")).strip() == "-" else 1.0
        return 15 * (hours + minutes / 60 + seconds / 3600), sign * (degrees + arcmin / 60 + arcsec / 3600)
    if all(_is_number(header.get(key)) for key in ("PLATERA", "PLATEDEC")):
        return float(header["PLATERA"]), float(header["PLATEDEC"])
    return None


def plate_radius_deg(header: Header, ra_deg: ArrayLike, dec_deg: ArrayLike) -> NDArray[np.float32]:
    """Measure how far each position is from the centre of its plate.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Header of the image.
    ra_deg, dec_deg : array_like of float, (n,)
        Positions, degrees.

    Returns
    -------
    ndarray of float32, (n,)
        Degrees on the great circle; NaN where the header tells no plate centre, as in frames of one's own.
    """
    ra, dec = np.atleast_1d(np.asarray(ra_deg, dtype=np.float64)), np.atleast_1d(np.asarray(dec_deg, dtype=np.float64))
    centre = plate_centre_deg(header)
    if centre is None:
        return np.full(ra.shape, np.nan, dtype=np.float32)
    ra0, dec0 = np.radians(centre)
    return np.degrees(angular_separation(ra0, dec0, np.radians(ra), np.radians(dec))).astype(np.float32)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))
