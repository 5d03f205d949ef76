"""Histograms: separations with the chance level, magnitudes, FWHM and signal to noise."""

import numpy as np
from numpy.typing import NDArray

from lostlight.report import style
from lostlight.report.tally import Histogram

_AXES = {
    "mag_auto": ("instrumental magnitude", 5),
    "fwhm_px": ("FWHM, px", 2),
    "log_snr": ("signal to noise", 4),
}


def measure(name: str, detections: Histogram, candidates: NDArray[np.float64]) -> str:
    """Draw all detections of the run, and the candidates among them, over one measure.

    Parameters
    ----------
    name : str
        ``mag_auto``, ``fwhm_px`` or ``log_snr``.
    detections : Histogram
        Counts over all detections.
    candidates : ndarray, shape (n,)
        The same measure of the candidates.
    """
    label, merge = _AXES[name]
    edges, counts = _trimmed(detections, merge)
    chosen = np.histogram(candidates[np.isfinite(candidates)], bins=edges)[0]
    if name == "log_snr":
        edges = 10**edges
    figure, axes = style.canvas(2.5)
    axes.stairs(counts, edges, fill=True, color=style.BLUE, alpha=0.35, label="detections")
    axes.stairs(counts, edges, color=style.BLUE, linewidth=1)
    axes.stairs(chosen, edges, fill=True, color=style.ORANGE, label="candidates")
    axes.set_ylim(0.6, max(counts.max(), 1) * 2)
    axes.set_yscale("log", nonpositive="clip")
    if name == "log_snr":
        axes.set_xscale("log")
        style.thousands(axes, "x")
    style.thousands(axes)
    style.labels(axes, {"x": label, "y": "sources"})
    style.legend(axes)
    text = f"Histogram of {label}: {counts.sum():,} detections, {chosen.sum():,} candidates"
    return style.svg(figure, name, text)


def separations(found: Histogram, chance: NDArray[np.float64], radius_arcsec: float) -> str:
    """Draw how far matched catalogue rows lie from their detections, and how many would by chance.

    Parameters
    ----------
    found : Histogram
        Separations in arcsec.
    chance : ndarray, shape (n_bins,)
        Pairs expected by chance in the same bins; zeros where it was not measured.
    radius_arcsec : float
        Match radius.
    """
    reach = 1.6 * radius_arcsec
    keep = found.edges[1:] <= reach + 1e-9
    edges, counts = found.edges[: keep.sum() + 1], found.counts[keep]
    figure, axes = style.canvas(2.9)
    axes.stairs(counts, edges, fill=True, color=style.BLUE, alpha=0.35)
    axes.stairs(counts, edges, color=style.BLUE, linewidth=1, label="matched pairs")
    axes.axvline(radius_arcsec, color=style.ORANGE, linewidth=1.5, label=f"match radius, {radius_arcsec:g}″")
    if chance.any():
        axes.stairs(chance[keep], edges, color=style.INK, linestyle=(0, (4, 2)), linewidth=1.2, label="by chance alone")
    axes.set_ylim(0.6, max(counts.max(), 1) * 2)
    axes.set_yscale("log", nonpositive="clip")
    axes.set_xlim(0, reach)
    style.thousands(axes)
    style.labels(axes, {"x": "separation, arcsec", "y": f"pairs per {found.edges[1]:.1f}″"})
    style.legend(axes)
    return style.svg(
        figure, "separations", f"Separations of {counts.sum():,} matched pairs, match radius {radius_arcsec:g} arcsec"
    )


def _trimmed(histogram: Histogram, merge: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    counts = histogram.counts.reshape(-1, merge).sum(axis=1)
    edges = histogram.edges[::merge]
    filled = np.flatnonzero(counts)
    low, high = (max(filled[0] - 1, 0), min(filled[-1] + 2, len(counts))) if filled.size else (0, len(counts))
    return edges[low : high + 1], counts[low:high]
