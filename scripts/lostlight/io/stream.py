"""A FITS table too long for memory, written block by block."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits
from astropy.table import Table

from lostlight.core import atomic
from lostlight.io import tables
from lostlight.vocab.column import Schema
from lostlight.vocab.columns import COLUMNS

_BLOCK = 2880


class TableStream:
    """Appends tables to one FITS table; made by `opened`."""

    def __init__(self, sink: BinaryIO, head: bytes, dtype: np.dtype) -> None:
        self.n_rows = 0
        self._sink, self._head, self._dtype = sink, head, dtype
        sink.write(head)

    def append(self, table: Table) -> None:
        """Add the rows of a table that has the columns of the schema."""
        rows = np.zeros(len(table), self._dtype)
        for name in self._dtype.names:
            rows[name] = _stored(np.asarray(table[name]), name, self._dtype[name])
        self._sink.write(rows.tobytes())
        self.n_rows += len(table)

    def finish(self) -> None:
        """Fill the last block of the file and write the number of rows into the header."""
        self._sink.write(b"\0" * (-self.n_rows * self._dtype.itemsize % _BLOCK))
        self._sink.seek(self._head.rindex(b"NAXIS2  ="))
        self._sink.write(fits.Card("NAXIS2", self.n_rows).image.encode())


@contextmanager
def opened(path: Path, schema: Schema, widths: Mapping[str, int]) -> Iterator[TableStream]:
    """Open a FITS table for appending; it is there, whole, when the block ends, and not at all if that fails.

    Parameters
    ----------
    schema : tuple of str
        Columns of the table.
    widths : mapping
        Longest text of each text column; longer text raises ValueError.
    """
    with atomic.replacing(path) as staging:
        # The head is that of any other table: `tables.write` makes it, for a table without rows.
        tables.write(_blank(schema, widths), staging, schema)
        with fits.open(staging) as hdus:
            head, dtype = staging.read_bytes()[: hdus[1].fileinfo()["datLoc"]], hdus[1].columns.dtype.newbyteorder(">")
        with staging.open("wb") as sink:
            stream = TableStream(sink, _without_checksums(head), dtype)
            yield stream
            stream.finish()


def text_widths(paths: Iterable[Path], schema: Schema) -> dict[str, int]:
    """Give the longest text that each text column of some FITS tables can hold, from their headers alone."""
    widths = {name: 1 for name in schema if COLUMNS[name].dtype == "str"}
    for path in paths:
        header = fits.getheader(path, 1)
        for number in range(1, header["TFIELDS"] + 1):
            if (name := header[f"TTYPE{number}"]) in widths:
                widths[name] = max(widths[name], int(header[f"TFORM{number}"].rstrip("A") or 1))
    return widths


def _blank(schema: Schema, widths: Mapping[str, int]) -> Table:
    table = tables.empty(schema)
    for name in schema:
        if COLUMNS[name].dtype == "str":
            table[name] = np.empty(0, f"U{max(widths[name], 1)}")
    return table


def _without_checksums(head: bytes) -> bytes:
    """Blank the checksums of the table, which are those of a table without rows."""
    for key in ("CHECKSUM", "DATASUM"):
        start = head.rindex(f"{key:8s}=".encode())
        head = head[:start] + f"{'COMMENT':80s}".encode() + head[start + 80 :]
    return head


def _stored(values: np.ndarray, name: str, dtype: np.dtype) -> np.ndarray:
    """Give values as FITS stores them: text as ASCII, truth as the letters T and F."""
    if dtype.kind == "S":
        if values.dtype.itemsize // 4 > dtype.itemsize and (np.char.str_len(values) > dtype.itemsize).any():
            raise ValueError(f"a text of column {name} is longer than {dtype.itemsize} characters")
        return np.char.encode(values.astype(str), "ascii")
    return np.where(values, ord("T"), ord("F")) if COLUMNS[name].dtype == "?" else values
