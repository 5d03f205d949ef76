"""From the frames to units of work: each measured and levelled alone, then lots of them, then a mosaic per filter."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

from lostlight.core.manifest import Manifest
from lostlight.core.params import MosaicParams
from lostlight.core.step import Take, Unit
from lostlight.steps.mosaicking.frames import Own, listed
from lostlight.steps.mosaicking.given import FRAME, IN_LOT, LEVELS, LOT, MEASURED, OTHER
from lostlight.steps.mosaicking.planning import grouped, lots_of

CANVAS, LOTS, MOSAIC = "canvas", "lots", "mosaic"
"""The unit that places the frames, that of the plan of lots, and the beginning of those that make the result."""
CONCERNS = {
    "measure": ("on_bad_frame",),
    "canvas": ("registration", "canvas", "mode"),
    "lots": ("lots",),
    "levels": ("photometry", "warp"),
    "photometry": ("photometry", "quality", "weights"),
    "lot": ("warp", "weights", "combine"),
    "mosaic": ("mode", "warp", "weights", "combine", "photometry", "grid", "polish", "rgb_equalize", "output"),
}
"""Sections of the configuration that each kind of unit is given."""


def units(manifests: Sequence[Manifest], params: MosaicParams) -> list[Unit]:
    """Plan the units of the step."""
    frames = listed(manifests, params)
    lots = lots_of([grouped(own) for own in frames if not own.unusable], params)
    planned = [*(_measure(own) for own in frames), _canvas(frames)]
    if lots:
        planned.append(Unit(LOTS, facts={"kind": LOTS} | {IN_LOT + name: lot for name, lot in lots.items()}))
    planned += [_levels(own) for own in frames if not own.unusable]
    unusable = {FRAME + own.id: own.told() for own in frames if own.unusable}
    filters = _by_filter([own for own in frames if not own.unusable and lots.get(own.id, "-")])
    for name, some in filters.items():
        others = {OTHER + other: f"{MOSAIC}_{other}" for other in filters if other != name}
        planned += _of_filter(name, some, lots, unusable | others)
    return [replace(unit, concerns=CONCERNS[str(unit.facts["kind"])]) for unit in planned]


def _measure(own: Own) -> Unit:
    # a file that cannot be used need not be there
    inputs = {} if own.unusable else {FRAME + own.id: own.path}
    return Unit(f"measure_{own.id}", inputs, {"kind": "measure", FRAME + own.id: own.told()})


def _canvas(frames: Sequence[Own]) -> Unit:
    takes = {MEASURED + own.id: Take(f"measure_{own.id}", "measured", must=False) for own in frames}
    return Unit(CANVAS, facts={"kind": CANVAS} | {FRAME + own.id: own.told() for own in frames}, takes=takes)


def _levels(own: Own) -> Unit:
    takes = {"measured": Take(f"measure_{own.id}", "measured")}
    takes |= {product: Take(CANVAS, product) for product in ("canvas", "sources")}
    facts = {"kind": "levels", FRAME + own.id: own.told()}
    return Unit(f"levels_{own.id}", {FRAME + own.id: own.path}, facts, takes=takes)


def _by_filter(frames: Sequence[Own]) -> dict[str, list[Own]]:
    """Sort the frames by filter; the name is empty where all are of one."""
    found: dict[str, list[Own]] = {}
    for own in frames:
        found.setdefault(own.known.filter, []).append(own)
    if len(found) == 1:
        return {"": list(frames)}
    named: dict[str, list[Own]] = {}
    taken: set[str] = set()
    for name, some in sorted(found.items()):
        plain = _plain(name)
        tries = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
        # some disks do not tell capitals apart
        own_name = next(each for each in tries if each.casefold() not in taken)
        taken.add(own_name.casefold())
        named[own_name] = some
    return named


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", name).strip("-.") or "no-filter"


def _of_filter(name: str, frames: Sequence[Own], lots: Mapping[str, str], told: Mapping[str, str]) -> list[Unit]:
    """Plan what makes the mosaic of one filter; `told` is what it has to tell of besides its own frames."""
    ending = f"_{name}" if name else ""
    takes = {LEVELS + own.id: Take(f"levels_{own.id}", "levels", must=False) for own in frames}
    canvas = {"canvas": Take(CANVAS, "canvas")}
    photometry = Unit(f"photometry{ending}", facts={"kind": "photometry", "filter": name}, takes=takes | canvas)
    given = canvas | {"photometry": Take(photometry.id, "photometry")}
    if not lots:
        inputs, facts = _inputs(frames)
        facts |= told
        mosaic = Unit(MOSAIC + ending, inputs, {"kind": MOSAIC, "filter": name, **facts}, takes=given | takes)
        return [photometry, mosaic]
    members: dict[str, list[Own]] = {}
    for own in frames:
        members.setdefault(lots[own.id], []).append(own)
    made = []
    for lot, some in members.items():
        inputs, facts = _inputs(some)
        made.append(Unit(f"stack_{lot}{ending}", inputs, {"kind": "lot", "lot": lot, **facts}, takes=given))
    takes_lots = {f"{LOT}{unit.facts['lot']}": Take(unit.id, "lot", must=False) for unit in made}
    facts = (
        dict(told) | {FRAME + own.id: own.told() for own in frames} | {IN_LOT + own.id: lots[own.id] for own in frames}
    )
    mosaic = Unit(MOSAIC + ending, {}, {"kind": MOSAIC, "filter": name, **facts}, takes=given | takes | takes_lots)
    return [photometry, *made, mosaic]


def _inputs(frames: Sequence[Own]) -> tuple[dict[str, Path], dict[str, str]]:
    return {FRAME + own.id: own.path for own in frames}, {FRAME + own.id: own.told() for own in frames}
