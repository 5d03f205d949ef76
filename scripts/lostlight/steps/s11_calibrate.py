"""Step 11: raw frames to masters, maps of bad pixels and clean lights, with their uncertainty and every decision."""

from collections.abc import Callable, Sequence

from lostlight.core.manifest import Manifest
from lostlight.core.params import CalibrateParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.steps.calibrating import page, room
from lostlight.steps.calibrating.bad_pixels import bad_pixels
from lostlight.steps.calibrating.bias import bias
from lostlight.steps.calibrating.dark import dark
from lostlight.steps.calibrating.flat import flat
from lostlight.steps.calibrating.law import law
from lostlight.steps.calibrating.leaving_out import without_bad_frames
from lostlight.steps.calibrating.light import light
from lostlight.steps.calibrating.rate import rate
from lostlight.steps.calibrating.supplied import supplied
from lostlight.steps.calibrating.units import PLAN, REPORT, units

_KINDS: dict[str, Callable[[Unit, CalibrateParams, Outputs], Result]] = {
    PLAN: page.plan,
    "bias": bias,
    "dark": dark,
    "flat_dark": dark,
    "rate": rate,
    "law": law,
    "flat": flat,
    "supplied": supplied,
    "bpm": bad_pixels,
    "light": light,
    REPORT: page.report,
}
"""What is done for each kind of unit, in the order of the work."""


def plan(_: Sequence[Manifest], params: CalibrateParams) -> list[Unit]:
    """Plan the plan itself, one unit for each master, map of bad pixels and light, and the report."""
    return units(params)


@step(
    "11_calibrate",
    makes={
        "plan": "{unit}.csv", "frames": "{unit}.frames.csv", "told": "{unit}.txt",
        "master": "{unit}.master.fits", "bpm": "{unit}.bpm.fits", "image": "{unit}.fits", "tiff": "{unit}.tif",
        "reduced": "{unit}.reduced.fits", "diagnostics": "{unit}.json",
        "preview": "{unit}.png", "rejected": "{unit}.rejected.png", "overlay": "{unit}.flat.png",
        "quality": "{unit}.dq.png", "before": "{unit}.before.png", "after": "{unit}.after.png",
        "report": "{unit}_report.json", "page": "{unit}.html",
    },
    optional=(
        "plan", "frames", "told", "master", "bpm", "image", "tiff", "reduced", "diagnostics", "preview", "rejected",
        "overlay", "quality", "before", "after", "report", "page",
    ),
    params=CalibrateParams,
    version=1,
    cites=("lacosmic",),
    plan=plan,
)  # fmt: skip
def calibrate(unit: Unit, params: CalibrateParams, out: Outputs) -> Result:
    """Do for one unit what its kind asks for."""
    room.check(unit, params, out)
    return without_bad_frames(_KINDS[str(unit.facts["kind"])], unit, params, out)
