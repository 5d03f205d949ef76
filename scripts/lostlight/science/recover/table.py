"""The table of planted sources: which came back, how they were measured, and why the others did not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from lostlight.science.recover.local import Outcome
from lostlight.science.recover.match import by_chance
from lostlight.science.recover.reasons import Evidence, bend, why
from lostlight.vocab.columns import COLUMNS
from lostlight.vocab.movers import RECOVERIES

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Bar:
    """What a source must pass.

    Parameters
    ----------
    threshold : float
        Least likelihood.
    min_epochs : int
        Images that a path must have.
    fwhm_px : float
        Width of a point.
    loss : float
        Part of the likelihood that the grid loses on average.
    max_chance : float
        A match that chance makes more often than this does not count.
    """

    threshold: float
    min_epochs: int
    fwhm_px: float
    loss: float = 0.0
    max_chance: float = 1e-3


@dataclass(frozen=True, eq=False)
class Seen:
    """What the images show of n planted sources, the search aside.

    Parameters
    ----------
    days : ndarray, (T,), float64
    x, y : ndarray, (n, T), float64
        Pixels of the grid; NaN where a source is on no image.
    frac_masked, frac_blended, frac_kept : array_like, (n,) or scalar
        See `lostlight.science.recover.reasons.Evidence`.
    """

    days: FloatArray
    x: FloatArray
    y: FloatArray
    frac_masked: ArrayLike = 0.0
    frac_blended: ArrayLike = 0.0
    frac_kept: ArrayLike = np.nan


def recoveries(
    injected: Table, outcomes: Sequence[Outcome], seen: Seen, bar: Bar, false_per_px4: ArrayLike = 0.0
) -> Table:
    """Put the table together.

    Parameters
    ----------
    injected : Table
        n rows with columns ``INJECTED``.
    outcomes : sequence of n Outcome
    seen : Seen
    bar : Bar
    false_per_px4 : array_like, (n,) or scalar
        Density of false candidates as good as that of each source, see `lostlight.science.recover.match`.

    Returns
    -------
    Table
        Columns ``RECOVERIES``.
    """
    radius = _each(outcomes, "radius_px")
    chance = by_chance(false_per_px4, radius)
    is_found = _each(outcomes, "is_near", bool) & ~(chance > bar.max_chance)
    evidence = _evidence(injected, outcomes, seen, bar)
    lost, also = why(evidence, is_found, bar.threshold, bar.min_epochs, bar.fwhm_px)
    columns = {name: np.asarray(injected[name]) for name in injected.colnames}
    columns |= {"is_recovered": is_found, "lost_because": lost, "also_because": also, "chance": chance}
    columns |= {"lh_expected": evidence.lh_expected, "lh_true": evidence.lh_true, "lh_grid": evidence.lh_grid}
    columns |= {"lh_found": _each(outcomes, "lh_found"), "frac_kept": evidence.frac_kept} | _offsets(injected, outcomes)
    return Table({name: _column(columns[name], name) for name in RECOVERIES})


def _evidence(injected: Table, outcomes: Sequence[Outcome], seen: Seen, bar: Bar) -> Evidence:
    n = len(outcomes)
    on_image = np.isfinite(seen.x) & np.isfinite(seen.y)
    masked, blended, kept = (
        np.broadcast_to(np.asarray(each, float), n) for each in (seen.frac_masked, seen.frac_blended, seen.frac_kept)
    )
    names = ("lh_true", "lh_grid")
    flags = ("is_clipped", "is_path", "is_static", "is_candidate", "is_vetted_out")
    return Evidence(
        n_on_image=on_image.sum(axis=1),
        n_seen=_each(outcomes, "n_seen", np.int64),
        frac_masked=masked,
        frac_blended=blended,
        frac_kept=kept,
        lh_unharmed=np.asarray(injected["snr_stack"], float) * (1 - bar.loss),
        lh_expected=_each(outcomes, "lh_planted") * (1 - bar.loss),
        bend_px=bend(seen.days, seen.x, seen.y),
        **{name: _each(outcomes, name) for name in names},
        **{name: _each(outcomes, name, bool) for name in flags},
    )


def _offsets(injected: Table, outcomes: Sequence[Outcome]) -> dict[str, FloatArray]:
    """Give found minus true at mid-arc, in pixels and pixels per day; of the flux in units of its error."""
    columns = {
        f"d{name}": np.array([each.found.get(short, np.nan) - each.true.get(short, np.nan) for each in outcomes])
        for short, name in (("x", "x_px"), ("y", "y_px"), ("vx", "vx_px_day"), ("vy", "vy_px_day"))
    }
    columns |= {
        name: np.array([each.found.get(short, np.nan) for each in outcomes])
        for short, name in (
            ("x_err", "x_err_px"),
            ("y_err", "y_err_px"),
            ("vx_err", "vx_err_px_day"),
            ("vy_err", "vy_err_px_day"),
        )
    }
    flux, error = (np.array([each.found.get(key, np.nan) for each in outcomes]) for key in ("flux", "flux_err"))
    return columns | {"dflux_sigma": (flux - np.asarray(injected["flux_adu"], float)) / error}


def _each(outcomes: Sequence[Outcome], name: str, dtype: type = float) -> NDArray:
    return np.array([getattr(each, name) for each in outcomes], dtype=dtype)


def _column(values: ArrayLike, name: str) -> NDArray:
    kind = COLUMNS[name].dtype
    return np.asarray(values, str if kind == "str" else kind)
