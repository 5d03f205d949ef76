"""The verb ``lostlight search``: what moves in images of one field, and how complete the search is."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from lostlight.core import config as configuration
from lostlight.core.params import PipelineConfig
from lostlight.vocab.movers import MOVERS as COLUMNS
from lostlight.vocab.steps import MOVERS, word


@click.command()
@click.option("--images", required=True, help="folder of images of one field, a WorkUnit, or a store")
@click.option("--out", "-o", required=True, type=click.Path(path_type=Path), help="folder for what is found")
@click.option("--config", "-c", multiple=True, type=click.Path(path_type=Path), help="configuration files")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="any key of inject and recover; repeatable")
@click.option(
    "--planted",
    metavar="N",
    default="auto",
    show_default=True,
    help="sources planted, to measure how complete it is; 0 plants none",
)
@click.option("--workers", "-j", type=click.IntRange(min=0), default=0, help="processes; 0 means one per core")
def search(
    images: str, out: Path, config: tuple[Path, ...], settings: tuple[str, ...], planted: str, workers: int
) -> None:
    """Search images of one field for what moves; write candidates.ecsv, best first, and a page.

    Interrupted, the same command goes on where it stopped.
    """
    overlay: dict[str, Any] = configuration.parse_setting(f"inject.n={planted}")
    overlay = configuration.merge(overlay, {"inject": {"images": images, "classes": {"drift": 1.0}}})
    for setting in settings:
        overlay = configuration.merge(overlay, configuration.parse_setting(setting))
    settled = configuration.load(config, overlay)
    _walk(settled, out, workers)
    for line in _concluded(out):
        click.echo(line)


def _walk(config: PipelineConfig, out: Path, workers: int) -> None:
    """Run steps 13 and 14 in a folder."""
    from lostlight import progress, runner
    from lostlight.core import log
    from lostlight.report import times
    from lostlight.sim import darkroom

    log.set_up(out / "search.jsonl")
    with darkroom.frames_of(config.model_dump_json()):
        for step_id in MOVERS:
            params = getattr(config, word(step_id))
            upstream = [out / MOVERS[0] / "manifest.json"] if step_id == MOVERS[1] else []
            manifest = out / step_id / "manifest.json"
            job = runner.Job(
                step_id, params, manifest, upstream, workers=workers or os.cpu_count() or 1, policy=config.run
            )
            with log.place(run=job.run_id, step=step_id), progress.shown(step_id) as report:
                runner.run(job, report)
            times.write(manifest)


def _concluded(out: Path) -> Iterator[str]:
    """Write the candidates of all stacks in one table, best first, and tell what was found of each."""
    import numpy as np
    from astropy.table import vstack

    from lostlight.core.manifest import load, products
    from lostlight.io import tables
    from lostlight.report.recovery import sentence

    made = [load(out / MOVERS[1] / "manifest.json")]
    skipped = (why for unit in made[0].units if unit.status == "skipped" for why in unit.warnings)
    yield from dict.fromkeys(why for why in skipped if not why.startswith("needs "))
    if not products(made, "candidates"):
        (out / "candidates.ecsv").unlink(missing_ok=True)
        yield "nothing was searched"
        return
    found = vstack([tables.read(path) for path in products(made, "candidates")], metadata_conflicts="silent")
    found = found[np.argsort(-np.asarray(found["lh"]), kind="stable")]
    tables.write(found, out / "candidates.ecsv", COLUMNS)
    pages = products(made, "page")
    for path, page in zip(products(made, "report"), pages, strict=True):
        yield sentence(json.loads(path.read_bytes()))
        yield f"page: {page}"
    yield f"candidates: {out / 'candidates.ecsv'} ({len(found)})"
