"""What a column of a table is."""

from typing import NamedTuple

Schema = tuple[str, ...]
"""Names of the columns of a table, in order."""


class Column(NamedTuple):
    """One column: a numpy dtype string (``str`` for text), a VOUnit string, a UCD and a sentence."""

    name: str
    dtype: str
    unit: str
    ucd: str
    text: str
