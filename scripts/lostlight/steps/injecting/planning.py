"""What is planted, where and how bright: the truth, before anything is rendered."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import center_of_mass, label, sum_labels

from lostlight.core.params import InjectParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import arrays, ephemeris, stack_store, tables
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject.placing import reference_time
from lostlight.science.inject.plan import Plan, Stars, plan_injections
from lostlight.science.inject.rates import drift_limits
from lostlight.science.inject.rules import Brightness, InjectionRules
from lostlight.science.inject.targets import TargetConfig
from lostlight.science.motion.table import TableMotion
from lostlight.steps.injecting import epochs
from lostlight.vocab import bits
from lostlight.vocab.movers import INJECTED, INJECTED_EPOCHS

Rates = Mapping[str, tuple[float, float]]
NO_RATES: Rates = MappingProxyType({})


def plan(unit: Unit, params: InjectParams, out: Outputs) -> Result:
    """Lay out the sources of one stack."""
    store, known = epochs.opened(unit["stack"], params.photons.gain_e_adu)
    rates = rates_of(params, known, known.shape)
    rules = rules_of(params, int(unit.facts["n"]), str(unit.facts["stack"]), rates)
    given = _table(unit["table"], reference_time(known, rules.target)) if "table" in unit else {}
    planned = plan_injections(known, lambda image: epochs.is_bad(store, image), rules, stars=stars(store), **given)
    write(planned, out)
    sources = planned.sources
    metrics = {
        "n_planted": len(planned), "n_realisations": int(planned.realisation.max(initial=-1)) + 1,
        "acceptance": float(np.nan_to_num(np.mean(sources["acceptance"]), nan=1.0)) if len(planned) else None,
    }  # fmt: skip
    return Result(metrics)


def rates_of(params: InjectParams, known: Epochs, shape: tuple[int, int]) -> Rates:
    """Say how fast sources without an orbit move, in images or cut-outs of a shape; see `InjectionRules.rates`."""
    low, high = params.rates.low, params.rates.high
    limits = drift_limits(known, shape, params.placement.min_epochs, params.plate_scale_arcsec, low, high)
    return {"drift": limits} if low is None or high is None else {"drift": limits, "fast": limits}


def rules_of(params: InjectParams, n: int, stack_id: str, rates: Rates = NO_RATES) -> InjectionRules:
    """Say what is planted in the words of the science."""
    place = params.placement
    return InjectionRules(
        seed=params.seed,
        n=n,
        classes=params.classes or {"tno": 1.0},
        rates=rates,
        motion=params.motion,
        observer=params.observer,
        brightness=Brightness(**params.brightness.model_dump()),
        light_curve=params.light_curve,
        colours=params.colours,
        target=TargetConfig(place.strategy, place.x_px, place.y_px, min_epochs=place.min_epochs),
        min_separation_fwhm=place.min_separation_fwhm,
        max_coverage=place.max_coverage,
        poisson=params.photons.poisson,
        dropout=params.photons.dropout,
        plate_scale=params.plate_scale_arcsec,
        stack_id=stack_id,
    )


def write(planned: Plan, out: Outputs) -> None:
    """Write a plan: its two tables, and where and how bright its sources are within every exposure."""
    tables.write(planned.sources, out["sources"], INJECTED)
    tables.write(planned.sources, out["truth"], INJECTED)
    tables.write(planned.images, out["epochs"], INJECTED_EPOCHS)
    nodes = {"x": planned.x, "y": planned.y, "flux": planned.flux, "is_on": planned.is_on}
    arrays.write(out["nodes"], nodes)
    out.sizes["sources"] = out.sizes["truth"] = [len(planned)]
    out.sizes["epochs"] = [len(planned.images)]


def read(unit: Unit, rules: InjectionRules) -> Plan:
    """Read what `write` wrote."""
    nodes = arrays.read(unit["nodes"])
    return Plan(tables.read(unit["sources"]), tables.read(unit["epochs"]), **nodes, rules=rules)


def stars(store: stack_store.Stack) -> Stars | None:
    """Find the static sources of the earliest image: where they are, and how bright."""
    mask = (store.read("bad", 0) & bits.stack("STAR")) > 0
    marks, n = label(mask)
    if not n:
        return None
    ny, nx = store.images[0]["shape"]
    light = np.zeros(mask.shape)
    light[:ny, :nx] = np.nan_to_num(store.read("science", 0)[:ny, :nx] - epochs.sky(store, 0))
    numbers = np.arange(1, n + 1)
    flux: NDArray[np.float64] = np.asarray(sum_labels(light, marks, numbers))
    y, x = np.array(center_of_mass(np.clip(light, 1e-6, None), marks, numbers)).T
    return x, y, flux


def _table(path: Path, mjd_ref: float) -> dict[str, Any]:
    """Read bodies whose positions are given, and how bright they are at a time."""
    rows = ephemeris.read(path)
    motion = TableMotion.from_rows(rows.ids, rows.mjd, rows.ra_deg, rows.dec_deg)
    ids, is_told = np.asarray(rows.ids), np.isfinite(rows.mag)
    mag = np.full(len(motion.names), np.nan)
    for body, name in enumerate(motion.names):
        of_it = is_told & (ids == name)
        order = np.argsort(rows.mjd[of_it])
        if order.size:
            mag[body] = np.interp(mjd_ref, rows.mjd[of_it][order], rows.mag[of_it][order])
    return {"table": motion, "mag": mag}
