"""Which frame goes into which lot, as a table that a spreadsheet can edit."""

import csv
import difflib
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from lostlight.core import atomic
from lostlight.core.errors import ConfigError

COLUMNS = ("frame", "lot")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def write(path: Path, lots: Mapping[str, str]) -> None:
    """Write the lot of each frame as CSV, whole or not at all; an empty lot leaves the frame out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(lots.items())
    atomic.write_text(path, text.getvalue())


def read(path: Path, frames: Collection[str]) -> dict[str, str]:
    """Read the lot of each frame; columns may be in any order, separated by comma, semicolon or tab.

    Parameters
    ----------
    frames : collection of str
        Ids of the frames there are: each must have one row.

    Returns
    -------
    dict
        Name of the lot of each frame by its id, in the order of the rows; empty for a frame that is left out.

    Raises
    ------
    ConfigError
        Names file, line and value: it cannot be read, a column is missing, a frame is unknown, there twice or
        missing, a lot has an impossible name, or no frame is left.
    """
    lots: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, frame, lot in _rows(path):
        if frame not in frames:
            raise _error(path, line, f"there is no frame {frame!r}", _near(frame, sorted(frames)), frame=frame)
        if frame in lines:
            said = f"{frame} is there twice, first in line {lines[frame]}"
            raise _error(path, line, said, "a frame goes into one lot; remove one of the rows", frame=frame)
        lines[frame], lots[frame] = line, lot
    _check_names(path, lots, lines)
    if missing := [frame for frame in frames if frame not in lots]:
        raise ConfigError(
            f"{path.name} has no row for {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else ""),
            hint="give each frame a row; one with an empty lot leaves the frame out",
            n_missing=len(missing),
        )
    if not any(lots.values()):
        raise ConfigError(f"{path.name} leaves out every frame", hint="give frames a lot")
    return lots


def _rows(path: Path) -> Iterator[tuple[int, str, str]]:
    """Give line, frame and lot of each row that is not empty."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the lots {path} cannot be read: {error}", hint="correct mosaic.plan") from error
    head = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=max(",;\t", key=head.count))
    frame, lot = _places(path, [name.strip().lower() for name in next(reader, [])])
    for cells in reader:
        texts = [cell.strip() for cell in cells]
        if not any(texts):
            continue
        if any(texts[2:]) or max(frame, lot) >= len(texts):
            said = f"{len(texts)} cells where frame and lot are wanted"
            raise _error(path, reader.line_num, said, "put quotes around text that holds the separator")
        yield reader.line_num, texts[frame], texts[lot]


def _places(path: Path, names: Sequence[str]) -> tuple[int, int]:
    found = [name for name in names if name]
    for name in found:
        if name not in COLUMNS or found.count(name) > 1:
            said = f"unknown column {name!r}" if name not in COLUMNS else f"column {name} is there twice"
            raise _error(path, 1, said, f"columns: {', '.join(COLUMNS)}")
    for name in COLUMNS:
        if name not in found:
            raise _error(path, 1, f"there is no column {name}", f"columns: {', '.join(COLUMNS)}")
    return names.index("frame"), names.index("lot")


def _check_names(path: Path, lots: Mapping[str, str], lines: Mapping[str, int]) -> None:
    """Refuse names that cannot be those of files, and two that differ in capitals alone."""
    spelt: dict[str, str] = {}
    for frame, lot in lots.items():
        if not lot:
            continue
        if not _NAME.fullmatch(lot):
            said = f"lot {lot!r} has a name that a file cannot have"
            raise _error(path, lines[frame], said, "use letters, digits, _ - and ., 64 at most", lot=lot)
        other = spelt.setdefault(lot.casefold(), frame)
        if lots[other] != lot:
            said = f"lot {lot} is written {lots[other]} in line {lines[other]}"
            raise _error(path, lines[frame], said, "write it alike, or give it another name", lot=lot)


def _error(path: Path, line: int, said: str, hint: str, **facts: str | int) -> ConfigError:
    return ConfigError(f"{path.name}, line {line}: {said}", hint=hint, line=line, **facts)


def _near(value: str, choices: Sequence[str]) -> str:
    near = difflib.get_close_matches(value, choices, n=1, cutoff=0.4)
    return f"did you mean {near[0]}?" if near else f"it is one of {', '.join(choices[:5])}{' …' * (len(choices) > 5)}"
