"""From the plan of calibration to units of work: the plan, masters, maps of bad pixels, lights, the report."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import numpy as np

from lostlight.core import atomic
from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Take, Unit
from lostlight.report.calibration_pictures import LIGHTS_SHOWN
from lostlight.science.calibrate.cosmics import ENOUGH_LIGHTS
from lostlight.science.calibrate.dark_rate import MIN_TEMPERATURES
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.groups import Group, temperature, trimmed_shape
from lostlight.steps.calibrating import product
from lostlight.steps.calibrating.former import BEFORE, NOW, predecessors
from lostlight.steps.calibrating.given import RAW, told
from lostlight.steps.calibrating.law import ROLE as LAW
from lostlight.steps.calibrating.planning import Planned, planned, settings_of
from lostlight.vocab.plan import MASTER, ROLES, SYNTHETIC, PlanRow

PLAN, REPORT = "plan", "calibration"
"""Units that are neither a master nor a light."""
_EVERY = ("camera", "output", "on_bad_frame", "cosmetic")
CONCERNS = {
    "bias": (*_EVERY, "bias"),
    "dark": (*_EVERY, "bias", "dark"),
    "flat_dark": (*_EVERY, "bias", "flat_dark"),
    "rate": (*_EVERY, "dark"),
    "law": (*_EVERY, "dark"),
    "flat": (*_EVERY, "bias", "flat", "dark"),
    "supplied": (*_EVERY, "bias", "flat"),
    "bpm": (*_EVERY, "light"),
    "light": (*_EVERY, "bias", "dark", "flat", "lacosmic", "light"),
}
"""Sections of the configuration that each kind of unit is given; the plan and the report are given all."""
TOLD = "told/"
"""How the roles of diagnostics begin that the report reads."""
PICTURES = tuple(product.PICTURES.values())
"""Roles of pictures."""


def units(params: CalibrateParams) -> list[Unit]:
    """Plan the units of the step."""
    done = planned(params)
    work = [replace(unit, concerns=CONCERNS[str(unit.facts["kind"])]) for unit in _work(done, params)]
    return [_plan(done), *work, _report(work, _before(done, params))]


def _work(done: Planned, params: CalibrateParams) -> list[Unit]:
    rows = {row.id: row for row in done.plan.rows if row.kind == "light" or row.kind in MASTER.values()}
    masters = {group.id: group for group in done.plan.groups if group.kind != "light"}
    made = {name: _master(done, group, rows[name]) for name, group in masters.items() if group.source != "library"}
    rates = _rates(masters, params)
    laws = _laws(masters, params)
    made |= {unit.id: unit for unit in (*rates.values(), *laws.values())}
    maps: dict[tuple[object, ...], Unit] = {}
    lights = []
    for group in (group for group in done.plan.groups if group.kind == "light"):
        bad = maps.setdefault(_detector(group.like), _map(done, group.like, masters, params, len(maps)))
        facts = {"kind": "light", "group": group.id, "n_lights": min(len(group.frames), ENOUGH_LIGHTS)}
        lights += [_light(done, rows[frame_id], facts, rates, bad) for frame_id in group.frames]
    lights = [_lawful(unit, laws) for unit in lights]
    return [*made.values(), *(unit for unit in maps.values() if unit.facts), *lights]


def _plan(done: Planned) -> Unit:
    stated = [replace(row, line=0).__dict__ for row in done.plan.rows]
    said = [str(warning) for warning in (*done.found.warnings, *done.plan.warnings)]
    return Unit(PLAN, facts={"kind": PLAN, "plan_sha256": atomic.sha256_json([stated, said])})


def _master(done: Planned, group: Group, row: PlanRow) -> Unit:
    kind = group.kind if group.source == "frames" else group.source
    inputs, facts = _frames(done, group.frames)
    return _taking(done, Unit(group.id, inputs, {"kind": kind, **facts}), row, {})


def _light(done: Planned, row: PlanRow, facts: dict[str, object], rates: dict[str, Unit], bad: Unit) -> Unit:
    inputs, known = _frames(done, [row.id])
    unit = _taking(done, Unit(row.id, inputs, {**facts, **known}), row, rates)
    if bad.facts:
        unit = replace(unit, takes={**unit.takes, "bpm": Take(bad.id, "bpm")})
    return unit


def _taking(done: Planned, unit: Unit, row: PlanRow, rates: dict[str, Unit]) -> Unit:
    """Let a unit take the masters of its row: of this run, or of the library."""
    takes, inputs, facts = dict(unit.takes), dict(unit.inputs), dict(unit.facts)
    for role in ROLES:
        name = getattr(row, role)
        if name == SYNTHETIC:
            facts[role] = SYNTHETIC
        elif name in done.stock:
            inputs[role] = done.stock[name]
        elif name:
            takes[role] = Take(rates[name].id if name in rates and role == "dark" else name, "master")
    return replace(unit, takes=takes, inputs=inputs, facts=facts)


def _frames(done: Planned, names: Sequence[str]) -> tuple[dict[str, Path], dict[str, object]]:
    roles = {f"{RAW}{number:05d}": name for number, name in enumerate(names)}
    inputs = {role: done.found.paths[name] for role, name in roles.items()}
    return inputs, {role: told(done.frames[name]) for role, name in roles.items()}


def _rates(masters: dict[str, Group], params: CalibrateParams) -> dict[str, Unit]:
    """Fit one rate to all darks of a camera at about one temperature; gives the unit for each dark that has a part."""
    if params.dark.mode != "rate":
        return {}
    wanted = params.dark.exposures_s
    darks = [
        group
        for group in masters.values()
        if group.kind == "dark" and (not wanted or any(abs(group.like.exptime_s - each) <= 0.1 for each in wanted))
    ]
    families: list[list[Group]] = []
    for group in darks:
        family = next((f for f in families if _are_alike(f[0].like, group.like, params.dark.temp_tolerance_c)), None)
        families.append([group]) if family is None else family.append(group)
    found = {}
    for number, family in enumerate(families):
        takes = {f"dark/{index:03d}": Take(group.id, "master") for index, group in enumerate(family)}
        unit = Unit(f"master_rate{f'_{number + 1}' * bool(number)}", facts={"kind": "rate"}, takes=takes)
        found |= {group.id: unit for group in family}
    return found


def _laws(masters: dict[str, Group], params: CalibrateParams) -> dict[str, Unit]:
    """Fit one law of temperature to the darks of a camera at three temperatures or more; gives the unit by dark."""
    if params.dark.mode != "scaled" or params.dark.scale not in ("auto", "temperature"):
        return {}
    families: list[list[Group]] = []
    for group in (group for group in masters.values() if group.kind == "dark" and np.isfinite(temperature(group.like))):
        family = next((f for f in families if _are_alike(f[0].like, group.like, np.inf)), None)
        families.append([group]) if family is None else family.append(group)
    found = {}
    for number, family in enumerate(families):
        if len({round(temperature(group.like)) for group in family}) < MIN_TEMPERATURES:
            continue
        takes = {f"dark/{index:03d}": Take(group.id, "master") for index, group in enumerate(family)}
        unit = Unit(f"dark_law{f'_{number + 1}' * bool(number)}", facts={"kind": "law"}, takes=takes)
        found |= {group.id: unit for group in family}
    return found


def _lawful(light: Unit, laws: Mapping[str, Unit]) -> Unit:
    """Let a light take the law of its dark."""
    dark = light.takes.get("dark")
    if dark is None or dark.unit not in laws:
        return light
    return replace(light, takes={**light.takes, LAW: Take(laws[dark.unit].id, "told", must=False)})


def _map(done: Planned, like: Frame, masters: dict[str, Group], params: CalibrateParams, number: int) -> Unit:
    """Plan the map of bad pixels of a detector; a unit without facts stands for none."""
    name = f"bad_pixels{f'_{number + 1}' * bool(number)}"
    source = params.cosmetic.bpm
    if source == "none" or params.cosmetic.method == "none":
        return Unit(name)
    takes = {
        f"{group.kind}/{index:03d}": Take(group.id, "master", must=False)
        for index, group in enumerate(masters.values())
        if group.source != "library" and _detector(group.like) == _detector(like)
    }
    inputs, facts = {}, {}
    if not any(role.startswith(("dark", "bias")) for role in takes):
        alike = (g for g in done.plan.groups if g.kind == "light" and _detector(g.like) == _detector(like))
        inputs, facts = _frames(done, [frame_id for group in alike for frame_id in group.frames])
    if source != "auto":
        inputs["user"] = Path(source)
    ny, nx = trimmed_shape(like)
    seen = {"naxis1": nx, "naxis2": ny, "xbin": like.xbin, "ybin": like.ybin}
    return Unit(name, inputs, {"kind": "bpm", **seen, **facts}, takes=takes)


def _before(done: Planned, params: CalibrateParams) -> dict[str, Path]:
    """Find the masters of the library that those of the run follow."""
    made = {group.id: group for group in done.plan.groups if group.kind != "light" and group.source == "frames"}
    return predecessors(made, done.shelf, settings_of(params).rules, done.stock)


def _report(work: Sequence[Unit], before: Mapping[str, Path]) -> Unit:
    work = [unit for unit in work if unit.facts["kind"] != "law"]
    takes = {f"{TOLD}{unit.id}": Take(unit.id, "diagnostics", must=False) for unit in work}
    for unit in (*(unit for unit in work if unit.facts["kind"] != "light"), *_shown(work)):
        takes |= {f"{role}/{unit.id}": Take(unit.id, role, must=False) for role in PICTURES}
    takes |= {f"{NOW}{name}": Take(name, "master", must=False) for name in before}
    return Unit(REPORT, {f"{BEFORE}{name}": path for name, path in before.items()}, {"kind": REPORT}, takes=takes)


def _shown(work: Sequence[Unit]) -> list[Unit]:
    """Choose the lights that have pictures on the page: of every group the first, then of every group the second …"""
    groups: dict[object, list[Unit]] = {}
    for unit in work:
        if unit.facts["kind"] == "light":
            groups.setdefault(unit.facts["group"], []).append(unit)
    turns = zip_longest(*groups.values())
    return [unit for turn in turns for unit in turn if unit][:LIGHTS_SHOWN]


def _detector(frame: Frame) -> tuple[object, ...]:
    """What frames share that a map of bad pixels holds for."""
    return frame.camera_id.casefold(), trimmed_shape(frame), frame.xbin, frame.ybin, frame.readmode


def _are_alike(first: Frame, second: Frame, tolerance_c: float) -> bool:
    same_gain = first.gain_setting == second.gain_setting or np.isnan([first.gain_setting, second.gain_setting]).all()
    apart_c = abs(temperature(first) - temperature(second))
    return bool(_detector(first) == _detector(second) and same_gain and not apart_c > tolerance_c)
