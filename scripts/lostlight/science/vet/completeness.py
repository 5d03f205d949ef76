"""What the search finds of what is there: artificial stars recovered against magnitude, and false alarms per area."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from scipy.special import erfc, erfcinv, xlog1py, xlogy
from scipy.stats import beta

from lostlight.vocab import bits

FloatArray = NDArray[np.floating]

LEVEL = 0.6827
"""Probability held by the intervals: one Gaussian sigma."""

NOT_DETECTED = "not_detected"
_NEW_LIGHT = 0.5  # part of the planted light that a detection must have gained over what was there before
_N_FINE = 120  # magnitude bins of the fit


@dataclass(frozen=True)
class Curve:
    """Recovered fraction in bins of magnitude, and the magnitudes at which half and 90 % are recovered.

    `low` and `high` bound the fraction at `LEVEL`. A magnitude is None where the curve does not reach that fraction.
    """

    edges_mag: FloatArray
    n_planted: NDArray[np.int64]
    n_recovered: NDArray[np.int64]
    low: FloatArray
    high: FloatArray
    m50_mag: float | None
    m50_err_mag: float | None
    m90_mag: float | None
    m90_err_mag: float | None


def recover(
    planted: Table, found: Mapping[str, ArrayLike], before: Mapping[str, ArrayLike], radius_px: float = 2.0
) -> Table:
    """Tell for every artificial star whether the search found it, and if not, which cut lost it.

    A star counts as detected if a detection of the twin lies within `radius_px`, and either nothing was detected there
    on the plate itself, or the light has grown by half of what was planted; otherwise a star that happens to lie on a
    real source would count as found. It counts as recovered if that detection passes every cut.

    Parameters
    ----------
    planted : Table
        Columns of ``PLANTED``.
    found : table
        Every detection of the twin with its flags: `x_px, y_px, mag_auto, flags`.
    before : table
        Every detection of the plate itself: `x_px, y_px, mag_auto`.
    radius_px : float
        Largest distance of a detection from where the star was planted.

    Returns
    -------
    Table
        Columns of ``RECOVERED``; `lost_at` is ``not_detected`` or the first cut that the detection failed.
    """
    here = np.c_[np.asarray(planted["x_px"], float), np.asarray(planted["y_px"], float)]
    number, is_near = _nearest(here, found, radius_px)
    old, had_before = _nearest(here, before, radius_px)
    light_now, light_before = (
        _light(table, n, ok) for table, n, ok in ((found, number, is_near), (before, old, had_before))
    )
    gained = light_now - light_before >= _NEW_LIGHT * 10 ** (-0.4 * np.asarray(planted["mag_true"], float))
    is_detected = is_near & (gained | ~had_before)
    flags = np.zeros(len(planted), dtype=np.int64)
    flags[is_near] = np.asarray(found["flags"])[number[is_near]]
    recovered = planted.copy()
    recovered["lost_at"] = [
        _first_cut(int(value)) if ok else NOT_DETECTED for value, ok in zip(flags, is_detected, strict=True)
    ]
    recovered["is_recovered"] = np.asarray(recovered["lost_at"]) == ""
    return recovered


def _nearest(
    here: FloatArray, table: Mapping[str, ArrayLike], radius_px: float
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    there = np.c_[np.asarray(table["x_px"], float), np.asarray(table["y_px"], float)]
    if not len(there) or not len(here):
        return np.zeros(len(here), dtype=np.int64), np.zeros(len(here), dtype=bool)
    distance, number = cKDTree(there).query(here)
    return number, distance <= radius_px


def _light(table: Mapping[str, ArrayLike], number: NDArray[np.int64], is_there: NDArray[np.bool_]) -> FloatArray:
    """Light of the nearest detection relative to magnitude zero, and none where there is no detection."""
    light = np.zeros(len(number))
    mag = np.asarray(table["mag_auto"], float)[number[is_there]]
    light[is_there] = np.nan_to_num(10 ** (-0.4 * mag))
    return light


def _first_cut(flags: int) -> str:
    return next((name for name in bits.names(flags, bits.FILTER) if name not in bits.LABELS), "")


def measure_curve(mag: ArrayLike, is_recovered: ArrayLike, n_bins: int) -> Curve:
    """Measure the recovered fraction against magnitude.

    Parameters
    ----------
    mag : (n,) float
        Magnitudes planted.
    is_recovered : (n,) bool
    n_bins : int
        Bins of equal width between the extremes.

    Returns
    -------
    Curve
        Intervals in the bins are Jeffreys' (Brown, Cai & DasGupta 2001, Stat. Sci. 16, 101).
    """
    mag, is_recovered = np.asarray(mag, float), np.asarray(is_recovered, bool)
    if not len(mag):
        none = np.zeros(0)
        return Curve(none, none.astype(int), none.astype(int), none, none, None, None, None, None)
    edges = np.linspace(mag.min(), max(mag.max(), mag.min() + 1e-3), n_bins + 1)
    n_planted = np.histogram(mag, edges)[0]
    n_recovered = np.histogram(mag[is_recovered], edges)[0]
    low, high = jeffreys(n_recovered, n_planted)
    m50, m90 = _depths(mag, is_recovered, (0.5, 0.9))
    return Curve(edges, n_planted, n_recovered, low, high, *m50, *m90)


def jeffreys(n_yes: ArrayLike, n_all: ArrayLike, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Give the Jeffreys interval of a fraction; it reaches zero and one where none and all are counted."""
    n_yes, n_all = np.asarray(n_yes, float), np.asarray(n_all, float)
    tail = (1 - level) / 2
    low = beta.ppf(tail, n_yes + 0.5, n_all - n_yes + 0.5)
    high = beta.ppf(1 - tail, n_yes + 0.5, n_all - n_yes + 0.5)
    return np.where(n_yes > 0, low, 0.0), np.where(n_yes < n_all, high, 1.0)


def _depths(
    mag: FloatArray, is_recovered: NDArray[np.bool_], fractions: tuple[float, ...]
) -> list[tuple[float | None, float | None]]:
    """Find where the curve crosses fractions: median and half width of the posterior on a grid.

    The curve is ``plateau/2 erfc((mag - middle) / (sqrt(2) width))`` with flat priors in `middle`, in the plateau and
    in the logarithm of the width, so that a step is as welcome as a slope. Errors include the step of the grid.
    """
    span = max(float(np.ptp(mag)), 1e-3)
    edges = np.linspace(mag.min(), mag.min() + span, min(_N_FINE, 5 * len(mag)) + 1)
    n_all, n_yes = np.histogram(mag, edges)[0], np.histogram(mag[is_recovered], edges)[0]
    filled = n_all > 0
    centre, n_all, n_yes = ((edges[:-1] + edges[1:]) / 2)[filled], n_all[filled], n_yes[filled]
    middle = np.linspace(mag.min() - 0.1 * span, mag.max() + 0.1 * span, 181)
    width = np.geomspace(span / 300, span / 2, 15)
    plateau = np.linspace(0.04, 1, 25)
    shape = 0.5 * erfc((centre - middle[:, None, None]) / (np.sqrt(2) * width[:, None]))
    log_likelihood = np.empty((len(plateau), len(middle), len(width)))
    for i, top in enumerate(plateau):
        chance = np.clip(top * shape, 1e-9, 1 - 1e-9)
        log_likelihood[i] = (xlogy(n_yes, chance) + xlog1py(n_all - n_yes, -chance)).sum(axis=-1)
    weight = np.exp(log_likelihood - log_likelihood.max())
    return [_crossing(fraction, plateau, middle, width, weight) for fraction in fractions]


def _crossing(
    fraction: float, plateau: FloatArray, middle: FloatArray, width: FloatArray, weight: FloatArray
) -> tuple[float | None, float | None]:
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.where(plateau > fraction, np.sqrt(2) * erfcinv(np.minimum(2 * fraction / plateau, 2)), np.nan)
    where = middle[None, :, None] + steps[:, None, None] * width
    reached = np.isfinite(where)
    if weight[reached].sum() < 0.5 * weight.sum():
        return None, None
    order = np.argsort(where[reached], kind="stable")
    values, grown = where[reached][order], np.cumsum(weight[reached][order])
    low, median, high = np.interp(np.array([0.5 - LEVEL / 2, 0.5, 0.5 + LEVEL / 2]) * grown[-1], grown, values)
    return float(median), float(np.hypot((high - low) / 2, middle[1] - middle[0]))
