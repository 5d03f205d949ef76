"""The result of a stack: its candidates in one table, what came back of what was planted, and the page on both."""

import json
from collections.abc import Sequence

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray

from lostlight.core import atomic
from lostlight.core.params import RecoverParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import arrays, tables
from lostlight.report import recovery, recovery_overview, recovery_page, recovery_pictures
from lostlight.report.recovery_page import CANDIDATE, MISSED
from lostlight.science.recover import exports
from lostlight.science.recover.merge import merged
from lostlight.steps.recovering import ground as grounds
from lostlight.steps.recovering import record, searching
from lostlight.steps.recovering.telling import Fits, fitted
from lostlight.steps.recovering.units import ALARMS, ALL, BAND, PICTURES, REPORT, SHARE, TRUTH
from lostlight.vocab.movers import INJECTED_EPOCHS, MOVERS, RECOVERIES

LISTED = 24
"""Candidates on the page; the table has all."""
FILES = ("candidates", "recoveries", "planted", "report", "efficiency", "fading")
"""Products that the page links to."""


def result(unit: Unit, params: RecoverParams, out: Outputs) -> Result:
    """Put together what was found, and how complete that is."""
    ground = grounds.opened(unit["stack"], params)
    radius = params.cluster_fwhm * ground.fwhm_px
    arc_days = float(ground.epochs.days[-1])
    movers = merged(_joined(unit, BAND, MOVERS), arc_days, radius)
    nulls = {kind: merged(_joined(unit, f"{ALARMS}null_{unit.facts['stack']}_{kind}_", MOVERS), arc_days, radius)
             for kind in params.nulls}  # fmt: skip
    recovered = _joined(unit, SHARE, RECOVERIES)
    recovered.sort("inj_id")
    cutouts = _cutouts(unit)
    found = record.Found(ground, movers, nulls, recovered, _searched_by(unit))
    fits = fitted(found.planted, params.rate_bins, params.form)
    told = record.report(
        found, fits, unit, params, {name.split()[0]: name.split()[1] for name in cutouts if " " in name}
    )
    tables.write(movers, out["candidates"], MOVERS)
    tables.write(recovered, out["recoveries"], RECOVERIES)
    out.sizes["candidates"], out.sizes["recoveries"] = [len(movers)], [len(recovered)]
    atomic.write_json(out["report"], told)
    _export(found, fits, out)
    _truth(unit, out)
    files = [out[role].name for role in FILES if out[role].is_file()]
    others = {name: f"./{name}.html" for name in str(unit.facts.get("others", "")).split()}
    page = recovery_page.html(
        told, _pictures(movers, cutouts), files=files, others=others, overview=f"./{ALL}.html" if others else ""
    )
    atomic.write_text(out["page"], page)
    return Result(recovery.headline(told), warnings=[each["said"] for each in told["warnings"]])


def overview(unit: Unit, params: RecoverParams, out: Outputs) -> Result:
    """Put what was found in all stacks on one page."""
    told = {
        role.removeprefix(REPORT): json.loads(path.read_bytes())
        for role, path in sorted(unit.inputs.items())
        if role.startswith(REPORT)
    }
    atomic.write_text(out["page"], recovery_overview.html(told))
    kept = sum(each["search"]["n_kept"] for each in told.values())
    return Result({"n_stacks": len(told), "n_kept": kept})


def _searched_by(unit: Unit) -> str:
    """Tell what searched the bands; some may not have fitted the memory of a card."""
    made = (tables.read(path).meta[searching.BACKEND] for role, path in unit.inputs.items() if role.startswith(BAND))
    return ", ".join(sorted({name for said in made for name in said.split()}))


def _joined(unit: Unit, start: str, schema: Sequence[str]) -> Table:
    made = [tables.read(path) for role, path in sorted(unit.inputs.items()) if role.startswith(start)]
    filled = [table for table in made if len(table)]
    return vstack(filled, metadata_conflicts="silent") if filled else tables.empty(tuple(schema))


def _cutouts(unit: Unit) -> dict[str, NDArray[np.float32]]:
    """Gather the pictures' pixels; of several for one reason the first stays."""
    made: dict[str, NDArray[np.float32]] = {}
    for role, path in sorted(unit.inputs.items()):
        if role.startswith(PICTURES):
            for name, squares in arrays.read(path).items():
                if name.split()[0] not in {taken.split()[0] for taken in made}:
                    made[name] = squares
    return made


def _pictures(movers: Table, cutouts: dict[str, NDArray[np.float32]]) -> dict[str, bytes]:
    drawn = {}
    by_place = {name: squares for name, squares in cutouts.items() if " " not in name}
    for row in movers[:LISTED]:
        squares = by_place.get(searching.place_of(row))
        if squares is not None:
            drawn[f"{CANDIDATE}{row['cand_id']}"] = recovery_pictures.strip(squares)
    for name, squares in cutouts.items():
        if " " in name:
            drawn[f"{MISSED}{name.split()[0]}"] = recovery_pictures.strip(squares)
    return drawn


def _truth(unit: Unit, out: Outputs) -> None:
    """Write where and how bright each planted source is on each image, in one table."""
    planted = _joined(unit, TRUTH, INJECTED_EPOCHS)
    if len(planted):
        planted.sort(["inj_id", "epoch"])
        tables.write(planted, out["planted"], INJECTED_EPOCHS)
        out.sizes["planted"] = [len(planted)]


def _export(found: record.Found, fits: Fits, out: Outputs) -> None:
    """Write the completeness for simulators of surveys, where a curve could be fitted to true magnitudes."""
    if found.is_instrumental or not any(fits.by_rate.values()):
        return
    bins = [exports.RateBin(low, high, fit) for (low, high), fit in fits.by_rate.items()]
    cut = exports.Cut(*found.ground.rates)
    name = str(found.ground.store.attributes["id"])
    atomic.write_text(out["efficiency"], exports.eff(bins, cut, found.ground.epochs.filters[0][:1] or "r", name))
    if fits.logistic is not None:
        atomic.write_text(out["fading"], exports.sorcha(fits.logistic))
