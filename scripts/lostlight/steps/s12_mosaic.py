"""Step 12: calibrated frames to one level, clean image, with its inverse variance, its coverage and every decision."""

from collections.abc import Callable, Sequence

from lostlight.core.manifest import Manifest
from lostlight.core.params import MosaicParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.science.stack.card import card
from lostlight.steps.mosaicking.levelling import levels
from lostlight.steps.mosaicking.lot import lot, lots
from lostlight.steps.mosaicking.measuring import measure
from lostlight.steps.mosaicking.photometry import photometry
from lostlight.steps.mosaicking.placing import canvas
from lostlight.steps.mosaicking.result import result
from lostlight.steps.mosaicking.solving import engines
from lostlight.steps.mosaicking.units import CANVAS, LOTS, MOSAIC, units

_KINDS: dict[str, Callable[[Unit, MosaicParams, Outputs], Result]] = {
    "measure": measure,
    CANVAS: canvas,
    LOTS: lots,
    "levels": levels,
    "photometry": photometry,
    "lot": lot,
    MOSAIC: result,
}
"""What is done for each kind of unit, in the order of the work."""


def plan(manifests: Sequence[Manifest], params: MosaicParams) -> list[Unit]:
    """Plan units that measure and level each frame, place all, combine lots of them, and make the mosaics."""
    return units(manifests, params)


@step(
    "12_mosaic",
    may_follow=("11_calibrate",),
    makes={
        "measured": "{unit}.npz", "canvas": "{unit}.json", "sources": "{unit}.sources.npz", "lots": "{unit}.csv",
        "levels": "{unit}.levels.npz",
        "photometry": "{unit}.photometry.json", "lot": "{unit}.lot.fits", "image": "{unit}.fits",
        "metrics": "{unit}.metrics.json", "preview": "{unit}.png", "jpg": "{unit}.jpg",
        "coverage": "{unit}.coverage.png", "weight": "{unit}.weight.png", "before": "{unit}.before.png",
        "after": "{unit}.after.png", "page": "{unit}.html",
    },
    optional=(
        "measured", "canvas", "sources", "lots", "levels", "photometry", "lot", "image", "metrics", "preview", "jpg",
        "coverage", "weight", "before", "after", "page",
    ),
    params=MosaicParams,
    version=1,
    plan=plan,
    engines=engines,
)  # fmt: skip
def mosaic(unit: Unit, params: MosaicParams, out: Outputs) -> Result:
    """Do for one unit what its kind asks for."""
    if unit.lent.device == "gpu":
        card("gpu")  # that there is none is better said before the work than after half of it
    return _KINDS[str(unit.facts["kind"])](unit, params, out)
