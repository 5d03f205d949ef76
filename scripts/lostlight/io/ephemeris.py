"""Positions of moving bodies against time, as other programs write them.

Horizons of JPL         its text, CSV or JSON, with astrometric positions (quantity 1)
sorcha                  its detections as CSV: ObjID, fieldMJD_TAI, RA_deg, Dec_deg, a magnitude
any other               CSV or ECSV with columns id, mjd, ra, dec and mag (UTC, degrees)
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Column, Table
from astropy.time import Time
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.io import horizons

FloatArray = NDArray[np.float64]

_MJD_ZERO = 2400000.5
_IDS = ("id", "objid", "inj_id", "name", "targetname")
_TIMES = {
    "mjd": ("utc", 0.0),
    "mjd_utc": ("utc", 0.0),
    "mjd_mid": ("utc", 0.0),
    "fieldmjd_tai": ("tai", 0.0),
    "mjd_tai": ("tai", 0.0),
    "jd": ("utc", _MJD_ZERO),
    "datetime_jd": ("utc", _MJD_ZERO),
    "fieldjd_tdb": ("tdb", _MJD_ZERO),
}
"""Time scale of a column, and what makes MJD of it."""
_POSITIONS = (("ra_deg", "dec_deg"), ("ra", "dec"))
_MAGNITUDES = ("mag", "trailedsourcemag", "psfmag", "v", "apmag")
_SEPARATORS = ",;\t"


@dataclass(frozen=True, eq=False)
class Ephemeris:
    """Rows of a table of positions, in its order.

    Parameters
    ----------
    ids : list of str, (rows,)
        Body of each row.
    mjd : ndarray, (rows,), float64
        MJD, UTC.
    ra_deg, dec_deg : ndarray, (rows,), float64
        ICRS, degrees.
    mag : ndarray, (rows,), float64
        NaN where unknown.
    """

    ids: list[str]
    mjd: FloatArray
    ra_deg: FloatArray
    dec_deg: FloatArray
    mag: FloatArray

    def __len__(self) -> int:
        return len(self.ids)


def read(path: Path) -> Ephemeris:
    """Read positions of moving bodies; the format is told from the content.

    Raises
    ------
    ConfigError
        If the file cannot be read, lacks a column, or holds values that are no times or positions.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the table of positions {path} cannot be read: {error}", hint="give a text file") from error
    if horizons.is_horizons(text):
        return _of_horizons(horizons.rows(text, path.name), path.name)
    if text.startswith("# %ECSV"):
        return _of_columns(_ecsv(text, path.name), path.name)
    return _of_columns(_csv(text, path.name), path.name)


def _of_horizons(rows: list[horizons.Row], file: str) -> Ephemeris:
    ids = [row[0] for row in rows]
    numbers = np.array([row[2:] for row in rows], np.float64).reshape(-1, 4)
    mjd = numbers[:, 0].copy()
    for scale in {row[1] for row in rows}:
        of = np.array([row[1] == scale for row in rows])
        mjd[of] = _utc(mjd[of], scale)
    return _checked(Ephemeris(ids, mjd, *numbers[:, 1:].T), file)


def _ecsv(text: str, file: str) -> dict[str, Sequence[object]]:
    try:
        table = Table.read(text.splitlines(), format="ascii.ecsv")
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError(f"{file} is no ECSV table: {error}", hint="write it anew, or as CSV") from error
    return {str(name).lower(): _values(table[name]) for name in table.colnames}


def _values(column: Column) -> list[object]:
    """Values as they are, angles in degrees, nothing where there is none."""
    if column.unit is not None and column.unit.physical_type == "angle":
        column = column.quantity.to("deg").value
    return ["" if value is np.ma.masked else value for value in column]


def _csv(text: str, file: str) -> dict[str, Sequence[object]]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if len(lines) < 2:
        raise ConfigError(f"{file} holds no rows", hint="give a header and a row for each position")
    separator = max(_SEPARATORS, key=lines[0].count)
    cells = (
        [line.split() for line in lines] if separator not in lines[0] else list(csv.reader(lines, delimiter=separator))
    )
    names = [name.strip().lower() for name in cells[0]]
    for number, row in enumerate(cells[1:], start=1):
        if len(row) != len(names):
            raise ConfigError(f"{file}, row {number}: {len(row)} values for {len(names)} columns", hint="correct it")
    return dict(zip(names, zip(*cells[1:], strict=True), strict=True))


def _of_columns(columns: Mapping[str, Sequence[object]], file: str) -> Ephemeris:
    time = _first(_TIMES, columns, "of times (mjd)", file)
    ra, dec = next((pair for pair in _POSITIONS if set(pair) <= set(columns)), ("ra", "dec"))
    ids = [str(name).strip() for name in columns[_first(_IDS, columns, "of names (id)", file)]]
    scale, zero = _TIMES[time]
    mag = next((name for name in _MAGNITUDES if name in columns), "")
    return _checked(
        Ephemeris(
            ids,
            _utc(_numbers(columns, time, file) - zero, scale),
            _numbers(columns, ra, file),
            _numbers(columns, dec, file),
            _numbers(columns, mag, file) if mag else np.full(len(ids), np.nan),
        ),
        file,
    )


def _first(names: Sequence[str] | Mapping[str, object], columns: Mapping[str, object], what: str, file: str) -> str:
    found = next((name for name in names if name in columns), None)
    if found is None:
        raise ConfigError(
            f"{file} has no column {what}; it has {', '.join(columns)}",
            hint="name the columns id, mjd, ra, dec and mag",
        )
    return found


def _numbers(columns: Mapping[str, Sequence[object]], name: str, file: str) -> FloatArray:
    if name not in columns:
        raise ConfigError(
            f"{file} has no column {name}; it has {', '.join(columns)}",
            hint="name the columns id, mjd, ra, dec and mag",
        )
    values = np.empty(len(columns[name]))
    for row, value in enumerate(columns[name]):
        try:
            values[row] = float(str(value).strip() or "nan")
        except ValueError:
            raise ConfigError(
                f"{file}, row {row + 1}: {name} = {str(value)!r} is not a number", hint="correct it"
            ) from None
    return values


def _utc(mjd: FloatArray, scale: str) -> FloatArray:
    return mjd if scale == "utc" else np.asarray(Time(mjd, format="mjd", scale=scale).utc.mjd, np.float64)


def _checked(table: Ephemeris, file: str) -> Ephemeris:
    good = np.isfinite([table.mjd, table.ra_deg]).all(axis=0) & (np.abs(table.dec_deg) <= 90)
    for row in np.flatnonzero(~good)[:1]:
        raise ConfigError(
            f"{file}, row {row + 1}: MJD {table.mjd[row]:g}, right ascension {table.ra_deg[row]:g} and declination"
            f" {table.dec_deg[row]:g} are no time and position",
            hint="correct or remove it",
        )
    if not len(table):
        raise ConfigError(f"{file} holds no rows", hint="give a header and a row for each position")
    return table
