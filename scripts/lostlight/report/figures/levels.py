"""Histogram of the pixels of a frame or master."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter
from numpy.typing import NDArray

from lostlight.report import style

_SHOWN_BINS = 128
_WIDE = 60
"""Histograms wider than this many widths of their core are drawn on a bent axis."""
_TICKS = (0.03, 0.27, 0.5, 0.73, 0.97)


def histogram(name: str, found: Mapping[str, Any], unit: str) -> str:
    """Draw the histogram of an image as SVG.

    Parameters
    ----------
    name : str
        Keeps the ids of the drawing apart from others on the page.
    found : mapping
        center, scale, low, high, counts, under, over: as in ``calibration_report.json``.
    unit : str
        Unit of the pixels.
    """
    edges, density = _shown(found)
    figure, axes = style.canvas(1.9)
    axes.stairs(density, edges, fill=True, color=style.BLUE, alpha=0.35)
    axes.stairs(density, edges, color=style.BLUE, linewidth=1)
    peak = density.max(initial=0)
    axes.set_yscale("log", nonpositive="clip")
    axes.set_ylim(max(density[density > 0].min(initial=peak or 1), (peak or 1) * 1e-7) / 2, (peak or 1) * 2)
    if edges[-1] - edges[0] > _WIDE * found["scale"]:
        _bend(axes, found, (edges[0], edges[-1]))
    else:
        axes.locator_params(axis="x", nbins=5)
    axes.set_yticks([])
    axes.set_yticks([], minor=True)
    style.labels(axes, {"x": f"pixel value{f', {unit}' if unit else ''}", "y": "pixels"})
    total = sum(found["counts"]) + found["under"] + found["over"]
    words = f"Histogram of {total:,} pixels about {found['center']:.5g} {unit}".strip()
    return style.svg(figure, name, words)


def _bend(axes: Axes, found: Mapping[str, Any], ends: tuple[float, float]) -> None:
    """Show values far from the centre closer together, as the bins are; ticks are spread over what is seen."""
    center, scale = found["center"], found["scale"]

    def to_axis(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.arcsinh((values - center) / scale)

    def to_values(places: NDArray[np.float64]) -> NDArray[np.float64]:
        return center + scale * np.sinh(places)

    axes.set_xscale("function", functions=(to_axis, to_values))
    first, last = to_axis(np.array(ends))
    ticks = [float(f"{value:.2g}") for value in to_values(first + np.array(_TICKS) * (last - first))]
    axes.set_xticks(sorted({min(max(tick, ends[0]), ends[1]) for tick in ticks}))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}")
    )
    axes.minorticks_off()


def edges(found: Mapping[str, Any]) -> NDArray[np.float64]:
    """Give the edges of the bins, in the unit of the image."""
    ends = np.arcsinh((np.array([found["low"], found["high"]]) - found["center"]) / found["scale"])
    return found["center"] + found["scale"] * np.sinh(np.linspace(*ends, len(found["counts"]) + 1))


def _shown(found: Mapping[str, Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Merge bins, and give pixels per unit of value: bins narrower than a count would draw a comb."""
    every = edges(found)
    counts = np.asarray(found["counts"], np.float64)
    merge = max(len(counts) // _SHOWN_BINS, 1)
    chosen = list(range(0, len(counts), merge))
    narrow = np.diff(every[[*chosen, len(counts)]]).min()
    if narrow < 2 * found["step"]:
        chosen = _at_least(every, chosen, 2.0 * found["step"])
    merged = every[[*chosen, len(counts)]]
    return merged, np.add.reduceat(counts, chosen) / np.diff(merged)


def _at_least(every: NDArray[np.float64], chosen: list[int], width: float) -> list[int]:
    kept = [chosen[0]]
    for start in chosen[1:]:
        if every[start] - every[kept[-1]] >= width:
            kept.append(start)
    return kept
