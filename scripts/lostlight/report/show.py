"""What happened, in ten lines."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from lostlight.core.errors import ContractError
from lostlight.core.manifest import load
from lostlight.report.gather import Run
from lostlight.report.verify import manifest_paths
from lostlight.vocab.steps import FRAMES, MOVERS

MAX_TROUBLES, MAX_PAGES = 4, 4
_PAGES = ("calibration", "mosaic")
"""What the pages of own frames are about, step by step."""
_NAMED = 2
"""Stacks that are told of one by one."""


def show(run_folder: Path) -> str:
    """Say in at most ten lines what a run did, what it found, what failed and where the report is.

    Raises
    ------
    ContractError
        If the folder holds no manifest, or one that cannot be read.
    """
    run = _load(run_folder)
    fallen = [step_id for step_id in sorted(run.manifests) if not (run_folder / step_id / "manifest.json").is_file()]
    report = run_folder / "09_summary" / "products" / "report.html"
    if fallen:
        return "\n".join([*_began(run), *_troubles(run), _fallen(fallen[0], is_older_report=report.is_file())])
    return "\n".join([*_began(run), *_found(run), *_troubles(run), *_pages(run, report)])


def _load(run_folder: Path) -> Run:
    standing = [path for path in manifest_paths(run_folder) if path.name == "manifest.json"]
    fallen = run_folder.glob("[0-9][0-9]_*/manifest.failed.json")
    manifests = [load(path) for path in (*standing, *sorted(path for path in fallen if _stands_not(path)))]
    if not any(manifest.folder == run_folder for manifest in manifests):
        raise ContractError(f"{run_folder} holds no manifest", hint="give the folder of a run: data/runs/<run_id>")
    twin = {manifest.step: manifest for manifest in manifests if manifest.folder != run_folder}
    return Run({manifest.step: manifest for manifest in manifests if manifest.folder == run_folder}, twin)


def _stands_not(failed: Path) -> bool:
    """Tell whether a step that failed has not been run again with more luck."""
    return not failed.with_name("manifest.json").is_file()


def _began(run: Run) -> list[str]:
    """Tell tiles, own frames, and stacks searched for what moves; a run of those alone has no tiles."""
    told = [said for said in (run.calibration, run.mosaic, *_searched(run.searches)) if said]
    if told and not run.statuses:
        return [f"run {run.run_id}: {told[0]}", *told[1:]]
    return [_tiles(run), *told]


def _searched(searches: Mapping[str, str]) -> list[str]:
    """Tell the first stacks by name; one alone needs none."""
    if len(searches) < 2:
        return list(searches.values())
    said = [f"{stack}: {sentence}" for stack, sentence in list(searches.items())[:_NAMED]]
    more = len(searches) - _NAMED
    return [*said, f"and {_plural(more, 'other stack')}"] if more else said


def _pages(run: Run, report: Path) -> list[str]:
    """Name the page to read, or how far the run has come."""
    if report.is_file():
        return [f"report: {report}"]
    pages = {word: list(run.paths(step_id, "page").values()) for step_id, word in zip(FRAMES, _PAGES, strict=True)}
    pages["search"] = run.search_pages
    besides = [f"{word}: {_listed(found)}" for word, found in pages.items() if found]
    last = max((step_id for step_id in run.manifests if step_id not in (*FRAMES, *MOVERS)), default="")
    return [*([f"no report yet; the last step with a manifest is {last}"] if last else []), *besides]


def _listed(pages: Sequence[Path]) -> str:
    """Name the pages of a step; of many the folder they are in."""
    if len(pages) > MAX_PAGES:
        return f"{_plural(len(pages), 'page')} in {pages[0].parent}"
    return ", ".join(map(str, pages))


def _tiles(run: Run) -> str:
    kinds = ("done", "failed", "skipped", "not finished")
    outcomes = [_outcome(run, tile_id) for tile_id in run.statuses]
    words = ", ".join(f"{outcomes.count(kind)} {kind}" for kind in kinds if kind in outcomes)
    return f"run {run.run_id}: {_plural(len(outcomes), 'tile')}" + (f" ({words})" if words else "")


def _outcome(run: Run, tile_id: str) -> str:
    """Tell tiles that were left out from those that have come as far as the run itself."""
    outcome = run.outcome(tile_id)
    return outcome if outcome != "skipped" or "skipped" in run.statuses[tile_id].values() else "not finished"


def _found(run: Run) -> list[str]:
    summary = run.manifests.get("09_summary")
    if not summary or not summary.metrics:
        return []
    metrics = summary.metrics
    lines = [
        f"{metrics.get('n_detections', 0):,.0f} detections, {_plural(metrics.get('n_candidates', 0), 'candidate')}"
    ]
    if (depth := metrics.get("m50_mag")) is not None:
        lines.append(f"half of the planted stars are recovered at magnitude {depth:.2f}")
    return lines


def _troubles(run: Run) -> list[str]:
    lines = []
    for trouble in run.troubles[:MAX_TROUBLES]:
        where = f"{trouble.step} (planted)" if trouble.is_twin else trouble.step
        hint = f" → {trouble.hint}" if trouble.hint else ""
        lines.append(f"{where}: {trouble.n_units} {trouble.type}: {trouble.message}{hint}")
    more = run.troubles[MAX_TROUBLES:]
    return [*lines, f"and {_plural(len(more), 'other kind')} of failure"] if more else lines


def _fallen(step_id: str, *, is_older_report: bool) -> str:
    failed = "frames" if step_id in FRAMES else "units" if step_id in MOVERS else "tiles"
    said = f"{step_id} did not stand: more {failed} failed than run.max_failed_fraction permits, or a bug stopped it"
    return f"{said}; report and candidates are of an earlier attempt" if is_older_report else said


def _plural(number: float, word: str) -> str:
    return f"{number:,.0f} {word}" + ("" if number == 1 else "s")
