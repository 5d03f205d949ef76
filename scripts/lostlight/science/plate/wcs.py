"""Where on the sky a pixel lies: the plate solution first, the projection in the header second."""

import re
import warnings

import numpy as np
from astropy.coordinates import ICRS, SkyCoord
from astropy.io.fits import Header
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import wcs_to_celestial_frame
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import NoWCS

N_TERMS = 13
"""Terms of the plate polynomial in each axis; cards 14 to 20 of the headers are unused by the model."""

PLATE_KEYS: tuple[str, ...] = (
    *("CNPIX1", "CNPIX2", "XPIXELSZ", "YPIXELSZ", "PPO3", "PPO6"),
    *("PLTRAH", "PLTRAM", "PLTRAS", "PLTDECSN", "PLTDECD", "PLTDECM", "PLTDECS"),
    *(f"AMD{axis}{term}" for axis in "XY" for term in range(1, N_TERMS + 1)),
)
"""The cards of a plate solution; half of them is worse than none."""

_PLATE_PREFIXES = (
    "CNPIX",
    "XPIXELS",
    "YPIXELS",
    "PPO",
    "PLTRA",
    "PLTDEC",
    "PLATERA",
    "PLATEDEC",
    "AMDX",
    "AMDY",
    "AMDR",
)
_DATE_PREFIXES = ("DATE", "MJD", "JEPOCH", "BEPOCH", "TIMESYS", "OBSGEO")
_MALFORMED = re.compile(r"(PC|CD|PV|PS)\d+-")
"""Beginning of cards that are none; eight of them make wcslib write beyond its memory."""
_SCALE_RANGE_ARCSEC = (0.001, 1800.0)
_LONGEST_PIXEL = 10.0


def has_plate_solution(header: Header) -> bool:
    """Tell whether the header holds a whole plate solution (Digitized Sky Survey keywords)."""
    return not _missing(header)


def sky_wcs(header: Header) -> WCS:
    """Give the mapping from pixels to the sky that the header holds, the plate solution if it is whole.

    The plate solution (keywords of the Digitized Sky Survey: CNPIX, PPO, PLTRA, PLTDEC, AMDX, AMDY) wins over the
    tangent-plane cards beside it, which approximate it to 0.5 arcsec. A plate solution with missing cards is dropped
    altogether, because wcslib would stop at it, or use zeros in its place.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Header of an image.

    Returns
    -------
    astropy.wcs.WCS
        Two celestial axes. Use `pix_to_sky` and `sky_to_pix`, which also see to frames other than ICRS.

    Raises
    ------
    NoWCS
        Without either, or with a scale or reference position that no image has.
    """
    missing = _missing(header)
    wcs = _read(_only_plate(header) if not missing else _without_plate(header))
    if wcs is None or not wcs.has_celestial:
        partial = len(missing) < len(PLATE_KEYS)
        raise NoWCS(
            "the header has no sky projection (CTYPE, CRVAL, CD) and "
            + (f"only part of a plate solution: {', '.join(missing[:5])} …" if partial else "no plate solution"),
            hint="solve the image astrometrically first, or take it from an archive that keeps the plate solution",
            n_missing_cards=len(missing),
        )
    if missing:
        _refuse_no_place(wcs, header)
    celestial = wcs.celestial
    _refuse_unknown_system(celestial)
    celestial.array_shape = (int(header.get("NAXIS2", 0)), int(header.get("NAXIS1", 0)))
    _refuse_nonsense(celestial, header)
    return celestial


def pix_to_sky(wcs: WCS, x_px: ArrayLike, y_px: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn pixel positions into positions on the sky.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        From `sky_wcs`.
    x_px, y_px : array_like of float
        Zero-based pixel coordinates: the centre of the first pixel is (0, 0).

    Returns
    -------
    ra_deg, dec_deg : ndarray of float64
        ICRS, degrees, of the shape of the input, with 0 <= ra_deg < 360; NaN where the projection does not reach.
    """
    x, y = np.broadcast_arrays(np.asarray(x_px, dtype=np.float64), np.asarray(y_px, dtype=np.float64))
    lon, lat = wcs.all_pix2world(x.ravel(), y.ravel(), 0)
    if not _is_icrs(wcs):
        sky = SkyCoord(lon, lat, unit="deg", frame=wcs_to_celestial_frame(wcs)).transform_to(ICRS())
        lon, lat = sky.ra.deg, sky.dec.deg
    return np.mod(lon, 360.0).reshape(x.shape), np.asarray(lat).reshape(x.shape)


def sky_to_pix(wcs: WCS, ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn positions on the sky (ICRS, degrees) into zero-based pixel coordinates; NaN on the far side of the sky."""
    ra, dec = np.broadcast_arrays(np.asarray(ra_deg, dtype=np.float64), np.asarray(dec_deg, dtype=np.float64))
    lon, lat = ra.ravel(), dec.ravel()
    if not _is_icrs(wcs):
        sky = SkyCoord(lon, lat, unit="deg", frame=ICRS()).transform_to(wcs_to_celestial_frame(wcs))
        lon, lat = sky.spherical.lon.deg, sky.spherical.lat.deg
    x, y = wcs.all_world2pix(lon, lat, 0, quiet=True)
    return np.asarray(x).reshape(ra.shape), np.asarray(y).reshape(ra.shape)


def pixel_scale_arcsec(header: Header) -> float:
    """Give the side of a pixel at the centre of the image, in arcsec, from the sky mapping itself.

    The square root of the area of the central pixel, so that it holds for every projection and orientation.

    Raises
    ------
    NoWCS
        If the header has no usable sky mapping.
    """
    return _pixel_arcsec(sky_wcs(header), header)[2]


def centre_px(header: Header) -> tuple[float, float]:
    """Give the zero-based pixel coordinates (x, y) of the middle of the image."""
    return (header["NAXIS1"] - 1) / 2, (header["NAXIS2"] - 1) / 2


def _missing(header: Header) -> list[str]:
    missing = [key for key in PLATE_KEYS if key != "PLTDECSN" and not _is_number(header.get(key))]
    if str(header.get("PLTDECSN", "")).strip() not in {"+", "-"}:
        missing.append("PLTDECSN")
    zero = ("XPIXELSZ", "YPIXELSZ", "AMDX1", "AMDY1")
    return missing + [key for key in zero if key not in missing and float(header[key]) == 0.0]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and bool(np.isfinite(value))


def _only_plate(header: Header) -> Header:
    return Header([(key, header[key]) for key in ("NAXIS", "NAXIS1", "NAXIS2", *PLATE_KEYS) if key in header])


def _without_plate(header: Header) -> Header:
    # wcslib switches to the plate solution at the first of its cards, and would parse dates by its own rules.
    kept = header.copy(strip=False)
    names = {card.keyword for card in header.cards}
    for key in {key for key in names if key.startswith((*_PLATE_PREFIXES, *_DATE_PREFIXES)) or _MALFORMED.match(key)}:
        kept.remove(key, ignore_missing=True, remove_all=True)
    return kept


def _read(header: Header) -> WCS | None:
    with warnings.catch_warnings():
        # Spelling repairs (units, RADECSYS) are wanted and need no words.
        warnings.simplefilter("ignore", FITSFixedWarning)
        try:
            return WCS(header)
        except (ValueError, TypeError, MemoryError, KeyError) as error:
            raise NoWCS(
                f"the sky projection in the header cannot be read: {' '.join(str(error).split())}",
                hint="solve the image astrometrically again",
            ) from error


def _refuse_no_place(wcs: WCS, header: Header) -> None:
    # wcslib takes 0 for what is not there, and for text
    for key in (f"CRVAL{axis + 1}" for axis in (wcs.wcs.lng, wcs.wcs.lat)):
        if not _is_number(header.get(key)):
            raise NoWCS(
                f"the sky projection in the header has no place: {key} = {header.get(key)!r}",
                hint="solve the image astrometrically again",
            )


def _refuse_unknown_system(wcs: WCS) -> None:
    try:
        wcs_to_celestial_frame(wcs)
    except ValueError as error:
        axes = ", ".join(wcs.wcs.ctype)
        raise NoWCS(
            f"the header has a sky projection in no system of coordinates that is known: {axes}, {wcs.wcs.radesys}",
            hint="check CTYPE and RADESYS, or solve the image astrometrically again",
        ) from error


def _refuse_nonsense(wcs: WCS, header: Header) -> None:
    along_x, along_y, _ = _pixel_arcsec(wcs, header)
    low, high = _SCALE_RANGE_ARCSEC
    usable = all(low <= side <= high for side in (along_x, along_y))
    if not usable or not 1 / _LONGEST_PIXEL < along_x / along_y < _LONGEST_PIXEL:
        raise NoWCS(
            f"the sky mapping in the header is not usable: a pixel would be {along_x:g} by {along_y:g} arcsec",
            hint="check CRVAL, CDELT and the CD matrix, or solve the image astrometrically again",
            width_arcsec=along_x,
            height_arcsec=along_y,
        )


def _pixel_arcsec(wcs: WCS, header: Header) -> tuple[float, float, float]:
    """Sides along x and y of the central pixel, and the square root of its area."""
    x, y = centre_px(header) if "NAXIS1" in header and "NAXIS2" in header else tuple(wcs.wcs.crpix - 1)
    try:
        lon, lat = np.radians(wcs.all_pix2world([x, x + 1, x], [y, y, y + 1], 0))
    except ValueError:  # astropy's word for a singular matrix
        return float("nan"), float("nan"), float("nan")
    points = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
    sides = points[1:] - points[0]
    area = np.linalg.norm(np.cross(*sides))
    along_x, along_y, root = np.degrees([*np.linalg.norm(sides, axis=1), np.sqrt(area)]) * 3600
    return float(along_x), float(along_y), float(root)


def _is_icrs(wcs: WCS) -> bool:
    # FK5 at J2000 differs from ICRS by 0.02 arcsec, far below what a plate knows.
    equatorial = wcs.wcs.lngtyp.strip() == "RA"
    return equatorial and wcs.wcs.radesys in {"", "ICRS", "FK5"} and not abs(wcs.wcs.equinox - 2000.0) > 1e-6
