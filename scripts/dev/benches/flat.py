"""What a tile costs through the whole workflow, and whether that grows with their number."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from benches.measure import Row, cost
from lostlight.sim import local

ROOT = Path(__file__).resolve().parents[3]


def rows(folder: Path, full: bool) -> Iterator[Row]:
    # The simulated sky is served from here: what it costs is the archive's business.
    with local.skies_of('"sky:20"'):
        yield from _rows(folder, full)


def _rows(folder: Path, full: bool) -> Iterator[Row]:
    sizes = (10, 100, 1000) if full else (10, 100)
    spent = {n_tiles: _spent(folder, n_tiles) for n_tiles in sizes}
    for n_tiles, (total, outside) in spent.items():
        yield Row(f"steps 00-10, per small tile, {n_tiles} tiles", total / n_tiles, unit="CPU s")
        yield Row(f"  of it imports, Snakemake and runner, {n_tiles} tiles", 1000 * outside / n_tiles, unit="CPU ms")
    few, many = sizes[0], sizes[-1]
    further = (spent[many][1] - spent[few][1]) / (many - few)
    yield Row("outside the steps, per further tile", 1000 * further, unit="CPU ms", bar="<= 50")
    yield Row(f"cost per tile, {few} against {many} tiles", spent[many][0] / many, spent[few][0] / few, "CPU s", "flat")


def _spent(folder: Path, n_tiles: int) -> tuple[float, float]:
    """CPU seconds of a whole run, and of them those outside the units of the steps."""
    run = folder / f"data/runs/flat{n_tiles}"
    (folder / "config.yaml").write_text(yaml.safe_dump(_settings(run.name, n_tiles)))
    command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
    command += ["--workflow-profile", ROOT / "workflow/profiles/local"]
    command += ["--configfile", ROOT / "config/pipeline.yaml", "config.yaml"]
    with cost() as used:
        subprocess.run([*map(str, command)], cwd=folder, check=True, capture_output=True)
    timings = (json.loads(path.read_text()) for path in run.glob("*/timings.json"))
    return used.cpu_s, used.cpu_s - sum(unit["cpu_s"] for entries in timings for unit in entries.values())


def _settings(name: str, n_tiles: int) -> dict[str, object]:
    positions = [{"ra_deg": 150 + 0.25 * (i % 20), "dec_deg": 20 + 0.25 * (i // 20)} for i in range(n_tiles)]
    return {
        "engine": "embedded",
        "run": {"id": name, "shards": max(1, n_tiles // 64)},
        "tiles": {"mode": "single", "positions": positions, "rings": 0, "width_arcmin": 15, "height_arcmin": 15},
        "reference": {"bright_margin_arcmin": 5},
        "completeness": {"n_per_tile": 0},
    }
