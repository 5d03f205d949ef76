"""What every unit of calibration leaves behind: its planes, its diagnostics, its pictures."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from astropy.io.fits import Header
from numpy.typing import NDArray

from lostlight import __version__
from lostlight.core import atomic
from lostlight.core.calibration_report import UnitRecord
from lostlight.core.errors import Fact
from lostlight.core.params.calibrate import OutputParams
from lostlight.core.step import Outputs, Result
from lostlight.io import planes as files
from lostlight.report import calibration_pictures
from lostlight.science.calibrate.cards import Cards
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.sections import shifted
from lostlight.science.calibrate.trouble import Warn

PICTURES = {
    "": "preview", "rejected": "rejected", "flat": "overlay", "dq": "quality", "before": "before", "after": "after",
}  # fmt: skip
"""Ending of a picture's name to the role of the product."""


def write_planes(
    out: Outputs, role: str, planes: Planes, header: Header, output: OutputParams, do_not_use: int | None = None
) -> None:
    """Write the planes of a product, and note its size."""
    wanted = {"do_not_use": do_not_use} if do_not_use is not None else {}
    files.write(out[role], planes, header, planes=output.planes, dtype=output.dtype, compress=output.compress, **wanted)
    out.sizes[role] = list(planes.data.shape)


def headed(header: Header, window: tuple[slice, slice], cards: Cards, history: Sequence[str], unit: str) -> Header:
    """Give the header of a product: that of the first raw frame, moved by the trim, with what was done to it."""
    whole = shifted(header, window[0].start, window[1].start)
    for name in ("SWCREATE", "NAXIS3", "CBLACK", "CWHITE"):
        whole.remove(name, ignore_missing=True, remove_all=True)
    for key, value in cards.items():
        whole[key] = value
    whole["CALVER"] = (f"lostlight {__version__}", "version of the software")
    whole["BUNIT"] = unit
    for line in history:
        whole.add_history(line)
    return whole


def conclude(
    out: Outputs,
    record: Mapping[str, Any],
    planes: Planes,
    warnings: Sequence[Warn],
    metrics: Mapping[str, Fact],
    before: NDArray[np.float32] | None = None,
) -> Result:
    """Write diagnostics and pictures, and say what came of the unit."""
    told = UnitRecord.model_validate(record).model_dump(mode="json")
    atomic.write_json(out["diagnostics"], told)
    drawn = calibration_pictures.draw(told, planes.data, planes.dq, planes.extra, before)
    for name, content in drawn.items():
        atomic.write_bytes(out[PICTURES[name.removeprefix(str(record["id"])).lstrip(".")]], content)
    return Result({**metrics, "n_warnings": len(warnings)}, warnings=[str(warning) for warning in warnings])
