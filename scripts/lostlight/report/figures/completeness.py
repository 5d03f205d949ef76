"""How much of what was planted came back, against magnitude."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lostlight.report import style


class Curve(Protocol):
    """Recovered fraction in bins of magnitude, with its interval, and the magnitudes where half and 90 % come back."""

    edges_mag: NDArray[np.float64]
    n_planted: NDArray[np.int64]
    n_recovered: NDArray[np.int64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    m50_mag: float | None
    m50_err_mag: float | None
    m90_mag: float | None
    m90_err_mag: float | None


def curve(measured: Curve) -> str:
    """Draw the completeness of the search, with the intervals handed over."""
    filled = measured.n_planted > 0
    middle = ((measured.edges_mag[:-1] + measured.edges_mag[1:]) / 2)[filled]
    fraction = (measured.n_recovered / np.maximum(measured.n_planted, 1))[filled]
    figure, axes = style.canvas(2.9)
    axes.fill_between(middle, measured.low[filled], measured.high[filled], color=style.BLUE, alpha=0.2, linewidth=0)
    errors = np.clip([fraction - measured.low[filled], measured.high[filled] - fraction], 0, None)
    axes.errorbar(middle, fraction, yerr=errors, color=style.BLUE, marker="o", markersize=4, linewidth=1.2)
    for name, value, side in (("50", measured.m50_mag, 1), ("90", measured.m90_mag, -1)):
        if value is not None:
            axes.axvline(value, color=style.ORANGE, linewidth=1, linestyle=(0, (4, 2)))
            where = {"xytext": (4 * side, 0), "textcoords": "offset points", "ha": "left" if side > 0 else "right"}
            axes.annotate(f"m{name} {round(value, 3):.2f}", (value, 0.95 if side > 0 else 0.08), fontsize=8.5, **where)
    axes.set_ylim(0, 1.04)
    style.labels(axes, {"x": "instrumental magnitude of the planted star", "y": "recovered fraction"})
    n, k = int(measured.n_planted.sum()), int(measured.n_recovered.sum())
    return style.svg(figure, "completeness", f"Completeness: {k:,} of {n:,} planted stars recovered, by magnitude")
