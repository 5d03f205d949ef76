"""Tables of positions that users bring."""

import csv
import math
from pathlib import Path

from lostlight.core.errors import ConfigError

_COLUMNS = (("ra_deg", "dec_deg"), ("ra", "dec"))
_SEPARATORS = ",;\t"


def read(path: Path) -> tuple[list[float], list[float]]:
    """Read positions from a CSV file with columns ra_deg and dec_deg, or ra and dec, in decimal degrees.

    Other columns are ignored; commas, semicolons and tabs separate; lines that are empty or begin with # are skipped.

    Returns
    -------
    ra_deg, dec_deg : list of float
        As written: whether they lie on the sky is for `lostlight.science.sky.tiling.check_positions` to say.

    Raises
    ------
    ConfigError
        If the file is missing or empty, lacks the columns, or a value is not a number; the row is counted from 1
        without the header.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the table of positions {path} cannot be read: {error}", hint="give a CSV file") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise ConfigError(f"the table of positions {path.name} is empty", hint="add a header ra_deg,dec_deg and rows")
    separator = max(_SEPARATORS, key=lines[0].count)
    names = [name.strip().lower() for name in next(csv.reader(lines[:1], delimiter=separator))]
    pair = next((pair for pair in _COLUMNS if set(pair) <= set(names)), None)
    if pair is None:
        raise ConfigError(
            f"{path.name} has no columns ra_deg and dec_deg; it has {', '.join(names)}",
            hint="name the columns ra_deg and dec_deg (or ra and dec) in the first line",
        )
    rows = [list(row) for row in csv.reader(lines[1:], delimiter=separator)]
    if not rows:
        raise ConfigError(f"{path.name} has a header but no positions", hint="add a row for each position")
    columns = [
        [_number(row, names.index(name), name, number, path.name) for number, row in enumerate(rows, start=1)]
        for name in pair
    ]
    return columns[0], columns[1]


def _number(row: list[str], index: int, name: str, number: int, file: str) -> float:
    text = row[index].strip() if index < len(row) else ""
    try:
        value = float(text)
    except ValueError:
        sexagesimal = ":" in text or len(text.split()) == 3
        raise ConfigError(
            f"{file}, row {number}: {name} = {text!r} is not a number",
            hint="write decimal degrees instead of hours or degrees, minutes and seconds"
            if sexagesimal
            else "correct it",
        ) from None
    if not math.isfinite(value):
        raise ConfigError(f"{file}, row {number}: {name} = {text!r} is not a position", hint="correct or remove it")
    return value
