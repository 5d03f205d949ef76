"""The place of registered frames on the sky, from astrometry.net where it is installed."""

import math
from collections.abc import Mapping

from astropy import units as u
from astropy.coordinates import Angle
from astropy.io.fits import Header
from astropy.wcs import WCS

from lostlight.core.params import MosaicParams
from lostlight.io import astrometry_net, tools
from lostlight.science.mosaic.frame.stars import StarTable
from lostlight.science.mosaic.register.register import Registered
from lostlight.science.mosaic.register.transform import composed_wcs

_PLACES = (("RA", "DEC"), ("OBJCTRA", "OBJCTDEC"), ("CRVAL1", "CRVAL2"))
_SCALES = ("IM_SCALE", "PIXSCALE", "SECPIX", "SCALE")
_SLACK = 1.3
"""Factor that a scale in a header may be wrong by."""


def engines(params: MosaicParams) -> dict[str, str]:
    """Give the version of the program, where it may have a part in the result."""
    if params.registration.solve == "off" or not astrometry_net.available():
        return {}
    return {astrometry_net.PROGRAM: tools.version(astrometry_net.PROGRAM)}


def solved(
    registered: Registered, header: Header, stars: StarTable, shape: tuple[int, int], params: MosaicParams
) -> Mapping[str, WCS]:
    """Solve the reference frame and give all others its solution; nothing where that cannot be done."""
    if params.registration.solve == "off" or not astrometry_net.available():
        return {}
    found = astrometry_net.solve(stars.x, stars.y, stars.flux, shape, hint=hint(header))
    if found is None:
        return {}
    anchor = WCS(found)
    return {name: composed_wcs(anchor, transform) for name, transform in registered.transforms.items()}


def hint(header: Header) -> astrometry_net.Hint:
    """Read from a header where about the frame was pointed, and how large its pixels about are."""
    places = ((_degrees(header.get(ra), u.hourangle), _degrees(header.get(dec), u.deg)) for ra, dec in _PLACES)
    ra, dec = next((place for place in places if None not in place), (None, None))
    scale = next((float(header[key]) for key in _SCALES if _is_positive(header.get(key))), None)
    return astrometry_net.Hint(ra, dec, scale_arcsec=None if scale is None else (scale / _SLACK, scale * _SLACK))


def _degrees(value: object, unit: u.Unit) -> float | None:
    """Give an angle in degrees: numbers are degrees, text is sexagesimal in the unit; None where it is neither."""
    if isinstance(value, int | float):
        return float(value) if math.isfinite(value) else None
    try:
        return float(Angle(str(value), unit).deg) if value else None
    except ValueError:
        return None


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0
