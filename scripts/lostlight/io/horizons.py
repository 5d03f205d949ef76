"""Ephemerides as the Horizons system of JPL prints them: its text, its CSV, or its JSON around either."""

import json
import re
from collections.abc import Iterator
from datetime import date

from lostlight.core.errors import ConfigError

Row = tuple[str, str, float, float, float, float]
"""Body; time scale; MJD in it; right ascension and declination, degrees; magnitude, NaN where there is none."""

BEGIN, END = "$$SOE", "$$EOE"

_MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"
_MJD_ZERO = 2400000.5
_MJD_EPOCH = date(1858, 11, 17)
_BODY = re.compile(r"Target body name:\s*(.+?)\s*(?:\{|$)", re.MULTILINE)
_ASTROMETRIC = re.compile(r"R\.A\._+\(ICRF")
_CALENDAR = re.compile(r"(\d{4})-([A-Z][a-z]{2})-(\d\d)$")
_JULIAN = re.compile(r"\d{7}\.\d+$")
_FLAG = re.compile(r"[A-Za-z*/]+$")
_MAGNITUDES = ("APmag", "T-mag", "V")


def is_horizons(text: str) -> bool:
    """Tell whether a text is an ephemeris of Horizons."""
    return BEGIN in text


def rows(text: str, file: str) -> list[Row]:
    """Read the rows of all tables in a text.

    Parameters
    ----------
    text : str
        As Horizons gave it.
    file : str
        Its name, for errors.

    Raises
    ------
    ConfigError
        If there are no astrometric positions, or a row cannot be read.
    """
    text = _unwrapped(text, file)
    found: list[Row] = []
    before, *tables = text.split(BEGIN)
    body = ""
    for table in tables:
        body = ([*_BODY.findall(before)] or [body])[-1]
        found += _table(before.rstrip().splitlines(), table.split(END)[0], body, file)
        before = table
    return found


def _unwrapped(text: str, file: str) -> str:
    if not text.lstrip().startswith("{"):
        return text
    try:
        return str(json.loads(text)["result"])
    except (ValueError, KeyError) as error:
        raise ConfigError(f"{file} cannot be read as an answer of Horizons: {error}", hint="fetch it anew") from error


def _table(head: list[str], table: str, body: str, file: str) -> Iterator[Row]:
    title = next((line for line in reversed(head) if _ASTROMETRIC.search(line)), "")
    if not title:
        raise ConfigError(
            f"{file}: the ephemeris of {body or 'a body'} has no astrometric positions",
            hint="ask Horizons for quantity 1, astrometric right ascension and declination",
        )
    scale = _time_scale(title, file)
    names = [name.strip() for name in title.split(",")] if "," in title else title.split()
    for line in filter(str.strip, table.splitlines()):
        try:
            cells = _cells_of_csv(line, names) if "," in title else _cells_of_text(line, title)
            mjd, ra, dec, mag = _time(cells[0]), _angle(cells[1]) * _ra_unit(cells[1]), _angle(cells[2]), _mag(cells[3])
        except (ValueError, IndexError):
            raise ConfigError(
                f"{file}: this row of the ephemeris of {body or 'a body'} cannot be read: {line.strip()}",
                hint="give the file as Horizons wrote it, with quantity 1 first",
            ) from None
        yield body, scale, mjd, ra, dec, mag


def _time_scale(title: str, file: str) -> str:
    for mark, scale in (("(UT)", "utc"), ("JDUT", "utc"), ("(TT)", "tt"), ("JDTT", "tt"), ("TDB", "tdb")):
        if mark in title:
            return scale
    raise ConfigError(f"{file}: times are in no scale that is known: {title.strip()[:40]}", hint="ask Horizons for UT")


def _cells_of_csv(line: str, names: list[str]) -> tuple[list[str], list[str], list[str], str]:
    cells = [cell.strip() for cell in line.split(",")]
    ra = next(index for index, name in enumerate(names) if _ASTROMETRIC.match(name))
    mag = next((cells[names.index(name)] for name in _MAGNITUDES if name in names), "")
    return cells[0].split(), cells[ra].split(), cells[ra + 1].split(), mag


def _cells_of_text(line: str, title: str) -> tuple[list[str], list[str], list[str], str]:
    words = line.split()
    time = [words.pop(0)]
    if _CALENDAR.match(time[0]):
        time.append(words.pop(0))
        if _JULIAN.match(words[0]):
            words.pop(0)
    # marks of twilight and of the Moon stand between the time and the position
    while _FLAG.match(words[0]):
        words.pop(0)
    width = 1 if "." in words[0] else 3
    ra, dec, rest = words[:width], words[width : 2 * width], words[2 * width :]
    after = _ASTROMETRIC.split(title)[1].split()[1:]
    return time, ra, dec, rest[0] if after and after[0] in _MAGNITUDES else ""


def _time(words: list[str]) -> float:
    calendar = _CALENDAR.match(words[0])
    if not calendar:
        return float(words[0]) - _MJD_ZERO
    year, month, day = int(calendar[1]), _MONTHS.index(calendar[2]) // 3 + 1, int(calendar[3])
    hours = sum(float(part) / 60**power for power, part in enumerate(words[1].split(":")))
    return (date(year, month, day) - _MJD_EPOCH).days + hours / 24


def _ra_unit(words: list[str]) -> float:
    return 15.0 if len(words) == 3 else 1.0


def _angle(words: list[str]) -> float:
    size = sum(abs(float(word)) / 60**power for power, word in enumerate(words))
    return -size if words[0].startswith("-") else size


def _mag(word: str) -> float:
    return float(word) if word and word != "n.a." else float("nan")
