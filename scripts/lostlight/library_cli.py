"""The verbs ``lostlight library …``: masters kept for later runs."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lostlight.core.errors import ConfigError

if TYPE_CHECKING:
    from lostlight.core.manifest import Manifest, UnitRecord
    from lostlight.io.library import Entry, Library
    from lostlight.science.calibrate.frame import Frame

STEP = "11_calibrate"
MASTER = ".master.fits"
SHOWN = 5

_WANTED = {"light": ("bias", "dark", "flat"), "flat": ("flat_dark", "dark", "bias")}
"""What is looked for by kind of frame; for others, masters of their own kind."""


@click.group()
@click.option(
    "--library", "folder", type=click.Path(path_type=Path), help="folder; default: calibrate.library, or data/library"
)
@click.option("--config", "-c", multiple=True, type=click.Path(path_type=Path), help="configuration files")
@click.pass_context
def library(context: click.Context, folder: Path | None, config: tuple[Path, ...]) -> None:
    """Masters of earlier runs, kept for later ones; nothing is ever deleted."""
    from lostlight.core import config as configuration
    from lostlight.io.library import Library

    calibrate = configuration.load(config).calibrate
    context.obj = (Library(folder or Path(calibrate.library or "data/library")), calibrate)


@library.command("list")
@click.option("--kind", default="", help="bias, dark, flat_dark or flat")
@click.option("--camera", default="", help="part of the name of the camera")
@click.option("--filter", "filter_name", default="", help="name of the filter")
@click.option("--tag", default="", help="a tag it must have")
@click.option("--all", "every", is_flag=True, help="archived ones too")
@click.pass_obj
def list_masters(obj: Any, kind: str, camera: str, filter_name: str, tag: str, every: bool) -> None:
    """List the masters, one in a line."""
    found = [
        entry
        for entry in obj[0].entries(archived=every)
        if kind in ("", entry.frame.get("imagetyp"))
        and camera.casefold() in str(entry.frame.get("camera_id", "")).casefold()
        and filter_name in ("", entry.frame.get("filter"))
        and (not tag or tag in entry.tags)
    ]
    head = ("id", "name", "v", "camera", "frames", "night", "tags")
    click.echo(_table(head, [_told(entry) for entry in found]) if found else f"{obj[0].root}: no such masters")


@library.command()
@click.argument("entry_id", metavar="ID")
@click.pass_obj
def show(obj: Any, entry_id: str) -> None:
    """Tell all that is known of a master."""
    shelf: Library = obj[0]
    entry = shelf.find(entry_id)
    rows = [
        (name, value if isinstance(value, str | int | float) else json.dumps(value, sort_keys=True))
        for name, value in {**asdict(entry), "file": str(shelf.path(entry))}.items()
        if name not in ("frame", "schema")
    ]
    click.echo(_table((), [(name, str(value)) for name, value in [*rows, *sorted(entry.frame.items())]]))


@library.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.pass_obj
def add(obj: Any, run: Path) -> None:
    """Keep the masters that a run made."""
    from lostlight.core.manifest import load

    folder = next((each for each in (run, Path("data/runs") / run) if (each / STEP).is_dir()), run)
    manifest = load(folder / STEP / "manifest.json")
    made = [(unit, role) for unit in manifest.ok() for role, product in unit.outputs.items() if _is_master(product)]
    if not made:
        raise ConfigError(f"{run} made no masters", hint="does the folder of frames hold biases, darks or flats?")
    before = {entry.sha256 for entry in obj[0].entries(archived=True)}
    rows = []
    for unit, role in made:
        entry = _add_one(obj[0], manifest, unit, role)
        rows.append((entry.id, entry.name, f"v{entry.version}", "was there" if entry.sha256 in before else "added"))
    click.echo(_table((), rows))


@library.command()
@click.argument("entry_id", metavar="ID")
@click.argument("tags", nargs=-1, required=True)
@click.pass_obj
def tag(obj: Any, entry_id: str, tags: tuple[str, ...]) -> None:
    """Add tags to a master; write `-- ID -TAG` to take one away."""
    entry = obj[0].tag(entry_id, tags)
    click.echo(f"{entry.id} {entry.name}: {', '.join(entry.tags) or 'no tags'}")


@library.command()
@click.argument("entry_id", metavar="ID")
@click.pass_obj
def archive(obj: Any, entry_id: str) -> None:
    """Offer a master no more; its file stays."""
    entry = obj[0].archive(entry_id)
    click.echo(f"{entry.id} {entry.name}: archived; `lostlight library unarchive {entry.id}` brings it back")


@library.command()
@click.argument("entry_id", metavar="ID")
@click.pass_obj
def unarchive(obj: Any, entry_id: str) -> None:
    """Offer an archived master again."""
    entry = obj[0].unarchive(entry_id)
    click.echo(f"{entry.id} {entry.name}: offered again")


@library.command()
@click.argument("frame", type=click.Path(path_type=Path))
@click.pass_obj
def match(obj: Any, frame: Path) -> None:
    """Rank the masters that a frame could take, and say why others do not fit."""
    from lostlight.science.calibrate.distance import MatchRules, rank
    from lostlight.science.calibrate.shelf import group_of

    shelf, calibrate = obj
    wanted, matching, dark = _frame(frame), calibrate.match, calibrate.dark
    rules = MatchRules(
        good=matching.good, usable=matching.usable, days=matching.days, flat_days=matching.flat_days,
        temp_tolerance_c=dark.temp_tolerance_c, exp_tolerance=dark.exp_tolerance, doubling_c=dark.doubling_c,
    )  # fmt: skip
    groups = [group_of(entry.id, entry.frame, _noise(entry)) for entry in shelf.entries()]
    names = {f"library_{entry.id}": entry.name for entry in shelf.entries()}
    rows = []
    for role in _WANTED.get(wanted.imagetyp, (wanted.imagetyp,)):
        is_scaled = role == "dark" and dark.mode != "matched" and wanted.imagetyp == "light"
        ranked = rank(wanted, [g for g in groups if g.kind == role], role, rules, is_scaled=is_scaled)
        for each in ranked[:SHOWN]:
            said = each.rejected or each.words
            verdict = "no" if each.rejected else "good" if each.distance <= rules.good else "usable"
            rows.append((role, each.id.removeprefix("library_"), names[each.id], verdict, f"{each.distance:.1f}", said))
        if not ranked:
            rows.append((role, "-", "none in the library", "", "", ""))
    click.echo(_table(("role", "id", "name", "fits", "distance", "why"), rows))


def _add_one(shelf: "Library", manifest: "Manifest", unit: "UnitRecord", role: str) -> "Entry":
    path = manifest.product(unit, role)
    details = next((manifest.folder / made.path for made in unit.outputs.values() if made.path.endswith(".json")), None)
    told = json.loads(details.read_bytes()) if details else {}
    more = {"run_id": manifest.run_id, "method": told.get("method", {}), "stats": told.get("stats", {})}
    return shelf.add(path, unit.id, asdict(_frame(path)), **more)


def _frame(path: Path) -> "Frame":
    from lostlight.io import frame_files
    from lostlight.science.calibrate.dialects import normalise

    if not path.is_file():
        raise ConfigError(f"there is no frame {path}", hint="give a FITS file")
    hdu, header = frame_files.headers(path)[0]
    frame = normalise(header, path.stem, path.name, hdu)
    if not frame.imagetyp:
        raise ConfigError(f"{path.name} does not say what it is", hint="set IMAGETYP to light, flat, dark or bias")
    return frame


def _is_master(product: Any) -> bool:
    return bool(product.path.endswith(MASTER))


def _noise(entry: "Entry") -> float:
    noise = entry.stats.get("noise")
    return math.nan if noise is None else float(noise)


def _told(entry: "Entry") -> tuple[str, ...]:
    frame = entry.frame
    name = f"{entry.name} (archived)" if entry.is_archived else entry.name
    frames, night = str(frame.get("n_sub", "")), str(frame.get("session", ""))
    return entry.id, name, str(entry.version), str(frame.get("camera_id", "")), frames, night, " ".join(entry.tags)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Set rows in columns."""
    cells = [tuple(head)] * bool(head) + [tuple(row) for row in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    return "\n".join("  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)
