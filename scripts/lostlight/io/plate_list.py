"""Lists of plates: a table of their centres, or the headers of whole plates."""

import csv
import json
import math
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from astropy.io.fits import Header
from astropy.table import Table

from lostlight.core.errors import ConfigError

CENTRES = ("plate_id", "ra_deg", "dec_deg")


def is_table(path: Path) -> bool:
    """Tell whether a list of plates is a table of centres; otherwise it holds headers."""
    return path.suffix.lower() == ".csv"


def read_centres(path: Path) -> Table:
    """Read a CSV file with columns plate_id, ra_deg and dec_deg.

    Returns
    -------
    astropy.table.Table
        Columns plate_id, ra_deg, dec_deg (degrees).

    Raises
    ------
    ConfigError
        If it cannot be read, lacks a column, or a row is not a position on the sky.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"the list of plates {path} cannot be read: {error}", hint="give a CSV file") from error
    missing = [name for name in CENTRES if not rows or name not in rows[0]]
    if missing:
        raise ConfigError(
            f"the list of plates {path.name} has no {' and no '.join(missing)}" if rows else f"{path.name} has no rows",
            hint=f"give a CSV file with the columns {', '.join(CENTRES)}, or an archive of plate headers",
        )
    return Table(rows=[_centre(row, number, path.name) for number, row in enumerate(rows, start=1)], names=CENTRES)


def read_headers(path: Path) -> Iterator[tuple[str, Header]]:
    """Read the headers of whole plates from JSON files in a folder or a tar archive, or from one JSON file.

    A JSON file is a mapping of card to value, by itself or under the key ``header``.

    Yields
    ------
    name, header : str, astropy.io.fits.Header
        In order of name.

    Raises
    ------
    ConfigError
        If the files cannot be read, or there are none.
    """
    files = sorted(_json_files(path))
    if not files:
        raise ConfigError(f"{path} holds no plate headers", hint="give JSON files, one for each plate")
    for name, content in files:
        try:
            cards = json.loads(content)
            header = Header(list(cards.get("header", cards).items()))
        except (ValueError, AttributeError) as error:
            raise ConfigError(f"{name} in {path.name} is not a plate header: {error}", hint="remove it") from error
        yield name, header


def _json_files(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        if path.is_dir():
            yield from ((file.name, file.read_bytes()) for file in path.glob("*.json"))
        elif tarfile.is_tarfile(path):
            with tarfile.open(path) as archive:
                for member in archive:
                    content = archive.extractfile(member) if member.name.endswith(".json") else None
                    if content is not None:
                        yield member.name, content.read()
        else:
            yield path.name, path.read_bytes()
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise ConfigError(f"the list of plates {path} cannot be read: {error}", hint="check tiles.plates") from error


def _centre(row: dict[str, str], number: int, file: str) -> tuple[str, float, float]:
    plate_id = (row["plate_id"] or "").strip()
    try:
        ra, dec = float(row["ra_deg"]), float(row["dec_deg"])
    except (TypeError, ValueError):
        ra = dec = math.nan
    if not plate_id or not (0 <= ra < 360 and -90 <= dec <= 90):
        raise ConfigError(
            f"{file}, row {number}: plate {plate_id!r} at {row['ra_deg']} {row['dec_deg']} is not a plate on the sky",
            hint="correct or remove the row",
        )
    return plate_id, ra, dec
