"""How right the measured motion and flux of what was found are: offsets in units of their claimed errors."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

EDGES = np.linspace(-5, 5, 21)
"""Of the histogram, in sigma; what lies beyond counts in the outermost bins."""
CLEAR_SIGMA = 3.0
"""Sources expected so far above the threshold are found whatever the noise does."""
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


def of_table(recovered: Table, first_days: float, bright: float = 0.0) -> dict[str, Pull]:
    """Measure the pulls of position, motion and flux of the sources that were found.

    Near the threshold those are found whose noise adds light, so that their fluxes are too high on average: fluxes are
    told apart. The best of all paths lies where noise adds light, too: of four free numbers, by about 2 / lh sigma.

    Parameters
    ----------
    recovered : Table
        Columns ``RECOVERIES``.
    first_days : float
        Time of the earliest image, days since the middle of the arc: errors of positions are those there.
    bright : float
        Expected likelihood of sources that are found whatever the noise does.

    Returns
    -------
    dict of str to Pull
        Keys x_px, y_px, vx_px_day, vy_px_day, flux (of bright sources) and flux_faint (of all others).
    """
    found = recovered[np.asarray(recovered["is_recovered"], bool)]
    made = {}
    for axis in "xy":
        offset = np.asarray(found[f"d{axis}_px"]) + first_days * np.asarray(found[f"dv{axis}_px_day"])
        made[f"{axis}_px"] = measure(offset, found[f"{axis}_err_px"])
    for axis in "xy":
        made[f"v{axis}_px_day"] = measure(found[f"dv{axis}_px_day"], found[f"v{axis}_err_px_day"])
    is_bright = np.asarray(found["lh_expected"], float) >= bright
    return made | {
        "flux": measure(found["dflux_sigma"][is_bright], 1.0),
        "flux_faint": measure(found["dflux_sigma"][~is_bright], 1.0),
    }
