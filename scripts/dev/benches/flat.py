"""What a tile costs through the whole workflow, and whether that grows with their number."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from benches.measure import Row, cost

ROOT = Path(__file__).resolve().parents[3]


def rows(folder: Path, full: bool) -> Iterator[Row]:
    costs = {}
    for n_tiles in (10, 100, 1000) if full else (10, 40):
        run = folder / f"data/runs/flat{n_tiles}"
        settings = _settings(run.name, n_tiles)
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        profile = ROOT / "workflow/profiles/local"
        command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--directory", folder]
        command += ["--workflow-profile", profile, "--configfile", ROOT / "config/pipeline.yaml", "config.yaml"]
        with cost() as used:
            subprocess.run([*map(str, command)], cwd=folder, check=True, capture_output=True)
        inside = sum(
            entry["elapsed_s"] for path in run.glob("*/timings.json") for entry in json.loads(path.read_text()).values()
        )
        costs[n_tiles] = used.cpu_s / n_tiles
        yield Row(f"steps 00-10, per small tile, {n_tiles} tiles", costs[n_tiles], unit="CPU s")
        yield Row(
            f"  of it outside the steps, {n_tiles} tiles",
            1000 * (used.cpu_s - inside) / n_tiles,
            unit="CPU ms",
            bar="<= 50",
        )
    few, many = min(costs), max(costs)
    yield Row(f"cost per tile, {few} against {many} tiles", costs[many], costs[few], "CPU s", "flat")


def _settings(name: str, n_tiles: int) -> dict[str, object]:
    positions = [{"ra_deg": 150 + 0.15 * (i % 40), "dec_deg": 20 + 0.15 * (i // 40)} for i in range(n_tiles)]
    return {
        "engine": "embedded",
        "run": {"id": name, "shards": max(1, n_tiles // 64)},
        "tiles": {"mode": "single", "positions": positions, "rings": 0, "width_arcmin": 8, "height_arcmin": 8},
        "reference": {"bright_margin_arcmin": 5},
        "completeness": {"n_per_tile": 0},
    }
