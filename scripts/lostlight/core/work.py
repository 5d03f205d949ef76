"""The work on one slice of units: check inputs, reuse or run, promote products, leave a receipt.

Products and receipts are keyed by unit, so a killed or re-sharded run redoes only what is missing. The receipt is
written last; it vouches for the products.
"""

import json
import shutil
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lostlight.core import atomic, log, products
from lostlight.core.errors import STORAGE, ConfigError, ContractError, LostlightError, NoWork, StorageError, ToolMissing
from lostlight.core.manifest import Failure, Product, UnitRecord
from lostlight.core.params import Params
from lostlight.core.products import Workplace
from lostlight.core.step import Outputs, Unit, seed_of
from lostlight.core.usage import REUSED, Stopwatch, Timing, cpu_s

_FATAL = (ConfigError, ContractError, StorageError, ToolMissing)
_BUG_HINT = "this is a bug: please report it with this record"


def work(place: Workplace, units: Sequence[Unit]) -> list[tuple[UnitRecord, Timing]]:
    """Bring one slice of units to its end, in order.

    Raises
    ------
    ConfigError, ContractError, StorageError, ToolMissing
        For what no unit can be blamed for; everything else becomes a record.
    """
    begun = {unit.id: _begin(place, unit) for unit in units}
    former = {unit.id: _reusable(place, unit, begun[unit.id]["fingerprint"]) for unit in units}
    pending = [_seeded(place, unit) for unit in units if former[unit.id] is None]
    before_s = cpu_s()
    prepared = place.step.prepare(pending, place.params) if place.step.prepare and pending else {}
    share_s = (cpu_s() - before_s) / max(len(pending), 1)
    done = {unit_id: (record, REUSED) for unit_id, record in former.items() if record}
    for unit in pending:
        watch = Stopwatch()
        record = _finish(place, replace(unit, prepared=prepared.get(unit.id)), begun[unit.id])
        done[unit.id] = (record, watch.read(share_s))
    return [done[unit.id] for unit in units]


def _begin(place: Workplace, unit: Unit) -> dict[str, Any]:
    """What a record says of a unit before anything is done."""
    products.sweep(place, unit)
    inputs = products.hash_inputs(place, unit)
    fingerprint = _fingerprint(place, unit, inputs)
    return {"id": unit.id, "facts": dict(unit.facts), "inputs": inputs, "fingerprint": fingerprint}


def _fingerprint(place: Workplace, unit: Unit, inputs: Mapping[str, Product]) -> str:
    return atomic.sha256_json(
        {
            "step": place.step_id,
            "version": place.step.version,
            "params": _params(place, unit).model_dump(mode="json"),
            "facts": dict(unit.facts),
            "inputs": {role: product.sha256 for role, product in inputs.items()},
            "engines": dict(place.engines),
        }
    )


def _params(place: Workplace, unit: Unit) -> Params:
    return place.params.only(unit.concerns) if unit.concerns else place.params


def _seeded(place: Workplace, unit: Unit) -> Unit:
    return replace(unit, seed=seed_of(getattr(place.params, "seed", 0), place.step_id, unit.id))


def _reusable(place: Workplace, unit: Unit, fingerprint: str) -> UnitRecord | None:
    try:
        record = UnitRecord.model_validate(json.loads(place.receipt(unit).read_bytes()))
    except (OSError, ValueError, ValidationError):
        return None  # no receipt, or one that cannot be trusted: the unit is simply done again
    if record.fingerprint != fingerprint or record.status == "failed":
        return None
    return record if all(products.is_intact(place, product) for product in record.outputs.values()) else None


def _finish(place: Workplace, unit: Unit, begun: dict[str, Any]) -> UnitRecord:
    """Run the step on one unit and leave its receipt."""
    with log.place(step=place.step_id, unit=unit.id):
        try:
            record = _run(place, unit, begun)
        except _FATAL:
            raise
        except NoWork as why:
            record = UnitRecord(status="skipped", warnings=(str(why),), **begun)
        except LostlightError as error:
            record = UnitRecord(status="failed", failure=_failure(error), **begun)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in STORAGE:
                raise StorageError.of(error) from error
            record = UnitRecord(status="failed", failure=_bug(error), **begun)
    if record.status != "ok":
        products.remove(place, unit)
    atomic.write_json(place.receipt(unit), record.model_dump(mode="json"))
    return record


def _run(place: Workplace, unit: Unit, begun: dict[str, Any]) -> UnitRecord:
    staging = products.staging(place, unit)
    out = Outputs({role: staging / name.format(unit=unit.id) for role, name in place.step.makes.items()})
    try:
        if isinstance(unit.prepared, Exception):
            raise unit.prepared
        result = place.step.run(unit, _params(place, unit), out)
        return UnitRecord(
            status="ok",
            outputs=products.promote(place, unit, out),
            metrics=dict(result.metrics),
            checks=tuple(result.checks),
            warnings=tuple(result.warnings),
            **begun,
        )
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _failure(error: LostlightError) -> Failure:
    return Failure(
        type=type(error).__name__,
        message=error.message,
        hint=error.hint,
        facts=dict(error.facts),
        transient=error.transient,
    )


def _bug(error: Exception) -> Failure:
    # Paths of this machine do not belong in a manifest; file names within the package say enough.
    frames = traceback.extract_tb(error.__traceback__)[1:]
    lines = [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames]
    said = "\n".join([*lines, f"{type(error).__name__}: {error}"])
    return Failure(type=type(error).__name__, message=str(error), hint=_BUG_HINT, traceback=said)
