"""Headers of many programs and observatories, read into one vocabulary.

Missing is missing: what a header does not say is NaN or empty, and never a default.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from lostlight.core.errors import LostlightError
from lostlight.science.calibrate import sections, times
from lostlight.science.calibrate.cfa import PATTERNS, stored_pattern
from lostlight.science.calibrate.frame import NAN, Frame
from lostlight.science.calibrate.names import camera_name, kind_of, optics_name

TYPE_KEYS = ("IMAGETYP", "IMAGETYPE", "IMTYPE", "OBSTYPE", "FRAME", "FRAMETYP", "FRAMETYPE", "ESO DPR TYPE")
"""Keys that say what a frame is, the one to be believed first."""

_PROGRAM_KEYS = ("SWCREATE", "CREATOR", "PROGRAM", "SOFTWARE", "SWMODIFY")
_CMOS_PROGRAMS = re.compile(
    r"n\.?i\.?n\.?a|nighttime imaging|asi(air|cap|studio|imgstudio)|sharpcap|siril|ekos|indi|kstars|firecapture"
    r"|astrophotography tool|\bapt\b|sequence generator|voyager|ezcap|toupsky|astap|prism",
    re.IGNORECASE,
)
_CMOS_COMPANIONS = ("OFFSET", "BLKLEVEL", "USBLIMIT", "GAINRAW")
_OBSERVATORY_COMPANIONS = (
    "RDNOISE", "READNOIS", "RON", "ENOISE", "BIASSEC", "TRIMSEC", "DATASEC", "CCDSUM", "OBSTYPE", "AMPNAME",
)  # fmt: skip
_PER_COUNT = re.compile(r"(e-?|el|electrons?)\s*(/|per)\s*(adu|dn|count)", re.IGNORECASE)
_MILLISECONDS = re.compile(r"\b(ms|msec|milli-?sec\w*)\b", re.IGNORECASE)
_MICROSECONDS = re.compile(r"\b(us|µs|usec|micro-?sec\w*)\b", re.IGNORECASE)
_KELVIN_C = 273.15

# SensorType of the ASCOM standard, which MaxIm DL and others write as COLORTYP
_COLORTYP = {"2": "RGGB"}


def normalise(header: Mapping[str, Any], frame_id: str, path: str, hdu: int = 0) -> Frame:
    """Read what a header says of a frame, whatever program wrote it.

    Parameters
    ----------
    header : mapping
        Cards of the HDU with the pixels. Comments are used where it has them (``header.comments``), as only they say
        that an exposure is in milliseconds or a temperature in kelvin.
    frame_id : str
        Name of the frame in the run.
    path : str
        File, relative to the folder of frames.
    hdu : int
        Number of the HDU.
    """
    xbin, ybin = _binning(header)
    gain, egain = _gains(header)
    date_obs_utc, session = times.exposure_start(header)
    kind, is_master = _kind(header)
    return Frame(
        frame_id=frame_id, path=path, imagetyp=kind, hdu=hdu,
        naxis1=int(_number(header, "NAXIS1", or_else=0)), naxis2=int(_number(header, "NAXIS2", or_else=0)),
        bitpix=int(_number(header, "BITPIX", or_else=16)),
        exptime_s=_exposure(header),
        gain_setting=gain, offset=_number(header, "OFFSET", "BLKLEVEL", "BLACKLVL", "CAMOFFS"),
        egain_e_adu=egain,
        rdnoise_e=_positive(header, "RDNOISE", "READNOIS", "READNOISE", "RON", "ENOISE", "RN"),
        ccd_temp_c=_temperature(header, "CCD-TEMP", "CCDTEMP", "DET-TEMP", "DETTEMP", "CCD_TEMP", "SENSTEMP", "CAMTEMP",
                                "TEMPERAT"),
        set_temp_c=_temperature(header, "SET-TEMP", "SETTEMP", "SET_TEMP", "CCDSTEMP", "TEMPSET", "CCD-TSET"),
        filter=_filter(header), xbin=xbin, ybin=ybin,
        readmode=_text(header, "READOUTM", "READMODE", "READOUT", "RDMODE"),
        camera_id=camera_name(
            _text(header, "INSTRUME", "CAMERA", "DETECTOR", "CAMNAME", "MODEL"), _chip(header, hdu)
        ),
        optics_id=optics_name(_text(header, "TELESCOP", "TELESCOPE"), _positive(header, "FOCALLEN", "FOCAL")),
        rotator_deg=_number(header, "ROTATANG", "ROTATOR", "ROTANG", "ROTPA"),
        bayerpat=_colours(header), roworder=_row_order(header),
        saturate_adu=_saturation(header), pedestal_adu=_number(header, "PEDESTAL"),
        biassec=_section(header, "BIASSEC"), trimsec=_section(header, "TRIMSEC", "DATASEC"),
        date_obs_utc=date_obs_utc, session=session, n_sub=_n_sub(header), calstat=_status(header),
        object=_text(header, "OBJECT", "OBJNAME"), program=_text(header, *_PROGRAM_KEYS),
        tags="master" if is_master else "",
    )  # fmt: skip


def _kind(header: Mapping[str, Any]) -> tuple[str, bool]:
    told = (kind_of(str(value)) for _, value in _values(header, TYPE_KEYS))
    return next((known for known in told if known[0]), ("", False))


def _values(header: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for key in keys:
        value = header.get(key)
        # an undefined card of astropy is an object of its own without text
        if isinstance(value, str | int | float) and str(value).strip():
            yield key, value


def _text(header: Mapping[str, Any], *keys: str) -> str:
    return next((str(value).strip() for _, value in _values(header, keys)), "")


def _number(header: Mapping[str, Any], *keys: str, or_else: float = NAN) -> float:
    return next((number for _, number in _numbers(header, keys)), or_else)


def _positive(header: Mapping[str, Any], *keys: str) -> float:
    return next((number for _, number in _numbers(header, keys) if number > 0), NAN)


def _numbers(header: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    for key, value in _values(header, keys):
        try:
            number = float(value)
        except ValueError:
            continue
        if math.isfinite(number):
            yield key, number


def _comment(header: Mapping[str, Any], key: str) -> str:
    comments = getattr(header, "comments", None)
    return str(comments[key]) if comments is not None else ""


def _exposure(header: Mapping[str, Any]) -> float:
    for key, value in _numbers(header, ("EXPTIME", "EXPOSURE", "EXP_TIME", "EXP-TIME", "ITIME", "EXPOSED", "EXPOINUS")):
        said = _comment(header, key)
        if value >= 0:
            scale = 1e-6 if key == "EXPOINUS" or _MICROSECONDS.search(said) else 1.0
            return value * (1e-3 if _MILLISECONDS.search(said) else scale)
    milliseconds = _number(header, "EXPMS", "EXP_MS", "EXPOSMS")
    return milliseconds / 1000 if milliseconds >= 0 else NAN


def _gains(header: Mapping[str, Any]) -> tuple[float, float]:
    """Tell the camera's setting from electrons per count, as both are called GAIN.

    Programs for CMOS cameras write the setting, and electrons per count as EGAIN (Siril: CVF). Observatories with CCDs
    write electrons per count. A comment with the unit decides; then other keys that only the one or the other writes.
    Where nothing decides, the value is taken for the setting: that is only compared for equality, while a wrong number
    of electrons per count would spoil every error bar.
    """
    egain = _positive(header, "EGAIN", "CVF", "E_GAIN", "CCDGAIN", "ESO DET OUT1 CONAD")
    gain = _number(header, "GAIN")
    setting = _number(header, "GAINRAW", "ISOSPEED", "ISO", "ISOSPD")
    if math.isnan(gain) or not math.isnan(egain):
        return (gain if not math.isnan(gain) else setting), egain
    is_cmos = any(key in header for key in _CMOS_COMPANIONS) or _CMOS_PROGRAMS.search(
        " ".join(str(value) for _, value in _values(header, _PROGRAM_KEYS))
    )
    is_observatory = any(key in header for key in _OBSERVATORY_COMPANIONS)
    if gain > 0 and (_PER_COUNT.search(_comment(header, "GAIN")) or (is_observatory and not is_cmos)):
        return setting, gain
    return gain, NAN


def _temperature(header: Mapping[str, Any], *keys: str) -> float:
    """Read degrees Celsius; observatories write kelvin, and -999 or -1 K where they know nothing."""
    for key, value in _numbers(header, keys):
        celsius = value - _KELVIN_C if "kelvin" in _comment(header, key).casefold() or value > 100 else value
        if -200 < celsius < 100:
            return round(celsius, 6)
    return NAN


def _filter(header: Mapping[str, Any]) -> str:
    one = _text(header, "FILTER", "FILTNAM", "FILTERID", "INSFLNAM", "FILTERS", "ESO INS FILT1 NAME")
    wheels = [_text(header, key) for key in ("FILTER1", "FILTER2")]
    return one or "+".join(
        name for name in wheels if name and name.casefold() not in ("open", "clear", "none", "empty")
    )


def _binning(header: Mapping[str, Any]) -> tuple[int, int]:
    for x_key, y_key in (("XBINNING", "YBINNING"), ("BINX", "BINY"), ("CCDXBIN", "CCDYBIN"), ("XBIN", "YBIN")):
        x, y = _positive(header, x_key), _positive(header, y_key)
        if x >= 1:
            return int(x), int(y) if y >= 1 else int(x)
    found = re.findall(r"\d+", _text(header, "BINNING", "CCDSUM", "CCDBIN", "BIN"))
    return (int(found[0]) or 1, int(found[-1]) or 1) if found else (1, 1)


def _chip(header: Mapping[str, Any], hdu: int) -> str:
    """Name the chip or amplifier of an instrument with several, as their frames never calibrate each other."""
    chip = _text(header, "CCDNAME", "CCDID", "CHIPID", "CHIP", "DETID", "AMPNAME", "IMAGEID")
    if chip or not hdu:
        return chip
    name = _text(header, "EXTNAME")
    return "" if name.upper() in ("SCI", "IMAGE", "COMPRESSED_IMAGE", "PRIMARY") else name


def _row_order(header: Mapping[str, Any]) -> str:
    order = _text(header, "ROWORDER").upper().replace("_", "-").replace(" ", "-")
    return order if order in ("TOP-DOWN", "BOTTOM-UP") else ""


def _colours(header: Mapping[str, Any]) -> str:
    """Give the colours of the first four pixels as stored: offsets and order of rows are settled here."""
    told = (_text(header, key).upper() for key in ("BAYERPAT", "COLORTYP", "CFAPAT", "BAYER"))
    pattern = next((_COLORTYP.get(name, name) for name in told if _COLORTYP.get(name, name) in PATTERNS), "")
    if not pattern:
        return ""
    rows = int(_number(header, "NAXIS2", or_else=0))
    x, y = (int(_number(header, key, or_else=0)) for key in ("XBAYROFF", "YBAYROFF"))
    return stored_pattern(pattern, _row_order(header), rows, x, y)


def _saturation(header: Mapping[str, Any]) -> float:
    told = _positive(header, "SATURATE", "SATLEVEL", "SATURATN", "MAXLIN")
    # DATAMAX is the largest good value of the camera for some, and the largest of this very frame for others, who
    # then give its smallest too, which is a count
    if math.isnan(told) and not _number(header, "DATAMIN", or_else=0) > 0:
        return _positive(header, "DATAMAX")
    return told


def _section(header: Mapping[str, Any], *keys: str) -> str:
    """Give a section of the frame in the form [x1:x2,y1:y2], or nothing if it is not one."""
    shape = (int(_number(header, "NAXIS2", or_else=0)), int(_number(header, "NAXIS1", or_else=0)))
    for _, value in _values(header, keys):
        try:
            return str(sections.read(str(value), shape))
        except LostlightError:
            continue  # the frame can be used all the same; ingest warns of a section that was not understood
    return ""


def _n_sub(header: Mapping[str, Any]) -> int:
    return max(1, int(_number(header, "NCOMBINE", "STACKCNT", "SNAPSHOT", "NUMFRAME", "COADDS", or_else=1)))


def _status(header: Mapping[str, Any]) -> str:
    """Give the letters of CALSTAT; IRAF leaves a card for each correction it made instead."""
    letters = [letter for letter in "BDF" if letter in _text(header, "CALSTAT").upper()]
    iraf = {"B": "ZEROCOR", "D": "DARKCOR", "F": "FLATCOR"}
    done = [letter for letter, key in iraf.items() if _text(header, key) not in ("", "F", "False", "0")]
    return "".join(sorted({*letters, *done}))
