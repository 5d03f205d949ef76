"""The page of a search: candidates, completeness, reasons and errors, in a file that needs nothing but itself."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lostlight.report import recovery, recovery_words
from lostlight.report.calibration_pictures import address
from lostlight.report.figures import recovery as charts
from lostlight.report.mosaic_pictures import palette
from lostlight.report.products import environment, troubles
from lostlight.vocab.movers import DOUBTS

CANDIDATE, MISSED = "candidate.", "missed."
"""Names of pictures begin with these; then the number of the candidate, or the reason."""
CANDIDATES_SHOWN = 24
"""Candidates that have a picture; the table beside the page has all."""
_WARNINGS_SHOWN = 12


def html(
    told: Mapping[str, Any],
    pictures: Mapping[str, bytes],
    title: str = "",
    others: Mapping[str, str] | None = None,
    files: Sequence[str] = (),
    overview: str = "",
) -> str:
    """Render the page.

    Parameters
    ----------
    told : mapping
        Content of ``recovery.json``.
    pictures : mapping of str to bytes
        PNG files of `lostlight.report.recovery_pictures.strip` under ``candidate.<id>`` and ``missed.<reason>``; what
        is absent is left out.
    title : str
        Heading; else search, and the stack.
    others : mapping of str to str, optional
        Pages of the other stacks: name to address.
    files : sequence of str
        Names of the files beside the page that it links to.
    overview : str
        Address of the page of all stacks; empty where there is one stack only.
    """
    return (
        environment({"signed": lambda value, digits=2: "—" if value is None else f"{value:+.{digits}f}"})
        .get_template("recovery.html")
        .render(
            title=title or ": ".join(filter(None, ("Search", told["stack"]["id"]))),
            r=told,
            sentence=recovery.sentence(told),
            best=recovery.fit(told["curve"]),
            plateau=recovery.plateau(told["curve"]),
            troubles=troubles(told["warnings"], DOUBTS),
            pictures={name: address(content, lossless=True) for name, content in pictures.items()},
            charts=_charts(told),
            candidates=told["candidates"][:CANDIDATES_SHOWN],
            nulls={"n": sum(each["n"] for each in told["alarms"]), "names": charts.NULLS},
            errors_said=recovery_words.errors_said(told),
            what_next=recovery_words.what_next(told),
            reasons=recovery_words.REASONS,
            remedies=recovery_words.REMEDIES,
            follow=recovery_words.FOLLOW,
            forms=recovery_words.FORMS,
            pulls=recovery_words.PULLS,
            glossary=recovery_words.GLOSSARY,
            palette=palette(),
            warnings_shown=_WARNINGS_SHOWN,
            params=json.dumps(told["params"], indent=1, ensure_ascii=False),
            others=others or {},
            overview=overview,
            files=files,
        )
    )


def _charts(told: Mapping[str, Any]) -> dict[str, str]:
    """Draw what there is something to draw of."""
    drawn, threshold = {}, told["search"]["threshold"]
    label = "instrumental magnitude" if told["is_instrumental"] else "magnitude"
    if told["curve"] and told["curve"]["n"]:
        drawn["completeness"] = charts.completeness(told["curve"], label)
    rated = [curve for curve in told["curves"] if curve["n"]]
    if len(rated) > 1:
        drawn["by_rate"] = charts.by_rate(rated, label)
    if told["by_snr"] and told["by_snr"]["n"]:
        drawn["by_snr"] = charts.by_snr(told["by_snr"], threshold)
    if any(map(any, told["cells"]["n"])):
        drawn["cells"] = charts.cells(told["cells"], label)
    if told["reasons"]:
        drawn["reasons"] = charts.reasons(told["reasons"], recovery_words.REASONS)
    if told["found"]:
        drawn["likelihoods"] = charts.likelihoods(told["found"], threshold)
    for each in told["pulls"]:
        if each["n"]:
            drawn[f"pull.{each['name']}"] = charts.pull(each, recovery_words.PULLS.get(each["name"], each["name"]))
    if any(any(each["counts"]) for each in told["alarms"]):
        drawn["alarms"] = charts.alarms(told["alarms"], threshold)
    return drawn
