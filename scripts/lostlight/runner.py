"""Run one step: read upstream manifests, plan units, work through them in a pool, fold the records into a manifest."""

import multiprocessing
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path

from lostlight.core import atomic
from lostlight.core.errors import ContractError, LostlightError
from lostlight.core.fold import blank, judge, summed, write
from lostlight.core.manifest import Manifest, Parent, UnitRecord, load, run_folder
from lostlight.core.params import Params, RunParams
from lostlight.core.products import Workplace, relative
from lostlight.core.step import Lent, Step, Unit, find
from lostlight.core.usage import REUSED, Timing
from lostlight.core.waves import provided, waves
from lostlight.core.work import work
from lostlight.vocab.steps import PLANT

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Job:
    """One call of one step: what to read, with which parameters, what to write, and which share of the units."""

    step_id: str
    params: Params
    out: Path
    upstream: Sequence[Path] = ()
    shard: tuple[int, int] | None = None
    workers: int = 1
    policy: RunParams = field(default_factory=RunParams)

    @property
    def run_id(self) -> str:
        """Name of the run, which is the name of its folder; a planted twin belongs to the run around it."""
        folder = run_folder(self.out).resolve()
        return folder.parent.name if folder.name == "planted" else folder.name


def run(job: Job, progress: Progress = lambda done, total, name: None) -> Manifest:
    """Run a step, or one shard of it, and write its manifest.

    Raises
    ------
    ContractError, ConfigError, ToolMissing
        Before or during the work, for what no unit can be blamed for.
    TooManyFailures
        With fail_fast; the evidence is in ``manifest.failed.json``.
    """
    step = find(job.step_id)
    manifests = [_upstream(step, path) for path in job.upstream]
    if step.after and not manifests:
        needed = ", ".join(step.after)
        raise ContractError(f"{step.id} reads {needed}, and got none of it", hint="name the manifests with --upstream")
    planned, skipped = _plan(step, manifests, job)
    start = blank(step, job.run_id, job.params)
    place = _workplace(step, manifests, job)
    records: list[UnitRecord] = list(skipped)
    timings: dict[str, Timing] = {}
    for record, timing in _waves(place, planned, job):
        records.append(record)
        timings[record.id] = timing
        progress(len(timings), len(planned), record.id)
        if record.failure and job.policy.fail_fast:
            break
    manifest = write(job.out, summed(start, _parents(manifests, job), records), timings)
    # The tolerance is for the step as a whole: the manifest of a shard is judged when it is folded.
    if job.out.parent.name != "shards" or job.policy.fail_fast:
        judge(manifest, job.out, job.policy)
    return manifest


def _upstream(step: Step, path: Path) -> Manifest:
    manifest = load(path)
    accepted = {*step.after, *step.may_follow, *((PLANT,) if "01_download" in step.after else ())}
    if manifest.step not in accepted:
        raise ContractError(
            f"{path} is a manifest of {manifest.step}, but {step.id} reads {', '.join(step.after) or 'none'}",
            hint="name the manifests of the steps before this one",
        )
    return manifest


def _plan(step: Step, manifests: Sequence[Manifest], job: Job) -> tuple[list[Unit], list[UnitRecord]]:
    if step.plan:
        units = sorted(step.plan(manifests, job.params), key=lambda unit: unit.id)
        skipped: list[UnitRecord] = []
    else:
        units, skipped = _follow(step, manifests)
    if len({unit.id for unit in units}) != len(units):
        raise ContractError(f"{job.step_id}: two units have the same id", hint="remove the duplicate input")
    if job.shard is None:
        return units, skipped
    index, n_shards = job.shard
    return units[index - 1 :: n_shards], skipped


def _follow(step: Step, manifests: Sequence[Manifest]) -> tuple[list[Unit], list[UnitRecord]]:
    """Plan one unit per upstream unit; units that some upstream step lacks are skipped, with the reason."""
    units, skipped = [], []
    upstream: dict[str, list[tuple[Manifest, UnitRecord]]] = defaultdict(list)
    for manifest in manifests:
        for record in manifest.units:
            upstream[record.id].append((manifest, record))
    for unit_id, found in sorted(upstream.items()):
        broken = [f"{m.step} {r.status}" for m, r in found if r.status != "ok"]
        inputs = {role: m.product(r, role) for m, r in found for role in r.outputs if role in step.needs + step.wants}
        missing = [role for role in step.needs if role not in inputs]
        if broken or missing:
            why = f"upstream: {', '.join(broken)}" if broken else f"upstream made no {', '.join(missing)}"
            skipped.append(UnitRecord(id=unit_id, status="skipped", warnings=(why,)))
        else:
            units.append(Unit(unit_id, inputs, {k: v for _, r in found for k, v in r.facts.items()}))
    return units, skipped


def _workplace(step: Step, manifests: Sequence[Manifest], job: Job) -> Workplace:
    expected = {
        str(manifest.folder / product.path): product.sha256
        for manifest in manifests
        for unit in manifest.units
        for product in unit.outputs.values()
    }
    folder = run_folder(job.out)
    step_folder = job.out.parent.parent if job.out.parent.name == "shards" else job.out.parent
    return Workplace(job.step_id, job.params, folder, step_folder, job.run_id, step.engines(job.params), expected)


def _waves(place: Workplace, units: Sequence[Unit], job: Job) -> Iterator[tuple[UnitRecord, Timing]]:
    """Work through units in waves, because some take products of others."""
    done: dict[str, UnitRecord] = {}
    for wave in waves(units):
        ready, skipped = provided(place, wave, done)
        for outcome in chain(((record, REUSED) for record in skipped), _outcomes(place, ready, job)):
            done[outcome[0].id] = outcome[0]
            yield outcome


def _outcomes(place: Workplace, units: Sequence[Unit], job: Job) -> Iterator[tuple[UnitRecord, Timing]]:
    size = place.step.slice_size
    slices = [units[start : start + size] for start in range(0, len(units), size)]
    cores = job.workers or os.cpu_count() or 1
    workers = min(cores, len(slices))
    policy = job.policy
    lent = Lent(max(cores // max(workers, 1), 1), policy.memory_mb, policy.backend, policy.device)
    slices = [[replace(unit, lent=lent) for unit in some] for some in slices]
    if workers <= 1:
        for some in slices:
            yield from work(place, some)
        return
    # Forking spares each worker seconds of imports; only Linux does it safely, and no graphics card survives it.
    forks = sys.platform == "linux" and policy.device == "cpu"
    context = multiprocessing.get_context("fork" if forks else "spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        remaining = iter(slices)
        # No more than two slices per worker are in flight, so that memory does not grow with their number.
        futures = {pool.submit(work, place, some) for some in islice(remaining, 2 * workers)}
        try:
            while futures:
                done, futures = wait(futures, return_when=FIRST_COMPLETED)
                futures |= {pool.submit(work, place, some) for some in islice(remaining, len(done))}
                for finished in done:
                    yield from finished.result()
        except BrokenProcessPool as error:
            raise LostlightError(
                f"{place.step_id}: a worker process was killed, most likely for want of memory",
                hint="give the job fewer workers, or more memory, and run again; finished units are kept",
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _parents(manifests: Sequence[Manifest], job: Job) -> list[Parent]:
    folder = run_folder(job.out)
    return [
        Parent(step=manifest.step, path=relative(path, folder), sha256=atomic.sha256_file(path))
        for manifest, path in zip(manifests, job.upstream, strict=True)
    ]
