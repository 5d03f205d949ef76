"""The plan of calibration as a table: which frames make which master, and which masters each frame takes."""

from dataclasses import dataclass, field, fields

from lostlight.vocab.calibration import MASTERS

ROLES = ("bias", "dark", "flat", "flat_dark")
"""What a frame can take, in the order of the columns."""

SYNTHETIC = "synthetic"
"""Stands in column bias for a level without frames."""

MASTER = {kind: f"master_{kind}" for kind in MASTERS}
"""How the rows of masters are marked."""


@dataclass(frozen=True)
class PlanRow:
    """One master, one light, or one raw frame and the master that it goes into."""

    kind: str
    """master_bias, master_dark, master_flat_dark or master_flat; light; bias, dark, flat_dark or flat"""
    id: str
    """name of the master, or frame_id"""
    path: str = ""
    """file of a frame"""
    group: str = ""
    """master that a raw frame goes into; empty leaves the frame out"""
    bias: str = ""
    dark: str = ""
    flat: str = ""
    flat_dark: str = ""
    distance: float | None = None
    """largest distance of the masters it takes"""
    reason: str = ""
    line: int = field(default=0, compare=False)
    """line of the file that the row was read from"""


COLUMNS: tuple[str, ...] = tuple(name.name for name in fields(PlanRow) if name.name != "line")
"""Columns of the table."""
