"""From the stacks of step 13 to units of work: bands of the search, the same of what can show nothing, and recovery."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lostlight.core.manifest import Manifest, UnitRecord
from lostlight.core.params import InjectParams, RecoverParams
from lostlight.core.step import Take, Unit
from lostlight.steps.injecting.units import n_planted

SEARCH, NULL, RECOVER, RESULT, OVERVIEW = "search", "null", "recover", "result", "overview"
"""What units do; their ids begin with it, but for the result, which is called after its stack."""
ALL = "all_stacks"
"""Id of the overview; stacks have no underscore in theirs."""
BAND, ALARMS, SHARE, PICTURES, REPORT = "band: ", "null: ", "share: ", "pictures: ", "report: "
TRUTH = "truth: "
"""Beginnings of the roles of what the result is put together from."""
CONCERNS = {
    SEARCH: ("grid", "min_epochs", "threshold", "false_alarms", "top", "sigma_g", "cluster_fwhm", "vetting"),
}
"""Sections of the configuration that each kind of unit is given."""
CONCERNS |= {NULL: CONCERNS[SEARCH], RECOVER: (*CONCERNS[SEARCH], "mode", "match_fwhm", "max_chance")}
_BAND_ROWS = 1024


def units(manifests: Sequence[Manifest], params: RecoverParams) -> list[Unit]:
    """Plan the units of the step."""
    planned = [unit for manifest in manifests for unit in _of_step(manifest, params)]
    return [replace(unit, concerns=CONCERNS.get(str(unit.facts["kind"]), ())) for unit in planned]


def _of_step(manifest: Manifest, params: RecoverParams) -> list[Unit]:
    made = list(manifest.ok())
    stacks = [unit for unit in made if "stack" in unit.outputs]
    names = [str(unit.facts["stack"]) for unit in stacks]
    planned = [unit for stack in stacks for unit in _of_stack(manifest, made, stack, params)]
    if len(names) > 1:
        planned = [replace(unit, facts={**unit.facts, **_others(unit, names)}) for unit in planned]
        planned.append(
            Unit(ALL, {}, {"kind": OVERVIEW}, takes={REPORT + name: Take(name, "report", must=False) for name in names})
        )
    return planned


def _others(unit: Unit, names: Sequence[str]) -> dict[str, str]:
    """Tell the result of a stack which others there are."""
    if unit.facts["kind"] != RESULT:
        return {}
    return {"others": " ".join(name for name in names if name != unit.facts["stack"])}


def _n_wanted(manifest: Manifest) -> int:
    """Count the sources that the precision asked for needs."""
    return n_planted(InjectParams.model_validate({**manifest.params, "n": "auto"}))


def _of_stack(manifest: Manifest, made: Sequence[UnitRecord], record: UnitRecord, params: RecoverParams) -> list[Unit]:
    name = str(record.facts["stack"])
    stack = {"stack": manifest.product(record, "stack")}
    n_bands = math.ceil(record.outputs["stack"].size[1] / _BAND_ROWS)
    bands = [{"stack": name, "band": band, "n_bands": n_bands} for band in range(n_bands)]
    searched = [Unit(f"{SEARCH}_{name}_{facts['band']:03d}", stack, {"kind": SEARCH, **facts}) for facts in bands]
    nulls = [
        Unit(f"{NULL}_{name}_{null}_{facts['band']:03d}", stack, {"kind": NULL, "null": null, **facts})
        for null in params.nulls
        for facts in bands
    ]
    false = {ALARMS + unit.id: Take(unit.id, "movers", must=False) for unit in nulls}
    real = {BAND + unit.id: Take(unit.id, "movers") for unit in searched}
    shares = _shares(manifest, made, name, false | real) if "sources" in _roles(made, name) else []
    takes = real | {PICTURES + unit.id: Take(unit.id, "cutouts", must=False) for unit in (*searched, *shares)}
    takes |= false | {SHARE + unit.id: Take(unit.id, "recovered", must=False) for unit in shares}
    facts = {"kind": RESULT, "stack": name, "n_bands": n_bands, "n_wanted": _n_wanted(manifest)}
    planted = [each for each in made if each.facts.get("stack") == name and "stamps" in each.outputs]
    truth = {TRUTH + each.id: manifest.product(each, "epochs") for each in planted}
    return [*searched, *nulls, *shares, Unit(name, stack | truth, facts, takes=takes)]


def _roles(made: Sequence[UnitRecord], name: str) -> set[str]:
    return {role for record in made if record.facts.get("stack") == name for role in record.outputs}


def _shares(manifest: Manifest, made: Sequence[UnitRecord], name: str, takes: Mapping[str, Take]) -> list[Unit]:
    """Plan a unit for each share of the planted sources."""
    of_stack = [record for record in made if record.facts.get("stack") == name]
    stack, plan = (next(r for r in of_stack if role in r.outputs) for role in ("stack", "sources"))
    given = {role: manifest.product(plan, role) for role in ("sources", "epochs")}
    is_native = manifest.params["stage"] == "native"
    given["stack"] = manifest.product(stack, "stack")
    rendered = [record for record in of_stack if "stamps" in record.outputs]
    return [
        Unit(
            f"{RECOVER}_{name}_{share:03d}",
            given | {"stamps": manifest.product(record, "stamps")},
            {
                "kind": RECOVER,
                "is_native": is_native,
                **{key: record.facts[key] for key in ("stack", "share", "n_shares")},
            },
            takes=takes,
        )
        for share, record in enumerate(rendered)
    ]
