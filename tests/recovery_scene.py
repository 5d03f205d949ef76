"""A search as the step tells it: candidates, planted sources found and missed for many reasons, pulls, false alarms."""

import numpy as np
from astropy.table import Table

from lostlight.core import recovery_report
from lostlight.report import recovery_pictures
from lostlight.science.recover import alarms, pulls
from lostlight.science.recover.curves import logistic
from lostlight.science.recover.predict import probability
from lostlight.steps.recovering import telling
from lostlight.vocab.movers import REASONS

THRESHOLD = 6.37
M50, WIDTH, TOP = 24.3, 0.17, 0.96
ZERO_SNR = M50 + 2.5 * np.log10(THRESHOLD)
RATES = (0, 0.5, 2, 4, 8, 15)


def sources(n=600, seed=1, sky=True):
    """Give planted sources whose completeness is a logistic curve."""
    rng = np.random.default_rng(seed)
    mag = rng.uniform(22.3, 25.8, n)
    is_found = rng.random(n) < logistic(mag, TOP, M50, WIDTH)
    snr = 10 ** (0.4 * (ZERO_SNR - mag))
    codes = np.array(list(REASONS))
    lost = np.where(snr < THRESHOLD, "BELOW_THRESHOLD_EXPECTED", np.where(snr < THRESHOLD + 2, "NOISE", ""))
    lost = np.where(lost == "", rng.choice(codes[[0, 2, 3, 4, 6, 8, 9, 11, 12]], n), lost)
    lost = np.where(is_found, "", lost)
    also = np.where((lost == "NOISE") & (rng.random(n) < 0.5), "GRID_LOSS SIGMA_G", "")
    true = snr + rng.standard_normal(n) - np.where(lost == "NOISE", 1.5, 0)
    on_sky = 1.0 if sky else np.nan
    return Table({
        "mag": on_sky * mag, "rate_arcsec_h": on_sky * rng.uniform(0.2, 5, n),
        "flux_adu": 40 * snr, "snr_stack": snr, "is_recovered": is_found, "lost_because": lost, "also_because": also,
        "lh_expected": 0.95 * snr, "lh_true": true, "lh_found": np.where(is_found, np.maximum(true, THRESHOLD), np.nan),
    })  # fmt: skip


def told(n=600, n_candidates=5, sky=True, n_alarms=2, **more):
    """Give the content of ``recovery.json``."""
    rng = np.random.default_rng(4)
    table = sources(n, sky=sky)
    measured = {name: pulls.measure(rng.standard_normal(n), 1.0) for name in ("x_px", "y_px", "vx_px_day", "vy_px_day")}
    measured["flux"] = pulls.measure(0.6 + rng.standard_normal(n), 1.0)
    steps = np.arange(4.5, 8.1, 0.25)
    noise = 3e4 * np.exp(-(steps**2) / 2) * steps**3
    false = [
        alarms.count(5 + rng.exponential(0.25, 60), THRESHOLD, noise, steps, 0.041, 2.2e8) for _ in range(n_alarms)
    ]
    missed = sorted(set(table["lost_because"]) - {""})
    known = {
        "stack": {"id": "field-07", "n_images": 20, "width_px": 1037, "height_px": 811, "n_searched_px": 912_331,
                  "area_deg2": 0.0412 if sky else None, "arc_days": 1.137, "mjd_first": 60321.1342,
                  "scale_arcsec": 0.263 if sky else None, "fwhm_px": 3.71, "sigma_adu": 11.9,
                  "zero_mag": 31.2 if sky else None, "filter": "r", "m50_predicted_mag": 24.35 if sky else None},
        "search": {"n_velocities": 241, "n_trials": 9.1e7, "threshold": THRESHOLD, "expected_false_alarms": 1.0,
                   "rate_low_arcsec_h": 0, "rate_high_arcsec_h": 5 if sky else None, "speed_high_px_day": 456.0,
                   "step_fwhm": 1.0, "min_epochs": 10, "backend": "numba", "n_candidates": n_candidates + 2,
                   "n_kept": n_candidates, "vetted_out": {"one half of the images does not show it": 2}},
        "candidates": [candidate(i, sky) for i in range(1, n_candidates + 3)] if n_candidates else [],
        "n_realisations": 3, "acceptance": 0.71, "is_instrumental": not sky, **completeness(table),
        "by_snr": telling.by_snr(table["snr_stack"], table["is_recovered"], white) if n else None,
        "found": [{"expected": a, "found": b, "reason": str(c)} for a, b, c in
                  table["lh_expected", "lh_true", "lost_because"].iterrows()],
        "pulls": telling.pull_records(measured) if n else [],
        "alarms": [telling.alarm_record(*each) for each in zip(("negative", "shuffled"), false, strict=False)],
        "n_wanted": 980, "software": {"lostlight": "0.1.0", "numba": "0.68.1"},
        "params": {"grid": {"low": 0, "high": 5}, "false_alarms": 1},
        "warnings": [{"code": "REC101", "where": "image 4", "said": "noise is 1.4 times that of its variance plane",
                      "value": 1.4, "threshold": 1.2, "hint": "the variance was measured instead"}] if sky else [],
    }  # fmt: skip
    if not n:
        known["search"] = {**known["search"], "n_candidates": 0} if not n_candidates else known["search"]
    examples = {code: f"inj-{number:05d}" for number, code in enumerate(missed)}
    return recovery_report.build(list(table["lost_because", "also_because"].iterrows()), examples, **{**known, **more})


def completeness(table):
    """Tell of completeness as the step does; without a zero point by the magnitudes of the flux."""
    mag = np.array(table["mag"])
    if np.isnan(mag).all():
        mag = -2.5 * np.log10(np.array(table["flux_adu"]))
    planted = telling.Planted(mag, np.array(table["rate_arcsec_h"]), np.array(table["is_recovered"], bool))
    return telling.completeness(planted, telling.fitted(planted, RATES, n_bootstrap=8), 0.25)


def white(rho):
    """Give what white noise allows, along one path."""
    return probability(rho, THRESHOLD, 0.05)


def candidate(number, sky=True):
    """Give one candidate; every third is vetted out."""
    out = number % 3 == 0
    known = {
        "mag": 22.1 + 0.3 * number,
        "ra_deg": 200.61234,
        "dec_deg": -7.81234,
        "rate_arcsec_h": 2.93,
        "pa_deg": 291.4,
    }
    return {
        "id": number, "x_px": 411.32, "y_px": 87.6, "vx_px_day": -261.4, "vy_px_day": 92.1, "lh": 31.2 / number**0.7,
        "n_obs": 19, "flux": 912.2, "flux_err": 29.3, "expected_by_chance": 3e-9 * 10**number,
        "is_vetted_out": out, "why_vetted_out": "one half of the images does not show it" if out else "",
        **(known if sky else {}),
    }  # fmt: skip


def pictures(report):
    """Draw a strip for every candidate and every reason."""
    rng = np.random.default_rng(9)
    y, x = np.mgrid[-8:9, -8:9]
    point = np.exp(-(x**2 + y**2) / 5.0)

    def strip(height):
        cutouts = rng.standard_normal((report["stack"]["n_images"], 17, 17)) + height * point
        cutouts[3, :, :8] = np.nan
        return recovery_pictures.strip(cutouts)

    drawn = {f"candidate.{each['id']}": strip(each["lh"] / 4) for each in report["candidates"]}
    return drawn | {f"missed.{each['code']}": strip(1.2) for each in report["reasons"]}
