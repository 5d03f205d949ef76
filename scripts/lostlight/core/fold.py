"""From unit records to the manifest of a shard or a step, and the verdict whether the step may stand."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from lostlight.core import atomic
from lostlight.core.errors import ContractError, LostlightError, TooManyFailures
from lostlight.core.manifest import Manifest, Parent, UnitRecord, aggregate, load
from lostlight.core.params import Params, RunParams
from lostlight.core.step import Step
from lostlight.core.usage import Timing

_LIBRARIES = ("lostlight", "numpy", "scipy", "astropy")


def blank(step: Step, run_id: str, params: Params) -> Manifest:
    """Begin the manifest of a step: all that is known before the first unit."""
    plain = params.model_dump(mode="json")
    return Manifest(
        run_id=run_id,
        step=step.id,
        step_version=step.version,
        status="ok",
        software={**{name: version(name) for name in _LIBRARIES}, **step.engines(params)},
        params=plain,
        params_sha256=atomic.sha256_json(plain),
        cites=step.cites,
    )


def summed(start: Manifest, parents: Sequence[Parent], units: Sequence[UnitRecord]) -> Manifest:
    """Complete a manifest with its parents and unit records, in an order that no worker count changes."""
    n_failed = sum(unit.status == "failed" for unit in units)
    n_ok = sum(unit.status == "ok" for unit in units)
    ordered = sorted(units, key=lambda unit: unit.id)
    return start.model_copy(
        update={
            "status": "ok" if not n_failed else "partial" if n_ok else "failed",
            "parents": tuple(sorted(parents, key=lambda parent: (parent.step, parent.path))),
            "counts": {"ok": n_ok, "skipped": len(units) - n_ok - n_failed, "failed": n_failed},
            "metrics": dict(aggregate(ordered)),
            "units": tuple(ordered),
        }
    )


def fold(step_id: str, shards: Sequence[Path], out: Path, policy: RunParams) -> Manifest:
    """Fold the manifests of all shards into the manifest of the step; raises TooManyFailures as `judge` does."""
    parts = [load(path) for path in shards]
    for path, part in zip(shards, parts, strict=True):
        if part.step != step_id:
            raise ContractError(f"{path} is a manifest of {part.step}, not of {step_id}", hint="name its own shards")
        if part.params_sha256 != parts[0].params_sha256:
            raise ContractError(f"{path} was made with other parameters", hint=f"run {step_id} again")
    units = sorted((unit for part in parts for unit in part.units), key=lambda unit: unit.id)
    parents = {(p.step, p.path): p for part in parts for p in part.parents}
    manifest = summed(parts[0], list(parents.values()), units)
    timings = {name: entry for path in shards for name, entry in json.loads(_timings(path).read_bytes()).items()}
    manifest = write(out, manifest, timings)
    try:
        judge(manifest, out, policy)
    except LostlightError:
        # The next call must find no manifest of a shard with failures, or it would fold them again unretried.
        for path, part in zip(shards, parts, strict=True):
            if part.counts["failed"]:
                path.replace(path.with_name(f"{path.stem}.failed.json"))
        raise
    return manifest


def judge(manifest: Manifest, out: Path, policy: RunParams) -> None:
    """Decide whether a step may stand; a step that may not leaves ``manifest.failed.json`` in place of its manifest.

    Raises
    ------
    TooManyFailures
        If more of the units that were tried failed than ``run.max_failed_fraction`` permits, or all of them.
    LostlightError
        If any unit ended with a bug, whatever the tolerance.
    """
    failed = [unit for unit in manifest.units if unit.failure]
    tried = len(failed) + manifest.counts["ok"]
    bugs = [unit for unit in failed if unit.failure and unit.failure.traceback]
    too_many = bool(failed) and (len(failed) == tried or len(failed) / tried > policy.max_failed_fraction)
    if not (bugs or too_many or (failed and policy.fail_fast)):
        return
    out.replace(out.with_name("manifest.failed.json"))
    first = (bugs or failed)[0]
    assert first.failure
    what = f"{first.id}: {first.failure.type}: {first.failure.message}"
    if bugs:
        raise LostlightError(f"{manifest.step}: a bug stopped {len(bugs)} of {tried} units; {what}", first.failure.hint)
    error = TooManyFailures(
        f"{manifest.step}: {len(failed)} of {tried} units failed; the first: {what}", first.failure.hint
    )
    if all(unit.failure and unit.failure.type.startswith("Remote") for unit in failed):
        error.exit_code = 6
    raise error


def write(out: Path, manifest: Manifest, timings: Mapping[str, Timing]) -> Manifest:
    """Write a manifest and, beside it and never hashed, its timings; give the manifest as written."""
    written = manifest.model_copy(update={"timings": _timings(out).name}).at(out)
    atomic.write_json(_timings(out), timings)
    atomic.write_json(out, written.dump())
    return written


def _timings(out: Path) -> Path:
    return out.with_name("timings.json" if out.name == "manifest.json" else f"{out.stem}.timings.json")
