"""The plan on paper, and the report on everything: what was done to which frame, with which masters, and why."""

import json
from importlib.metadata import version
from typing import Any

import numpy as np
from astropy.table import Table

from lostlight.core import atomic
from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import tables
from lostlight.report import calibration
from lostlight.science.calibrate.diagnostics import plan_record
from lostlight.science.calibrate.trouble import warn
from lostlight.steps.calibrating import product
from lostlight.steps.calibrating.former import BEFORE, changes
from lostlight.steps.calibrating.planning import Planned, planned, write
from lostlight.steps.calibrating.planning import told as planned_text
from lostlight.steps.calibrating.units import TOLD
from lostlight.vocab.columns import COLUMNS, FRAMES

_SOFTWARE = ("lostlight", "numpy", "scipy", "astropy", "astroscrappy")
_DRAWN = tuple(f"{role}/" for role in product.PICTURES.values())
_PARAMS = ("bias", "dark", "flat_dark", "flat", "match", "cosmetic", "lacosmic", "light", "output", "camera")


def plan(unit: Unit, params: CalibrateParams, out: Outputs) -> Result:
    """Write the plan, to be read and edited, and the table of frames."""
    done = planned(params)
    write(done, out["plan"])
    tables.write(_frames(done), out["frames"], FRAMES)
    atomic.write_text(out["told"], planned_text(done))
    warnings = [str(each) for each in (*done.found.warnings, *done.plan.warnings)]
    kinds = [frame.imagetyp for frame in done.found.frames]
    counts = {f"n_{kind}_frames": kinds.count(kind) for kind in sorted(set(kinds))}
    return Result({**counts, "n_skipped_files": len(done.found.skipped)}, warnings=warnings)


def report(unit: Unit, params: CalibrateParams, out: Outputs) -> Result:
    """Put the diagnostics of all units together, for programs and for people."""
    from lostlight.report import calibration_page  # charts take a while to load, and no other unit needs them

    told = [json.loads(unit[role].read_bytes()) for role in sorted(unit.inputs) if role.startswith(TOLD)]
    done = planned(params)
    changed = changes(unit, params)
    plain = params.model_dump(mode="json")
    content = calibration.build(
        told,
        **plan_record(done.plan),
        params={name: plain[name] for name in _PARAMS},
        software={name: version(name) for name in _SOFTWARE},
        outputs=[
            (unit[role].name, atomic.sha256_file(unit[role]))
            for role in sorted(unit.inputs)
            if not role.startswith(BEFORE)
        ],
        warnings=[each.plain() for each in (*_warnings(unit, done), *changed)],
    )
    atomic.write_json(out["report"], content)
    pictures = {_picture(role): unit[role].read_bytes() for role in unit.inputs if role.startswith(_DRAWN)}
    atomic.write_text(out["page"], calibration_page.html(content, pictures))
    return Result(calibration.headline(content), warnings=[str(each) for each in changed])


def _warnings(unit: Unit, done: Planned) -> list[Any]:
    failed = [
        warn("CAL223", role.removeprefix(TOLD), str(why)) for role, why in unit.facts.items() if role.startswith(TOLD)
    ]
    return [*done.found.warnings, *done.plan.warnings, *failed]


def _picture(role: str) -> str:
    """Give the name of a picture on the page: that of its unit, and what it shows."""
    kind, _, name = role.partition("/")
    ending = next(word for word, of_role in product.PICTURES.items() if of_role == kind)
    return f"{name}.{ending}".rstrip(".")


def _frames(done: Planned) -> Table:
    frames = done.found.frames
    return Table({name: np.array([getattr(frame, name) for frame in frames], dtype=_dtype(name)) for name in FRAMES})


def _dtype(name: str) -> str:
    dtype = COLUMNS[name].dtype
    return "U" if dtype == "str" else dtype
