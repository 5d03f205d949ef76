"""Is this payload an acceptable image? Archives answer with error pages, cut files and other surveys."""

import math
import warnings
from io import BytesIO
from typing import NamedTuple

import numpy as np
from astropy.io import fits
from astropy.io.fits import Header
from astropy.utils.exceptions import AstropyWarning
from numpy.typing import NDArray

from lostlight.core.errors import BadImage, NoWCS, UnitError, WrongSurvey
from lostlight.science.plate.wcs import centre_px, has_plate_solution, pixel_scale_arcsec, sky_to_pix, sky_wcs

SMALLEST_FRACTION = 0.9
"""Of the width or height asked for; archives round, and lose a pixel at the edge."""

_BAND_OF_RED_PLATES = 8
_PARTIAL_SOLUTION = ("XPIXELSZ", "YPIXELSZ", "CNPIX", "PPO", "AMDX", "AMDY", "PLTRA", "PLTDEC")


class Asked(NamedTuple):
    """The field that was asked for."""

    ra_deg: float
    dec_deg: float
    width_arcmin: float
    height_arcmin: float


def accept(content: bytes, survey: str = "any", asked: Asked | None = None) -> tuple[NDArray, Header]:
    """Give the image in a payload, or say why it will not do.

    Parameters
    ----------
    content : bytes
        The payload, decompressed.
    survey : str
        ``poss1_red`` accepts first-epoch Palomar red plates (SURVEY = POSSI-E) alone, ``any`` every survey.
    asked : Asked, optional
        The image must contain this position and be of about this size, whatever its pixel scale.

    Returns
    -------
    data : ndarray, shape (ny, nx)
        The pixels in the payload's own type; one that is infinite is no measurement, and becomes NaN.
    header : Header
        Its cards, and those of an empty primary unit before it, which hold date and exposure of all extensions;
        a plate solution that is not whole is dropped, because nothing reads half of one right.

    Raises
    ------
    BadImage, WrongSurvey, NoWCS
        With the fact ``reason``: EMPTY, NON_FITS, TRUNCATED, WRONG_FIELD, WRONG_SURVEY or NON_WCS.
    """
    data, header = _parse(content)
    _refuse_blank(data)
    if survey == "poss1_red" and not _is_red_poss1(header):
        name = str(header.get("SURVEY", "")).strip() or f"no SURVEY, REGION {header.get('REGION', 'absent')}"
        raise reject(
            WrongSurvey, "WRONG_SURVEY", f"the image is of {name}, not POSSI-E", "set `survey: any` to accept it"
        )
    header = _without_partial_solution(header)
    try:
        sky_wcs(header)
    except NoWCS as error:
        raise reject(NoWCS, "NON_WCS", error.message, error.hint) from error
    if asked is not None:
        _refuse_other_field(header, asked)
    return data, header


def reject(kind: type[UnitError], reason: str, message: str, hint: str) -> UnitError:
    """Make the error for a payload that is not acceptable."""
    return kind(message, hint=hint, reason=reason)


def _parse(content: bytes) -> tuple[NDArray, Header]:
    if not content.strip():
        raise reject(BadImage, "EMPTY", f"the answer is empty ({len(content)} bytes)", "try again later")
    if not content.startswith(b"SIMPLE"):
        begin = " ".join(content[:60].decode("latin-1").split())
        raise reject(BadImage, "NON_FITS", f"the answer is not FITS, it begins with {begin!r}", "read the kept answer")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstropyWarning)
            with fits.open(BytesIO(content), memmap=False) as hdus:
                hdu = next((hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS") == 2), None)
                if hdu is None or 0 in hdu.shape:
                    raise _no_image(hdus)
                _refuse_truncated(hdu, len(content))
                return _finite(np.array(hdu.data)), _with_inherited(hdu.header, hdus[0])
    except (OSError, ValueError, TypeError, IndexError, KeyError, fits.VerifyError) as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        message = f"the FITS file is damaged after {len(content)} bytes: {first_line}"
        raise reject(BadImage, "TRUNCATED", message, "fetch or copy it again") from error


def _no_image(hdus: fits.HDUList) -> UnitError:
    cubes = [" x ".join(str(size) for size in hdu.shape) for hdu in hdus if hdu.is_image and len(hdu.shape) > 2]
    if cubes:
        message, hint = f"the FITS file holds a cube of {cubes[0]} pixels", "save one of its planes as an image"
    else:
        message, hint = "the FITS file holds no two-dimensional image", "check the source"
    return reject(BadImage, "EMPTY", message, hint)


def _finite(data: NDArray) -> NDArray:
    if data.dtype.kind == "f":
        data[np.isinf(data)] = np.nan
    return data


def _with_inherited(header: Header, primary: fits.PrimaryHDU) -> Header:
    """Give the cards of an image, and from a primary unit without pixels those it lacks (FITS convention INHERIT)."""
    whole = header.copy()
    for card in whole.cards:
        # astropy complains of a damaged card only when it is asked for, which may be long after this
        card.verify("silentfix")
        card.value  # noqa: B018
    if primary.header["NAXIS"] == 0 and header.get("INHERIT", True):
        common = primary.header.copy(strip=True)
        for name in {"CHECKSUM", "DATASUM", "COMMENT", "HISTORY", "", *header} & {*common}:
            common.remove(name, ignore_missing=True, remove_all=True)
        whole.extend(common, bottom=True)
    return whole


def _refuse_truncated(hdu: fits.PrimaryHDU, n_bytes: int) -> None:
    place = hdu.fileinfo()
    if place is None or isinstance(hdu, fits.CompImageHDU):
        return  # a compressed image that is cut short does not unpack
    needed = place["datLoc"] + math.prod(hdu.shape) * abs(hdu.header["BITPIX"]) // 8
    if n_bytes < needed:
        message = f"the FITS file is cut short: {n_bytes} bytes of {needed}"
        raise reject(BadImage, "TRUNCATED", message, "fetch or copy it again")


def _refuse_blank(data: NDArray) -> None:
    finite = data[np.isfinite(data)]
    if finite.size == 0 or finite.min() == finite.max():
        value = finite.flat[0] if finite.size else "NaN"
        raise reject(BadImage, "EMPTY", f"every pixel of the image is {value}", "the plate does not cover this field")


def _is_red_poss1(header: Header) -> bool:
    survey = str(header.get("SURVEY", "")).strip().upper().replace(" ", "")
    if survey:
        return survey == "POSSI-E"
    # The first edition of the Digitized Sky Survey has no SURVEY card; its red Palomar regions are named XE.
    region = str(header.get("REGION", "")).strip().upper()
    return region.startswith("XE") and header.get("BANDPASS") == _BAND_OF_RED_PLATES


def _without_partial_solution(header: Header) -> Header:
    if has_plate_solution(header):
        return header
    kept = header.copy()
    for name in {name for name in header if name.startswith(_PARTIAL_SOLUTION)}:
        kept.remove(name, ignore_missing=True, remove_all=True)
    return kept


def _refuse_other_field(header: Header, asked: Asked) -> None:
    scale = pixel_scale_arcsec(header)
    nx, ny = header["NAXIS1"], header["NAXIS2"]
    for word, got, wanted in (("wide", nx, asked.width_arcmin), ("high", ny, asked.height_arcmin)):
        got_arcmin = got * scale / 60
        if got_arcmin < SMALLEST_FRACTION * wanted:
            message = (
                f"the image is {got_arcmin:.2f} arcmin {word}, asked were {wanted:g} ({got} px of {scale:.3f} arcsec)"
            )
            raise reject(BadImage, "TRUNCATED", message, "the position may lie at the edge of its plate")
    x, y = (float(value) for value in sky_to_pix(sky_wcs(header), asked.ra_deg, asked.dec_deg))
    x_mid, y_mid = centre_px(header)
    if not (abs(x - x_mid) <= nx / 4 and abs(y - y_mid) <= ny / 4):
        where = f"RA {asked.ra_deg:.4f} Dec {asked.dec_deg:+.4f}"
        message = f"the image shows another field: {where} lies at pixel {x:.0f}, {y:.0f}"
        raise reject(BadImage, "WRONG_FIELD", message, "check the position, or the address of the archive")
