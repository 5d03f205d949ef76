"""The work on one slice of units: check inputs, reuse or run, promote products, leave a receipt.

Products and receipts are keyed by unit, so a killed or re-sharded run redoes only what is missing. Nothing half-written
is ever seen: products are made in a staging folder and moved into place before the receipt that vouches for them.
"""

import json
import os
import resource
import shutil
import sys
import time
import traceback
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from lostlight.core import atomic, log
from lostlight.core.errors import (
    STORAGE,
    ConfigError,
    ContractError,
    LostlightError,
    NoWork,
    StorageError,
    ToolMissing,
)
from lostlight.core.manifest import Failure, Product, UnitRecord
from lostlight.core.params import Params
from lostlight.core.step import Outputs, Result, Step, Unit, find, seed_of

Timing = dict[str, float | bool]

_FATAL = (ConfigError, ContractError, ToolMissing)


@dataclass(frozen=True)
class Workplace:
    """What every unit of a step shares; `expected` gives the sha256 that manifests state for paths of inputs."""

    step_id: str
    params: Params
    run_folder: Path
    step_folder: Path
    run_id: str
    engines: Mapping[str, str]
    expected: Mapping[str, str]

    @property
    def step(self) -> Step:
        """The declared step."""
        return find(self.step_id)

    def receipt(self, unit: Unit) -> Path:
        """Where the receipt of a unit lies."""
        return self.step_folder / "units" / f"{unit.id}.json"


def work(place: Workplace, units: Sequence[Unit]) -> list[tuple[UnitRecord, Timing]]:
    """Bring one slice of units to its end, in order.

    Raises
    ------
    ConfigError, ContractError, ToolMissing
        For what no unit can be blamed for; everything else becomes a record.
    """
    pending: list[Unit] = []
    inputs = {unit.id: _hash_inputs(place, unit) for unit in units}
    done: dict[str, tuple[UnitRecord, Timing]] = {}
    for unit in units:
        seeded = replace(unit, seed=seed_of(getattr(place.params, "seed", 0), place.step_id, unit.id))
        record = _reusable(place, unit, _fingerprint(place, unit, inputs[unit.id]))
        if record is None:
            pending.append(seeded)
        else:
            done[unit.id] = (record, {"reused": True, "elapsed_s": 0.0, "cpu_s": 0.0})
    before = _cpu_s()
    prepared = place.step.prepare(pending, place.params) if place.step.prepare and pending else {}
    share_s = (_cpu_s() - before) / max(len(pending), 1)
    for unit in pending:
        record, timing = _run_one(place, replace(unit, prepared=prepared.get(unit.id)), inputs[unit.id])
        done[unit.id] = (record, {**timing, "cpu_s": round(timing["cpu_s"] + share_s, 3)})
    return [done[unit.id] for unit in units]


def _run_one(place: Workplace, unit: Unit, inputs: dict[str, Product]) -> tuple[UnitRecord, Timing]:
    started, cpu_before = time.perf_counter(), _cpu_s()
    fresh = UnitRecord(
        id=unit.id, status="ok", facts=dict(unit.facts), inputs=inputs, fingerprint=_fingerprint(place, unit, inputs)
    )
    staging = _staging(place, unit)
    out = Outputs({role: staging / name.format(unit=unit.id) for role, name in place.step.makes.items()})
    with log.place(step=place.step_id, unit=unit.id):
        try:
            if isinstance(unit.prepared, Exception):
                raise unit.prepared
            result = place.step.run(unit, place.params, out)
            outputs = _promote(place, unit, out)
            record = _succeeded(fresh, result, outputs)
        except _FATAL:
            raise
        except NoWork as why:
            record = fresh.model_copy(update={"status": "skipped", "warnings": (str(why),)})
        except LostlightError as error:
            record = _failed(fresh, error)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in STORAGE:
                raise StorageError.of(error) from error
            record = _failed(fresh, error, bug=True)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    if record.status != "ok":
        _remove_products(place, unit)
    atomic.write_json(place.receipt(unit), record.model_dump(mode="json"))
    return record, {
        "reused": False,
        "elapsed_s": round(time.perf_counter() - started, 3),
        "cpu_s": _cpu_s() - cpu_before,
        "peak_mb": _peak_mb(),
    }


def _cpu_s() -> float:
    """CPU seconds of this process and of the programs it ran."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024), 1)


def _succeeded(fresh: UnitRecord, result: Result, outputs: dict[str, Product]) -> UnitRecord:
    return UnitRecord(
        **{
            **dict(fresh),
            "outputs": outputs,
            "metrics": dict(result.metrics),
            "checks": tuple(result.checks),
            "warnings": tuple(result.warnings),
        }
    )


def _failed(fresh: UnitRecord, error: Exception, bug: bool = False) -> UnitRecord:
    known = isinstance(error, LostlightError)
    failure = Failure(
        type=type(error).__name__,
        message=error.message if isinstance(error, LostlightError) else str(error),
        hint=error.hint if isinstance(error, LostlightError) else "this is a bug: please report it with this record",
        facts=dict(error.facts) if isinstance(error, LostlightError) else {},
        transient=known and bool(getattr(error, "transient", False)),
        traceback=_trim(error) if bug else "",
    )
    return fresh.model_copy(update={"status": "failed", "failure": failure})


def _trim(error: Exception) -> str:
    # Paths of this machine do not belong in a manifest; file names within the package say enough.
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames[1:]]
    return "\n".join([*lines, f"{type(error).__name__}: {error}"])


def _hash_inputs(place: Workplace, unit: Unit) -> dict[str, Product]:
    return {role: _hash_input(place, path) for role, path in sorted(unit.inputs.items())}


def _hash_input(place: Workplace, path: Path) -> Product:
    if not path.is_file():
        raise ContractError(f"{path} is missing", hint="run the step that makes it again", path=path.name)
    found = atomic.sha256_file(path)
    stated = place.expected.get(str(path), found)
    if found != stated:
        raise ContractError(
            f"{path} was altered: its sha256 is {found[:16]}…, its manifest says {stated[:16]}…",
            hint="delete the file and run its step again; it will be made anew",
            path=path.name,
        )
    return Product(path=relative(path, place.run_folder), sha256=found, bytes=path.stat().st_size)


def relative(path: Path, run_folder: Path) -> str:
    """Path as a manifest states it: relative to the run folder, or the bare name of a user's own file."""
    stated = os.path.relpath(path.resolve(), run_folder.resolve())
    return path.name if stated.startswith("../../") else Path(stated).as_posix()


def _fingerprint(place: Workplace, unit: Unit, inputs: Mapping[str, Product]) -> str:
    return atomic.sha256_json(
        {
            "step": place.step_id,
            "version": place.step.version,
            "params": place.params.model_dump(mode="json"),
            "facts": dict(unit.facts),
            "inputs": {role: product.sha256 for role, product in inputs.items()},
            "engines": dict(place.engines),
        }
    )


def _reusable(place: Workplace, unit: Unit, fingerprint: str) -> UnitRecord | None:
    try:
        record = UnitRecord.model_validate(json.loads(place.receipt(unit).read_bytes()))
    except (OSError, ValueError, ValidationError):
        return None  # no receipt, or one that cannot be trusted: the unit is simply done again
    if record.fingerprint != fingerprint or record.status == "failed":
        return None
    return record if all(_intact(place, product) for product in record.outputs.values()) else None


def _intact(place: Workplace, product: Product) -> bool:
    path = place.run_folder / product.path
    return path.is_file() and path.stat().st_size == product.bytes and atomic.sha256_file(path) == product.sha256


def _promote(place: Workplace, unit: Unit, out: Outputs) -> dict[str, Product]:
    made = {role: out[role] for role in place.step.makes if out[role].is_file()}
    missing = [role for role in place.step.makes if role not in made and role not in place.step.optional]
    if missing:
        raise RuntimeError(f"step {place.step_id} did not make {', '.join(missing)} for unit {unit.id}")
    _remove_products(place, unit, keep=made)
    return {role: _promote_one(place, path, out.sizes.get(role, [])) for role, path in made.items()}


def _promote_one(place: Workplace, staged: Path, size: Sequence[int]) -> Product:
    final = place.step_folder / "products" / staged.name
    final.parent.mkdir(parents=True, exist_ok=True)
    digest, n_bytes = atomic.sha256_file(staged), staged.stat().st_size
    staged.replace(final)
    return Product(
        path=relative(final, place.run_folder),
        sha256=digest,
        bytes=n_bytes,
        format=final.suffix.lstrip("."),
        size=tuple(size),
    )


def _remove_products(place: Workplace, unit: Unit, keep: Container[str] = ()) -> None:
    for role, name in place.step.makes.items():
        if role not in keep:
            (place.step_folder / "products" / name.format(unit=unit.id)).unlink(missing_ok=True)


def _staging(place: Workplace, unit: Unit) -> Path:
    """Make a folder for this process alone, and sweep those that killed processes left.

    An orphan of a killed run may still be at work on the same unit; each has its own folder, and both promote the
    same bytes.
    """
    parent = place.step_folder / ".staging"
    for left in parent.glob(f"{unit.id}@*"):
        if not _is_alive(int(left.name.rpartition("@")[2])):
            shutil.rmtree(left, ignore_errors=True)
    staging = parent / f"{unit.id}@{os.getpid()}"
    staging.mkdir(parents=True)
    return staging


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()
