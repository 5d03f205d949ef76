"""Step 09: what was found, what was lost on the way, and how complete the search is."""

from collections import Counter
from typing import Any

import numpy as np
from astropy.table import Table, vstack

from lostlight.core import atomic, whole
from lostlight.core.params import SummaryParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.io import stream, tables
from lostlight.report import exports, pages
from lostlight.report.census import Census
from lostlight.report.figures.sky import coverage
from lostlight.report.gather import Run
from lostlight.science.plate.wcs import sky_wcs
from lostlight.science.vet import ledger, overlap
from lostlight.science.vet.completeness import measure_curve, recover
from lostlight.vocab import columns
from lostlight.vocab.steps import PLANT

ROOM_FOR_LABELS = len("; DUPLICATE; OTHER_PLATE")
"""How much longer a reason can grow when overlapping tiles are compared."""


@step(
    "09_summary",
    after=(
        "00_tiles", "01_download", "02_masks", "03_detect", "04_psf", "05_measure", "06_reference", "07_xmatch",
        "08_filter",
    ),
    may_follow=("11_calibrate", "12_mosaic", "13_inject", "14_recover"),
    makes={
        "report": "report.html", "summary": "summary.md", "tiles_csv": "summary.csv", "flags": "flags.fits",
        "candidates": "candidates.ecsv", "candidates_vot": "candidates.vot", "candidates_parquet": "candidates.parquet",
        "candidates_reg": "candidates.reg", "anomalies": "anomalies_minimal.csv", "recovered": "recovered.ecsv",
    },
    optional=("recovered",),
    params=SummaryParams,
    version=1,
    plan=whole.plan,
)  # fmt: skip
def summary(unit: Unit, params: SummaryParams, out: Outputs) -> Result:
    """Bring the tiles together, rank what vanished, and tell it on one page."""
    run = Run(*whole.load_run(unit.inputs))
    census = Census(run)
    candidates = _gather(run, census, out)
    candidates = candidates[_best_first(candidates)]
    for role in ("candidates", "candidates_vot", "candidates_parquet"):
        tables.write(candidates, out[role], columns.CANDIDATES)
        out.sizes[role] = [len(candidates)]
    tiles = tables.read(next(iter(run.paths("00_tiles", "tiles").values())))
    findings = pages.Findings(
        run=run,
        tally=census.tally,
        candidates=candidates,
        stamps=census.stamps(candidates[: params.max_stamps], params.stamp_arcmin, sky_wcs),
        coverage=coverage(tiles, {tile_id: run.outcome(tile_id) for tile_id in run.statuses}),
        **_completeness(run, out),
        radius_arcsec=census.radius_arcsec,
        title=params.title,
    )
    atomic.write_text(out["report"], pages.html(findings))
    atomic.write_text(out["summary"], pages.markdown(findings))
    atomic.write_text(out["tiles_csv"], exports.tiles(run, census.counts))
    atomic.write_text(out["anomalies"], exports.anomalies(run.run_id, candidates))
    atomic.write_text(out["candidates_reg"], exports.regions(candidates))
    return Result(metrics=findings.metrics())


def _gather(run: Run, census: Census, out: Outputs) -> Table:
    """Read every tile beside its neighbours, count it, append it to the table of all, and keep what survives."""
    rules = run.manifests["08_filter"].params
    widths = stream.text_widths(census.flags.values(), columns.FLAGGED)
    widths["reason"] += ROOM_FOR_LABELS
    kept = [tables.empty(columns.FLAGGED)]
    with stream.opened(out["flags"], columns.FLAGGED, widths) as everything:
        for tile_id, table in overlap.merged(
            list(census.flags),
            lambda name: tables.read(census.flags[name]),
            rules["dedupe_arcsec"],
            rules["overlap_arcsec"],
        ):
            everything.append(table)
            survivors = table[ledger.survives(table["flags"])]
            census.take(tile_id, table, len(survivors))
            if len(survivors):
                kept.append(survivors)
        out.sizes["flags"] = [everything.n_rows]
    return vstack(kept[1:], metadata_conflicts="silent") if len(kept) > 1 else kept[0]


def _completeness(run: Run, out: Outputs) -> dict[str, Any]:
    """Look for the planted stars among what the twin of each tile shows and the tile itself does not."""
    planted, before = run.paths(PLANT, "planted", twin=True), run.paths("08_filter", "flags")
    tiles = [
        recover(tables.read(planted[tile_id]), tables.read(flags), tables.read(before[tile_id]))
        for tile_id, flags in run.paths("08_filter", "flags", twin=True).items()
        if tile_id in planted and tile_id in before
    ]
    if not sum(len(table) for table in tiles):
        return {}
    recovered = vstack(tiles, metadata_conflicts="silent")
    tables.write(recovered, out["recovered"], columns.RECOVERED)
    out.sizes["recovered"] = [len(recovered)]
    lost = Counter(recovered["lost_at"][~np.asarray(recovered["is_recovered"], bool)].tolist())
    n_bins = int(run.twin[PLANT].params["n_bins"])
    return {
        "curve": measure_curve(recovered["mag_true"], recovered["is_recovered"], n_bins),
        "losses": dict(sorted(lost.items(), key=lambda item: (-item[1], item[0]))),
    }


def _best_first(candidates: Table) -> np.ndarray:
    return np.lexsort(
        (candidates["src_id"], -np.asarray(candidates["snr_win"]), -np.asarray(candidates["n_plates"], int))
    )
