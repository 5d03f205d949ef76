"""Walk the steps one after the other in one process: for notebooks, tests and benchmarks. Snakemake does the rest."""

from lostlight.core.threads import keep_to_one

keep_to_one()  # before anything that starts threads is loaded

from collections.abc import Iterator, Sequence
from pathlib import Path

from lostlight import runner
from lostlight.core import config as configuration
from lostlight.core import whole
from lostlight.core.manifest import Manifest
from lostlight.core.params import Params, PipelineConfig
from lostlight.core.step import Step, find
from lostlight.sim import darkroom, local
from lostlight.vocab.steps import FRAMES, MOVERS, PLANT, SURVEY, TWIN_STEPS

_TWIN = "planted"


def walk(
    config: PipelineConfig, run_folder: Path, *, steps: Sequence[str] = (), workers: int = 1
) -> Iterator[Manifest]:
    """Run steps in reading order, the planted twin before the summary, and give each manifest as it is written.

    Without `steps` it is the whole survey, and before it what is done to own frames and in stacks of
    images where the configuration has any.

    Raises
    ------
    LostlightError
        As `runner.run` does; the manifests before it are on disk.
    """
    text = config.model_dump_json()
    with local.skies_of(text), darkroom.frames_of(text):
        for step_id in steps or (*configuration.own_steps(config), *SURVEY):
            if step_id == "09_summary" and config.completeness.n_per_tile:
                for twin_id in (PLANT, *TWIN_STEPS[1:]):
                    yield _run(twin_id, config, run_folder, f"{_TWIN}/", workers)
            yield _run(step_id, config, run_folder, "", workers)


def manifest_path(run_folder: Path, step_id: str, twin: str = "") -> Path:
    """Where the manifest of a step lies; in the twin the planted plates take the place of the downloaded ones."""
    folder = TWIN_STEPS[0] if step_id == PLANT else step_id
    return run_folder / f"{twin}{folder}" / "manifest.json"


def _run(step_id: str, config: PipelineConfig, run_folder: Path, twin: str, workers: int) -> Manifest:
    step = find(step_id)
    kind: type[Params] = step.params
    params = configuration.check_section(kind, configuration.section(config, step_id), step_id)
    job = runner.Job(
        step_id=step_id,
        params=params,
        out=manifest_path(run_folder, step_id, twin),
        upstream=_upstream(step, config, run_folder, twin),
        workers=workers,
        policy=config.run,
    )
    return runner.run(job)


def _upstream(step: Step, config: PipelineConfig, run_folder: Path, twin: str) -> list[Path]:
    source = "" if step.id == PLANT else twin
    own = [manifest_path(run_folder, step_id, source) for step_id in step.after]
    is_whole = step.plan is whole.plan
    own += [manifest_path(run_folder, step_id) for step_id in _frames_for(step, config)]
    if not is_whole or not config.completeness.n_per_tile:
        return own
    return own + [manifest_path(run_folder, twin_id, f"{_TWIN}/") for twin_id in (PLANT, *TWIN_STEPS[1:])]


def _frames_for(step: Step, config: PipelineConfig) -> tuple[str, ...]:
    """Give the steps of own frames that a step reads: all of them, those it searches, or those it joins."""
    if step.plan is whole.plan:
        return configuration.own_steps(config)
    if step.id == FRAMES[1]:
        return step.may_follow if not config.mosaic.frames else ()
    if step.id == MOVERS[0]:
        return configuration.planted_frames(config)
    return tuple({configuration.searched_frames(config)} & set(step.may_follow))
