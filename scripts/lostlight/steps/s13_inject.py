"""Step 13: images of one field to a stack of them, with synthetic moving sources planted and the truth beside them."""

from collections.abc import Callable, Sequence

from lostlight.core.manifest import Manifest
from lostlight.core.params import InjectParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.steps.injecting.casing import cases
from lostlight.steps.injecting.measuring import measure
from lostlight.steps.injecting.planning import plan as lay_out
from lostlight.steps.injecting.rendering import render
from lostlight.steps.injecting.stacking import stack
from lostlight.steps.injecting.units import CASES, MEASURE, PLAN, RENDER, STACK, units

_KINDS: dict[str, Callable[[Unit, InjectParams, Outputs], Result]] = {
    MEASURE: measure,
    STACK: stack,
    PLAN: lay_out,
    RENDER: render,
    CASES: cases,
}
"""What is done for each kind of unit, in the order of the work."""


def plan(manifests: Sequence[Manifest], params: InjectParams) -> list[Unit]:
    """Plan units that measure each image, stack them, lay out the sources, render them in shares, and cut out cases."""
    return units(manifests, params)


@step(
    "13_inject",
    may_follow=("11_calibrate", "12_mosaic"),
    makes={
        "measured": "{unit}.npz", "stack": "{unit}.zarr.zip", "picture": "{unit}.png",
        "sources": "{unit}.sources.fits", "nodes": "{unit}.nodes.npz",
        "epochs": "{unit}.epochs.fits", "stamps": "{unit}.stamps.npz", "cases": "{unit}.cases.zarr.zip",
        "truth": "{unit}.truth.ecsv",
    },
    optional=("measured", "stack", "picture", "sources", "nodes", "epochs", "stamps", "cases", "truth"),
    params=InjectParams,
    version=1,
    cites=("bernstein2000",),
    plan=plan,
)  # fmt: skip
def inject(unit: Unit, params: InjectParams, out: Outputs) -> Result:
    """Do for one unit what its kind asks for."""
    return _KINDS[str(unit.facts["kind"])](unit, params, out)
