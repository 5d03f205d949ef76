"""Tables in FITS, CSV, ECSV, VOTable and Parquet, all described by the one dictionary of columns."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from astropy.io import fits
from astropy.table import Column, MaskedColumn, Table

from lostlight.core import atomic
from lostlight.core.errors import ContractError
from lostlight.io import bintable
from lostlight.vocab.column import Schema
from lostlight.vocab.columns import COLUMNS


def empty(schema: Schema) -> Table:
    """Make a table without rows, with the columns and dtypes of a schema."""
    return Table([Column(name=name, dtype=_dtype(name), length=0) for name in schema])


def conform(table: Table, schema: Schema) -> Table:
    """Give the columns of a schema in its order and dtypes, described; masked numbers become NaN.

    Raises
    ------
    ContractError
        If a column is missing.
    """
    missing = [name for name in schema if name not in table.colnames]
    if missing:
        raise ContractError(
            f"table lacks the columns {', '.join(missing)}", hint="this is a bug in the step that made it"
        )
    return Table([_described(table[name], name) for name in schema], meta={}, copy=False)


def write(table: Table, path: Path, schema: Schema, meta: Mapping[str, str | float | int] | None = None) -> None:
    """Write a table in the format its suffix names (.fits .csv .ecsv .vot .parquet), whole or not at all.

    `meta` goes to the FITS header, the ECSV comments or the Parquet metadata; CSV has no place for it.
    """
    ordered = conform(table, schema)
    ordered.meta.update(meta or {})
    _WRITERS[path.suffix](ordered, path)


def read(path: Path) -> Table:
    """Read a table written by `write`; text columns come as str.

    Raises
    ------
    ContractError
        If the file cannot be read as a table.
    """
    try:
        return _READERS[path.suffix](path)
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise ContractError(f"{path.name} cannot be read as a table: {error}", hint="make it again") from error


def n_rows(path: Path) -> int:
    """Count the rows of a FITS table without reading them."""
    return int(fits.getheader(path, 1)["NAXIS2"])


def _dtype(name: str) -> str:
    dtype = COLUMNS[name].dtype
    return "U1" if dtype == "str" else dtype


def _described(column: Column, name: str) -> Column:
    declared = COLUMNS[name]
    values = column.filled(np.nan if column.dtype.kind == "f" else "") if _has_mask(column) else np.asarray(column)
    dtype = values.dtype if declared.dtype == "str" and values.dtype.kind == "U" else _dtype(name)
    if declared.dtype == "str" and values.dtype.kind != "U":
        values, dtype = values.astype("U"), None
    described = Column(np.asarray(values, dtype=dtype), name=name, unit=declared.unit or None)
    described.description = declared.text
    described.meta["ucd"] = declared.ucd
    return described


def _has_mask(column: Column) -> bool:
    return isinstance(column, MaskedColumn) and column.dtype.kind in "fUS"


def _write_fits(table: Table, path: Path) -> None:
    # through astropy descriptions and UCDs would be hidden in comments, where no other program finds them
    fields = [
        bintable.Field(
            name, np.asarray(table[name]), str(table[name].unit or ""), COLUMNS[name].ucd, COLUMNS[name].text
        )
        for name in table.colnames
    ]
    atomic.write_bytes(path, bintable.encode(fields, table.meta))


def _write_with(**options: object) -> Callable[[Table, Path], None]:
    def writer(table: Table, path: Path) -> None:
        with atomic.replacing(path) as staging:
            table.write(staging, **options)

    return writer


def _write_parquet(table: Table, path: Path) -> None:
    fields = [
        pa.field(
            name,
            pa.string() if COLUMNS[name].dtype == "str" else pa.from_numpy_dtype(np.dtype(COLUMNS[name].dtype)),
            metadata={"unit": COLUMNS[name].unit, "ucd": COLUMNS[name].ucd, "description": COLUMNS[name].text},
        )
        for name in table.colnames
    ]
    schema = pa.schema(fields, metadata={str(key): str(value) for key, value in table.meta.items()})
    arrays = [pa.array(np.asarray(table[field.name]), type=field.type) for field in fields]
    with atomic.replacing(path) as staging:
        pq.write_table(pa.Table.from_arrays(arrays, schema=schema), staging, compression="zstd")


def _read_fits(path: Path) -> Table:
    fields, cards = bintable.decode(path.read_bytes())
    table = Table({field.name: field.values for field in fields}, meta=cards, copy=False)
    for field in fields:
        table[field.name].unit = field.unit or None
    return table


def _read_with(**options: object) -> Callable[[Path], Table]:
    return lambda path: Table.read(path, **options)


def _read_parquet(path: Path) -> Table:
    stored = pq.read_table(path)
    return Table({name: _text(stored.column(name).to_numpy(zero_copy_only=False)) for name in stored.column_names})


def _text(values: np.ndarray) -> np.ndarray:
    return values.astype("U") if values.dtype.kind == "O" else values


_WRITERS: dict[str, Callable[[Table, Path], None]] = {
    ".fits": _write_fits,
    ".csv": _write_with(format="ascii.csv"),
    ".ecsv": _write_with(format="ascii.ecsv"),
    ".vot": _write_with(format="votable"),
    ".parquet": _write_parquet,
}
_READERS: dict[str, Callable[[Path], Table]] = {
    ".fits": _read_fits,
    ".csv": _read_with(format="ascii.csv"),
    ".ecsv": _read_with(format="ascii.ecsv"),
    ".vot": _read_with(format="votable"),
    ".parquet": _read_parquet,
}
