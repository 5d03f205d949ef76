"""The plan of calibration as text, for a dry run."""

from collections.abc import Iterable, Sequence

from lostlight.science.calibrate.groups import Group
from lostlight.science.calibrate.plan_model import Plan
from lostlight.vocab.plan import ROLES, PlanRow


def table(plan: Plan) -> str:
    """Tell a plan in lines: the masters, the lights by what they take, why, and the warnings.

    Lights of a group that take the same masters share a line, however many there are.
    """
    masters = [group for group in plan.groups if group.kind != "light"]
    parts = [
        _lines(("master", "frames", "takes", "used by"), [_master(plan, group) for group in masters]),
        _lines(("lights", "frames", *ROLES[:3], "distance"), _lights(plan)),
        *_warned(plan),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _master(plan: Plan, group: Group) -> tuple[str, ...]:
    row = next(row for row in plan.rows if row.id == group.id and row.kind.startswith("master_"))
    frames = str(group.n_frames) if group.source == "frames" else group.source
    takes = " ".join(value for role in ROLES if (value := getattr(row, role)))
    users = sum(match.chosen == group.id for match in plan.matches)
    return group.id, frames, takes or "-", str(users) if users else "nobody"


def _lights(plan: Plan) -> list[tuple[str, ...]]:
    alike: dict[tuple[str, ...], list[PlanRow]] = {}
    for row in plan.rows:
        if row.kind == "light":
            alike.setdefault((row.group, *(getattr(row, role) or "-" for role in ROLES[:3])), []).append(row)
    told = []
    for (group, *chosen), rows in alike.items():
        distances = [row.distance for row in rows if row.distance is not None]
        spread = sorted({f"{value:.1f}" for value in (min(distances), max(distances))}) if distances else ["-"]
        told.append((group, str(len(rows)), *chosen, " to ".join(spread)))
    return told


def _warned(plan: Plan) -> list[str]:
    lines = [f"{warning}\n    -> {warning.hint}" for warning in plan.warnings]
    return ["\n".join(["warnings", *(f"  {line}" for line in lines)])] if lines else []


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Set rows in columns; nothing for no rows."""
    cells = [tuple(head), *(tuple(row) for row in rows)]
    if len(cells) == 1:
        return ""
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    return "\n".join("  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in cells)
