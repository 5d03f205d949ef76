"""What was measured of a search, as the records of its report."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from lostlight.science.recover import alarms, bins, curves, pulls

FloatArray = NDArray[np.float64]

_UNITS = {"x_px": "px", "y_px": "px", "vx_px_day": "px/d", "vy_px_day": "px/d", "flux": "adu"}
_LINE_POINTS = 81
_SNR_BIN = 1.0


def completeness(
    table: Table, mag_bin: float, rate_bins: Sequence[float], form: str = "auto", n_bootstrap: int = curves.N_BOOTSTRAP
) -> dict[str, Any]:
    """Measure completeness against magnitude, of all rates and bin by bin, and against both together.

    Parameters
    ----------
    table : Table
        Columns ``RECOVERIES``. Without known magnitudes those of the fluxes stand for them, with one adu at zero;
        without known rates, what needs them is left empty.
    mag_bin : float
        Width of the bins of magnitude.
    rate_bins : sequence of float
        Edges of the bins of rate, arcsec per hour.
    form : str
        One of `lostlight.science.recover.curves.FORMS`, or auto for the best.
    n_bootstrap : int
        Draws for the errors of the best fit of all rates together.

    Returns
    -------
    dict
        Fields `curve`, `curves`, `cells` and `is_instrumental` of `lostlight.core.recovery_report.RecoveryReport`.
    """
    mag, rate, is_found = (np.asarray(table[name]) for name in ("mag", "rate_arcsec_h", "is_recovered"))
    is_instrumental = not np.isfinite(mag).any()
    if is_instrumental:
        flux = np.asarray(table["flux_adu"], float)
        mag = -2.5 * np.log10(np.where(flux > 0, flux, np.nan))
    if not np.isfinite(mag).any():
        return {}
    edges = bins.even_edges(mag, mag_bin)
    forms = tuple(curves.FORMS) if form == "auto" else (form,)
    told: dict[str, Any] = {"is_instrumental": is_instrumental}
    told["curve"] = _curve(mag, is_found, edges, curves.fit_all(mag, is_found, forms, n_bootstrap))
    if np.isfinite(rate).any():
        parts = [(rate >= low) & (rate < high) for low, high in pairwise(rate_bins)]
        told["curves"] = [
            _curve(mag[part], is_found[part], edges, curves.fit_all(mag[part], is_found[part], forms, 0))
            | {"rate_low_arcsec_h": low, "rate_high_arcsec_h": high}
            for part, (low, high) in zip(parts, pairwise(rate_bins), strict=True)
            if part.any()
        ]
        both = bins.count(is_found, (rate, rate_bins), (mag, edges))
        told["cells"] = {"mag_edges": edges.tolist(), "rate_edges_arcsec_h": list(map(float, rate_bins)),
                         "n": both.n_planted.tolist(), "k": both.n_found.tolist(), "low": both.low.tolist(),
                         "high": both.high.tolist()}  # fmt: skip
    return told


def by_snr(table: Table, predicted: Callable[[FloatArray], FloatArray] | None = None) -> dict[str, Any] | None:
    """Measure completeness against expected signal to noise; `predicted` gives what white noise allows of it."""
    snr, is_found = np.asarray(table["snr_stack"], float), np.asarray(table["is_recovered"], bool)
    if not np.isfinite(snr).any():
        return None
    told = _curve(snr, is_found, bins.even_edges(snr, _SNR_BIN), [])
    if predicted is not None:
        chances = predicted(np.array([(each["lower"] + each["upper"]) / 2 for each in told["bins"]]))
        told["bins"] = [{**each, "predicted": float(one)} for each, one in zip(told["bins"], chances, strict=True)]
    return told


def found(table: Table) -> list[dict[str, Any]]:
    """Give expected and found likelihood of every source: of its candidate, else along its true path."""
    likelihood = np.where(table["is_recovered"], table["lh_found"], table["lh_true"])
    columns = (table["lh_expected"], likelihood, table["lost_because"])
    return [
        {"expected": float(expected), "found": float(lh), "reason": str(reason)}
        for expected, lh, reason in zip(*columns, strict=True)
    ]


def lost(table: Table) -> list[tuple[str, str]]:
    """Give the reasons of every source, the first and the others."""
    return [(str(a), str(b)) for a, b in zip(table["lost_because"], table["also_because"], strict=True)]


def pull_records(measured: Mapping[str, pulls.Pull]) -> list[dict[str, Any]]:
    """Tell of pulls."""
    return [
        {"name": name, "n": each.n, "mean": each.mean, "mean_err": each.mean_err, "scatter": each.scatter,
         "median": each.median, "beyond_3": each.n_beyond_3, "edges": pulls.EDGES.tolist(),
         "counts": each.counts.tolist(), "bias": each.bias, "unit": _UNITS.get(name, "")}
        for name, each in measured.items()
    ]  # fmt: skip


def alarm_record(kind: str, counted: alarms.Alarms) -> dict[str, Any]:
    """Tell of the false candidates of one null search."""
    numbers = ("n", "low", "high", "n_expected", "per_deg2", "per_deg2_low", "per_deg2_high", "per_1e9_trials")
    return {"kind": kind} | {name: getattr(counted, name) for name in numbers} | {
        name: getattr(counted, name).tolist() for name in ("thresholds", "counts", "expected")
    }  # fmt: skip


def _curve(x: ArrayLike, is_found: ArrayLike, edges: FloatArray, fits: Sequence[curves.Fit]) -> dict[str, Any]:
    counted = bins.count(is_found, (x, edges))
    columns = (edges[:-1], edges[1:], counted.n_planted, counted.n_found, counted.low, counted.high)
    names = ("lower", "upper", "n", "k", "low", "high")
    line = np.linspace(edges[0], edges[-1], _LINE_POINTS)
    return {
        "n": int(counted.n_planted.sum()),
        "k": int(counted.n_found.sum()),
        "bins": [dict(zip(names, (value.item() for value in row), strict=True)) for row in zip(*columns, strict=True)],
        "fits": [_fit(each) for each in fits],
        "chosen": fits[0].form if fits else "",
        "line": np.c_[line, fits[0].at(line)].tolist() if fits else [],
    }


def _fit(each: curves.Fit) -> dict[str, Any]:
    return {
        "form": each.form, "names": each.names, "values": each.values.tolist(), "errors": each.errors.tolist(),
        "bootstrap": each.bootstrap.tolist(), "covariance": each.covariance.tolist(),
        "log_likelihood": each.log_likelihood, "aic": each.aic, "m50_mag": each.m50_mag,
        "m50_err_mag": each.m50_err_mag,
    }  # fmt: skip
