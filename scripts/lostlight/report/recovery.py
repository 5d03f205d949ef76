"""A search and its completeness in a few numbers and in a sentence, from its ``recovery.json``."""

from collections.abc import Mapping
from typing import Any

from lostlight.core.errors import Fact
from lostlight.report.recovery_words import REASONS


def headline(told: Mapping[str, Any]) -> dict[str, Fact]:
    """Give the numbers that stand for a search, for a manifest and for the report of the survey."""
    best = fit(told["curve"])
    return {
        "n_images": told["stack"]["n_images"],
        "threshold": told["search"]["threshold"],
        "n_velocities": told["search"]["n_velocities"],
        "n_candidates": told["search"]["n_candidates"],
        "n_kept": told["search"]["n_kept"],
        "n_injected": told["n_injected"],
        "n_recovered": told["n_recovered"],
        "m50_mag": best["m50_mag"] if best else None,
        "m50_err_mag": best["m50_err_mag"] if best else None,
        "n_false": sum(each["n"] for each in told["alarms"]),
        "n_warnings": len(told["warnings"]),
    }


def fit(curve: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Give the best of the fits of a curve; None where there is none."""
    return next((each for each in curve["fits"] if each["form"] == curve["chosen"]), None) if curve else None


def plateau(curve: Mapping[str, Any] | None) -> float | None:
    """Give the fraction found of bright sources: the highest point of the best fit."""
    values = [y for _, y in curve["line"] if y is not None] if curve else []
    return max(values) if values else None


def sentence(told: Mapping[str, Any]) -> str:
    """Say in a few short sentences what was found, how complete that is, and why most of the rest was missed."""
    n, k = told["n_injected"], told["n_recovered"]
    parts = [_candidates(told)]
    if not n:
        return f"{parts[0]} Nothing was planted, so how complete this is is not known."
    parts.append(f"Of {_count(n, 'planted source')} {k:,} came back{_depth(told)}.")
    if told["reasons"]:
        first = max(told["reasons"], key=lambda each: each["n"])
        parts.append(
            f"The commonest reason for the others: {REASONS.get(first['code'], first['code'])} ({first['n']:,})."
        )
    return " ".join(parts)


def _candidates(told: Mapping[str, Any]) -> str:
    search = told["search"]
    where = f"above {search['threshold']:.2g} σ in {told['stack']['n_images']:,} images"
    if search["n_kept"]:
        return f"{_count(search['n_kept'], 'candidate')} {where}."
    if search["n_candidates"]:
        return f"{_count(search['n_candidates'], 'candidate')} {where}, all vetted out."
    return f"No candidate {where}."


def _depth(told: Mapping[str, Any]) -> str:
    best = fit(told["curve"])
    if best is None or best["m50_mag"] is None:
        return ""
    error = "" if best["m50_err_mag"] is None else f" ± {best['m50_err_mag']:.2f}"
    return f"; half are found at magnitude {best['m50_mag']:.2f}{error}"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
