"""A mosaic in a few numbers and in a sentence, from its ``metrics.json``."""

from collections.abc import Mapping
from typing import Any

from lostlight.core.errors import Fact

_NAMED = 3
"""Frames that a sentence names."""


def headline(metrics: Mapping[str, Any]) -> dict[str, Fact]:
    """Give the numbers that stand for a mosaic, for a manifest and for the report of the survey."""
    left = residual(metrics)
    height, width = size(metrics)
    return {
        "n_frames": metrics["n_frames"],
        "n_used": metrics["n_used"],
        "n_lots": len(metrics["lots"]),
        "width_px": width,
        "height_px": height,
        "covered_px": metrics["canvas"]["covered_px"],
        "rejected_fraction": metrics["combine"]["rejected_fraction"],
        "overlap_residual_max_sigma": left["max"],
        "overlap_residual_rms_sigma": left["rms"],
        "n_components": metrics["components"],
        "n_warnings": len(metrics["warnings"]),
    }


def size(metrics: Mapping[str, Any]) -> tuple[int, int]:
    """Give rows and columns of the mosaic as it was written: those of the crop, or of the whole canvas."""
    crop = metrics["canvas"]["crop"]
    return tuple(crop[2:]) if crop else tuple(metrics["canvas"]["shape"])


def residual(metrics: Mapping[str, Any]) -> Mapping[str, float | None]:
    """Give the largest and the root mean square difference of the overlaps; None where nothing overlaps."""
    found = metrics["photometry"]
    return found["overlap_residual_sigma"] if found["n_pairs"] else {"max": None, "rms": None}


def sentence(metrics: Mapping[str, Any]) -> str:
    """Say in one sentence, or a few short ones, what was made of which frames and how well it agrees."""
    height, width = size(metrics)
    n_used, n_frames = metrics["n_used"], metrics["n_frames"]
    of_filter = f" in {metrics['filter']}" if metrics["filter"] else ""
    if not n_used:
        return f"{_none(n_frames)}{of_filter} could be used: there is no mosaic."
    all_used = n_used == n_frames
    many = _count(n_used, "frame") if all_used else f"{n_used:,} of {_count(n_frames, 'frame')}"
    makes = "makes" if n_used == 1 else "make"
    parts = [f"{many}{of_filter} {makes} a mosaic of {width:,} × {height:,} px{_grouped(metrics)}."]
    parts += _agreement(metrics)
    n = len(metrics["warnings"])
    heard = [f"{_count(n, 'warning')}."] if n else ["Nothing odd was noticed."] if all_used else []
    return " ".join([*parts, *heard])


def left_out(metrics: Mapping[str, Any]) -> str:
    """Say which frames have no part in the mosaic, and why; of many the first few."""
    gone = metrics["rejected"]
    if not gone:
        return ""
    named = "; ".join(f"{each['id']} ({each['reason'].replace('; ', ', ')})" for each in gone[:_NAMED])
    more = f"; and {_count(len(gone) - _NAMED, 'other')}" if len(gone) > _NAMED else ""
    return f"Left out: {named}{more}."


def _grouped(metrics: Mapping[str, Any]) -> str:
    noun = {"sds": "lot", "grid": "tile"}.get(metrics["mode"])
    return f" in {_count(len(metrics['lots']), noun)}" if noun and metrics["lots"] else ""


def _agreement(metrics: Mapping[str, Any]) -> list[str]:
    """Say how well the overlaps agree, and whether there are parts that nothing ties together."""
    worst, parts = residual(metrics)["max"], metrics["components"]
    said = [] if worst is None else [f"Overlaps agree to {worst:.2g} σ of a pixel."]
    return [*said, f"It falls into {parts} parts that share no pixel."] if parts > 1 else said


def _none(n_frames: int) -> str:
    return f"None of {n_frames:,} frames" if n_frames > 1 else "No frame"


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
