"""What a search says of itself, put together for programs and for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.core import recovery_report
from lostlight.core.params import RecoverParams
from lostlight.core.step import Unit
from lostlight.science.population.relations import m50_predicted, sample_size
from lostlight.science.recover import alarms, bins, curves, predict, pulls
from lostlight.science.recover.curves import Fit
from lostlight.science.search.threshold import expected_alarms, trials
from lostlight.steps.recovering import searching
from lostlight.steps.recovering.ground import Ground

LISTED, DRAWN = 200, 2000
"""Candidates that are told of, and planted sources that are drawn as points."""
FORMS = ("logistic", "double_tanh", "square")
N_BOOTSTRAP = 200
_SOFTWARE = ("lostlight", "numpy", "scipy", "astropy", "sep", "numba", "zarr")
_LINE = 121


@dataclass(frozen=True, eq=False)
class Found:
    """All that a search of a stack found: candidates, those of the null searches, and planted sources."""

    ground: Ground
    movers: Table
    nulls: Mapping[str, Table]
    recovered: Table

    @property
    def is_instrumental(self) -> bool:
        """Whether magnitudes have no zero point."""
        return not np.isfinite(self.ground.epochs.zero_mag[0])

    @property
    def mag(self) -> NDArray[np.float64]:
        """Magnitudes of the planted sources, on the scale of the earliest image."""
        zero = 0.0 if self.is_instrumental else float(self.ground.epochs.zero_mag[0])
        flux = np.asarray(self.recovered["flux_adu"], float)
        return zero - 2.5 * np.log10(np.where(flux > 0, flux, np.nan))

    @property
    def is_recovered(self) -> NDArray[np.bool_]:
        """Which of them came back."""
        return np.asarray(self.recovered["is_recovered"], bool)


@dataclass(frozen=True)
class Fits:
    """Curves that were fitted: to all sources, the best first; by rate; and a logistic one."""

    all: Sequence[Fit]
    by_rate: Mapping[tuple[float, float], Fit | None]
    logistic: Fit | None


def fits_of(found: Found, params: RecoverParams) -> Fits:
    """Fit the completeness against magnitude."""
    forms = FORMS if params.form == "auto" else (params.form,)
    made = curves.fit_all(found.mag, found.is_recovered, forms, N_BOOTSTRAP)
    rate = np.asarray(found.recovered["rate_arcsec_h"], float)
    by_rate: dict[tuple[float, float], Fit | None] = {}
    for low, high in _rate_bins(params):
        inside = (rate >= low) & (rate < high)
        some = curves.fit_all(found.mag[inside], found.is_recovered[inside], forms, 0) if inside.any() else []
        by_rate[low, high] = some[0] if some else None
    return Fits(made, by_rate, next((each for each in made if each.form == "logistic"), None))


def report(found: Found, unit: Unit, params: RecoverParams, examples: Mapping[str, str]) -> dict[str, Any]:
    """Put everything together that is known of a search."""
    ground, planted = found.ground, found.recovered
    fits = fits_of(found, params)
    rate = np.asarray(planted["rate_arcsec_h"], float)
    lost = list(zip(map(str, planted["lost_because"]), map(str, planted["also_because"]), strict=True))
    return recovery_report.build(
        lost,
        examples,
        name=unit.id,
        stack=_stack(ground),
        search=_search(found, unit, params),
        candidates=[_candidate(row, found) for row in found.movers[:LISTED]],
        n_realisations=int(np.max(planted["realisation"], initial=-1)) + 1,
        is_instrumental=found.is_instrumental,
        acceptance=_mean(planted["acceptance"]),
        curve=_curve(found, fits.all, params) if len(planted) else None,
        curves=[
            _curve(found, [fit] if fit else [], params, (low, high), (rate >= low) & (rate < high))
            for (low, high), fit in fits.by_rate.items()
        ],
        by_snr=_by_snr(found) if len(planted) else None,
        cells=_cells(found, params, rate),
        found=[
            {"expected": _number(expected), "found": _number(lh), "reason": str(reason)}
            for expected, lh, reason in planted["lh_expected", "lh_found", "lost_because"][:DRAWN].iterrows()
        ],
        pulls=_pulls(found),
        alarms=[_alarms(found, kind, table) for kind, table in found.nulls.items()],
        n_wanted=sample_size(0.02),
        warnings=_warnings(found),
        software={name: version(name) for name in _SOFTWARE},
        params=params.model_dump(mode="json"),
    )  # fmt: skip


def _stack(ground: Ground) -> dict[str, Any]:
    epochs, scale = ground.epochs, ground.scale_arcsec
    zero, n_eff = float(epochs.zero_mag[0]), [psf.n_eff for psf in epochs.psfs]
    depth = m50_predicted(
        0.0 if np.isnan(zero) else zero, ground.threshold, epochs.sigma_adu, n_eff, scale=epochs.scale
    )
    return {
        "id": str(ground.store.attributes["id"]), "n_images": len(epochs), "width_px": ground.grid.shape[1],
        "height_px": ground.grid.shape[0], "n_searched_px": ground.n_pixels,
        "area_deg2": _number(ground.n_pixels * (scale / 3600) ** 2), "arc_days": float(epochs.days[-1]),
        "mjd_first": float(epochs.mjd_mid[0]), "mjd_last": float(epochs.mjd_mid[-1]), "scale_arcsec": _number(scale),
        "fwhm_px": ground.fwhm_px, "sigma_adu": float(np.median(epochs.sigma_adu)), "zero_mag": _number(zero),
        "filter": epochs.filters[0], "m50_predicted_mag": _number(float(depth)),
    }  # fmt: skip


def _search(found: Found, unit: Unit, params: RecoverParams) -> dict[str, Any]:
    ground, movers = found.ground, found.movers
    low, high = ground.rates
    out = np.asarray(movers["is_vetted_out"], bool)
    why = [str(each) for each in movers["why_vetted_out"][out]]
    speed = float(np.hypot(*ground.velocities.T).max())
    has_sky = np.isfinite(ground.scale_arcsec)
    days = ground.epochs.days
    return {
        "n_velocities": len(ground.velocities),
        "n_trials": float(trials(ground.threshold, ground.n_pixels, ground.velocities, days, ground.fwhm_px)),
        "threshold": ground.threshold, "is_threshold_given": params.threshold is not None,
        "expected_false_alarms": _expected(ground, ground.threshold),
        "rate_low_arcsec_h": low if has_sky else None, "rate_high_arcsec_h": high if has_sky else None,
        "speed_high_px_day": speed, "step_fwhm": params.grid.step_fwhm, "min_epochs": ground.min_epochs,
        "backend": searching.backend_of(unit.lent), "mode": params.mode, "n_candidates": len(movers),
        "n_kept": int((~out).sum()), "vetted_out": {name: why.count(name) for name in sorted(set(why))},
    }  # fmt: skip


def _candidate(row: Table.Row, found: Found) -> dict[str, Any]:
    names = ("x_px", "y_px", "vx_px_day", "vy_px_day", "lh", "flux", "flux_err", "mag", "ra_deg", "dec_deg",
             "rate_arcsec_h", "pa_deg")  # fmt: skip
    return {name: _number(row[name]) for name in names} | {
        "id": int(row["cand_id"]), "n_obs": int(row["n_obs"]), "is_vetted_out": bool(row["is_vetted_out"]),
        "why_vetted_out": str(row["why_vetted_out"]), "expected_by_chance": _expected(found.ground, float(row["lh"])),
    }  # fmt: skip


def _curve(
    found: Found, fits: Sequence[Fit], params: RecoverParams, rates: tuple[float, float] | None = None,
    among: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:  # fmt: skip
    mag, is_found = found.mag, found.is_recovered
    if among is not None:
        mag, is_found = mag[among], is_found[among]
    counted = bins.count(is_found, (mag, bins.even_edges(mag, params.mag_bin)))
    line = np.linspace(mag.min(), mag.max(), _LINE) if fits and len(mag) else []
    low, high = rates or (None, None)
    return {
        "rate_low_arcsec_h": low, "rate_high_arcsec_h": high, "n": len(mag), "k": int(is_found.sum()),
        "bins": _bins(counted), "fits": [_fit(each) for each in fits], "chosen": fits[0].form if fits else "",
        "line": [(float(at), float(value)) for at, value in zip(line, fits[0].at(line), strict=True)] if fits else [],
    }  # fmt: skip


def _by_snr(found: Found) -> dict[str, Any]:
    """Count what came back against expected signal to noise, with what white noise would let the search find."""
    ground = found.ground
    expected = np.asarray(found.recovered["lh_expected"], float)
    counted = bins.count(found.is_recovered, (expected, bins.even_edges(np.clip(expected, 0, 30), 1.0)))
    middles = (counted.edges[0][:-1] + counted.edges[0][1:]) / 2
    # losses of the grid are in what is expected already
    predicted = predict.probability(middles, ground.threshold)
    return {"n": len(expected), "k": int(found.is_recovered.sum()), "bins": _bins(counted, predicted)}


def _bins(counted: bins.Bins, predicted: NDArray[np.float64] | None = None) -> list[dict[str, Any]]:
    edges = counted.edges[0]
    return [
        {"lower": float(edges[i]), "upper": float(edges[i + 1]), "n": int(counted.n_planted[i]),
         "k": int(counted.n_found[i]), "low": float(counted.low[i]), "high": float(counted.high[i]),
         "predicted": None if predicted is None else float(predicted[i])}
        for i in range(len(edges) - 1)
    ]  # fmt: skip


def _fit(fit: Fit) -> dict[str, Any]:
    return {
        "form": fit.form, "names": fit.names, "values": _numbers(fit.values), "errors": _numbers(fit.errors),
        "bootstrap": _numbers(fit.bootstrap), "covariance": [_numbers(row) for row in fit.covariance],
        "log_likelihood": fit.log_likelihood, "aic": fit.aic, "m50_mag": _number(fit.m50_mag),
        "m50_err_mag": _number(fit.m50_err_mag),
    }  # fmt: skip


def _cells(found: Found, params: RecoverParams, rate: NDArray[np.float64]) -> dict[str, Any]:
    if not len(rate):
        return {}
    edges = bins.even_edges(found.mag, 2 * params.mag_bin)
    counted = bins.count(found.is_recovered, (rate, np.array(params.rate_bins)), (found.mag, edges))
    return {
        "mag_edges": _numbers(edges), "rate_edges_arcsec_h": params.rate_bins, "n": counted.n_planted.tolist(),
        "k": counted.n_found.tolist(), "low": counted.low.tolist(), "high": counted.high.tolist(),
    }  # fmt: skip


def _pulls(found: Found) -> list[dict[str, Any]]:
    """Measure how right positions, motions and fluxes are; errors of positions are those at the earliest image."""
    table = found.recovered[found.is_recovered]
    first = -float(found.ground.epochs.days[-1]) / 2
    made = {
        f"{axis}_px": pulls.measure(table[f"d{axis}_px"] + first * table[f"dv{axis}_px_day"], table[f"{axis}_err_px"])
        for axis in "xy"
    }
    made |= {f"v{axis}_px_day": pulls.measure(table[f"dv{axis}_px_day"], table[f"v{axis}_err_px_day"]) for axis in "xy"}
    made["flux"] = pulls.measure(table["dflux_sigma"], 1.0)
    units = {"x_px": "px", "y_px": "px", "vx_px_day": "px/day", "vy_px_day": "px/day", "flux": "sigma"}
    return [
        {"name": name, "n": each.n, "mean": _number(each.mean), "mean_err": _number(each.mean_err),
         "scatter": _number(each.scatter), "median": _number(each.median), "beyond_3": each.n_beyond_3,
         "edges": _numbers(pulls.EDGES), "counts": each.counts.tolist(), "bias": _number(each.bias),
         "unit": units[name]}
        for name, each in made.items()
    ]  # fmt: skip


def _alarms(found: Found, kind: str, table: Table) -> dict[str, Any]:
    ground = found.ground
    thresholds = ground.threshold + np.arange(0, 2.01, 0.25)
    expected = np.array([_expected(ground, each) for each in thresholds])
    kept = np.asarray(table["lh"], float)[~np.asarray(table["is_vetted_out"], bool)]
    area = ground.n_pixels * (ground.scale_arcsec / 3600) ** 2
    n_paths = ground.n_pixels * len(ground.velocities)
    counted = alarms.count(kept, ground.threshold, expected, thresholds, area, n_paths)
    return {
        "kind": kind, "n": counted.n, "low": counted.low, "high": counted.high,
        "n_expected": _number(counted.n_expected), "per_deg2": _number(counted.per_deg2),
        "per_deg2_low": _number(counted.per_deg2_low), "per_deg2_high": _number(counted.per_deg2_high),
        "per_1e9_trials": _number(counted.per_1e9_trials), "thresholds": _numbers(thresholds),
        "counts": counted.counts.tolist(), "expected": _numbers(expected),
    }  # fmt: skip


def _warnings(found: Found) -> list[dict[str, Any]]:
    return []


def _rate_bins(params: RecoverParams) -> list[tuple[float, float]]:
    return list(zip(params.rate_bins[:-1], params.rate_bins[1:], strict=True))


def _expected(ground: Ground, threshold: float) -> float:
    alarmed = expected_alarms(threshold, ground.n_pixels, ground.velocities, ground.epochs.days, ground.fwhm_px)
    return float(alarmed)


def _mean(values: Any) -> float | None:
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else None


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(values: Any) -> list[float | None]:
    return [_number(value) for value in values]
