"""The rows of big catalogues, kept once: one Parquet file for each HEALPix cell, shared by neighbouring tiles.

data/cache/vizier/<service>/<catalogue>-<columns>/nside=64/healpix=4454.parquet
"""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units as u
from astropy.coordinates import Latitude, Longitude, angular_separation
from astropy.table import Table, vstack
from astropy_healpix import HEALPix, boundaries_lonlat, healpix_to_lonlat, lonlat_to_healpix

from lostlight.core import atomic
from lostlight.core.errors import BadCatalogue, RemoteTruncated
from lostlight.io import cache, http
from lostlight.io.vizier import Question, empty, fetch, no_rows

NSIDE = 64
"""Cells of 0.92 degrees: a tile of one degree touches about seven."""

_NSIDE_FINE = 4 * NSIDE
_N_FINE = 16
_MIN_ROWS_FINE = 10
_MAX_EMPTY_FINE = 2


def rows_around(question: Question, reach_deg: float = 0.0, *, is_everywhere: bool = True) -> Table:
    """Give the rows of a catalogue within a cone, fetched cell by cell.

    Parameters
    ----------
    question : Question
        The first two columns are right ascension and declination; no filters.
    reach_deg : float
        Rows this far beyond the cone are given too, where the cells that the cone touches hold them.
    is_everywhere : bool
        The catalogue has no empty cells here: an empty one, or one with a large hole, is an error.

    Returns
    -------
    Table
        Columns and units as the service names them; ``meta["is_changed"]`` tells whether a refreshed cell differs.

    Raises
    ------
    RemoteError
        As `lostlight.io.vizier.cone`, for any of the cells; also RemoteTruncated for holes.
    BadCatalogue
        For a row whose position is not a number.
    """
    lon, lat = Longitude(question.ra_deg, u.deg), Latitude(question.dec_deg, u.deg)
    cells = np.sort(HEALPix(NSIDE, order="nested").cone_search_lonlat(lon, lat, question.radius_deg * u.deg))
    parts = [_cell(question, int(cell), is_everywhere) for cell in cells]
    # an empty part would bring its own types of columns, and identifiers of 18 digits must stay whole numbers
    filled = [part for part in parts if len(part)]
    table = vstack(filled, metadata_conflicts="silent") if filled else no_rows(question)
    lon_deg, lat_deg = (np.asarray(table[name], dtype=float) for name in question.columns[:2])
    table = table[_distance_deg(question.ra_deg, question.dec_deg, lon_deg, lat_deg) <= question.radius_deg + reach_deg]
    table.meta["is_changed"] = any(part.meta["is_changed"] for part in parts)
    return table


def _cell(question: Question, cell: int, is_everywhere: bool) -> Table:
    """Give the rows of one cell, from its file where that is intact, else from the service."""
    path, policy = _path(question, cell), question.policy
    with cache.locked(str(path)):
        former = _read(path)
        if former is not None and not (policy.refresh and not policy.offline):
            return former
        if policy.offline:
            raise cache.offline_miss({"service": question.service, "params": {question.catalog_id: path.stem}})
        table = _fetch_cell(question, cell, is_everywhere)
        _write(table, path)
        table.meta["is_changed"] = former is not None and not _is_same(former, table)
        return table


def _path(question: Question, cell: int) -> Path:
    name = f"{_slug(question.catalog_id)}-{atomic.sha256_json(list(question.columns))[:8]}"
    return (
        cache.root()
        / "vizier"
        / _slug(http.identity(question.service))
        / name
        / f"nside={NSIDE}"
        / f"healpix={cell}.parquet"
    )


def _fetch_cell(question: Question, cell: int, is_everywhere: bool) -> Table:
    lon, lat = healpix_to_lonlat(cell, NSIDE, order="nested")
    border = boundaries_lonlat([cell], 4, NSIDE, order="nested")
    radius_deg = float(np.max(_distance_deg(lon.deg, lat.deg, border[0].deg, border[1].deg))) + 0.01
    around = question.about(float(lon.deg), float(lat.deg), radius_deg)
    _, table = fetch(around)
    if not len(table):
        if is_everywhere:
            raise empty(around)
        return no_rows(around)
    lon, lat = (_angles(around, table, name) for name in question.columns[:2])
    place = lonlat_to_healpix(lon * u.deg, lat * u.deg, _NSIDE_FINE, order="nested")
    inside = place // _N_FINE == cell
    if is_everywhere:
        _refuse_holes(around, place[inside])
    return table[inside]


def _angles(question: Question, table: Table, name: str) -> np.ndarray:
    values = np.ma.filled(np.ma.asarray(table[name], dtype=float), np.nan)
    if (bad := np.flatnonzero(~(np.abs(values) <= 360))).size:
        raise BadCatalogue(
            f"{question.service}: {question.catalog_id}, column {name}, row {bad[0] + 1}:"
            f" {values[bad[0]]} is no position",
            hint="the answer is damaged; try again later",
            column=name,
            row=int(bad[0]) + 1,
        )
    return values


def _refuse_holes(question: Question, place: np.ndarray) -> None:
    """A sixteenth of a cell without any row happens around the brightest stars; three of them do not."""
    n_empty = _N_FINE - len(np.unique(place))
    if len(place) >= _N_FINE * _MIN_ROWS_FINE and n_empty > _MAX_EMPTY_FINE:
        raise RemoteTruncated(
            f"{question.service}: {question.catalog_id} has no rows in {n_empty} of {_N_FINE} parts of the cell at"
            f" RA {question.ra_deg:.3f} Dec {question.dec_deg:+.3f}, and {len(place)} in the others",
            hint="the answer is incomplete; try again later",
            service=question.service,
            catalog=question.catalog_id,
            rows=len(place),
        )


def _distance_deg(ra_deg: float, dec_deg: float, lon_deg: np.ndarray, lat_deg: np.ndarray) -> np.ndarray:
    lon, lat = (np.radians(np.asarray(angle, dtype=float)) for angle in (lon_deg, lat_deg))
    return np.degrees(angular_separation(*np.radians([ra_deg, dec_deg]), lon, lat))


def _write(table: Table, path: Path) -> None:
    arrays = {name: np.ma.asarray(table[name]) for name in table.colnames}
    columns = [
        pa.array(np.ma.getdata(values).astype(object if values.dtype.kind in "SU" else values.dtype),
                 mask=np.ma.getmaskarray(values))
        for values in arrays.values()
    ]  # fmt: skip
    fields = [
        pa.field(name, column.type, metadata={"unit": str(table[name].unit or "")})
        for name, column in zip(arrays, columns, strict=True)
    ]
    with atomic.replacing(path) as staging:
        stored = pa.Table.from_arrays(columns, schema=pa.schema(fields))
        pq.write_table(stored, staging, compression="zstd", write_page_checksum=True)


def _read(path: Path) -> Table | None:
    """Read a cell; None where there is none, or one that fails its checksums and must be fetched again."""
    try:
        stored = pq.read_table(path, page_checksum_verification=True, partitioning=None)
    except (OSError, pa.ArrowException):
        return None
    table = Table(meta={"is_changed": False})
    for field in stored.schema:
        values = stored.column(field.name).to_numpy(zero_copy_only=False)
        table[field.name] = values.astype("U") if values.dtype.kind == "O" else values
        table[field.name].unit = (field.metadata or {}).get(b"unit", b"").decode() or None
    return table


def _is_same(one: Table, other: Table) -> bool:
    return (
        one.colnames == other.colnames
        and len(one) == len(other)
        and all(
            np.array_equal(np.ma.asarray(one[name]).astype(str), np.ma.asarray(other[name]).astype(str))
            for name in one.colnames
        )
    )


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]+", "_", text)
