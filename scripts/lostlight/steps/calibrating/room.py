"""Is there room for a unit: what it holds in memory, and what it writes? Asked before anything is done."""

from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Outputs, Unit
from lostlight.io import room
from lostlight.science.calibrate.trouble import refuse
from lostlight.science.stack.combine import COPIES
from lostlight.steps.calibrating.given import raws
from lostlight.vocab.calibration import MASTERS

_PLANES = 12
"""Images of 4-byte pixels that a unit holds at a time: pixels, errors and marks of a frame and of its masters."""
_WRITTEN = 6
"""Such images that it writes, pictures and the unpacked copy of a frame included."""


def check(unit: Unit, params: CalibrateParams, out: Outputs) -> None:
    """Refuse work that there is no room for.

    Raises
    ------
    StorageError
        CAL113, with what is needed and what there is; nothing was written.
    """
    frames = [raw.frame for raw in raws(unit)]
    if not frames:
        return
    ny, nx = frames[0].shape
    image = 4 * ny * nx
    wide = 2 if params.output.dtype == "float64" else 1
    copies = len(frames) if getattr(getattr(params, frames[0].imagetyp), "export", False) else 0
    _refuse(unit, "disk", image * (_WRITTEN * wide + copies), room.free_disk_bytes(out["diagnostics"].parent))
    _refuse(unit, "memory", image * _PLANES, room.free_memory_bytes())
    if unit.facts["kind"] in MASTERS:
        row = 4 * nx * len(frames) * COPIES * unit.lent.threads
        _refuse(unit, "run.memory_mb for one row of all frames", row, round(unit.lent.memory_mb * 1e6))


def _refuse(unit: Unit, what: str, needed: int, free: int) -> None:
    if needed > free:
        needed_mb, free_mb = -(-needed // 1_000_000), free // 1_000_000
        said = f"{unit.id} needs {needed_mb} MB of {what}, and {free_mb} MB are free"
        hint = "set run.memory_mb higher" if what.startswith("run") else "free some, or give the run fewer workers"
        raise refuse("CAL113", said, hint, needed_mb=needed_mb, free_mb=free_mb)
