"""Catalogues from VizieR: whole answers or none, and the rows of the big ones kept once, by place on the sky.

cone          rows of any catalogue around a position, remembered by query
rows_around   the same from Parquet files of one HEALPix cell each, so that neighbouring tiles share their rows
"""

import re
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy import units as u
from astropy.coordinates import Latitude, Longitude, SkyCoord, angular_separation
from astropy.io import votable
from astropy.table import Table, vstack
from astropy_healpix import HEALPix, boundaries_lonlat, healpix_to_lonlat, lonlat_to_healpix

from lostlight.core import atomic
from lostlight.core.errors import BadCatalogue, RemoteDown, RemoteEmpty, RemoteRefused, RemoteTruncated
from lostlight.io import cache, http
from lostlight.io.angles import as_degrees

SERVICE = "https://vizier.cds.unistra.fr"
PATH = "/viz-bin/votable"
DEFAULT_ROWS = 50
"""What VizieR and astroquery give when nobody says how many rows are wanted."""

NSIDE = 64
"""Cells of 0.92 degrees: a tile of one degree touches about seven."""

_WIDER = 1.5
_NSIDE_FINE = 4 * NSIDE
_N_FINE = 16
_MIN_ROWS_FINE = 10
_MAX_EMPTY_FINE = 2


def cone(
    catalog_id: str,
    ra_deg: float,
    dec_deg: float,
    radius_deg: float,
    columns: Sequence[str],
    *,
    filters: Mapping[str, str] | None = None,
    url: str = "",
    policy: http.Policy | None = None,
    row_cap: int = 2_000_000,
    may_be_empty: bool = False,
) -> Table:
    """Give the rows of a catalogue within a cone.

    Parameters
    ----------
    catalog_id : str
        VizieR's name of the table: ``I/284/out``.
    ra_deg, dec_deg, radius_deg : float
        The cone; a few rows just outside it may be among the answer.
    columns : sequence of str
        VizieR's names of columns.
    filters : mapping, optional
        Constraints by column: ``{"R1mag": "<=12.4"}``.
    url : str
        Another service, ``sky:<seed>`` included.
    policy : Policy, optional
        Retries, pauses, interval, cache.
    row_cap : int
        An answer of exactly this many rows is cut short.
    may_be_empty : bool
        No rows are a valid answer.

    Returns
    -------
    Table
        The columns as VizieR names them, sexagesimal positions turned to degrees.

    Raises
    ------
    RemoteTruncated
        For `row_cap` rows, for an overflow the service owns up to, and for 50 rows where a wider cone brings no more.
    RemoteEmpty
        For no rows, unless they may be missing.
    RemoteDown, RemoteRefused
        If there is no usable answer.
    """
    policy = policy or http.Policy()
    service = url or SERVICE
    query = {"service": service, "path": PATH, "params": _describe(catalog_id, ra_deg, dec_deg, radius_deg, filters)}
    query["columns"] = list(columns)

    def ask() -> bytes:
        content, table = _fetch(service, catalog_id, ra_deg, dec_deg, radius_deg, columns, filters, policy, row_cap)
        if not len(table) and not may_be_empty:
            raise _empty(service, catalog_id, ra_deg, dec_deg, radius_deg)
        return content

    answer = cache.remembered(query, ask, offline=policy.offline, refresh=policy.refresh)
    table = parse(answer.content, service)
    table.meta["is_changed"] = answer.is_changed
    return table


def rows_around(
    catalog_id: str,
    ra_deg: float,
    dec_deg: float,
    radius_deg: float,
    columns: Sequence[str],
    *,
    url: str = "",
    policy: http.Policy | None = None,
    row_cap: int = 2_000_000,
    is_everywhere: bool = True,
) -> Table:
    """Give the rows of a catalogue within a cone, fetched cell by cell and kept as Parquet.

    The first two of `columns` are right ascension and declination. `is_everywhere` tells of a catalogue without empty
    cells: there an empty one, or one with a large hole, is an error. See `cone` for the rest.
    """
    policy = policy or http.Policy()
    lon, lat = Longitude(ra_deg, u.deg), Latitude(dec_deg, u.deg)
    cells = np.sort(HEALPix(NSIDE, order="nested").cone_search_lonlat(lon, lat, radius_deg * u.deg))
    source = _Source(url or SERVICE, catalog_id, tuple(columns), policy, row_cap, is_everywhere)
    parts = [source.cell(int(cell)) for cell in cells]
    table = vstack(parts, metadata_conflicts="silent")
    inside = _separation_deg(ra_deg, dec_deg, table[columns[0]], table[columns[1]]) <= radius_deg
    table = table[inside]
    table.meta["is_changed"] = any(part.meta["is_changed"] for part in parts)
    return table


def parse(content: bytes, service: str, *, by_id: bool = False) -> Table:
    """Read a VOTable, columns called by name or by ID; an answer without a table gives one without rows or columns.

    Raises
    ------
    RemoteDown
        If it is another kind of document, such as a page of apology.
    RemoteTruncated
        If it ends too early, cannot be read, or owns up to an overflow.
    RemoteRefused
        If the service reports an error in the query.
    """
    if b"<VOTABLE" not in content[:2000]:
        begin = " ".join(content[:60].decode("latin-1").split())
        raise RemoteDown(f"{service} sent no VOTable but {begin!r}", hint="try again later", service=service)
    if b"</VOTABLE>" not in content[-200:]:
        raise RemoteTruncated(f"{service}: the table breaks off", hint="try again later", service=service)
    try:
        document = votable.parse(BytesIO(content), verify="ignore", invalid="exception")
    except (ValueError, TypeError, IndexError, votable.exceptions.VOTableSpecError) as error:
        raise RemoteTruncated(
            f"{service}: the table cannot be read: {str(error).splitlines()[0]}",
            hint="try again later",
            service=service,
        ) from error
    _refuse_status(document, service)
    found = next(document.iter_tables(), None)
    return _plain(found.to_table(use_names_over_ids=not by_id)) if found is not None else Table()


class _Source:
    """One catalogue of one service, and the folder of its cells."""

    def __init__(
        self,
        service: str,
        catalog_id: str,
        columns: tuple[str, ...],
        policy: http.Policy,
        row_cap: int,
        everywhere: bool,
    ) -> None:
        self.service, self.catalog_id, self.columns = service, catalog_id, columns
        self.policy, self.row_cap, self.is_everywhere = policy, row_cap, everywhere
        name = f"{_slug(catalog_id)}-{atomic.sha256_json(list(columns))[:8]}"
        self.folder = cache.root() / "vizier" / _slug(service) / name / f"nside={NSIDE}"

    def cell(self, cell: int) -> Table:
        """Give the rows of one cell, from its file where that is intact, else from the service."""
        path = self.folder / f"healpix={cell}.parquet"
        with cache.locked(str(path)):
            former = _read_parquet(path)
            if former is not None and not (self.policy.refresh and not self.policy.offline):
                return former
            if self.policy.offline:
                raise cache.offline_miss({"service": self.service, "params": {self.catalog_id: path.stem}})
            table = self._fetch_cell(cell)
            _write_parquet(table, path)
            table.meta["is_changed"] = former is not None and not _same(former, table)
            return table

    def _fetch_cell(self, cell: int) -> Table:
        lon, lat = healpix_to_lonlat(cell, NSIDE, order="nested")
        ra, dec = float(lon.deg), float(lat.deg)
        border = boundaries_lonlat([cell], 4, NSIDE, order="nested")
        radius = float(np.max(_separation_deg(ra, dec, border[0].deg, border[1].deg))) + 0.01
        _, table = _fetch(self.service, self.catalog_id, ra, dec, radius, self.columns, None, self.policy, self.row_cap)
        if not len(table):
            if self.is_everywhere:
                raise _empty(self.service, self.catalog_id, ra, dec, radius)
            return table
        lon, lat = (self._angles(table, name) for name in self.columns[:2])
        place = lonlat_to_healpix(lon * u.deg, lat * u.deg, _NSIDE_FINE, order="nested")
        inside = place // _N_FINE == cell
        if self.is_everywhere:
            self._refuse_holes(place[inside], ra, dec)
        return table[inside]

    def _angles(self, table: Table, name: str) -> np.ndarray:
        values = np.ma.filled(np.ma.asarray(table[name], dtype=float), np.nan)
        if (bad := np.flatnonzero(~(np.abs(values) <= 360))).size:
            raise BadCatalogue(
                f"{self.service}: {self.catalog_id}, column {name}, row {bad[0] + 1}: {values[bad[0]]} is no position",
                hint="the answer is damaged; try again later",
                column=name,
                row=int(bad[0]) + 1,
            )
        return values

    def _refuse_holes(self, place: np.ndarray, ra: float, dec: float) -> None:
        """A sixteenth of a cell without any row happens around the brightest stars; three of them do not."""
        n_empty = _N_FINE - len(np.unique(place))
        if len(place) >= _N_FINE * _MIN_ROWS_FINE and n_empty > _MAX_EMPTY_FINE:
            raise RemoteTruncated(
                f"{self.service}: {self.catalog_id} has no rows in {n_empty} of {_N_FINE} parts of the cell at"
                f" RA {ra:.3f} Dec {dec:+.3f}, and {len(place)} in the others",
                hint="the answer is incomplete; try again later",
                service=self.service,
                catalog=self.catalog_id,
                rows=len(place),
            )


def _fetch(
    service: str,
    catalog_id: str,
    ra_deg: float,
    dec_deg: float,
    radius_deg: float,
    columns: Sequence[str],
    filters: Mapping[str, str] | None,
    policy: http.Policy,
    row_cap: int,
) -> tuple[bytes, Table]:
    """Ask once, and where the number of rows looks like a limit, once more with a wider cone."""

    def ask(radius: float) -> tuple[bytes, Table]:
        body = _body(catalog_id, ra_deg, dec_deg, radius, columns, filters)
        tables: list[Table] = []
        content = http.fetch(service, PATH, policy, body=body, check=lambda got: tables.append(parse(got, service)))
        if len(tables[-1]) == row_cap:
            raise _capped(service, catalog_id, row_cap)
        return content, tables[-1]

    content, table = ask(radius_deg)
    if len(table) == DEFAULT_ROWS:
        content, table = ask(_WIDER * radius_deg)
        if len(table) <= DEFAULT_ROWS:
            raise _capped(service, catalog_id, len(table))
    return content, table


def _body(
    catalog_id: str,
    ra_deg: float,
    dec_deg: float,
    radius_deg: float,
    columns: Sequence[str],
    filters: Mapping[str, str] | None,
) -> str:
    from astroquery.vizier import VizierClass  # its import takes half a second, and the cache often has the answer

    service = VizierClass(columns=list(columns), column_filters=dict(filters or {}), row_limit=-1)
    centre = SkyCoord(ra_deg, dec_deg, unit="deg", frame="icrs")
    return service.query_region_async(
        centre, radius=radius_deg * u.deg, catalog=catalog_id, frame="icrs", get_query_payload=True
    )


def _refuse_status(document: votable.tree.VOTableFile, service: str) -> None:
    infos = [*document.infos, *(info for resource in document.resources for info in resource.infos)]
    for info in infos:
        if info.name == "QUERY_STATUS" and str(info.value).upper() == "ERROR":
            raise RemoteRefused(f"{service} reports: {info.content or 'an error'}", hint="check the query")
        if info.name == "QUERY_STATUS" and str(info.value).upper() == "OVERFLOW":
            raise RemoteTruncated(f"{service} cut the answer short (OVERFLOW)", hint="ask for a smaller field", rows=-1)


def _capped(service: str, catalog_id: str, n_rows: int) -> RemoteTruncated:
    return RemoteTruncated(
        f"{service}: {catalog_id} came with exactly {n_rows} rows, which is a limit and not the sky",
        hint="ask for a smaller field, or raise reference.row_cap if the sky holds that many",
        service=service,
        catalog=catalog_id,
        rows=n_rows,
    )


def _empty(service: str, catalog_id: str, ra_deg: float, dec_deg: float, radius_deg: float) -> RemoteEmpty:
    return RemoteEmpty(
        f"{service}: {catalog_id} came without rows within {radius_deg:.2f} deg of RA {ra_deg:.3f} Dec {dec_deg:+.3f}",
        hint="the catalogue has rows there; try again later",
        service=service,
        catalog=catalog_id,
    )


def _describe(
    catalog_id: str, ra_deg: float, dec_deg: float, radius_deg: float, filters: Mapping[str, str] | None
) -> dict[str, object]:
    place = f"{ra_deg:.6f} {dec_deg:+.6f} {radius_deg:.6f}"
    return {"catalog": catalog_id, "cone": place, "filters": dict(filters or {})}


def _plain(table: Table) -> Table:
    """Turn sexagesimal angles to degrees and text of any length to numpy's own."""
    for name in table.colnames:
        unit = str(table[name].unit or "").strip('"')
        if table[name].dtype.kind in "SUO" and unit in ("h:m:s", "d:m:s"):
            table.replace_column(name, as_degrees(table[name], is_ra=unit == "h:m:s"))
        elif table[name].dtype.kind == "O":
            table.replace_column(name, np.ma.filled(np.ma.asarray(table[name]), "").astype("U"))
    return table


def _separation_deg(ra_deg: float, dec_deg: float, lon_deg: np.ndarray, lat_deg: np.ndarray) -> np.ndarray:
    lon, lat = (np.radians(np.asarray(angle, dtype=float)) for angle in (lon_deg, lat_deg))
    return np.degrees(angular_separation(*np.radians([ra_deg, dec_deg]), lon, lat))


def _write_parquet(table: Table, path: Path) -> None:
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


def _read_parquet(path: Path) -> Table | None:
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


def _same(one: Table, other: Table) -> bool:
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
