"""What was drawn from a population as a picture: rates, directions, distances, brightness, classes."""

import io
from collections.abc import Mapping
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_NAMES = {
    "mu": "rate of motion, arcsec/h",
    "phi": "angle from west along the ecliptic, deg",
    "R": "distance from the Sun, au",
    "brightness": "signal to noise of all images",
}
_FILL, _FAILED = "#0072B2", "#D55E00"  # of Okabe and Ito (2008)


def picture(record: Mapping[str, Any]) -> bytes:
    """Draw the histograms of a report, and list its checks.

    Parameters
    ----------
    record : mapping
        As `lostlight.science.population.sanity.Report.record` gives it.

    Returns
    -------
    bytes
        A PNG.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        figure = Figure(figsize=(10.5, 6), layout="constrained")
        figure.suptitle(
            f"{record['priors']}: {record['n']} draws, {record['elong_deg']:.0f} deg from the Sun", fontsize=10
        )
        axes = figure.subplots(2, 3).ravel()
        for place, (name, label) in zip(axes, _NAMES.items(), strict=False):
            _histogram(place, record["histograms"][name], label)
        _classes(axes[4], record["histograms"]["class"])
        _checks(axes[5], record["checks"])
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def _histogram(axes: Axes, counted: Mapping[str, Any], label: str) -> None:
    axes.stairs(counted["counts"], np.asarray(counted["edges"]), fill=True, color=_FILL)
    above = f"; {counted['above']} beyond" if counted["above"] else ""
    axes.set_xlabel(f"{label}{above}", fontsize=8)
    axes.set_ylabel("draws", fontsize=8)
    axes.tick_params(labelsize=8)


def _classes(axes: Axes, counted: Mapping[str, int]) -> None:
    names = list(counted)
    axes.barh(names, [counted[name] for name in names], color=_FILL)
    axes.set_xlabel("draws", fontsize=8)
    axes.tick_params(labelsize=8)


def _checks(axes: Axes, checks: list[Mapping[str, Any]]) -> None:
    axes.axis("off")
    step = 1 / max(len(checks), 10)
    for line, check in enumerate(checks):
        verdict, colour = ("PASS", "black") if check["is_passed"] else ("FAIL", _FAILED)
        measured = "" if check["measured"] is None else f"{check['measured']:.4g}"
        text = f"{verdict} {check['name']} {measured}"
        axes.text(0, 1 - (line + 1) * step, text, family="monospace", fontsize=7.5, color=colour)
