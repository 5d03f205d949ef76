"""DS9 region files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from lostlight.core import atomic

COLOURS = {"BRIGHT_STAR": "red", "HALO": "blue", "SPIKE": "yellow", "GHOST": "cyan", "TRAIL": "green"}

_HEAD = (
    "# Region file format: DS9 version 4.1\nglobal width=1 select=1 edit=1 move=1 delete=1 include=1 fixed=0\nimage\n"
)


class Outline(Protocol):
    """A disc (no width) or a bar on an image, in zero-based pixels, with the name of its mask bit."""

    bit: str
    x_px: float
    y_px: float
    length_px: float
    width_px: float
    angle_deg: float
    text: str


def write(path: Path, outlines: Iterable[Outline]) -> int:
    """Write outlines as DS9 circles and boxes in image coordinates, which count from one; gives their number."""
    lines = [_line(outline) for outline in outlines]
    atomic.write_text(path, _HEAD + "".join(f"{line}\n" for line in lines))
    return len(lines)


def _line(outline: Outline) -> str:
    x, y = outline.x_px + 1, outline.y_px + 1
    if outline.width_px:
        shape = f"box({x:.2f},{y:.2f},{outline.length_px:.2f},{outline.width_px:.2f},{outline.angle_deg:.3f})"
    else:
        shape = f"circle({x:.2f},{y:.2f},{outline.length_px / 2:.2f})"
    label = f" text={{{outline.text}}}" if outline.text else ""
    return f"{shape} # color={COLOURS.get(outline.bit, 'white')} tag={{{outline.bit}}}{label}"
