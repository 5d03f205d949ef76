"""The field of an image: the circle around it, and the part of it that a tile is."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from lostlight.core.errors import BadImage, NoWCS
from lostlight.science.plate.validate import Asked, reject
from lostlight.science.plate.wcs import centre_px, pix_to_sky, pixel_scale_arcsec, sky_to_pix, sky_wcs
from lostlight.science.sky.separation import separation_arcsec


class Circle(NamedTuple):
    """A cone on the sky, ICRS."""

    ra_deg: float
    dec_deg: float
    radius_deg: float


def circle_around(header: Header, margin_arcmin: float) -> Circle:
    """Give the cone about the middle of an image that holds its corners and a margin beyond them."""
    wcs = sky_wcs(header)
    ra, dec = (float(angle) for angle in pix_to_sky(wcs, *centre_px(header)))
    right, top = header["NAXIS1"] - 0.5, header["NAXIS2"] - 0.5
    corners = pix_to_sky(wcs, [-0.5, right, right, -0.5], [-0.5, -0.5, top, top])
    reach_deg = float(np.max(separation_arcsec(ra, dec, *corners))) / 3600
    return Circle(ra, dec, reach_deg + margin_arcmin / 60)


def margin_px(header: Header, ra_deg: float, dec_deg: float) -> float:
    """Give the distance of a position from the nearest border of an image, in pixels; negative or NaN outside."""
    x, y = (float(value) for value in sky_to_pix(sky_wcs(header), ra_deg, dec_deg))
    return float(np.min([x + 0.5, y + 0.5, header["NAXIS1"] - 0.5 - x, header["NAXIS2"] - 0.5 - y]))


def choose(headers: Mapping[Path, Header], ra_deg: float, dec_deg: float) -> Path | None:
    """Choose the image on which a position lies furthest from the border; None where it lies on none of them."""
    margins: dict[Path, float] = {}
    for key, header in headers.items():
        try:
            margins[key] = margin_px(header, ra_deg, dec_deg)
        except NoWCS:
            continue  # nobody knows what this one shows
    inside = [key for key, margin in margins.items() if margin >= 0]
    return max(inside, key=lambda key: margins[key], default=None)


def cut(data: NDArray, header: Header, asked: Asked) -> tuple[NDArray, Header]:
    """Cut the field that was asked for out of an image.

    Parameters
    ----------
    data : ndarray, shape (ny, nx)
        The plate.
    header : Header
        Its header, with a plate solution (CNPIX1 and CNPIX2 are moved) or a projection (CRPIX1 and CRPIX2 are).
    asked : Asked
        The field; sides are along the pixel axes.

    Returns
    -------
    data : ndarray
        The part of the field that lies on the plate.
    header : Header

    Raises
    ------
    BadImage
        If the position does not lie on the plate.
    """
    if not margin_px(header, asked.ra_deg, asked.dec_deg) >= 0:
        where = f"RA {asked.ra_deg:.4f} Dec {asked.dec_deg:+.4f}"
        raise reject(BadImage, "WRONG_FIELD", f"{where} does not lie on the plate", "give the plate that covers it")
    x, y = (float(value) for value in sky_to_pix(sky_wcs(header), asked.ra_deg, asked.dec_deg))
    scale = pixel_scale_arcsec(header)
    x0, x1 = _span(x, asked.width_arcmin * 60 / scale, data.shape[1])
    y0, y1 = _span(y, asked.height_arcmin * 60 / scale, data.shape[0])
    moved = header.copy()
    for axis, start in ((1, x0), (2, y0)):
        if f"CNPIX{axis}" in moved:
            moved[f"CNPIX{axis}"] += start
        if f"CRPIX{axis}" in moved:
            moved[f"CRPIX{axis}"] -= start
        moved[f"NAXIS{axis}"] = (x1 - x0, y1 - y0)[axis - 1]
    return data[y0:y1, x0:x1], moved


def _span(centre_px: float, width_px: float, n_px: int) -> tuple[int, int]:
    start = round(centre_px + 0.5 - width_px / 2)
    return max(0, start), min(n_px, start + round(width_px))
