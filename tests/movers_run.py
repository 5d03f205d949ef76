"""Steps 13 and 14 run on small simulated fields, and what they say of them."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.table import Table

from lostlight import chain
from lostlight.core import config as configuration
from lostlight.core.manifest import Manifest
from lostlight.io import stack_store
from lostlight.sim.movers import Movers
from lostlight.vocab.steps import MOVERS

PLANT, RECOVER = MOVERS
SMALL = {"shape": (121, 150), "n_epochs": 6, "n_stars": 20, "nights": 1, "cadence_min": 60.0}
"""Six images of one night: few motions to try."""
CLEAN = {"n_stars": 0, "n_saturated": 0, "cosmics": 0.0, "hot_px": 0, "bodies": (), "slopes": 0.0}
"""Nothing but sky and noise."""


def small(seed: int = 3, **changes) -> Movers:
    """Make a small field."""
    return Movers(seed, **(SMALL | changes))


@dataclass
class Outcome:
    """What came of a run."""

    run: Path
    manifests: dict[str, Manifest] = field(default_factory=dict)

    def products(self, step: str = "") -> dict[str, bytes]:
        """Every product by name."""
        folders = [self.run / step / "products"] if step else [self.run / each / "products" for each in MOVERS]
        return {path.name: path.read_bytes() for folder in folders for path in sorted(folder.glob("*"))}

    def path(self, role: str, unit: str = "") -> Path:
        """Path of a product, the first of its role, or that of a unit."""
        return next(
            manifest.folder / record.outputs[role].path
            for manifest in self.manifests.values()
            for record in manifest.units
            if role in record.outputs and unit in ("", record.id)
        )

    def table(self, role: str, unit: str = "") -> Table:
        """Read a table."""
        return Table.read(self.path(role, unit))

    def metrics(self, unit: str) -> dict:
        """Give the metrics of a unit."""
        found = (each for manifest in self.manifests.values() for each in manifest.units if each.id == unit)
        return dict(next(found).metrics)

    @property
    def stack(self) -> stack_store.Stack:
        """The stack, open."""
        return stack_store.open_store(self.path("stack"))

    @property
    def report(self) -> dict:
        """What the search says of itself."""
        return json.loads(self.path("report").read_bytes())

    @property
    def reused(self) -> dict[str, bool]:
        """Whether each unit was there already."""
        paths = (self.run / step / "timings.json" for step in self.manifests)
        return {unit: entry["reused"] for path in paths for unit, entry in json.loads(path.read_bytes()).items()}


def make(images: Path | str, run: Path, steps=MOVERS, workers: int = 1, recover=None, **settings) -> Outcome:
    """Run steps as a user would; `settings` are those of step 13."""
    overlay = {"inject": {"images": str(images), **settings}, "recover": recover or {}}
    made = chain.walk(configuration.check(overlay), run, steps=steps, workers=workers)
    outcome = Outcome(run, {manifest.step: manifest for manifest in made})
    for manifest in outcome.manifests.values():
        for unit in manifest.units:
            assert not unit.failure, f"{unit.id}: {unit.failure.message} {unit.failure.traceback}"
    return outcome


def nearest(table: Table, x: float, y: float, vx: float, vy: float, days: float) -> Table.Row:
    """Give the candidate whose path is nearest to another, at both ends of the arc together."""
    dx, dy = table["x_px"] - x, table["y_px"] - y
    ex, ey = dx + (table["vx_px_day"] - vx) * days, dy + (table["vy_px_day"] - vy) * days
    return table[int(np.argmin(np.hypot(dx, dy) + np.hypot(ex, ey)))]
