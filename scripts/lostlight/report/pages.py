"""The report: one page that needs nothing but itself, and its short form in Markdown."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import jinja2
import numpy as np
from astropy.table import Table

from lostlight.report import health
from lostlight.report.citations import citation
from lostlight.report.figures import completeness, fieldmaps, histograms, sky
from lostlight.report.figures.completeness import Curve
from lostlight.report.figures.sky import Coverage
from lostlight.report.figures.stamps import Stamp
from lostlight.report.gather import Run
from lostlight.report.products import TEMPLATES
from lostlight.report.tally import CUTS, Tally, measures
from lostlight.vocab import bits
from lostlight.vocab.steps import PLANT, TWIN_STEPS


@dataclass(frozen=True)
class Findings:
    """Everything the report tells."""

    run: Run
    tally: Tally
    candidates: Table
    stamps: list[Stamp]
    coverage: Coverage
    curve: Curve | None = None
    radius_arcsec: float = 5.0
    losses: Mapping[str, int] = field(default_factory=dict)
    title: str = ""

    @property
    def outcomes(self) -> dict[str, int]:
        """How many tiles are done, failed and skipped."""
        return {name: int((self.coverage.outcomes == name).sum()) for name in ("done", "failed", "skipped")}

    @cached_property
    def chance(self) -> dict[str, float]:
        """Catalogue to the fraction of detections it matches by chance, the median over the tiles."""
        prefix = "chance_fraction_"
        names = sorted(
            {name for unit in self.run.units("07_xmatch") for name in unit.metrics if name.startswith(prefix)}
        )
        found = {name.removeprefix(prefix): list(self.run.metrics("07_xmatch", name).values()) for name in names}
        return {name: float(np.median(values)) for name, values in found.items() if values}

    @property
    def why_no_curve(self) -> str:
        """Say why the completeness is not known."""
        return "no tile of the planted twin came through" if self.run.twin else "completeness.n_per_tile is 0"

    def metrics(self) -> dict[str, float | int]:
        """Give the headline numbers, as they go to the manifest."""
        numbers: dict[str, float | int] = {
            "n_tiles": len(self.coverage.ids),
            **{f"n_tiles_{name}": count for name, count in self.outcomes.items()},
            "n_detections": self.tally.n_detections,
            "n_candidates": len(self.candidates),
        }
        if self.outcomes["done"]:
            numbers["candidates_per_tile"] = round(len(self.candidates) / self.outcomes["done"], 4)
        if self.curve:
            numbers |= {"n_planted": int(self.curve.n_planted.sum()), "n_recovered": int(self.curve.n_recovered.sum())}
            depths = {"m50_mag": self.curve.m50_mag, "m50_err_mag": self.curve.m50_err_mag}
            depths |= {"m90_mag": self.curve.m90_mag, "m90_err_mag": self.curve.m90_err_mag}
            numbers |= {name: round(value, 3) for name, value in depths.items() if value is not None}
        return numbers


def html(findings: Findings) -> str:
    """Render the page."""
    return (
        _environment(autoescape=True)
        .get_template("report.html")
        .render(**_context(findings), figures=_figures(findings))
    )


def markdown(findings: Findings) -> str:
    """Render the short form."""
    return _environment(autoescape=False).get_template("summary.md").render(**_context(findings))


def _environment(autoescape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=autoescape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"thousands": lambda value: f"{value:,}", "cell": _markdown_cell}
    environment.globals |= {"manifest": _manifest_link}
    return environment


def _context(findings: Findings) -> Mapping[str, object]:
    return {
        "f": findings,
        "run": findings.run,
        "numbers": findings.metrics(),
        "funnel": _funnel(findings),
        "labels": [(bit, findings.tally.n_labelled[bit.name]) for bit in bits.FILTER if bit.name in bits.LABELS],
        "health": health.strip(findings.run),
        "provenance": _provenance(findings.run),
        "warnings": [(key, count) for key, count in sorted(findings.run.warnings.items()) if count],
        "common_software": [f"{name} {version}" for name, version in sorted(_common_software(findings.run))],
        "citations": [citation(key) for key in findings.run.cites],
    }


def _figures(findings: Findings) -> dict[str, str]:
    tally, chosen = findings.tally, measures(findings.candidates)
    places = np.c_[np.asarray(findings.candidates["ra_deg"]), np.asarray(findings.candidates["dec_deg"])]
    figures = {
        "sky": sky.whole(findings.coverage),
        "zoom": sky.zoom(findings.coverage, places),
        "separations": histograms.separations(tally.separations, tally.chance, findings.radius_arcsec),
        "fwhm_map": fieldmaps.fwhm(tally.fwhm_median_px()),
        "residuals": fieldmaps.residuals(tally.residuals),
        **{name: histograms.measure(name, tally.detections[name], chosen[name]) for name in chosen},
    }
    if findings.curve:
        figures["completeness"] = completeness.curve(findings.curve)
    return figures


def _funnel(findings: Findings) -> list[dict[str, object]]:
    """Rows of the funnel: every cut that removed something alone, and what was left after it and those before."""
    tally = findings.tally
    total = max(tally.n_detections, 1)
    rows: list[dict[str, object]] = [{"name": "detections", "text": "", "alone": None, "left": tally.n_detections}]
    rows += [
        {"name": bit.name, "text": bit.text, "alone": tally.n_alone[bit.name], "left": tally.n_left[bit.name]}
        for bit in CUTS
        if tally.n_alone[bit.name]
    ]
    for row in rows:
        row["share"] = row["left"] / total
    return rows


def _provenance(run: Run) -> list[dict[str, object]]:
    """What was run: every step of the run, then every step of its twin."""
    common = _common_software(run)
    return [
        {
            "step": step_id,
            "is_twin": is_twin,
            "manifest": manifest,
            "href": _manifest_link(step_id, is_twin),
            "engine": manifest.params.get("engine", ""),
            "software": sorted(set(manifest.software.items()) - common),
            "params": json.dumps(manifest.params, indent=1, sort_keys=True, ensure_ascii=False),
        }
        for is_twin, manifests in ((False, run.manifests), (True, run.twin))
        for step_id, manifest in sorted(manifests.items())
    ]


def _common_software(run: Run) -> set[tuple[str, str]]:
    return set.intersection(*(set(manifest.software.items()) for manifest in run.manifests.values()))


def _manifest_link(step_id: str, is_twin: bool = False) -> str:
    folder = TWIN_STEPS[0] if step_id == PLANT else step_id
    return f"../../{'planted/' if is_twin else ''}{folder}/manifest.json"


def _markdown_cell(value: object) -> str:
    """Make a text safe inside a Markdown table: one line, no markup."""
    text = " ".join(str(value).split())
    for sign in "\\`*_[]<>|":
        text = text.replace(sign, f"\\{sign}")
    return text
