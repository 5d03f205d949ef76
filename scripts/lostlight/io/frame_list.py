"""Which files are the frames: those of a folder or of a table, real or simulated."""

import csv
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from astropy.table import Table

from lostlight.core.errors import ConfigError
from lostlight.io import raw_camera, tiff
from lostlight.vocab.calibration import CODES

SIMULATED = "LOSTLIGHT_FRAMES"
"""Environment variable: JSON map of names such as ``camera:7`` and ``movers:1`` to folders of simulated frames."""

FITS_SUFFIXES = (".fits", ".fit", ".fts")
_PACKED = tuple(suffix + packed for suffix in FITS_SUFFIXES for packed in ("", ".gz", ".fz"))
SUFFIXES = (*_PACKED, *tiff.SUFFIXES, *raw_camera.SUFFIXES)

_TABLES = (".csv", ".ecsv")


@dataclass(frozen=True)
class Listed:
    """Files to be read, and what a table says of them that their headers do not.

    `rows` has one entry for each file, or for each row of a table: the path, relative to `folder`, and the cells that
    are not empty, by the name of their column.
    """

    folder: Path
    rows: tuple[tuple[str, Mapping[str, str]], ...]


def resolve(source: str) -> Path:
    """Find the folder or table of frames; ``camera:<seed>`` and the like are looked up among simulated ones.

    Raises
    ------
    ConfigError
        CAL101 if there is nothing there.
    """
    path = Path(source)
    if source.startswith(("camera:", "tiles:", "movers:")):
        known: dict[str, str] = json.loads(os.environ.get(SIMULATED) or "{}")
        if source not in known:
            raise _nothing(f"no simulated frames {source!r} were made", f"made: {', '.join(known) or 'none'}")
        path = Path(known[source])
    if not source or not path.exists():
        raise _nothing(f"calibrate.frames names {source!r}, which does not exist" if source else "no frames are named")
    return path


def listed(source: Path) -> Listed:
    """List the frames of a folder and its subfolders, or those of a table with a column ``path``, or one file.

    Names that begin with a dot are left out. Links are followed.

    Raises
    ------
    ConfigError
        CAL101 if there is no frame, CAL109 if the table cannot be read or has no column path.
    """
    if source.is_dir():
        found = Listed(source, tuple((path, {}) for path in sorted(_walk(source))))
    elif source.suffix.lower() in _TABLES:
        found = Listed(source.parent, _table(source))
    elif is_frame(source.name):
        found = Listed(source.parent, ((source.name, {}),))
    else:
        raise _nothing(
            f"{source.name} is neither a folder nor a table (.csv, .ecsv) nor a frame ({', '.join(SUFFIXES)})"
        )
    if not found.rows:
        raise _nothing(f"{source.name} holds no frames: no file ends with {', '.join(SUFFIXES)}")
    return found


def is_frame(name: str) -> bool:
    """Say whether a file may be a frame, by its name."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def stem(name: str) -> str:
    """Give the name of a file without the suffixes of frames: ``m31.fits.gz`` is ``m31``."""
    suffix = next((suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)]


def _nothing(said: str, hint: str = "") -> ConfigError:
    code = CODES["CAL101"]
    return ConfigError(f"{code.code}: {said}", hint=hint or code.hint, code=code.code)


def _walk(folder: Path) -> Iterator[str]:
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        here = Path(place)
        seen.add(os.path.realpath(here))
        # a link may lead back up
        folders[:] = [name for name in folders if name[0] != "." and os.path.realpath(here / name) not in seen]
        yield from ((here / name).relative_to(folder).as_posix() for name in names if is_frame(name))


def _table(source: Path) -> tuple[tuple[str, Mapping[str, str]], ...]:
    # cells stay text: the filter 'R' and the exposure '1e3' are read once their meaning is known
    try:
        if source.suffix.lower() == ".ecsv":
            rows = [
                dict(zip(row.colnames, map(str, row), strict=True)) for row in Table.read(source, format="ascii.ecsv")
            ]
        else:
            with source.open(encoding="utf-8-sig", newline="") as stream:
                rows = list(csv.DictReader(stream, restval="", strict=True))
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise _bad_table(f"{source.name} cannot be read as a table: {error}", "a header line, commas, UTF-8") from error
    if rows and "path" not in rows[0]:
        raise _bad_table(
            f"{source.name} has no column path, only {', '.join(map(str, rows[0]))}", "name the files' column path"
        )
    cells = [{str(name): str(cell).strip() for name, cell in row.items() if name is not None} for row in rows]
    return tuple(
        (row.pop("path"), {name: cell for name, cell in row.items() if cell not in ("", "--", "nan")}) for row in cells
    )


def _bad_table(said: str, hint: str) -> ConfigError:
    return ConfigError(f"CAL109: {said}", hint=hint, code="CAL109")
