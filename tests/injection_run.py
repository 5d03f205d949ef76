"""Step 13 run on small folders of simulated images that tests spoil, and what it says of them."""

import json
from dataclasses import dataclass
from pathlib import Path

from astropy.table import Table

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.core.errors import LostlightError
from lostlight.core.manifest import Manifest, load
from lostlight.io import stack_store
from lostlight.sim.movers import Movers

INJECT = "13_inject"
SMALL = {"shape": (101, 127), "n_epochs": 5, "n_stars": 30, "n_galaxies": 0}
"""Five images of two nights."""


def take(folder: Path, seed: int = 4, **changes) -> Path:
    """Write images; gives their folder."""
    Movers(seed, **(SMALL | changes)).write(folder)
    (folder / "truth.ecsv").unlink(missing_ok=True)
    return folder


@dataclass
class Outcome:
    """What came of a run."""

    run: Path
    error: LostlightError | None = None
    manifest: Manifest | None = None

    @property
    def products(self) -> list[str]:
        """Names of all that lies where products do, hidden files too."""
        folder = self.run / INJECT / "products"
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())

    @property
    def warnings(self) -> list[str]:
        """All that units warn of."""
        return [said for unit in self.manifest.units for said in unit.warnings] if self.manifest else []

    @property
    def failures(self) -> dict[str, LostlightError]:
        """What failed, by unit."""
        return {unit.id: unit.failure for unit in self.manifest.units if unit.failure} if self.manifest else {}

    @property
    def said(self) -> str:
        """Everything that a user is told, in one text."""
        told = [f"{failure.type}: {failure.message} → {failure.hint}" for failure in self.failures.values()]
        return "\n".join([str(self.error or ""), *told, *self.warnings])

    def unit(self, name: str):
        """Give the record of a unit."""
        return next(unit for unit in self.manifest.units if unit.id == name)

    @property
    def truth(self) -> Table:
        """What was planted."""
        return Table.read(self.run / INJECT / "products" / "plan_field.truth.ecsv")

    @property
    def stack(self) -> stack_store.Stack:
        """The stack that was made."""
        return stack_store.open_store(self.run / INJECT / "products" / "stack_field.zarr.zip")


def make(images: Path | str, run: Path, **settings) -> Outcome:
    """Run step 13 as a user would; an error of this package ends it, anything else that is raised is a bug."""
    overlay = {"inject": {"images": str(images), "n": 0, **settings}}
    outcome = Outcome(run)
    try:
        list(chain.walk(configuration.check(overlay), run, steps=(INJECT,), workers=1))
    except LostlightError as error:
        outcome.error = error
    for name in ("manifest.failed.json", "manifest.json"):
        if (path := run / INJECT / name).is_file():
            outcome.manifest = load(path)
    for unit in outcome.manifest.units if outcome.manifest else ():
        assert not (unit.failure and unit.failure.traceback), unit.failure.traceback
    assert "a bug stopped" not in str(outcome.error), f"{outcome.error}"
    records = [json.loads(path.read_bytes()) for path in (run / INJECT / "units").glob("*.json")]
    whole = {Path(product["path"]).name for record in records for product in record["outputs"].values()}
    assert set(outcome.products) <= whole, f"half-written: {set(outcome.products) - whole}"
    return outcome
