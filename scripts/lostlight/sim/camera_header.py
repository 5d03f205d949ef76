"""Headers of simulated frames, as the common programs write them."""

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS

from lostlight.sim.camera_design import Design, Scene, Shot

Cards = dict[str, object]

_FIRST = {
    "bias": datetime(2024, 3, 10, 17, 0, 0),
    "flat_dark": datetime(2024, 3, 10, 17, 30, 0),
    "flat": datetime(2024, 3, 10, 18, 0, 0),
    "light": datetime(2024, 3, 10, 19, 30, 0),
    "dark": datetime(2024, 3, 11, 4, 30, 0),
}
"""Start of the first frame of each kind; all are of one night."""

_SLOT_S = {"bias": 0, "flat_dark": 7.5, "flat": 7.5, "light": 60, "dark": 60}
_READOUT_S = 5.0
_OFFSET = 50
_GAIN_SETTING = 100


def _thermometer_c(shot: Shot) -> float:
    """Read the thermometer of the camera, which wavers by a tenth of a degree."""
    return round(shot.temp_c + 0.1 * (shot.index % 3 - 1), 1)


def plain(shot: Shot, design: Design) -> Cards:
    """Give everything a reduction could wish for."""
    return {
        "IMAGETYP": shot.kind.upper().replace("_", " "),
        "EXPTIME": shot.exptime_s,
        "GAIN": _GAIN_SETTING,
        "OFFSET": _OFFSET,
        "EGAIN": design.gain_e_adu,
        "RDNOISE": design.rdnoise_e,
        "CCD-TEMP": _thermometer_c(shot),
        "SET-TEMP": shot.temp_c,
        "SATURATE": design.saturate_adu,
        "XBINNING": 1,
        "YBINNING": 1,
        "READOUTM": "Normal",
    }


def nina(shot: Shot, design: Design) -> Cards:
    """Give the cards of N.I.N.A., which knows no read noise."""
    words = {"flat_dark": "DARKFLAT"}
    kept = ("GAIN", "OFFSET", "EGAIN", "CCD-TEMP", "SET-TEMP", "XBINNING", "YBINNING", "READOUTM")
    cards = plain(shot, design)
    return {
        "IMAGETYP": words.get(shot.kind, shot.kind.upper()),
        "EXPOSURE": shot.exptime_s,
        "EXPTIME": shot.exptime_s,
        **{name: cards[name] for name in kept},
        "SWCREATE": "N.I.N.A. 3.1.2.9001 (x64)",
    }


def maxim(shot: Shot, design: Design) -> Cards:
    """Give the cards of MaxIm DL, whose flat darks are darks."""
    words = {"bias": "Bias Frame", "flat": "Flat Field", "light": "Light Frame"}
    cards = plain(shot, design)
    return {
        "IMAGETYP": words.get(shot.kind, "Dark Frame"),
        "EXPTIME": shot.exptime_s,
        "EXPOSURE": shot.exptime_s,
        **{name: cards[name] for name in ("EGAIN", "CCD-TEMP", "SET-TEMP", "XBINNING", "YBINNING", "READOUTM")},
        "PEDESTAL": 0,
        "SWCREATE": "MaxIm DL Version 6.20 160302",
    }


def asiair(shot: Shot, design: Design) -> Cards:
    """Give the cards of the ASIAIR, whose flat darks are darks."""
    words = {"flat_dark": "Dark"}
    cards = plain(shot, design)
    return {
        "CREATOR": "ZWO ASIAIR Plus",
        "IMAGETYP": words.get(shot.kind, shot.kind.capitalize()),
        "EXPOSURE": shot.exptime_s,
        "EXPTIME": shot.exptime_s,
        **{name: cards[name] for name in ("GAIN", "OFFSET", "EGAIN", "CCD-TEMP", "SET-TEMP", "XBINNING", "YBINNING")},
    }


def sharpcap(shot: Shot, design: Design) -> Cards:
    """Give the cards of SharpCap, which calls the type FRAMETYP and the offset BLKLEVEL."""
    return {
        "FRAMETYP": shot.kind.replace("_", " ").title(),
        "EXPTIME": shot.exptime_s,
        "GAIN": _GAIN_SETTING,
        "BLKLEVEL": _OFFSET,
        "CCD-TEMP": _thermometer_c(shot),
        "XBINNING": 1,
        "YBINNING": 1,
        "SWCREATE": "SharpCap v4.1.11817.0, 64 bit",
    }


def siril(shot: Shot, design: Design) -> Cards:
    """Give the cards of a frame converted by Siril, which calls the gain CVF."""
    return {
        "IMAGETYP": shot.kind.upper().replace("_", ""),
        "EXPTIME": shot.exptime_s,
        "LIVETIME": shot.exptime_s,
        "STACKCNT": 1,
        "GAIN": _GAIN_SETTING,
        "OFFSET": _OFFSET,
        "CVF": design.gain_e_adu,
        "CCD-TEMP": _thermometer_c(shot),
        "XBINNING": 1,
        "YBINNING": 1,
        "PROGRAM": "Siril 1.2.6",
    }


def iraf(shot: Shot, design: Design) -> Cards:
    """Give the cards of an observatory: IRAF's words, electrons per count in GAIN, time of day apart from the date."""
    words = {"bias": "zero", "light": "object", "flat_dark": "dark"}
    return {
        "IMAGETYP": words.get(shot.kind, shot.kind),
        "EXPTIME": shot.exptime_s,
        "DARKTIME": shot.exptime_s,
        "GAIN": design.gain_e_adu,
        "RDNOISE": design.rdnoise_e,
        "CCDTEMP": _thermometer_c(shot),
        "CCDSUM": "1 1",
        "OBSERVAT": "Simulated observatory",
    }


DIALECTS: dict[str, Callable[[Shot, Design], Cards]] = {
    "plain": plain,
    "nina": nina,
    "maxim": maxim,
    "asiair": asiair,
    "sharpcap": sharpcap,
    "siril": siril,
    "iraf": iraf,
}
"""Programs whose way of writing is known, by name."""


def frame_header(shot: Shot, design: Design, scene: Scene, dialect: str, wcs: WCS | None) -> Header:
    """Write the header of a frame.

    Parameters
    ----------
    shot : Shot
    design : Design
    scene : Scene
    dialect : str
        One of `DIALECTS`.
    wcs : WCS or None
        Of the pixels that see light; None where stars are not shown.

    Returns
    -------
    astropy.io.fits.Header
    """
    header = Header(DIALECTS[dialect](shot, design))
    header["INSTRUME"] = design.name
    header["TELESCOP"] = "Simulated telescope"
    _time(header, shot, dialect)
    if shot.filter and shot.kind in ("flat", "light"):
        header["FILTER"] = shot.filter
    if shot.kind == "light":
        header["OBJECT"] = f"SIM{scene.ra_deg:05.1f}{scene.dec_deg:+05.1f}"
    if design.cfa:
        header["BAYERPAT"] = design.cfa
        header["XBAYROFF"], header["YBAYROFF"] = 0, 0
    if dialect != "iraf":
        header["ROWORDER"] = design.roworder
    _sections(header, design)
    if wcs is not None:
        _tangent_plane(header, wcs, design.overscan_px)
    return header


def _time(header: Header, shot: Shot, dialect: str) -> None:
    # Every filter and every exposure is a series of its own, at a time of its own.
    series = 37 * sum(map(ord, shot.filter)) % 240 + shot.exptime_s / 6
    after_s = series * _SLOT_S[shot.kind] + shot.index * (shot.exptime_s + _READOUT_S)
    start = _FIRST[shot.kind] + timedelta(seconds=after_s)
    if dialect == "iraf":
        header["DATE-OBS"], header["UT"] = start.date().isoformat(), start.time().isoformat("seconds")
    else:
        header["DATE-OBS"] = start.isoformat(timespec="milliseconds")


def _sections(header: Header, design: Design) -> None:
    if not design.overscan_px:
        return
    (ny, nx), blind = design.raw_shape, design.overscan_px
    # The first column of an overscan still holds some charge in real cameras; headers leave it out.
    header["BIASSEC"] = f"[2:{blind},1:{ny}]"
    header["TRIMSEC"] = f"[{blind + 1}:{nx},1:{ny}]"


def _tangent_plane(header: Header, wcs: WCS, overscan_px: int) -> None:
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CUNIT1"] = header["CUNIT2"] = "deg"
    for axis in (1, 2):
        header[f"CRPIX{axis}"] = float(wcs.wcs.crpix[axis - 1]) + (overscan_px if axis == 1 else 0)
        header[f"CRVAL{axis}"] = float(wcs.wcs.crval[axis - 1])
        for other in (1, 2):
            header[f"CD{axis}_{other}"] = float(wcs.wcs.cd[axis - 1, other - 1])
    header["RADESYS"] = "ICRS"


def field_wcs(scene: Scene, shape: tuple[int, int], shift_px: tuple[float, float]) -> WCS:
    """Give the tangent plane of a light on the pixels that see light; the middle is shifted by (dx, dy) pixels."""
    wcs = WCS(naxis=2)
    ny, nx = shape
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [scene.ra_deg, scene.dec_deg]
    wcs.wcs.crpix = [(nx + 1) / 2 + shift_px[0], (ny + 1) / 2 + shift_px[1]]
    cosine, sine = (f(np.radians(scene.rotation_deg)) for f in (np.cos, np.sin))
    wcs.wcs.cd = scene.scale_arcsec / 3600 * np.array([[-cosine, sine], [sine, cosine]])
    return wcs
