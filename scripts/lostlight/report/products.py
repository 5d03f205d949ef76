"""What the pages of own frames share: how templates are read, and how warnings are told."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from lostlight.report.calibration_words import number, percent
from lostlight.vocab.calibration import CODES

TEMPLATES = Path(__file__).parent / "templates"
FILTERS: dict[str, Callable[..., str]] = {
    "thousands": lambda value: f"{value:,}",
    "number": number,
    "percent": percent,
    "anchor": lambda text: "u-" + "".join(sign if sign.isalnum() else f"-{ord(sign):x}-" for sign in text),
}


def environment(filters: Mapping[str, Callable[..., Any]]) -> jinja2.Environment:
    """Give the environment of a page, with filters of its own beside those that all have."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {**FILTERS, **filters}
    return made


def troubles(warnings: Sequence[Mapping[str, Any]], texts: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Gather warnings of a code: what it means, what to do, and where it was seen, the most frequent hint first.

    Codes mean what `texts` says, else `lostlight.vocab.calibration.CODES`.
    """
    known = {code: told.text for code, told in CODES.items()} if texts is None else texts
    found: dict[str, list[Mapping[str, Any]]] = {}
    for warning in warnings:
        found.setdefault(warning["code"], []).append(warning)
    return [
        {
            "code": code,
            "text": known.get(code, ""),
            "hints": list(dict.fromkeys(warning["hint"] for warning in seen if warning["hint"])),
            "seen": seen,
            "has_values": any(warning["value"] is not None for warning in seen),
        }
        for code, seen in sorted(found.items())
    ]
