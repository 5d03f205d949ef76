"""The plan of calibration as a table that a spreadsheet can edit."""

import csv
import difflib
import io
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from pathlib import Path

from lostlight.core import atomic
from lostlight.core.errors import ConfigError
from lostlight.vocab.calibration import KINDS
from lostlight.vocab.plan import COLUMNS, MASTER, PlanRow

_KINDS = (*MASTER.values(), *KINDS)


def write(path: Path, rows: Iterable[PlanRow]) -> None:
    """Write the rows of a plan as CSV, whole or not at all."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow(["" if value is None else value for value in astuple(row)[: len(COLUMNS)]])
    atomic.write_text(path, text.getvalue())


def read(path: Path) -> list[PlanRow]:
    """Read the rows of a plan; columns may be in any order, separated by comma, semicolon or tab.

    Raises
    ------
    ConfigError
        Names file, line and value: it cannot be read, a column or kind is unknown, an id is missing or there twice.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the plan {path} cannot be read: {error}", hint="correct calibrate.plan") from error
    head = lines[0] if lines else ""
    separator = max(",;\t", key=head.count)
    reader = csv.reader(lines, delimiter=separator)
    names = _columns([name.strip() for name in next(reader, [])], path.name)
    rows = [_row(names, cells, reader.line_num, path.name) for cells in reader if any(cell.strip() for cell in cells)]
    _check_unique(rows, path.name)
    return rows


def _columns(names: Sequence[str], file: str) -> list[str]:
    found = [name for name in names if name]
    if missing := [name for name in ("kind", "id", "group") if name not in found]:
        raise ConfigError(f"{file}, line 1: there is no column {missing[0]}", hint=f"columns: {', '.join(COLUMNS)}")
    for name in found:
        if name not in COLUMNS:
            raise ConfigError(f"{file}, line 1: unknown column {name!r}", hint=_near(name, COLUMNS))
        if found.count(name) > 1:
            raise ConfigError(f"{file}, line 1: column {name} is there twice", hint="remove one of them")
    return list(names)


def _row(names: Sequence[str], cells: Sequence[str], line: int, file: str) -> PlanRow:
    if any(cell.strip() for cell in cells[len(names) :]):
        said = f"{file}, line {line}: {len(cells)} cells, and {len(names)} columns"
        raise ConfigError(said, hint="put quotes around text that holds the separator")
    texts = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name}
    texts |= {"kind": texts.get("kind", "").lower(), "id": texts.get("id", "")}
    if texts["kind"] not in _KINDS:
        raise ConfigError(f"{file}, line {line}: unknown kind {texts['kind']!r}", hint=_near(texts["kind"], _KINDS))
    if not texts["id"]:
        raise ConfigError(f"{file}, line {line}: a {texts['kind']} without id", hint="give it one, or remove the row")
    # The distance is measured anew; what a spreadsheet made of it does not matter.
    texts.pop("distance", None)
    return PlanRow(**texts, line=line)


def _check_unique(rows: Iterable[PlanRow], file: str) -> None:
    lines: dict[tuple[bool, str], int] = {}
    for row in rows:
        key = (row.kind in MASTER.values(), row.id.casefold() if row.kind in MASTER.values() else row.id)
        if key in lines:
            said = f"{file}, line {row.line}: {row.id} is there twice, first in line {lines[key]}"
            raise ConfigError(said, hint="a frame goes into one master; remove one of the rows", line=row.line)
        lines[key] = row.line


def _near(value: str, choices: Sequence[str]) -> str:
    near = difflib.get_close_matches(value, choices, n=1, cutoff=0.4)
    return f"did you mean {near[0]}?" if near else f"it is one of {', '.join(choices)}"
