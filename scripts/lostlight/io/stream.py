"""A FITS table too long for memory, written block by block."""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from astropy.io import fits
from astropy.table import Table

from lostlight.core import atomic
from lostlight.io import tables
from lostlight.vocab.columns import COLUMNS, Schema

_BLOCK = 2880


class TableStream:
    """Appends tables to one FITS table; made by `opened`."""

    def __init__(self, sink: BinaryIO, scratch: Path, schema: Schema, widths: Mapping[str, int]) -> None:
        self.n_rows = 0
        self._sink, self._scratch, self._schema, self._widths = sink, scratch, schema, widths
        self._row_bytes = self._copy(tables.empty(schema))

    def append(self, table: Table) -> None:
        """Add the rows of a table that has the columns of the schema."""
        if len(table):
            self._copy(table)

    def finish(self) -> None:
        """Fill the last block of the file and write the number of rows into the header."""
        self._sink.write(b"\0" * (-self.n_rows * self._row_bytes % _BLOCK))
        self._sink.seek(self._naxis2_at)
        self._sink.write(fits.Card("NAXIS2", self.n_rows).image.encode())

    def _copy(self, table: Table) -> int:
        # The table is written as any other is; its rows are then the bytes between header and padding.
        tables.write(_widened(table, self._schema, self._widths), self._scratch, self._schema)
        with fits.open(self._scratch) as hdus:
            header, place = hdus[1].header, hdus[1].fileinfo()
        with self._scratch.open("rb") as source:
            if self._sink.tell() == 0:
                self._copy_head(source, header, place["datLoc"])
            source.seek(place["datLoc"])
            self._sink.write(source.read(header["NAXIS1"] * len(table)))
        self.n_rows += len(table)
        return int(header["NAXIS1"])

    def _copy_head(self, source: BinaryIO, header: fits.Header, start_of_data: int) -> None:
        head = source.read(start_of_data)
        # The checksum of an empty table would be wrong for a full one.
        for key in ("CHECKSUM", "DATASUM"):
            start = head.rindex(f"{key:8s}=".encode())
            head = head[:start] + f"{'COMMENT':80s}".encode() + head[start + 80 :]
        self._naxis2_at = head.rindex(b"NAXIS2  =")
        self._sink.write(head)


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
    with tempfile.TemporaryDirectory() as folder, atomic.replacing(path) as staging, staging.open("wb") as sink:
        stream = TableStream(sink, Path(folder) / "block.fits", schema, widths)
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


def _widened(table: Table, schema: Schema, widths: Mapping[str, int]) -> Table:
    wide = Table([table[name] for name in schema], names=schema, copy=False)
    for name in schema:
        if COLUMNS[name].dtype == "str":
            texts = np.asarray(table[name], dtype=str)
            if len(texts) and np.char.str_len(texts).max() > widths[name]:
                raise ValueError(f"a text of column {name} is longer than {widths[name]} characters")
            wide[name] = texts.astype(f"U{max(widths[name], 1)}")
    return wide
