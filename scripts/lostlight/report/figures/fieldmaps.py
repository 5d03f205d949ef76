"""Maps over the field of a tile: how sharp the stars are, and how well their positions agree with the catalogue."""

import numpy as np
from numpy.typing import NDArray

from lostlight.report import style
from lostlight.report.tally import RESIDUAL_ARCSEC


def fwhm(median_px: NDArray[np.float64]) -> str:
    """Draw the median FWHM of clean stars over the field, all tiles together, shape (cells, cells), in pixels."""
    figure, axes = style.canvas(3.5)
    axes.grid(visible=False)
    axes.set_aspect("equal")
    mesh = axes.pcolormesh(
        np.linspace(0, 1, median_px.shape[1] + 1),
        np.linspace(0, 1, median_px.shape[0] + 1),
        median_px,
        cmap=style.PALETTE,
    )
    bar = figure.colorbar(mesh, ax=axes, label="median FWHM, px", shrink=0.9)
    bar.outline.set_visible(False)
    style.labels(axes, {"x": "x / width", "y": "y / height"})
    known = median_px[np.isfinite(median_px)]
    between = f" from {known.min():.2f} to {known.max():.2f} px" if known.size else ": no clean stars"
    return style.svg(figure, "fwhm-map", f"Median FWHM over the field of a tile{between}")


def residuals(counts: NDArray[np.int64]) -> str:
    """Draw offsets of detections from their catalogue rows, shape (n, n), north by east, with median and scatter."""
    middle = (np.arange(len(counts)) + 0.5) / len(counts) * 2 * RESIDUAL_ARCSEC - RESIDUAL_ARCSEC
    east, north = _centre_and_scatter(middle, counts.sum(axis=0)), _centre_and_scatter(middle, counts.sum(axis=1))
    figure, axes = style.canvas(3.5)
    axes.grid(visible=False)
    axes.set_aspect("equal")
    edges = np.linspace(-RESIDUAL_ARCSEC, RESIDUAL_ARCSEC, len(counts) + 1)
    shown = np.where(counts > 0, np.log10(np.maximum(counts, 1)), np.nan)
    axes.imshow(
        shown,
        extent=(edges[0], edges[-1], edges[0], edges[-1]),
        origin="lower",
        cmap=style.PALETTE,
        interpolation="none",
    )
    axes.axhline(0, color=style.MUTED, linewidth=0.6)
    axes.axvline(0, color=style.MUTED, linewidth=0.6)
    axes.errorbar(
        east[0], north[0], xerr=east[1], yerr=north[1], color=style.ORANGE, marker="o", markersize=3, linewidth=1.6
    )
    axes.invert_xaxis()
    style.labels(axes, {"x": "east, arcsec (catalogue to plate)", "y": "north, arcsec"})
    words = f"east {east[0]:+.2f} ± {east[1]:.2f}″, north {north[0]:+.2f} ± {north[1]:.2f}″"
    axes.set_title(words, fontsize=9, color=style.INK)
    return style.svg(figure, "residuals", f"Astrometric residuals of {counts.sum():,} matches: {words}")


def _centre_and_scatter(middle: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[float, float]:
    """Median and half of the central 68 % of binned values."""
    if not counts.sum():
        return float("nan"), float("nan")
    low, centre, high = np.interp(np.array([0.16, 0.5, 0.84]) * counts.sum(), np.cumsum(counts) - counts / 2, middle)
    return float(centre), float((high - low) / 2)
