"""What was measured of planted sources, as the records of a report."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.recover import alarms, bins, curves, pulls
from lostlight.science.recover.curves import Fit

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Rates = tuple[float, float]

N_BOOTSTRAP = 200
_UNITS = {"x_px": "px", "y_px": "px", "vx_px_day": "px/d", "vy_px_day": "px/d", "flux": "σ", "flux_faint": "σ"}
_LINE_POINTS = 121
_SNR_BIN, _SNR_HIGHEST = 1.0, 30.0
_CELL_BINS = 2


@dataclass(frozen=True, eq=False)
class Planted:
    """What matters of n planted sources; all arrays have shape (n,).

    Parameters
    ----------
    mag : float64
        Magnitudes, any zero point.
    rate : float64
        Arcsec per hour; NaN where that is not known.
    is_found : bool
    """

    mag: FloatArray
    rate: FloatArray
    is_found: BoolArray

    def between(self, low: float, high: float) -> "Planted":
        """Give those of rates from `low` to below `high`."""
        inside = (self.rate >= low) & (self.rate < high)
        return Planted(self.mag[inside], self.rate[inside], self.is_found[inside])


@dataclass(frozen=True)
class Fits:
    """Curves that were fitted: to all sources, the best first; by rate, where one could be; and a logistic one."""

    all: Sequence[Fit]
    by_rate: Mapping[Rates, Fit | None]
    logistic: Fit | None


def fitted(planted: Planted, rate_bins: Sequence[float], form: str = "auto", n_bootstrap: int = N_BOOTSTRAP) -> Fits:
    """Fit completeness against magnitude, of all rates together and between the edges of `rate_bins`."""
    forms = tuple(curves.FORMS) if form == "auto" else (form,)
    made = curves.fit_all(planted.mag, planted.is_found, forms, n_bootstrap)
    by_rate = {}
    for low, high in pairwise(rate_bins):
        some = planted.between(low, high)
        best = curves.fit_all(some.mag, some.is_found, forms, 0) if len(some.mag) else []
        by_rate[low, high] = best[0] if best else None
    return Fits(made, by_rate, next((each for each in made if each.form == "logistic"), None))


def completeness(planted: Planted, fits: Fits, mag_bin: float) -> dict[str, Any]:
    """Tell of completeness against magnitude, bin by bin of rate, and against both together.

    Returns
    -------
    dict
        Fields `curve`, `curves` and `cells` of `lostlight.core.recovery_report.RecoveryReport`; empty without sources.
    """
    if not np.isfinite(planted.mag).any():
        return {}
    edges = bins.even_edges(planted.mag, mag_bin)
    rated = [(rates, planted.between(*rates), fit) for rates, fit in fits.by_rate.items()]
    return {
        "curve": _curve(planted.mag, planted.is_found, edges, fits.all),
        "curves": [
            _curve(some.mag, some.is_found, edges, [fit] if fit else [])
            | {"rate_low_arcsec_h": rates[0], "rate_high_arcsec_h": rates[1]}
            for rates, some, fit in rated
            if len(some.mag)
        ],
        "cells": _cells(planted, [rates[0] for rates in fits.by_rate] + [rated[-1][0][1]], _CELL_BINS * mag_bin),
    }


def by_snr(snr: FloatArray, is_found: BoolArray, predicted: Callable[[FloatArray], FloatArray]) -> dict[str, Any]:
    """Tell of completeness against expected signal to noise; `predicted` says what white noise allows of it."""
    edges = bins.even_edges(np.clip(snr, 0, _SNR_HIGHEST), _SNR_BIN)
    told = _curve(snr, is_found, edges, [])
    chances = predicted((edges[:-1] + edges[1:]) / 2)
    told["bins"] = [{**each, "predicted": float(one)} for each, one in zip(told["bins"], chances, strict=True)]
    return told


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
    lists = ("thresholds", "counts", "expected")
    told = {name: getattr(counted, name) for name in numbers} | {
        name: getattr(counted, name).tolist() for name in lists
    }
    return {"kind": kind} | told


def _curve(x: ArrayLike, is_found: ArrayLike, edges: FloatArray, fits: Sequence[Fit]) -> dict[str, Any]:
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


def _cells(planted: Planted, rate_bins: Sequence[float], mag_bin: float) -> dict[str, Any]:
    if not np.isfinite(planted.rate).any():
        return {}
    edges = bins.even_edges(planted.mag, mag_bin)
    both = bins.count(planted.is_found, (planted.rate, rate_bins), (planted.mag, edges))
    return {
        "mag_edges": edges.tolist(), "rate_edges_arcsec_h": list(map(float, rate_bins)), "n": both.n_planted.tolist(),
        "k": both.n_found.tolist(), "low": both.low.tolist(), "high": both.high.tolist(),
    }  # fmt: skip


def _fit(each: Fit) -> dict[str, Any]:
    return {
        "form": each.form, "names": each.names, "values": each.values.tolist(), "errors": each.errors.tolist(),
        "bootstrap": each.bootstrap.tolist(), "covariance": each.covariance.tolist(),
        "log_likelihood": each.log_likelihood, "aic": each.aic, "m50_mag": each.m50_mag,
        "m50_err_mag": each.m50_err_mag,
    }  # fmt: skip
