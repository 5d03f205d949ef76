"""The page of calibration: every master, match and light with its pictures, in a file that needs nothing but itself."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lostlight.report import calibration, calibration_words
from lostlight.report.calibration_pictures import address
from lostlight.report.figures import levels
from lostlight.report.figures.overlay import BITS, VERDICTS
from lostlight.report.products import environment, troubles
from lostlight.vocab.bits import DQ

_WARNINGS_SHOWN = 12
_HISTOGRAMS_OF_LIGHTS = 12
FILTERS = {
    "method": calibration_words.method,
    "label": calibration_words.label,
    "role": calibration_words.role,
    "is_scaled": calibration_words.is_scaled,
}


def html(report: Mapping[str, Any], pictures: Mapping[str, bytes], title: str = "Calibration") -> str:
    """Render the page.

    Parameters
    ----------
    report : mapping
        Content of ``calibration_report.json``.
    pictures : mapping of str to bytes
        PNG files, under the names that `lostlight.report.calibration_pictures` gives them: ``<unit>`` for the preview,
        ``<unit>.rejected``, ``<unit>.flat``, ``<unit>.dq``, ``<unit>.before`` and ``<unit>.after``. What is absent is
        left out; lights without a picture keep their row in the table.
    title : str
        Heading.
    """
    shown = [light for light in report["lights"] if f"{light['id']}.after" in pictures or light["id"] in pictures]
    return (
        environment(FILTERS)
        .get_template("calibration.html")
        .render(
            title=title,
            r=report,
            numbers=calibration.headline(report),
            sentence=calibration.sentence(report),
            troubles=troubles(report["warnings"]),
            masters=[unit for unit in report["masters"] if unit["kind"] != "flat"],
            flats=[unit for unit in report["masters"] if unit["kind"] == "flat"],
            shown=shown,
            scales=_scales(report["lights"]),
            matches=_grouped(report),
            missing=_missing(report),
            pictures={name: address(content) for name, content in pictures.items()},
            histograms=_histograms([*report["masters"], *shown[:_HISTOGRAMS_OF_LIGHTS]]),
            known={unit["id"] for unit in (*report["masters"], *report["bad_pixels"])},
            params=json.dumps(report["params"], indent=1, ensure_ascii=False),
            bits=[(bit, _css(BITS.get(bit.name))) for bit in DQ],
            verdicts={name: _css(colour) for name, colour in VERDICTS.items()},
            glossary=calibration_words.GLOSSARY,
            warnings_shown=_WARNINGS_SHOWN,
        )
    )


def _grouped(report: Mapping[str, Any]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Gather what each target takes; those that take the same are told together, by the one that it fits worst."""
    matches = report["matches"]
    names = {frozenset(group["frames"]): group["id"] for group in report["groups"] if group["kind"] == "light"}
    taken: dict[str, list[Mapping[str, Any]]] = {}
    for match in matches:
        taken.setdefault(match["target"], []).append(match)
    alike: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for target, roles in taken.items():
        alike.setdefault(tuple((match["role"], match["chosen"]) for match in roles), []).append(target)
    return [
        (_title(targets, names), taken[max(targets, key=lambda name: _worst(taken[name]))])
        for targets in alike.values()
    ]


def _title(targets: Sequence[str], names: Mapping[frozenset[str], str]) -> str:
    if name := names.get(frozenset(targets)):
        return f"{name}, {len(targets):,} {'light' if len(targets) == 1 else 'lights'}"
    return f"{targets[0]} and {len(targets) - 1:,} more" if len(targets) > 1 else targets[0]


def _missing(report: Mapping[str, Any]) -> dict[str, str]:
    """Lights that were planned and are not there, each with the reason."""
    there = {light["id"] for light in report["lights"]}
    planned = [name for group in report["groups"] if group["kind"] == "light" for name in group["frames"]]
    why = {warning["where"]: warning["said"] for warning in report["warnings"] if warning["code"] == "CAL223"}
    return {name: why.get(name, "not made") for name in planned if name not in there}


def _worst(matches: Sequence[Mapping[str, Any]]) -> float:
    return max(match["distance"] or 0.0 for match in matches)


def _scales(lights: Sequence[Mapping[str, Any]]) -> tuple[float, float] | None:
    """Smallest and largest factor of the darks that were scaled."""
    factors = [light["scale"]["factor"] for light in lights if calibration_words.is_scaled(light["scale"])]
    return (min(factors), max(factors)) if factors else None


def _histograms(units: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    drawn = (unit for unit in units if unit["histogram"]["counts"])
    return {unit["id"]: levels.histogram(f"h-{n}", unit["histogram"], unit["unit"]) for n, unit in enumerate(drawn)}


def _css(colour: tuple[int, int, int] | None) -> str:
    return "" if colour is None else f"rgb({colour[0]},{colour[1]},{colour[2]})"
