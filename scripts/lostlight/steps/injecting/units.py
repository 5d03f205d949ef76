"""From the images to units of work: each measured alone, then stacked, then sources laid out and rendered in shares."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lostlight.core.errors import ConfigError
from lostlight.core.manifest import Manifest
from lostlight.core.params import InjectParams
from lostlight.core.step import Take, Unit
from lostlight.science.population.relations import sample_size
from lostlight.steps.injecting import profiles
from lostlight.steps.injecting.images import Field, fields
from lostlight.steps.injecting.stacking import MEASURED

MEASURE, STACK, PLAN, RENDER, CASES = "measure", "stack", "plan", "render", "cases"
"""What units do; their ids begin with it."""


CONCERNS = {
    MEASURE: ("planes", "time_ref", "background", "spikes_sigma", "psf"),
    STACK: ("planes", "time_ref", "background"),
    PLAN: (
        "seed", "n", "m50_error_mag", "classes", "rates", "motion", "table", "observer", "brightness", "light_curve",
        "colours", "placement", "photons", "stage", "plate_scale_arcsec",
    ),
    RENDER: ("seed", "photons"),
    CASES: (
        "seed", "classes", "rates", "motion", "table", "observer", "brightness", "light_curve", "colours", "placement",
        "photons", "cases", "registration", "plate_scale_arcsec",
    ),
}  # fmt: skip
"""Sections of the configuration that each kind of unit is given."""
_FEW, _MANY, _SHARES = 500, 20_000, 8
"""Sources times images of a share, at least and at most; and shares, unless they must be more."""


def units(manifests: Sequence[Manifest], params: InjectParams) -> list[Unit]:
    """Plan the units of the step; raises ConfigError where there is nothing to do them with."""
    if params.table and not Path(params.table).is_file():
        raise ConfigError(f"inject.table names {params.table!r}, which is no file", hint="name a table of positions")
    planned = [unit for field in fields(manifests, params) for unit in _of_field(field, params)]
    return [replace(unit, concerns=CONCERNS[str(unit.facts["kind"])]) for unit in planned]


def n_planted(params: InjectParams) -> int:
    """Count the sources that are planted in each stack."""
    if params.n != "auto":
        return params.n
    bright = params.brightness
    in_mags = bright.mode == "mag" or bright.low <= 0
    span = bright.high - bright.low if in_mags else 2.5 * math.log10(bright.high / bright.low)
    return sample_size(params.m50_error_mag, span_mag=max(span, 0.5))


def shares_of(n_stamps: int) -> int:
    """Count the shares that so many sources times images are done in."""
    return max(min(math.ceil(n_stamps / _FEW), _SHARES), math.ceil(n_stamps / _MANY))


def _of_field(field: Field, params: InjectParams) -> list[Unit]:
    measured = [_measure(field, name) for name in field.images]
    pairs = zip(field.images, measured, strict=True)
    takes = {MEASURED + name: Take(unit.id, "measured", must=False) for name, unit in pairs}
    facts = {"stack": field.id}
    stack = Unit(f"{STACK}_{field.id}", field.inputs(), facts | {"kind": STACK} | field.told(), takes=takes)
    made = [*measured, stack]
    given = {"stack": Take(stack.id, "stack")}
    own = {"table": Path(params.table)} if params.table else {}
    if n := n_planted(params):
        plan = Unit(f"{PLAN}_{field.id}", own, facts | {"kind": PLAN, "n": n}, takes=given)
        n_shares = shares_of(n * len(field.images))
        shares = facts | {"kind": RENDER, "n_shares": n_shares}
        given_plan = given | {role: Take(plan.id, role) for role in ("sources", "epochs", "nodes")}
        made.append(plan)
        made += [
            Unit(f"{RENDER}_{field.id}_{share:03d}", {}, {**shares, "share": share}, takes=given_plan)
            for share in range(n_shares)
        ]
    if params.cases.n:
        made.append(Unit(f"{CASES}_{field.id}", own, facts | {"kind": CASES}, takes=given))
    return made


def _measure(field: Field, name: str) -> Unit:
    inputs, facts = field.inputs(name), {"kind": MEASURE, "image": name, **field.told(name)}
    model = field.models.get(name)
    if isinstance(model, str):
        facts[profiles.MISSING] = model
    elif model:
        inputs[profiles.ROLE] = model
    return Unit(f"{MEASURE}_{field.id}_{name}", inputs, facts)
