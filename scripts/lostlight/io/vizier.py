"""Catalogues from VizieR: whole answers or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import votable
from astropy.table import Table

from lostlight.core.errors import RemoteDown, RemoteEmpty, RemoteRefused, RemoteTruncated
from lostlight.io import cache, http
from lostlight.io.angles import as_degrees

SERVICE = "https://vizier.cds.unistra.fr"
PATH = "/viz-bin/votable"
DEFAULT_ROWS = 50
"""What VizieR and astroquery give when nobody says how many rows are wanted."""

_WIDER = 1.5


@dataclass(frozen=True)
class Question:
    """A cone of one catalogue: VizieR's names of the table and its columns, constraints by column, and how to ask."""

    service: str
    catalog_id: str
    ra_deg: float
    dec_deg: float
    radius_deg: float
    columns: tuple[str, ...]
    filters: Mapping[str, str] = field(default_factory=dict)
    policy: http.Policy = field(default_factory=http.Policy)
    row_cap: int = 2_000_000

    def about(self, ra_deg: float, dec_deg: float, radius_deg: float) -> "Question":
        """Ask the same of another cone."""
        return replace(self, ra_deg=ra_deg, dec_deg=dec_deg, radius_deg=radius_deg)

    @property
    def query(self) -> dict[str, object]:
        """Everything that decides the answer."""
        place = f"{self.ra_deg:.6f} {self.dec_deg:+.6f} {self.radius_deg:.6f}"
        params = {
            "catalog": self.catalog_id,
            "cone": place,
            "filters": dict(self.filters),
            "columns": list(self.columns),
        }
        return {"service": http.identity(self.service), "path": PATH, "params": params}

    @property
    def body(self) -> str:
        """The query in VizieR's language, as astroquery writes it, without a limit on rows."""
        from astroquery.vizier import VizierClass  # its import takes half a second, and the cache often has the answer

        writer = VizierClass(columns=list(self.columns), column_filters=dict(self.filters), row_limit=-1)
        centre = SkyCoord(self.ra_deg, self.dec_deg, unit="deg", frame="icrs")
        return writer.query_region_async(
            centre, radius=self.radius_deg * u.deg, catalog=self.catalog_id, frame="icrs", get_query_payload=True
        )


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
    service, asking = url or SERVICE, policy or http.Policy()
    question = Question(
        service, catalog_id, ra_deg, dec_deg, radius_deg, tuple(columns), dict(filters or {}), asking, row_cap
    )
    return answer(question, may_be_empty=may_be_empty)


def answer(question: Question, *, may_be_empty: bool = False) -> Table:
    """Answer a question, from the cache where it is there; ``meta["is_changed"]`` tells of a refreshed answer.

    See `cone`.
    """

    def ask() -> bytes:
        content, table = fetch(question)
        if not len(table) and not may_be_empty:
            raise empty(question)
        return content

    policy = question.policy
    found = cache.remembered(question.query, ask, offline=policy.offline, refresh=policy.refresh)
    table = parse(found.content, question.service)
    table = table if len(table) else no_rows(question)
    table.meta["is_changed"] = found.is_changed
    return table


def no_rows(question: Question) -> Table:
    """Make a table of the columns asked for, without rows; services leave the columns out too."""
    return Table({name: np.array([], dtype=np.float64) for name in question.columns})


def fetch(question: Question) -> tuple[bytes, Table]:
    """Ask once, and where the number of rows looks like a limit, once more with a wider cone; nothing is remembered."""
    content, table = _fetch(question)
    if len(table) == DEFAULT_ROWS:
        content, table = _fetch(replace(question, radius_deg=_WIDER * question.radius_deg))
        if len(table) <= DEFAULT_ROWS:
            raise _capped(question, len(table))
    return content, table


def empty(question: Question) -> RemoteEmpty:
    """Make the error for a cone without rows where there must be some."""
    where = f"RA {question.ra_deg:.3f} Dec {question.dec_deg:+.3f}"
    return RemoteEmpty(
        f"{question.service}: {question.catalog_id} came without rows within {question.radius_deg:.2f} deg of {where}",
        hint="the catalogue has rows there; try again later",
        service=question.service,
        catalog=question.catalog_id,
    )


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


def _fetch(question: Question) -> tuple[bytes, Table]:
    tables: list[Table] = []
    content = http.fetch(
        question.service,
        PATH,
        question.policy,
        body=question.body,
        check=lambda got: tables.append(parse(got, question.service)),
    )
    if len(tables[-1]) == question.row_cap:
        raise _capped(question, question.row_cap)
    return content, tables[-1]


def _refuse_status(document: votable.tree.VOTableFile, service: str) -> None:
    infos = [*document.infos, *(info for resource in document.resources for info in resource.infos)]
    for info in infos:
        name, value = str(info.name or "").upper(), str(info.value or "").upper()
        if name.startswith("ERROR") or (name, value) == ("QUERY_STATUS", "ERROR"):
            raise RemoteRefused(f"{service} reports: {info.content or info.value}", hint="check the query")
        if (name, value) == ("QUERY_STATUS", "OVERFLOW"):
            raise RemoteTruncated(f"{service} cut the answer short (OVERFLOW)", hint="ask for a smaller field", rows=-1)


def _capped(question: Question, n_rows: int) -> RemoteTruncated:
    return RemoteTruncated(
        f"{question.service}: {question.catalog_id} came with exactly {n_rows} rows, which is a limit and not the sky",
        hint="ask for a smaller field, or raise reference.row_cap if the sky holds that many",
        service=question.service,
        catalog=question.catalog_id,
        rows=n_rows,
    )


def _plain(table: Table) -> Table:
    """Turn sexagesimal angles to degrees and text of any length to numpy's own."""
    for name in table.colnames:
        unit = str(table[name].unit or "").strip('"')
        if table[name].dtype.kind in "SUO" and unit in ("h:m:s", "d:m:s"):
            table.replace_column(name, as_degrees(table[name], is_ra=unit == "h:m:s"))
        elif table[name].dtype.kind in "OS":
            table.replace_column(name, np.ma.filled(np.ma.asarray(table[name]), "").astype("U"))
    return table
