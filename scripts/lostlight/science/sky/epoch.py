"""When an image was taken, whatever way its header says it."""

import datetime as dt
import math
import re
from typing import NamedTuple

from astropy.io.fits import Header

from lostlight.core.errors import BadDate

_MJD_ZERO = dt.date(1858, 11, 17)
_YEARS = range(1840, 2200)
_AGREE_DAY = 0.01
_SECONDS_PER_MINUTE = 60.0

_DATE = re.compile(r"(?P<year>\d{4})[-/](?P<month>\d{1,2})[-/](?P<day>\d{1,2})")
_OLD_DATE = re.compile(r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/(?P<year>\d{4}|\d{2})")
_TIME = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d{1,2})(:(?P<second>\d{1,2}(\.\d*)?))?")
_ZONE = re.compile(r"(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})")

_TIME_KEYS = ("UT-OBS", "UT", "UTC-OBS", "UTC", "TIME-OBS", "UT-START", "UTSTART")
_PLATE_KEYS = ("PLTLABEL", "PLATEID", "PLTSCALE", "PLTRAH", "PLATERA")


class Epoch(NamedTuple):
    """The epoch of an image.

    `year` is a Julian year, `mjd` the same instant in days (UTC), `half_exposure_min` half the exposure in minutes (NaN
    where the header does not tell it), `source` the cards it comes from. Archives of plates do not say whether
    DATE-OBS is the start or the middle of the exposure; for plates it is taken as it stands, and `half_exposure_min`
    is the uncertainty. For other images DATE-OBS is the start, as the FITS standard has it, and the middle is given.
    """

    year: float
    mjd: float
    half_exposure_min: float
    source: str


def plate_epoch(header: Header) -> Epoch:
    """Find the epoch of an image in its header.

    Reads ISO dates with and without time or offset, ``29/11/51``, minutes of 60 and more (``04:65:00`` is 05:05, as
    some archives add half the exposure without carrying), a time of its own card (UT, UT-OBS, TIME-OBS …), and MJD-OBS
    or JD where there is no date, no time, or a local time without an offset.

    Raises
    ------
    BadDate
        If nothing in the header gives an epoch between 1840 and 2200.
    """
    half_exposure_min = _half_exposure_min(header)
    mjd, source = _from_middle(header) or _from_date(header) or _from_number(header) or _fail(header)
    if not _is_plate(header) and source not in {"DATE-AVG", "MJD-AVG"} and math.isfinite(half_exposure_min):
        mjd += half_exposure_min / 1440
    return Epoch(2000.0 + (mjd - 51544.5) / 365.25, mjd, half_exposure_min, source)


def parse_date(text: str) -> tuple[float, bool, bool]:
    """Turn the text of a date card into a Modified Julian Date (UTC).

    Returns
    -------
    mjd : float
        Midnight where the text has no time.
    has_time, has_offset : bool
        Whether the text holds a time of day, and whether it holds its offset from UTC.

    Raises
    ------
    BadDate
        If it is not a date of the calendar, or has anything left over.
    """
    date_text, _, rest = text.strip().replace(" ", "T", 1).partition("T")
    found = _DATE.fullmatch(date_text) or _OLD_DATE.fullmatch(date_text)
    if not found:
        raise _unreadable(text)
    day = _day(found, text)
    if not rest:
        return day, False, False
    fraction, has_offset = _time_of_day(rest, text)
    return day + fraction, True, has_offset


def _day(found: re.Match[str], text: str) -> float:
    year = int(found["year"])
    year += 1900 if len(found["year"]) == 2 else 0  # two digits mean 19xx in every FITS header
    try:
        date = dt.date(year, int(found["month"]), int(found["day"]))
    except ValueError as error:
        raise _unreadable(text) from error
    if year not in _YEARS:
        raise _unreadable(text)
    return float((date - _MJD_ZERO).days)


def _time_of_day(rest: str, text: str) -> tuple[float, bool]:
    """Fraction of the day, which may lie outside 0…1, and whether an offset from UTC was given."""
    clock = _TIME.match(rest)
    if not clock or int(clock["hour"]) > 24:
        raise _unreadable(text)
    seconds = int(clock["hour"]) * 3600 + int(clock["minute"]) * 60 + float(clock["second"] or 0)
    zone = rest[clock.end() :].strip()
    if zone in {"", "Z", "UT", "UTC"}:
        return seconds / 86400, bool(zone)
    offset = _ZONE.fullmatch(zone)
    if not offset:
        raise _unreadable(text)
    ahead = (int(offset["hours"]) * 60 + int(offset["minutes"])) * (1 if offset["sign"] == "+" else -1)
    return seconds / 86400 - ahead / 1440, True


def _from_middle(header: Header) -> tuple[float, str] | None:
    if isinstance(header.get("DATE-AVG"), str) and (read := _try(header["DATE-AVG"])):
        return read[0], "DATE-AVG"
    return _number(header, "MJD-AVG", 0.0)


def _from_date(header: Header) -> tuple[float, str] | None:
    """The date cards, the unambiguous first: universal time in full, then with offset, then bare, then day only."""
    read = _try(str(header.get("DATE-OBS", "")))
    universal = _try(str(header.get("UT-OBS", "")))
    if universal and universal[1]:
        return universal[0], "UT-OBS"
    if read is None:
        return None
    mjd, has_time, has_offset = read
    if not has_time and (key := next((key for key in _TIME_KEYS if _clock(header.get(key)) is not None), None)):
        return mjd + (_clock(header[key]) or 0.0), f"DATE-OBS, {key}"
    stated = _from_number(header)
    # A bare time may be a local one, and a bare day lacks the time: a day count beside it is universal.
    if stated and not has_offset and stated[0] % 1 and _AGREE_DAY < abs(stated[0] - mjd) < 1.5:
        return stated
    return mjd, "DATE-OBS"


def _from_number(header: Header) -> tuple[float, str] | None:
    return _number(header, "MJD-OBS", 0.0) or _number(header, "MJD", 0.0) or _number(header, "JD", -2400000.5)


def _number(header: Header, key: str, shift: float) -> tuple[float, str] | None:
    value = header.get(key)
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    year = 2000.0 + (value + shift - 51544.5) / 365.25
    return (value + shift, key) if _YEARS.start <= year < _YEARS.stop else None


def _clock(value: object) -> float | None:
    if not isinstance(value, str):
        return None
    try:
        return _time_of_day(value.strip(), value)[0]
    except BadDate:
        return None


def _try(text: str) -> tuple[float, bool, bool] | None:
    try:
        return parse_date(text)
    except BadDate:
        return None


def _half_exposure_min(header: Header) -> float:
    # EXPOSURE is in minutes in the headers of plate archives and in seconds everywhere else.
    seconds, exposure = header.get("EXPTIME"), header.get("EXPOSURE")
    whole = exposure if _is_plate(header) and _is_exposure(exposure) else None
    if whole is None:
        in_seconds = next((value for value in (seconds, exposure) if _is_exposure(value)), None)
        whole = in_seconds / _SECONDS_PER_MINUTE if in_seconds is not None else math.nan
    return float(whole) / 2


def _is_exposure(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value) and value > 0


def _is_plate(header: Header) -> bool:
    return any(key in header for key in _PLATE_KEYS)


def _fail(header: Header) -> tuple[float, str]:
    if "DATE-OBS" in header:
        raise _unreadable(str(header["DATE-OBS"]))
    raise BadDate(
        "the header has no DATE-OBS, MJD-OBS or JD", hint="add DATE-OBS (YYYY-MM-DDThh:mm:ss, UTC) to the header"
    )


def _unreadable(text: str) -> BadDate:
    return BadDate(
        f"DATE-OBS = {text!r} is not a date between {_YEARS.start} and {_YEARS.stop}",
        hint="write it as YYYY-MM-DDThh:mm:ss, UTC",
        value=text,
    )
