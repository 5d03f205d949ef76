"""How right the measured motion and flux of what was found are: offsets in units of their claimed errors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.recover.local import Outcome

EDGES = np.linspace(-5, 5, 21)
"""Of the histogram, in sigma; what lies beyond counts in the outermost bins."""
_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, eq=False)
class Pull:
    """Offsets over errors of one quantity: mean 0 and scatter 1 where both are right.

    Parameters
    ----------
    n : int
        Sources with a finite offset and error.
    mean, mean_err : float
        Of those within five sigma; NaN without any.
    scatter : float
        1.4826 times the median absolute deviation: outliers do not change it.
    median : float
    n_beyond_3 : int
        Farther than three sigma off: 0.3 % of all where errors are Gaussian.
    counts : ndarray, (20,), int64
        Histogram in bins of `EDGES`.
    bias : float
        Median offset in the unit of the quantity.
    """

    n: int
    mean: float
    mean_err: float
    scatter: float
    median: float
    n_beyond_3: int
    counts: NDArray[np.int64]
    bias: float


def measure(offset: ArrayLike, error: ArrayLike) -> Pull:
    """Measure the pulls of one quantity.

    Parameters
    ----------
    offset : array_like, (n,)
        Found minus true.
    error : array_like, (n,) or scalar
        One sigma as claimed, positive.
    """
    offset, error = np.broadcast_arrays(np.asarray(offset, float), np.asarray(error, float))
    known = np.isfinite(offset) & np.isfinite(error) & (error > 0)
    pulls = offset[known] / error[known]
    counts = np.histogram(np.clip(pulls, EDGES[0], EDGES[-1]), EDGES)[0].astype(np.int64)
    if not pulls.size:
        return Pull(0, np.nan, np.nan, np.nan, np.nan, 0, counts, np.nan)
    core = pulls[np.abs(pulls) <= EDGES[-1]]
    median = float(np.median(pulls))
    return Pull(
        n=len(pulls),
        mean=float(core.mean()) if core.size else np.nan,
        mean_err=float(core.std(ddof=1) / np.sqrt(core.size)) if core.size > 1 else np.nan,
        scatter=float(_MAD_TO_SIGMA * np.median(np.abs(pulls - median))),
        median=median,
        n_beyond_3=int(np.sum(np.abs(pulls) > 3)),
        counts=counts,
        bias=float(np.median(offset[known])),
    )


def of_outcomes(outcomes: Sequence[Outcome], flux_adu: ArrayLike, first_days: float) -> dict[str, Pull]:
    """Measure the pulls of position, motion and flux of the sources that were found.

    Parameters
    ----------
    outcomes : sequence of n Outcome
        Those that `is_near` holds for count.
    flux_adu : array_like, (n,)
        True fluxes.
    first_days : float
        Time of the earliest image, days since the middle of the arc: errors of positions are those there.

    Returns
    -------
    dict of str to Pull
        Keys x_px, y_px, vx_px_day, vy_px_day, flux.
    """
    near = [i for i, each in enumerate(outcomes) if each.is_near]
    found, true = ({key: np.array([getattr(outcomes[i], kind)[key] for i in near]) for key in keys} for kind, keys in (
        ("found", ("x", "y", "vx", "vy", "flux", "x_err", "y_err", "vx_err", "vy_err", "flux_err")),
        ("true", ("x", "y", "vx", "vy")),
    ))  # fmt: skip
    offset = {key: found[key] - true[key] for key in true}
    return {
        "x_px": measure(offset["x"] + first_days * offset["vx"], found["x_err"]),
        "y_px": measure(offset["y"] + first_days * offset["vy"], found["y_err"]),
        "vx_px_day": measure(offset["vx"], found["vx_err"]),
        "vy_px_day": measure(offset["vy"], found["vy_err"]),
        "flux": measure(found["flux"] - np.asarray(flux_adu, float)[near], found["flux_err"]),
    }
