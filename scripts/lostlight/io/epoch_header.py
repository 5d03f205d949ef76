"""What the header of an image says of its exposure: when, how long, how many electrons, which magnitude, which sky."""

import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from astropy.io.fits import Header
from astropy.time import Time
from astropy.wcs import WCS, WcsError

from lostlight.core.errors import BadDate, NoWCS

EXPOSURE_KEYS = ("EXPTIME", "EXPOSURE", "EXP_TIME", "EXP-TIME", "ITIME")
ZERO_KEYS = ("MAGZERO", "MAGZP", "MAGZPT", "PHOTZP")
FILTER_KEYS = ("FILTER", "BAND", "FILT", "FILTNAM", "FILTERID", "INSFLNAM", "FILTER1")
SATURATION_KEYS = ("SATURATE", "SATLEVEL", "SATURATA", "SATURATB")

_TIMES: tuple[tuple[str, str], ...] = (
    ("MJD-MID", "mid"), ("MJD_MID", "mid"), ("MJDMID", "mid"), ("MJD-AVG", "mid"), ("DATE-AVG", "mid"),
    ("MJD-BEG", "start"), ("MJD-OBS", "start"), ("MJD_OBS", "start"), ("OBSMJD", "start"), ("DATE-BEG", "start"),
    ("DATE-OBS", "start"),
    ("DATE_OBS", "start"), ("MJD-END", "end"), ("DATE-END", "end"),
    ("MJD", "mid"), ("JD-MID", "mid"), ("JD", "start"),
)  # fmt: skip
"""Where a time is looked for, in this order, and what of the exposure it tells.

MJD alone is what kbmod writes, for the middle; the others are those of the FITS standard and of observatories.
"""
_ALSO_DATED = ("MJD-OBS", "MJD_OBS")
_AGREE_DAY = 0.01
"""A date and a day count this near are the same moment; days are counted to as few as three decimals."""
_CLOCKS = ("UT-OBS", "TIME-OBS", "UTC-OBS", "TIME_OBS", "UT", "UTC", "UTSTART")
_SCALES = {"TT": "tt", "TDT": "tt", "ET": "tt", "TAI": "tai", "IAT": "tai", "TDB": "tdb", "TCB": "tcb", "TCG": "tcg"}
_DATE = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\dT\d\d?:\d\d(:\d\d(\.\d*)?)?)(Z|(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>\d\d)?)?"
)
_JD_OF_MJD = 2400000.5
_DAY_S = 86400.0
_SETTINGS = ("OFFSET", "BLKLEVEL", "USBLIMIT", "READOUTM", "GAINRAW", "XPIXSZ")
"""Cards of programs for CMOS cameras, in whose headers GAIN is a setting."""
_WCS_CARD = re.compile(
    r"(WCSAXES|WCSNAME|CTYPE\d|CUNIT\d|CRVAL\d|CRPIX\d|CDELT\d|CROTA\d|CD\d_\d|PC\d_\d|PV\d_\d+|PS\d_\d+|LONPOLE|LATPOLE|"
    r"RADESYS|RADECSYS|EQUINOX|[AB]P?_(ORDER|DMAX|\d_\d)|NAXIS[12])"
)


@dataclass(frozen=True)
class Exposure:
    """A moment (MJD, UTC), what of the exposure it is (start, mid or end), and the length of the exposure."""

    mjd: float
    time_ref: str
    exptime_s: float
    card: str = ""

    def mid(self, time_ref: str = "auto") -> float:
        """Give the middle of the exposure, MJD in UTC; `time_ref` overrides what the card says the moment is."""
        known = self.time_ref if time_ref == "auto" else time_ref
        return self.mjd + {"start": 0.5, "mid": 0.0, "end": -0.5}[known] * self.exptime_s / _DAY_S


def exposure(header: Mapping[str, Any], file: str) -> Exposure:
    """Read when an image was taken.

    Parameters
    ----------
    header : mapping
        Its cards; TIMESYS other than UTC is brought to UTC.
    file : str
        Name of the file, for messages.

    Returns
    -------
    Exposure
        Its length is 0 where the header does not tell it.

    Raises
    ------
    BadDate
        If no card holds a time.
    """
    seconds = next((value for value in numbers(header, EXPOSURE_KEYS) if value >= 0), math.nan)
    for card, time_ref in _TIMES:
        mjd = _moment(header, card)
        if mjd is not None:
            length = seconds if math.isfinite(seconds) else _between(header)
            return Exposure(_utc(mjd, header), time_ref, length, card)
    raise BadDate(
        f"{file}: no card of its header holds a time",
        hint="add MJD-OBS or DATE-OBS (the start of the exposure) or MJD-MID (its middle), in UTC",
        file=file,
    )


def gain_e_adu(header: Mapping[str, Any]) -> float:
    """Read electrons per unit of the pixels, NaN where they are unknown; GAIN of a CMOS camera is not taken for it."""
    unit = str(header.get("BUNIT", "")).strip().lower()
    rate = re.search(r"(/|\s+per\s+)s(ec|econd)?$|\s*s(\*\*|\^)?-1$", unit)
    seconds = next((value for value in numbers(header, EXPOSURE_KEYS) if value > 0), math.nan) if rate else 1.0
    if re.match(r"(photo)?(e-?|electrons?)($|[^a-z])", unit):
        return seconds
    return seconds * _per_count(header)


def _per_count(header: Mapping[str, Any]) -> float:
    positive = [value for value in numbers(header, ("EGAIN", "CVF", "E_GAIN", "CCDGAIN")) if value > 0]
    if positive:
        return positive[0]
    if any(card in header for card in _SETTINGS):
        return math.nan
    both = [value for value in numbers(header, ("GAINA", "GAINB")) if value > 0]
    if both:
        return sum(both) / len(both)
    return next((value for value in numbers(header, ("GAIN",)) if value > 0), math.nan)


def zero_mag(header: Mapping[str, Any]) -> float:
    """Read the magnitude of one adu in the whole exposure, NaN where it is unknown."""
    return next((value for value in numbers(header, ZERO_KEYS) if 5 < value < 50), math.nan)


def filter_name(header: Mapping[str, Any]) -> str:
    """Read the filter: of a long description (`z DECam SDSS c0004 …`) the first word."""
    told = (str(header.get(card, "")).strip() for card in FILTER_KEYS)
    return next((text.split()[0] for text in told if text), "")


def saturation_adu(header: Mapping[str, Any]) -> float:
    """Read the level of saturation, infinity where it is unknown; of several amplifiers the least."""
    return min((value for value in numbers(header, SATURATION_KEYS) if value > 0), default=math.inf)


def wcs_text(header: Header, file: str) -> str:
    """Give the cards that tell where on the sky pixels are, one in a line; empty where they do not.

    Raises
    ------
    NoWCS
        If they make no sense together.
    """
    if "CRVAL1" not in header or not all(str(header.get(card, "")).strip() for card in ("CTYPE1", "CTYPE2")):
        return ""
    kept = Header([card for card in header.cards if _WCS_CARD.fullmatch(card.keyword)])
    text = kept.tostring(sep="\n", endcard=False, padding=False).rstrip()
    try:
        return text if wcs_of(text) is not None else ""
    except (ValueError, TypeError, KeyError, WcsError) as error:
        said = str(error).strip().splitlines()[-1]
        raise NoWCS(f"{file}: its sky solution cannot be used: {said}", hint="mend or remove its cards") from error


def wcs_of(text: str) -> WCS | None:
    """Make the WCS of what `wcs_text` gives; None of an empty one, and of one that is not of the sky."""
    if not text:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wcs = WCS(Header.fromstring(text, sep="\n"), naxis=2)
        wcs.wcs.set()
    return wcs if wcs.has_celestial else None


def numbers(header: Mapping[str, Any], cards: tuple[str, ...]) -> Iterator[float]:
    """Give the finite numbers among the values of some cards."""
    for card in cards:
        try:
            value = float(header.get(card, "nan"))
        except (TypeError, ValueError):
            continue
        if math.isfinite(value):
            yield value


def _moment(header: Mapping[str, Any], card: str) -> float | None:
    """Read the time of one card as MJD, in the time scale of the header."""
    value = header.get(card)
    if card.startswith("DATE"):
        return _date(str(value or "").strip(), header)
    days = next(numbers(header, (card,)), 0.0)
    days -= _JD_OF_MJD if days > _JD_OF_MJD else 0.0
    if not 10000 < days < 200000:
        return None
    date = _date(str(header.get("DATE-OBS", "")).strip(), header) if card in _ALSO_DATED else None
    # a date that is far from it is local time
    return date if date is not None and abs(date - days) < _AGREE_DAY else days


def _date(text: str, header: Mapping[str, Any]) -> float | None:
    """Read a date with its time, which may be in a card of its own."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        clock = next((str(header[card]).strip() for card in _CLOCKS if ":" in str(header.get(card, ""))), "")
        text = f"{text}T{clock}"
    found = _DATE.fullmatch(text.replace(" ", "T"))
    if not found:
        return None
    ahead = int(f"{found['sign']}1") * (int(found["hours"]) + int(found["minutes"] or 0) / 60) if found["sign"] else 0
    try:
        return float(Time(found["date"], format="isot", scale="utc").mjd) - ahead / 24
    except ValueError:
        return None


def _utc(mjd: float, header: Mapping[str, Any]) -> float:
    scale = _SCALES.get(str(header.get("TIMESYS", "UTC")).strip().upper())
    return float(Time(mjd, format="mjd", scale=scale).utc.mjd) if scale else mjd


def _between(header: Mapping[str, Any]) -> float:
    """Give the seconds from the beginning to the end of an exposure, 0 where the header tells neither."""
    ends = [
        [moment for card in cards if (moment := _moment(header, card)) is not None]
        for cards in (("MJD-BEG", "MJD-OBS", "DATE-BEG", "DATE-OBS"), ("MJD-END", "DATE-END"))
    ]
    return max((ends[1][0] - ends[0][0]) * _DAY_S, 0.0) if all(ends) else 0.0
