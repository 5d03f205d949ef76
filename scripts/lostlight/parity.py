"""Measure the tiles of a run with the other engine, given the same PSF, and tell how the two differ."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from astropy.table import Table

from lostlight import chain, runner
from lostlight.core import config as configuration
from lostlight.core.errors import ToolMissing
from lostlight.core.manifest import Manifest, load
from lostlight.core.step import find
from lostlight.io import tables
from lostlight.science.detect.parity import compare

STEP = "05_measure"
_OTHER = {"embedded": "reference", "reference": "embedded"}


def told(run_folder: Path, n_tiles: int = 1) -> Iterator[str]:
    """Tell, line by line, how the engines differ on the first tiles of a run.

    Raises
    ------
    ToolMissing
        If the programs of the reference engine are not installed.
    ContractError
        If the run has not come to the second pass.
    """
    if not configuration.programs_found():
        raise ToolMissing("source-extractor, psfex and stilts are not all installed", hint="run `make tools`")
    measured = load(chain.manifest_path(run_folder, STEP))
    with tempfile.TemporaryDirectory() as folder:
        again = _measure_again(run_folder, Path(folder) / run_folder.name, measured, n_tiles)
        for unit in again.ok():
            former = next(record for record in measured.ok() if record.id == unit.id)
            sides = {
                str(manifest.params["engine"]): tables.read(manifest.product(record, "p2"))
                for manifest, record in ((measured, former), (again, unit))
            }
            yield from _lines(unit.id, compare(sides["reference"], sides["embedded"]))


def _measure_again(run_folder: Path, scratch: Path, measured: Manifest, n_tiles: int) -> Manifest:
    step = find(STEP)
    other = {**measured.params, "engine": _OTHER[str(measured.params["engine"])]}
    every = max(1, measured.counts["ok"] // n_tiles)
    return runner.run(
        runner.Job(
            step_id=STEP,
            params=configuration.check_section(step.params, other, STEP),
            out=chain.manifest_path(scratch, STEP),
            upstream=[chain.manifest_path(run_folder, before) for before in step.after],
            shard=(1, every),
        )
    )


def _lines(tile: str, parity: Table) -> Iterator[str]:
    common, flags = parity.meta["common_fraction"], parity.meta["flags_agree_fraction"]
    yield f"{tile}: {100 * common:.1f} % of detections in common, {100 * flags:.1f} % of them flagged alike"
    for row in parity:
        kind = "relative " if row["is_relative"] else ""
        spread = f"median {row['median']:9.2g}   95 % within {row['p95']:9.2g}"
        yield f"  {row['column']:16} {kind + 'difference':19} {spread}"
