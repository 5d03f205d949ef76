"""Step 14: the search for what moves in a stack, and how complete it is: which planted sources come back, and why."""

from collections.abc import Callable, Sequence

from lostlight.core.manifest import Manifest
from lostlight.core.params import RecoverParams
from lostlight.core.step import Outputs, Result, Unit, step
from lostlight.science.stack.card import card
from lostlight.steps.recovering.recovering import recover as recover_share
from lostlight.steps.recovering.result import overview, result
from lostlight.steps.recovering.searching import search
from lostlight.steps.recovering.units import NULL, OVERVIEW, RECOVER, RESULT, SEARCH, units

_KINDS: dict[str, Callable[[Unit, RecoverParams, Outputs], Result]] = {
    SEARCH: search,
    NULL: search,
    RECOVER: recover_share,
    RESULT: result,
    OVERVIEW: overview,
}
"""What is done for each kind of unit, in the order of the work."""


def plan(manifests: Sequence[Manifest], params: RecoverParams) -> list[Unit]:
    """Plan units that search bands of each stack, search them for what cannot be, and recover what was planted."""
    return units(manifests, params)


@step(
    "14_recover",
    after=("13_inject",),
    makes={
        "movers": "{unit}.movers.fits", "cutouts": "{unit}.cutouts.npz", "recovered": "{unit}.recovered.fits",
        "candidates": "{unit}.candidates.ecsv", "recoveries": "{unit}.recoveries.ecsv",
        "report": "{unit}.recovery.json", "page": "{unit}.html", "efficiency": "{unit}.eff",
        "fading": "{unit}.sorcha.ini",
        "planted": "{unit}.planted.parquet",
    },
    optional=(
        "movers", "cutouts", "recovered", "candidates", "recoveries", "report", "page", "efficiency", "fading",
        "planted",
    ),
    params=RecoverParams,
    version=1,
    cites=("whidden2019",),
    plan=plan,
)  # fmt: skip
def recover(unit: Unit, params: RecoverParams, out: Outputs) -> Result:
    """Do for one unit what its kind asks for."""
    if unit.lent.device == "gpu":
        card("gpu")  # that there is none is better said before the work than after half of it
    return _KINDS[str(unit.facts["kind"])](unit, params, out)
