"""The header of a plate scan and of a window cut from it, card by card as the archive writes them."""

from __future__ import annotations

from math import acos, cos, degrees, radians, sin
from typing import TYPE_CHECKING

import numpy as np
from astropy.io.fits import Header

if TYPE_CHECKING:
    from lostlight.sim.plates import Plate

_LATITUDE_DEG = 33.356

Card = tuple[str, str | int | float, str]


def plate_header(plate: Plate) -> Header:
    """Build the header of the full scan of a plate, with its plate solution."""
    return Header([*_frame_cards(plate.n_px, plate.n_px), *_plate_cards(plate), *solution_cards(plate, 0, 0)])


def cutout_header(plate: Plate, x0_px: int, y0_px: int, nx: int, ny: int, asked: tuple[float, float]) -> Header:
    """Build the header of a window of a plate: the plate solution and its local tangent-plane approximation.

    Parameters
    ----------
    plate : Plate
    x0_px, y0_px : int
        Zero-based plate pixel of the window's first pixel.
    nx, ny : int
        Size of the window.
    asked : tuple of float
        Position (ra, dec in degrees) that was asked for.
    """
    cards = [*_frame_cards(nx, ny), *_plate_cards(plate), *solution_cards(plate, x0_px, y0_px)]
    cards += _tangent_cards(plate, x0_px, y0_px, nx, ny)
    x, y = plate.wcs.wcs_world2pix(*asked, 0)
    ra, dec = _sexagesimal(asked[0] / 15, 3), _sexagesimal(asked[1], 2, is_signed=True)
    cards += [
        ("OBJECT", "data", "GetImage: Requested Object Name"),
        ("OBJCTRA", ra, "GetImage: Requested Right Ascension (J2000)"),
        ("OBJCTDEC", dec, "GetImage: Requested Declination (J2000)"),
        ("OBJCTX", round(float(x) + 1, 2), "GetImage: Requested X on plate (pixels)"),
        ("OBJCTY", round(float(y) + 1, 2), "GetImage: Requested Y on plate (pixels)"),
    ]
    return Header(cards)


def solution_cards(plate: Plate, x0_px: int, y0_px: int) -> list[Card]:
    """List the cards of the plate solution, all of them: readers stop at a part of them."""
    ra, dec = _fields(plate.centre[0] / 15, 2), _fields(plate.centre[1], 1)
    orientation = 3069417.0 if plate.pixel_um < 20 else 0.0
    cards: list[Card] = [
        ("CNPIX1", x0_px, "Scan: X Corner"),
        ("CNPIX2", y0_px, "Scan: Y Corner"),
        ("XPIXELS", plate.n_px, "Scan: X Dimension"),
        ("YPIXELS", plate.n_px, "Scan: Y Dimension"),
        ("XPIXELSZ", plate.pixel_um, "Scan: Pixel Size microns"),
        ("YPIXELSZ", plate.pixel_um, "Scan: Pixel Size microns"),
    ]
    middle_um = 177500.0 if plate.n_px < 20000 else 173139.84
    orientations = (-orientation, 0.0, middle_um, 0.0, orientation, middle_um)
    cards += [(f"PPO{i}", value, "Scan: Orientation Coeff") for i, value in enumerate(orientations, 1)]
    cards += [
        ("PLTRAH", ra[1], "Astrometry: Plate Centre H"),
        ("PLTRAM", ra[2], "Astrometry: Plate Centre M"),
        ("PLTRAS", ra[3], "Astrometry: Plate Centre S"),
        ("PLTDECSN", dec[0], "Astrometry: Plate Centre +/-"),
        ("PLTDECD", dec[1], "Astrometry: Plate Centre D"),
        ("PLTDECM", dec[2], "Astrometry: Plate Centre M"),
        ("PLTDECS", dec[3], "Astrometry: Plate Centre S"),
        ("EQUINOX", 2000.0, "Astrometry: Equinox"),
    ]
    for axis, terms in (("X", plate.amdx), ("Y", plate.amdy)):
        cards += [(f"AMD{axis}{i}", term, "Astrometry: GSC1 Coeff") for i, term in enumerate(terms, 1)]
    for axis, terms in (("X", plate.amdx), ("Y", plate.amdy)):
        # The second solution of the archive differs in the third order; readers use the first.
        second = [term if i < 7 else term / 10 for i, term in enumerate(terms, 1)]
        cards += [(f"AMDRE{axis}{i}", term, "Astrometry: GSC2 Coeff") for i, term in enumerate(second, 1)]
    return [*cards, ("ASTRMASK", "xe.mask", "Astrometry: GSC2 Mask")]


def date_obs(plate: Plate) -> str:
    """Write DATE-OBS as the archive does: start of the exposure plus half of it, minutes never carried to hours."""
    half = round(plate.exposure_min / 2)
    # Taking half the exposure off the minutes must not cross the hour: then the archive's sum runs past 59.
    hour, minute = plate.mid_exposure.hour, plate.mid_exposure.minute
    if minute < half:
        hour, minute = hour - 1, minute + 60
    return f"{plate.mid_exposure:%Y-%m-%d}T{hour:02d}:{minute:02d}:00"


def _frame_cards(nx: int, ny: int) -> list[Card]:
    return [
        ("SIMPLE", True, "FITS: Compliance"),
        ("BITPIX", 16, "FITS: I*2 Data"),
        ("NAXIS", 2, "FITS: 2-D Image Data"),
        ("NAXIS1", nx, "FITS: X Dimension"),
        ("NAXIS2", ny, "FITS: Y Dimension"),
        ("EXTEND", True, "FITS: File can contain extensions"),
        ("ORIGIN", "STScI/MAST", "GSSS: STScI Digitized Sky Survey"),
    ]


def _plate_cards(plate: Plate) -> list[Card]:
    is_palomar = plate.survey == "POSSI-E"
    ha, dec = radians(15 * plate.hour_angle_h), radians(plate.centre[1])
    height = sin(radians(_LATITUDE_DEG)) * sin(dec) + cos(radians(_LATITUDE_DEG)) * cos(dec) * cos(ha)
    zenith_deg = degrees(acos(min(1.0, height)))
    return [
        ("SURVEY", plate.survey, "GSSS: Sky Survey"),
        ("REGION", plate.id, "GSSS: Region Name"),
        ("PLATEID", f"{plate.index % 9:02d}{_letters(plate.index)}", "GSSS: Plate ID"),
        ("SCANNUM", plate.scan_number, "GSSS: Scan Number"),
        ("DSCNDNUM", "00", "GSSS: Descendant Number"),
        ("TELESCID", 1 if is_palomar else 2, "GSSS: Telescope ID"),
        ("BANDPASS", 8 if is_palomar else 0, "GSSS: Bandpass Code"),
        ("COPYRGHT", "STScI/AURA" if is_palomar else "ROE", "GSSS: Copyright Holder"),
        ("SITELAT", _LATITUDE_DEG, "Observatory: Latitude"),
        ("SITELONG", 116.863, "Observatory: Longitude"),
        ("TELESCOP", "Palomar Schmidt" if is_palomar else "UK Schmidt", "Observatory: Telescope"),
        ("INSTRUME", "Photographic Plate", "Detector: Photographic Plate"),
        ("EMULSION", "103aE" if is_palomar else "IIIaJ", "Detector: Emulsion"),
        ("FILTER", "plexi" if is_palomar else "GG395", "Detector: Filter"),
        ("PLTSCALE", 67.2, "Detector: Plate Scale arcsec per mm"),
        ("PLTSIZEX", 355.0, "Detector: Plate X Dimension mm"),
        ("PLTSIZEY", 355.0, "Detector: Plate Y Dimension mm"),
        ("PLATERA", round(plate.centre[0], 9), "Observation: Field centre RA degrees"),
        ("PLATEDEC", round(plate.centre[1], 9), "Observation: Field centre Dec degrees"),
        ("PLTLABEL", f"E{plate.label_number}" if is_palomar else f"J{plate.label_number}", "Observation: Plate Label"),
        ("DATE-OBS", date_obs(plate), "Observation: Date/Time"),
        ("EXPOSURE", plate.exposure_min, "Observation: Exposure Minutes"),
        ("PLTGRADE", plate.grade, "Observation: Plate Grade"),
        ("OBSHA", round(plate.hour_angle_h, 6), "Observation: Hour Angle"),
        ("OBSZD", round(zenith_deg, 4), "Observation: Zenith Distance"),
        ("AIRMASS", round(1 / max(height, 0.05), 5), "Observation: Airmass"),
        ("REFBETA", 61.8196598237, "Observation: Refraction Coeff"),
        ("REFBETAP", -0.082, "Observation: Refraction Coeff"),
        ("REFK1", 20582.4805269, "Observation: Refraction Coeff"),
        ("REFK2", 0.0, "Observation: Refraction Coeff"),
    ]


def _tangent_cards(plate: Plate, x0_px: int, y0_px: int, nx: int, ny: int) -> list[Card]:
    """Approximate the solution about the middle of the window, from one pixel's step along each axis."""
    x, y = (nx - 1) // 2, (ny - 1) // 2
    lon, lat = plate.wcs.wcs_pix2world([x + x0_px, x + x0_px + 1, x + x0_px], [y + y0_px, y + y0_px, y + y0_px + 1], 0)
    ra, dec = np.radians(lon), np.radians(lat)
    cosine = np.sin(dec) * np.sin(dec[0]) + np.cos(dec) * np.cos(dec[0]) * np.cos(ra - ra[0])
    xi = np.degrees(np.cos(dec) * np.sin(ra - ra[0]) / cosine)
    eta = np.degrees((np.sin(dec) * np.cos(dec[0]) - np.cos(dec) * np.sin(dec[0]) * np.cos(ra - ra[0])) / cosine)
    cards: list[Card] = [
        ("WCSAXES", 2, "GetImage: Number WCS axes"),
        ("WCSNAME", "DSS", "Local WCS approximation from full plate"),
        ("RADESYS", "ICRS", "GetImage: GSC-II calibration using ICRS system"),
    ]
    for axis, name, at, value in ((1, "RA---TAN", x, lon[0]), (2, "DEC--TAN", y, lat[0])):
        cards += [
            (f"CTYPE{axis}", name, "GetImage: Gnomic projection"),
            (f"CRPIX{axis}", float(at + 1), "GetImage: reference pixel"),
            (f"CRVAL{axis}", round(float(value), 8), "GetImage: sky at reference pixel"),
            (f"CUNIT{axis}", "deg", "GetImage: degrees"),
        ]
    for i, plane in ((1, xi), (2, eta)):
        for j in (1, 2):
            cards.append((f"CD{i}_{j}", round(float(plane[j]), 12), "GetImage: rotation matrix coefficient"))
    return cards


def _fields(value: float, n_decimals: int) -> tuple[str, int, int, float]:
    """Split hours or degrees into sign, whole, minutes and seconds."""
    unit = 10**n_decimals
    total = round(abs(value) * 3600 * unit)
    return "-" if value < 0 else "+", total // (3600 * unit), total // (60 * unit) % 60, total % (60 * unit) / unit


def _sexagesimal(value: float, n_decimals: int, *, is_signed: bool = False) -> str:
    sign, whole, minutes, seconds = _fields(value, n_decimals)
    width = n_decimals + 3
    return f"{sign if is_signed else ''}{whole:02d} {minutes:02d} {seconds:0{width}.{n_decimals}f}"


def _letters(number: int) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    return alphabet[number // 36 % 36] + alphabet[number % 36]
