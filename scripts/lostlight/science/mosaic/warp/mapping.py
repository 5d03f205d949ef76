"""From the pixels of one grid to those of another, through the sky or through the plane that both lie on."""

import warnings
from collections.abc import Callable

import numpy as np
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.plate.wcs import pix_to_sky, sky_to_pix

Doubles = NDArray[np.float64]
Mapping = Callable[[ArrayLike, ArrayLike], tuple[Doubles, Doubles]]
RETURNS_PX = 0.01
"""A position that does not come back to within this many pixels was not found: the inverse did not converge."""


def mapping(from_wcs: WCS, to_wcs: WCS) -> Mapping:
    """Give the function from zero-based pixels of one grid to those of another.

    Parameters
    ----------
    from_wcs, to_wcs : astropy.wcs.WCS
        Both celestial, of any reference system and with any distortion, or both plain linear ones of one plane.

    Returns
    -------
    callable
        ``(x, y) -> (x, y)``, float64, of the shape of its arguments; NaN where there is no such pixel, or where the
        inverse of a distortion does not converge.

    Raises
    ------
    ConfigError
        If one grid lies on the sky and the other does not.
    """
    if from_wcs.has_celestial != to_wcs.has_celestial:
        raise ConfigError(
            "one grid lies on the sky and the other does not",
            hint="register the frames without a sky solution to those that have one",
        )
    return _through_sky(from_wcs, to_wcs) if from_wcs.has_celestial else _through_plane(from_wcs, to_wcs)


def _through_plane(from_wcs: WCS, to_wcs: WCS) -> Mapping:
    def to_pixels(x: ArrayLike, y: ArrayLike) -> tuple[Doubles, Doubles]:
        x, y = np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float))
        u, v = to_wcs.wcs_world2pix(*from_wcs.wcs_pix2world(x.ravel(), y.ravel(), 0), 0)
        return u.reshape(x.shape), v.reshape(x.shape)

    return to_pixels


def _through_sky(from_wcs: WCS, to_wcs: WCS) -> Mapping:
    near = np.radians(RETURNS_PX * np.sqrt(abs(np.linalg.det(to_wcs.pixel_scale_matrix))))

    def to_pixels(x: ArrayLike, y: ArrayLike) -> tuple[Doubles, Doubles]:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore", RuntimeWarning)
            sky = pix_to_sky(from_wcs, x, y)
            u, v = sky_to_pix(to_wcs, *sky)
            found = np.linalg.norm(_vectors(*pix_to_sky(to_wcs, u, v)) - _vectors(*sky), axis=-1) < near
        return np.where(found, u, np.nan), np.where(found, v, np.nan)

    return to_pixels


def _vectors(ra_deg: Doubles, dec_deg: Doubles) -> Doubles:
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
