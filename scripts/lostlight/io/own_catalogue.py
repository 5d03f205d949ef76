"""A catalogue of the user's own, in any of the usual formats, gzip or not."""

import gzip
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.registry import IORegistryError
from astropy.table import Table

from lostlight.core.errors import BadCatalogue, ConfigError
from lostlight.io.angles import as_degrees

_FORMATS = {
    ".csv": "ascii.csv",
    ".tsv": "ascii.tab",
    ".ecsv": "ascii.ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".cat": "fits",
    ".vot": "votable",
    ".xml": "votable",
    ".votable": "votable",
}

_GALACTIC = (("glon", "glat"), ("l", "b"))


def read(path: str, units: Mapping[str, str], row_cap: int) -> Table:
    """Read a catalogue whole: CSV, TSV, ECSV, FITS, VOTable or Parquet, by its suffix.

    One with galactic coordinates alone (l and b, or GLON and GLAT) is given ``ra_deg`` and ``dec_deg`` (ICRS) as well.

    Parameters
    ----------
    path : str
        The file; a further suffix ``.gz`` may follow.
    units : mapping
        Unit of a column, where the file does not say it or says it wrong.
    row_cap : int
        A file of exactly this many rows was cut short when it was exported.

    Raises
    ------
    ConfigError
        If there is no such file, or its suffix is unknown.
    BadCatalogue
        If it cannot be read, has no rows or `row_cap` of them, or a unit or column of `units` is unknown.
    """
    file = Path(path)
    if not file.is_file():
        raise ConfigError(f"reference.own.path = {path!r}: there is no such file", hint="check the path")
    suffixes = [suffix.lower() for suffix in file.suffixes]
    kind = next((suffix for suffix in reversed(suffixes) if suffix != ".gz"), "")
    if kind != ".parquet" and kind not in _FORMATS:
        known = ", ".join([*_FORMATS, ".parquet"])
        raise ConfigError(f"reference.own.path = {path!r}: unknown format {kind!r}", hint=f"known: {known}, and .gz")
    try:
        content = file.read_bytes()
        content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
        table = _parsed(content, kind)
    except (OSError, EOFError, ValueError, TypeError, IndexError, zlib.error, IORegistryError) as error:
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadCatalogue(
            f"{file.name} cannot be read: {first_line}", hint="check the file", file=file.name
        ) from error
    if not len(table):
        raise BadCatalogue(f"{file.name} has no rows", hint="give a catalogue of the field", file=file.name, rows=0)
    if len(table) == row_cap:
        raise BadCatalogue(
            f"{file.name} has exactly {row_cap} rows, the limit reference.row_cap: it was cut short",
            hint="export it without a limit on rows, or raise reference.row_cap",
            file=file.name,
            rows=row_cap,
        )
    return _equatorial(_with_units(table, units, file.name))


def decimal(table: Table, names: Mapping[str, bool]) -> Table:
    """Turn columns of angles written as text to numbers; `names` says which, and whether each is a right ascension."""
    for name, is_ra in names.items():
        table.replace_column(name, as_degrees(table[name], is_ra=is_ra))
    return table


def _parsed(content: bytes, kind: str) -> Table:
    if kind == ".parquet":
        return Table.from_pandas(pq.read_table(BytesIO(content)).to_pandas())
    form = _FORMATS[kind]
    if form.startswith("ascii"):
        text = content.decode("utf-8-sig")
        first = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
        if form == "ascii.csv" and first.count(";") > first.count(","):
            return Table.read(text, format=form, delimiter=";")
        return Table.read(text, format=form)
    if form == "fits":
        return Table.read(BytesIO(content), format=form, character_as_bytes=False)
    return Table.read(BytesIO(content), format=form)


def _with_units(table: Table, units: Mapping[str, str], file: str) -> Table:
    for name, unit in units.items():
        if name not in table.colnames:
            raise BadCatalogue(f"{file} has no column {name!r}", hint="check reference.own.units", column=name)
        try:
            table[name].unit = u.Unit(unit)
        except ValueError as error:
            raise BadCatalogue(
                f"reference.own.units: {unit!r} for column {name} is no unit", hint="write deg, arcsec or mas/yr",
                column=name,
            ) from error  # fmt: skip
    return table


def _equatorial(table: Table) -> Table:
    by_lower = {name.lower(): name for name in table.colnames}
    pair = next((pair for pair in _GALACTIC if set(pair) <= set(by_lower)), None)
    if pair is None or any(name.lstrip("_").startswith(("ra", "alpha")) for name in by_lower):
        return table
    lon, lat = (table[by_lower[name]] for name in pair)
    if any(column.dtype.kind not in "fiu" or str(column.unit or "deg") != "deg" for column in (lon, lat)):
        return table
    lon_deg, lat_deg = (np.ma.filled(np.ma.asarray(column, float), np.nan) for column in (lon, lat))
    if np.any(np.abs(lat_deg) > 90):
        raise BadCatalogue(
            f"column {lat.name} holds {np.nanmax(np.abs(lat_deg)):g}, which is no latitude",
            hint="check it, or name the columns of the position in reference.own.columns",
            column=lat.name,
        )
    icrs = SkyCoord(lon_deg, lat_deg, unit="deg", frame="galactic").icrs
    table["ra_deg"], table["dec_deg"] = icrs.ra.deg, icrs.dec.deg
    return table
