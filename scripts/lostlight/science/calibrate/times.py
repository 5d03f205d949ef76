"""When a frame was taken: the start of the exposure in UTC, and the night it belongs to."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_DATE_KEYS = ("DATE-OBS", "DATE_OBS", "DATEOBS", "UTDATE", "UT-DATE", "DATE-BEG")
_TIME_KEYS = ("UT-OBS", "TIME-OBS", "TIME_OBS", "UTC-OBS", "UT", "UTC", "UTSTART", "UTCSTART", "UTTIME", "TIME-BEG")
_MJD_KEYS = ("MJD-OBS", "MJD-BEG", "MJD", "MJD_OBS")
_LONGITUDE = re.compile(r"\s*([+-]?)\s*(\d+(?:\.\d+)?)(?:[\s:d°]+(\d+(?:\.\d+)?))?(?:[\s:m']+(\d+(?:\.\d+)?))?")
_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_JD_OF_MJD = 2400000.5


def exposure_start(header: Mapping[str, Any]) -> tuple[str, str]:
    """Say when the exposure began, and in which night.

    UTC is taken from, in this order: a date with time and zone; universal time in a key of its own; a date with time,
    which FITS says is UTC; a Julian date. A date without any time is given as it is.

    Parameters
    ----------
    header : mapping
        Cards of the frame.

    Returns
    -------
    date_obs_utc : str
        ISO 8601 with milliseconds, ``YYYY-MM-DD`` where no time is known, or empty.
    session : str
        Date of the noon before, ``YYYY-MM-DD``: by local time where DATE-LOC, the zone of DATE-OBS or SITELONG (east
        positive) tells it, else by UTC. A date without time is its own session.
    """
    began = _with_zone(header) or _universal(header) or _date_and_time(header) or _julian(header)
    if began is not None:
        began = began.astimezone(UTC)
        return began.replace(tzinfo=None).isoformat(timespec="milliseconds"), _night(_local(header, began))
    date = next(filter(None, (_date_only(header.get(key)) for key in _DATE_KEYS)), "")
    local = _moment(header.get("DATE-LOC"))
    # the clock of a photographic camera tells the night, but not UTC
    return date, date or (_night(local) if local else "")


def _night(local: datetime) -> str:
    return (local - timedelta(hours=12)).date().isoformat()


def _with_zone(header: Mapping[str, Any]) -> datetime | None:
    found = (_moment(header.get(key)) for key in _DATE_KEYS)
    return next((moment for moment in found if moment is not None and moment.tzinfo is not None), None)


def _universal(header: Mapping[str, Any]) -> datetime | None:
    """Universal time in a key of its own: a whole date, or the time that belongs to a date without one."""
    for key in _TIME_KEYS:
        text = str(header.get(key, "")).strip()
        whole = _moment(text)
        if whole is not None:
            return whole if whole.tzinfo else whole.replace(tzinfo=UTC)
        for date in filter(None, (_date_only(header.get(name)) for name in _DATE_KEYS)):
            moment = _moment(f"{date}T{text}")
            if moment is not None:
                return moment.replace(tzinfo=UTC)
    return None


def _date_and_time(header: Mapping[str, Any]) -> datetime | None:
    found = (_moment(header.get(key)) for key in _DATE_KEYS)
    return next((moment.replace(tzinfo=UTC) for moment in found if moment is not None), None)


def _julian(header: Mapping[str, Any]) -> datetime | None:
    for key in (*_MJD_KEYS, "JD", "JD-OBS", "JULDAT"):
        try:
            days = float(header.get(key, ""))
        except (TypeError, ValueError):
            continue
        days -= _JD_OF_MJD if days > _JD_OF_MJD else 0
        if 10000 < days < 200000 and days != int(days):  # a whole day is a date, and no time
            moment = _MJD_EPOCH + timedelta(days=days)
            return (moment + timedelta(microseconds=500)).replace(microsecond=moment.microsecond // 1000 * 1000)
    return None


def _local(header: Mapping[str, Any], utc: datetime) -> datetime:
    zoned = _with_zone(header)
    if zoned is not None and zoned.utcoffset():
        return zoned.replace(tzinfo=None)
    told = _moment(header.get("DATE-LOC"))
    if told is not None:
        return told.replace(tzinfo=None)
    east_deg = _degrees(header.get("SITELONG"))
    return utc.replace(tzinfo=None) + timedelta(hours=east_deg / 15)


def _degrees(value: Any) -> float:
    found = _LONGITUDE.match(str(value if value is not None else ""))
    if not found:
        return 0.0
    sign, *parts = found.groups()
    degrees = sum(float(part or 0) / 60**power for power, part in enumerate(parts))
    return (-degrees if sign == "-" else degrees) if degrees <= 360 else 0.0


def _moment(value: Any) -> datetime | None:
    """Read a date with a time; seven decimals and one digit of an hour occur."""
    text = re.sub(r"(\.\d{6})\d+", r"\1", str(value or "").strip().replace("/", "-"))
    text = re.sub(r"([T ])(\d):", r"\g<1>0\2:", text)
    if not re.match(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", text):
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _date_only(value: Any) -> str:
    """Read a date without time, also as FITS wrote it before 2000: DD/MM/YY."""
    text = str(value or "").strip()
    old = re.fullmatch(r"(\d\d)/(\d\d)/(\d\d)", text)
    if old:
        text = f"19{old[3]}-{old[2]}-{old[1]}"
    found = re.fullmatch(r"(\d{4})[-/](\d\d)[-/](\d\d)", text)
    return "-".join(found.groups()) if found else ""
