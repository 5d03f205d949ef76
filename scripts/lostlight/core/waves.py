"""Units that take products of other units of the same step: in which order they are done, and what each is given."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lostlight.core import products
from lostlight.core.errors import ContractError
from lostlight.core.manifest import UnitRecord
from lostlight.core.products import Workplace
from lostlight.core.step import Unit


def waves(units: Sequence[Unit]) -> Iterator[list[Unit]]:
    """Give the units in as few groups as can be, each after the groups that it takes products from.

    Raises
    ------
    ContractError
        If units take products from each other, or from a unit that there is not.
    """
    waiting = {unit.id: {take.unit for take in unit.takes.values()} for unit in units}
    if strange := sorted({name for names in waiting.values() for name in names} - set(waiting)):
        raise ContractError(f"units take products of {', '.join(strange)}, which are not planned", hint="mend the plan")
    while waiting:
        ready = {name for name, before in waiting.items() if not before & waiting.keys()}
        if not ready:
            raise ContractError(f"the units {', '.join(sorted(waiting))} wait for each other", hint="mend the plan")
        yield [unit for unit in units if unit.id in ready]
        waiting = {name: before for name, before in waiting.items() if name not in ready}


def provided(
    place: Workplace, wave: Sequence[Unit], done: Mapping[str, UnitRecord]
) -> tuple[list[Unit], list[UnitRecord]]:
    """Give each unit of a wave the products it takes; those that cannot have what they need are skipped, and why."""
    ready, skipped = [], []
    for unit in wave:
        if why := _lacking(unit, done):
            products.remove(place, unit)
            skipped.append(UnitRecord(id=unit.id, status="skipped", facts=dict(unit.facts), warnings=(why,)))
        else:
            ready.append(_given(place, unit, done))
    return ready, skipped


def _lacking(unit: Unit, done: Mapping[str, UnitRecord]) -> str:
    for take in unit.takes.values():
        if take.must and take.role not in done[take.unit].outputs:
            return f"needs {take.unit}: {_end(done[take.unit])}"
    return ""


def _given(place: Workplace, unit: Unit, done: Mapping[str, UnitRecord]) -> Unit:
    """Turn what a unit takes into inputs, and what could not be had into facts that say why."""
    inputs: dict[str, Path] = dict(unit.inputs)
    facts = dict(unit.facts)
    for role, take in unit.takes.items():
        if product := done[take.unit].outputs.get(take.role):
            inputs[role] = place.run_folder / product.path
        else:
            facts[role] = _end(done[take.unit])
    return replace(unit, inputs=inputs, facts=facts)


def _end(record: UnitRecord) -> str:
    said = record.failure.message if record.failure else "; ".join(record.warnings)
    return f"{record.status}: {said}" if said else record.status
