"""The report of calibration: what the units say, put together, and its headline numbers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lostlight.core.calibration_report import KINDS, CalibrationReport
from lostlight.core.errors import Fact


def build(
    units: Iterable[Mapping[str, Any]],
    *,
    groups: Sequence[Mapping[str, Any]] = (),
    matches: Sequence[Mapping[str, Any]] = (),
    params: Mapping[str, Any],
    software: Mapping[str, str],
    outputs: Iterable[tuple[str, str]] = (),
    warnings: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Put the report together and check it against its schema.

    Parameters
    ----------
    units : iterable of mapping
        Content of every ``{unit}.json``, as `unit_record` made it, in any order.
    groups, matches : sequence of mapping
        The plan: see `lostlight.core.calibration_report.Group` and `Match`.
    params, software : mapping
        Settings as resolved, and versions.
    outputs : iterable of (str, str)
        Path relative to the run folder, and sha256.
    warnings : sequence of mapping
        Warnings of ingest and plan; those of the units are added.

    Returns
    -------
    dict
        Plain data for ``calibration_report.json``.
    """
    ordered = sorted(units, key=lambda unit: (KINDS.index(unit["kind"]), unit["id"]))
    heard = {tuple(warning.items()): warning for warning in (*warnings, *(w for u in ordered for w in u["warnings"]))}
    report = CalibrationReport(
        software=dict(sorted(software.items())),
        params=dict(params),
        groups=tuple(groups),
        matches=tuple(matches),
        masters=[unit for unit in ordered if unit["kind"] not in ("bpm", "light")],
        bad_pixels=[unit for unit in ordered if unit["kind"] == "bpm"],
        lights=[unit for unit in ordered if unit["kind"] == "light"],
        warnings=sorted(heard.values(), key=lambda warning: (warning["code"], warning["where"], warning["said"])),
        outputs=[{"path": path, "sha256": sha256} for path, sha256 in sorted(outputs)],
    )
    return report.dump()


def headline(report: Mapping[str, Any]) -> dict[str, Fact]:
    """Give the numbers that stand for a whole calibration, for a manifest and for the report of the survey."""
    lights, masters = report["lights"], report["masters"]
    bad = {name: sum(bpm["dq_counts"].get(name, 0) for bpm in report["bad_pixels"]) for name in ("HOT", "COLD")}
    return {
        "n_lights": len(lights),
        "n_masters": len(masters),
        "n_frames": sum(len(unit["inputs"]) for unit in masters) + len(lights),
        "n_hot": bad["HOT"],
        "n_cold": bad["COLD"],
        "n_warnings": len(report["warnings"]),
        "n_lights_without_flat": sum("flat" not in light["masters"] for light in lights),
    }


def sentence(report: Mapping[str, Any]) -> str:
    """Say in one sentence what was done."""
    numbers = headline(report)
    made = _list([*(_count(n, kind) for kind, n in _kinds(report).items()), *_kept(report)]) or "no masters"
    without = _missing(report)
    gap = f" {without}" if without else ""
    n = numbers["n_warnings"]
    heard = "Nothing odd was noticed." if n == 0 else f"{n} {'warning' if n == 1 else 'warnings'}."
    n_lights = numbers["n_lights"]
    word = "light was" if n_lights == 1 else "lights were"
    return f"{n_lights:,} {word} calibrated with {made}.{gap} {heard}"


def _kinds(report: Mapping[str, Any]) -> dict[str, int]:
    kinds = [unit["kind"] for unit in report["masters"]]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def _kept(report: Mapping[str, Any]) -> list[str]:
    """Count the masters that lights took and the run did not make."""
    used = {name for light in report["lights"] for role, name in light["masters"].items() if role != "bpm"}
    n = len(used - {unit["id"] for unit in report["masters"]})
    return [f"{n} {'master' if n == 1 else 'masters'} of the library"] if n else []


def _missing(report: Mapping[str, Any]) -> str:
    n = sum("flat" not in light["masters"] for light in report["lights"])
    if not n:
        return ""
    return "None of them was flat-fielded." if n == len(report["lights"]) else f"{n:,} of them had no flat."


def _count(n: int, kind: str) -> str:
    name = kind.replace("_", " ")
    return f"one master {name}" if n == 1 else f"{n} master {name}s".replace("biass", "biases")


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
