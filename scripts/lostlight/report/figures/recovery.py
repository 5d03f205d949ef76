"""Charts of a search: how complete it is, why the rest was missed, how right its numbers are, how noise deceives it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from lostlight.report import style

_CURVES = (style.BLUE, style.ORANGE, style.GREEN, style.GREY, style.INK)
"""Of bins of rate: told apart by the marks too."""
_MARKS = ("o", "s", "^", "D", "v")
_DASH = (0, (4, 2))
NULLS = {"negative": "sign turned", "shuffled": "images out of order"}
"""What the searches that find nothing real are called."""


def completeness(curve: Mapping[str, Any], label: str = "magnitude") -> str:
    """Draw the fraction found in bins of magnitude, with 68 % intervals, and the curve that fits best."""
    figure, axes = style.canvas(3.0)
    _points(axes, curve, style.BLUE, "o", "found")
    if curve["line"]:
        axes.plot(*np.array(curve["line"], float).T, color=style.ORANGE, linewidth=1.6, label=_form(curve["chosen"]))
    best = next((fit for fit in curve["fits"] if fit["form"] == curve["chosen"]), None)
    if best and best["m50_mag"] is not None:
        axes.axvline(best["m50_mag"], color=style.MUTED, linewidth=1, linestyle=_DASH)
        axes.annotate(f"m50 {best['m50_mag']:.2f}", (best["m50_mag"], 0.95), xytext=(4, 0), textcoords="offset points",
                      fontsize=8.5)  # fmt: skip
    _fractions(axes, label)
    words = f"Completeness: {curve['k']:,} of {curve['n']:,} planted sources found, against {label}"
    return style.svg(figure, "completeness", words)


def by_rate(curves: Sequence[Mapping[str, Any]], label: str = "magnitude") -> str:
    """Draw the curves of several bins of rate over each other."""
    figure, axes = style.canvas(3.0)
    for curve, colour, mark in zip(curves, _CURVES, _MARKS, strict=False):
        name = f"{curve['rate_low_arcsec_h']:g} to {curve['rate_high_arcsec_h']:g}″/h"
        _points(axes, curve, colour, mark, name)
        if curve["line"]:
            axes.plot(*np.array(curve["line"], float).T, color=colour, linewidth=1.2)
    _fractions(axes, label)
    return style.svg(figure, "by-rate", f"Completeness against magnitude in {len(curves)} bins of rate")


def by_snr(curve: Mapping[str, Any], threshold: float) -> str:
    """Draw the fraction found against expected signal to noise, and what white noise allows."""
    figure, axes = style.canvas(3.0)
    _points(axes, curve, style.BLUE, "o", "found")
    told = [(b["lower"] / 2 + b["upper"] / 2, b["predicted"]) for b in curve["bins"] if b["predicted"] is not None]
    if told:
        axes.plot(*np.array(told).T, color=style.ORANGE, linewidth=1.4, linestyle=_DASH, label="white noise")
    axes.axvline(threshold, color=style.MUTED, linewidth=1, linestyle=_DASH)
    _fractions(axes, "expected signal to noise of all images")
    return style.svg(figure, "by-snr", "Fraction found against expected signal to noise, and what white noise allows")


def cells(told: Mapping[str, Any], label: str = "magnitude") -> str:
    """Draw the fraction found in cells of magnitude and rate; empty cells are left out."""
    n, k = (np.array(told[key], float) for key in ("n", "k"))
    figure, axes = style.canvas(3.0)
    fraction = np.ma.masked_where(n == 0, k / np.maximum(n, 1))
    rows = np.arange(len(n) + 1)
    drawn = axes.pcolormesh(np.array(told["mag_edges"], float), rows, fraction, cmap=style.PALETTE, vmin=0, vmax=1)
    # Edges of rates are drawn evenly: the fast bins would hide the slow ones.
    axes.set_yticks(rows, [f"{edge:g}" for edge in told["rate_edges_arcsec_h"]])
    axes.grid(visible=False)
    bar = figure.colorbar(drawn, ax=axes, fraction=0.06, pad=0.02)
    bar.outline.set_visible(False)
    style.labels(axes, {"x": label, "y": "rate, ″/h"})
    return style.svg(figure, "cells", "Fraction found, by magnitude and rate of motion")


def reasons(told: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> str:
    """Draw how many sources were missed for which reason."""
    figure, axes = style.canvas(0.9 + 0.36 * len(told))
    places = np.arange(len(told))[::-1]
    axes.barh(places, [each["n"] for each in told], color=style.BLUE, height=0.62)
    for place, each in zip(places, told, strict=True):
        axes.annotate(f"{each['n']:,}", (each["n"], place), xytext=(4, 0), textcoords="offset points", va="center",
                      fontsize=8.5)  # fmt: skip
    axes.set_yticks(places, [names.get(each["code"], each["code"]) for each in told])
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.14)
    style.thousands(axes, "x")
    axes.set_xlabel("planted sources missed")
    return style.svg(figure, "reasons", "Planted sources missed, by reason")


def likelihoods(found: Sequence[Mapping[str, Any]], threshold: float) -> str:
    """Draw the likelihood along the true path, or of the candidate, against what was expected."""
    figure, axes = style.canvas(3.2)
    kinds = (("missed", style.ORANGE, "x", True), ("found", style.BLUE, "o", False))
    for name, colour, mark, is_missed in kinds:
        here = [
            (each["expected"], each["found"])
            for each in found
            if bool(each["reason"]) == is_missed and None not in (each["expected"], each["found"])
        ]
        if here:
            axes.plot(*np.array(here).T, mark, color=colour, markersize=3, alpha=0.7, markeredgewidth=0.8, label=name)
    low, high = axes.get_xlim()
    axes.axline((0, 0), slope=1, color=style.MUTED, linewidth=1)
    axes.axhline(threshold, color=style.MUTED, linewidth=1, linestyle=_DASH)
    axes.set_xlim(min(low, threshold - 1), high)
    style.legend(axes)
    style.labels(axes, {"x": "expected likelihood, σ", "y": "likelihood, σ"})
    return style.svg(figure, "likelihoods", f"Likelihood of {len(found):,} planted sources against what was expected")


def pull(told: Mapping[str, Any], title: str) -> str:
    """Draw the offsets of one quantity in units of their errors, with the bell curve that they ought to follow."""
    figure, axes = style.canvas(2.1)
    edges, counts = np.array(told["edges"], float), np.array(told["counts"], float)
    axes.stairs(counts, edges, fill=True, color=style.BLUE, alpha=0.75)
    x = np.linspace(edges[0], edges[-1], 101)
    bell = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) * counts.sum() * (edges[1] - edges[0])
    axes.plot(x, bell, color=style.ORANGE, linewidth=1.4)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("(found − true) / error")
    return style.svg(figure, f"pull-{told['name'].replace('_', '-')}", f"Pulls of {title}")


def alarms(told: Sequence[Mapping[str, Any]], threshold: float) -> str:
    """Draw how many false candidates there are at or above each threshold, and what noise is expected to give."""
    figure, axes = style.canvas(3.0)
    for each, colour, mark in zip(told, _CURVES, _MARKS, strict=False):
        counts = np.array(each["counts"], float)
        shown = counts > 0
        axes.plot(np.array(each["thresholds"], float)[shown], counts[shown], color=colour, marker=mark, markersize=3.5,
                  linewidth=1.2, label=NULLS.get(each["kind"], each["kind"]))  # fmt: skip
    if told and told[0]["expected"]:
        x, y = np.array(list(zip(told[0]["thresholds"], told[0]["expected"], strict=True)), float).T
        axes.plot(x[y > 1e-2], y[y > 1e-2], color=style.MUTED, linewidth=1.2, linestyle=_DASH, label="white noise")
    axes.axvline(threshold, color=style.MUTED, linewidth=1, linestyle=_DASH)
    axes.set_yscale("log")
    style.thousands(axes)
    style.legend(axes, 2)
    style.labels(axes, {"x": "threshold, σ", "y": "false candidates above it"})
    return style.svg(figure, "alarms", "False candidates against threshold")


def _points(axes: Axes, curve: Mapping[str, Any], colour: str, mark: str, label: str) -> None:
    bins = [each for each in curve["bins"] if each["n"]]
    if not bins:
        return
    middle = np.array([(each["lower"] + each["upper"]) / 2 for each in bins])
    fraction = np.array([each["k"] / each["n"] for each in bins])
    errors = np.clip([fraction - [b["low"] for b in bins], [b["high"] for b in bins] - fraction], 0, None)
    axes.errorbar(middle, fraction, yerr=errors, color=colour, marker=mark, markersize=4, linewidth=0, elinewidth=1.2,
                  label=label)  # fmt: skip


def _fractions(axes: Axes, label: str) -> None:
    axes.set_ylim(0, 1.04)
    style.legend(axes, 2)
    style.labels(axes, {"x": label, "y": "fraction found"})


def _form(name: str) -> str:
    return name.replace("_", " ")
