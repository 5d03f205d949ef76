"""Steps 03 to 08 on 60 arcmin tiles: both engines of ours beside the plain chain of the same programs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benches.measure import Row, cost
from benches.naive import naive_chain
from lostlight import chain
from lostlight.core import config as configuration
from lostlight.core.manifest import load
from lostlight.core.params import PipelineConfig
from lostlight.core.step import find
from lostlight.sim import local

STEPS = ("03_detect", "04_psf", "05_measure", "06_reference", "07_xmatch", "08_filter")
BARS = {"embedded": "<= 2.5", "reference": "<= 10"}


def rows(folder: Path, full: bool) -> Iterator[Row]:
    n_tiles = 16 if full else 4
    # One server for all steps, so that its start is not counted.
    with local.skies_of('"sky:20"'):
        yield from _rows(folder, n_tiles)


def _rows(folder: Path, n_tiles: int) -> Iterator[Row]:
    run = folder / "run"
    prepared = _config("embedded", n_tiles)
    # The first walk fills the caches of catalogues and compiled code: what follows is a warm shard.
    list(chain.walk(prepared, run, steps=("00_tiles", "01_download", "02_masks", *STEPS)))
    engines = ["embedded", *(["reference"] if configuration.programs_found() else [])]
    naive = naive_chain(run, load(run / "01_download/manifest.json")) if len(engines) == 2 else None
    for engine in engines:
        per_step = {}
        for step_id in STEPS:
            shutil.rmtree(run / step_id)
            with cost() as used:
                list(chain.walk(_config(engine, n_tiles), run, steps=(step_id,)))
            per_step[step_id] = used.cpu_s / n_tiles
            yield Row(f"{engine}: {step_id}, per tile", per_step[step_id], unit="CPU s")
        yield Row(
            f"{engine}: 03-08, per 60' tile, {n_tiles} tiles", sum(per_step.values()), naive, "CPU s", BARS[engine]
        )
    for step_id in ("03_detect", "05_measure"):
        yield Row(f"largest process of {step_id}", _peak_mb(run, step_id, n_tiles), unit="MB", bar="<= 600")


def _peak_mb(run: Path, step_id: str, n_tiles: int) -> float:
    """Memory of a step in a process of its own, as the workflow starts it."""
    shutil.rmtree(run / step_id)
    out = chain.manifest_path(run, step_id)
    params = json.dumps(configuration.section(_config("embedded", n_tiles), step_id))
    upstream = [f"--upstream={chain.manifest_path(run, before)}" for before in find(step_id).after]
    command = [sys.executable, "-m", "lostlight", "step", step_id, f"--out={out}", f"--params={params}", *upstream]
    subprocess.run(command, check=True, capture_output=True)
    return max(entry["peak_mb"] for entry in json.loads(out.with_name("timings.json").read_text()).values())


def _config(engine: str, n_tiles: int) -> PipelineConfig:
    return configuration.check(
        {
            "engine": engine,
            "tiles": {
                "mode": "single",
                "positions": [{"ra_deg": 150 + 1.2 * (i % 4), "dec_deg": 20 + 1.2 * (i // 4)} for i in range(n_tiles)],
            },
            "download": {"source": "sky", "url": "sky:20", "min_interval_s": 0},
            "reference": {"url": "sky:20", "gaia": True, "min_interval_s": 0},
        }
    )
