"""What a search says of itself, put together for programs and for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.core import recovery_report
from lostlight.core.params import RecoverParams
from lostlight.core.step import Unit
from lostlight.science.population.relations import (
    FWHM_PER_SIGMA,
    grid_loss,
    m50_predicted,
    pixel_loss,
)
from lostlight.science.recover import alarms, predict, pulls
from lostlight.science.search.threshold import expected_alarms, lattice_step, trials
from lostlight.steps.recovering import telling
from lostlight.steps.recovering.doubts import doubts
from lostlight.steps.recovering.ground import Ground
from lostlight.steps.recovering.telling import Fits, Planted

LISTED, DRAWN = 200, 2000
"""Candidates that are told of, and planted sources that are drawn as points."""
_SOFTWARE = ("lostlight", "numpy", "scipy", "astropy", "sep", "numba", "zarr")


@dataclass(frozen=True, eq=False)
class Found:
    """What a search of a stack found: candidates, those of the null searches, planted sources; and what searched."""

    ground: Ground
    movers: Table
    nulls: Mapping[str, Table]
    recovered: Table
    backend: str

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
    def planted(self) -> Planted:
        """What matters of them for the completeness."""
        rate = np.asarray(self.recovered["rate_arcsec_h"], float)
        return Planted(self.mag, rate, np.asarray(self.recovered["is_recovered"], bool))


def report(found: Found, fits: Fits, unit: Unit, params: RecoverParams, examples: Mapping[str, str]) -> dict[str, Any]:
    """Put everything together that is known of a search."""
    table = found.recovered
    likelihood = np.where(table["is_recovered"], table["lh_found"], table["lh_true"])
    lost = list(zip(map(str, table["lost_because"]), map(str, table["also_because"]), strict=True))
    false = [_alarms(found, kind, each) for kind, each in found.nulls.items()]
    expected, bright = _expected(found.ground, found.ground.threshold), found.ground.threshold + pulls.CLEAR_SIGMA
    return recovery_report.build(
        lost,
        examples,
        name=unit.id,
        stack=_stack(found.ground),
        search=_search(found, unit, params),
        candidates=[_candidate(row, found) for row in found.movers[:LISTED]],
        n_realisations=int(np.max(table["realisation"], initial=-1)) + 1,
        is_instrumental=found.is_instrumental,
        acceptance=_mean(table["acceptance"]),
        **telling.completeness(found.planted, fits, params.mag_bin),
        by_snr=_by_snr(found) if len(table) else None,
        found=[
            {"expected": float(expected), "found": float(lh), "reason": because}
            for expected, lh, (because, _) in zip(table["lh_expected"][:DRAWN], likelihood, lost, strict=False)
        ],
        pulls=telling.pull_records(pulls.of_table(table, -float(found.ground.epochs.days[-1]) / 2, bright)),
        alarms=false,
        frac_kept=_median(table["frac_kept"]),
        n_wanted=unit.facts.get("n_wanted"),
        warnings=doubts(found.ground, table, false, expected, params),
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
        "backend": found.backend, "mode": params.mode, "n_candidates": len(movers),
        "n_kept": int((~out).sum()), "vetted_out": {name: why.count(name) for name in sorted(set(why))},
    }  # fmt: skip


def _candidate(row: Table.Row, found: Found) -> dict[str, Any]:
    names = ("x_px", "y_px", "vx_px_day", "vy_px_day", "lh", "flux", "flux_err", "mag", "ra_deg", "dec_deg",
             "rate_arcsec_h", "pa_deg")  # fmt: skip
    return {name: _number(row[name]) for name in names} | {
        "id": int(row["cand_id"]), "n_obs": int(row["n_obs"]), "is_vetted_out": bool(row["is_vetted_out"]),
        "why_vetted_out": str(row["why_vetted_out"]), "expected_by_chance": _expected(found.ground, float(row["lh"])),
    }  # fmt: skip


def _by_snr(found: Found) -> dict[str, Any]:
    """Count what came back against expected signal to noise, with what white noise would let the search find."""
    ground, epochs = found.ground, found.ground.epochs
    step = lattice_step(ground.velocities)
    s_px = ground.fwhm_px / FWHM_PER_SIGMA
    loss = float(pixel_loss(s_px) + grid_loss(step * epochs.days[-1], s_px))
    weights = 1 / (np.square(epochs.sigma_adu * epochs.scale) * [psf.n_eff for psf in epochs.psfs])
    tried = predict.Tried(epochs.days, weights, s_px, step)

    def predicted(rho: NDArray[np.float64]) -> NDArray[np.float64]:
        return predict.probability_of_best(rho, ground.threshold, tried, np.random.default_rng(0))

    snr = np.asarray(found.recovered["lh_expected"], float) / (1 - loss)
    return telling.by_snr(snr, found.planted.is_found, predicted)


def _alarms(found: Found, kind: str, table: Table) -> dict[str, Any]:
    ground = found.ground
    thresholds = ground.threshold + np.arange(0, 2.01, 0.25)
    expected = np.array([_expected(ground, each) for each in thresholds])
    kept = np.asarray(table["lh"], float)[~np.asarray(table["is_vetted_out"], bool)]
    area = ground.n_pixels * (ground.scale_arcsec / 3600) ** 2
    n_paths = ground.n_pixels * len(ground.velocities)
    return telling.alarm_record(kind, alarms.count(kept, ground.threshold, expected, thresholds, area, n_paths))


def _expected(ground: Ground, threshold: float) -> float:
    alarmed = expected_alarms(threshold, ground.n_pixels, ground.velocities, ground.epochs.days, ground.fwhm_px)
    return float(alarmed)


def _mean(values: Any) -> float | None:
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else None


def _median(values: Any) -> float | None:
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if known.size else None


def _number(value: Any) -> float | None:
    return float(value) if np.isfinite(value) else None
