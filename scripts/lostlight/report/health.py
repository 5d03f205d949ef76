"""One cell per tile and step: which tiles are well, and where the others stopped."""

from collections import Counter
from dataclasses import dataclass

from lostlight.report.gather import TILE_STEPS, Run

MAX_CELLS = 120
"""Longer runs are shown in groups of tiles, so that the page does not grow with them."""

_WORST_FIRST = ("failed", "skipped", "absent", "ok")


@dataclass(frozen=True)
class Cell:
    """One tile, or a group of tiles, at one step: its worst status, and the words for who points at it."""

    status: str
    words: str


def strip(run: Run) -> dict[str, list[Cell]]:
    """Give step to cells, one for each tile in order of their ids, or one for each group of neighbours."""
    tiles = list(run.statuses)
    size = -(-len(tiles) // MAX_CELLS) or 1
    groups = [tiles[start : start + size] for start in range(0, len(tiles), size)]
    return {step_id: [_cell(run, step_id, group) for group in groups] for step_id in TILE_STEPS}


def _cell(run: Run, step_id: str, group: list[str]) -> Cell:
    statuses = [run.statuses[tile_id].get(step_id, "absent") for tile_id in group]
    worst = min(statuses, key=_WORST_FIRST.index)
    if len(group) == 1:
        return Cell(worst, f"{group[0]} · {step_id} · {worst}")
    counts = ", ".join(f"{count} {status}" for status, count in sorted(Counter(statuses).items()))
    return Cell(worst, f"{group[0]} to {group[-1]} · {step_id} · {counts}")
