"""What happened in a run, from its manifests alone: tiles, where each one stopped, failures, metrics."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lostlight.core.errors import Fact
from lostlight.core.manifest import Manifest, UnitRecord
from lostlight.report import calibration, mosaic, recovery
from lostlight.report.citations import is_used
from lostlight.vocab.steps import FRAMES, MOVERS, SURVEY

TILE_STEPS = SURVEY[1:9]
"""The steps that work tile by tile, in order."""


@dataclass(frozen=True)
class Trouble:
    """Units that failed alike: the type, one message, what to do, and how many of which."""

    step: str
    type: str
    message: str
    hint: str
    units: tuple[str, ...]
    is_twin: bool

    @property
    def n_units(self) -> str:
        """Say how many tiles, frames or other units failed."""
        noun = "frame" if self.step in FRAMES else "unit" if self.step in MOVERS else "tile"
        return f"{len(self.units):,} {noun}" + ("" if len(self.units) == 1 else "s")


@dataclass(frozen=True)
class Run:
    """The manifests of a run and of its planted twin, by step."""

    manifests: Mapping[str, Manifest]
    twin: Mapping[str, Manifest]

    @property
    def run_id(self) -> str:
        """Name of the run."""
        return next(iter(self.manifests.values())).run_id

    @cached_property
    def statuses(self) -> dict[str, dict[str, str]]:
        """Tile to step to ok, skipped or failed; a step the tile never came to is absent."""
        statuses: dict[str, dict[str, str]] = {}
        for step_id in TILE_STEPS:
            if step_id in self.manifests:
                for unit in self.manifests[step_id].units:
                    statuses.setdefault(unit.id, {})[step_id] = unit.status
        return dict(sorted(statuses.items()))

    def outcome(self, tile_id: str) -> str:
        """Give done, failed or skipped: what became of a tile."""
        statuses = self.statuses.get(tile_id, {})
        if "failed" in statuses.values():
            return "failed"
        return "done" if statuses.get(TILE_STEPS[-1]) == "ok" else "skipped"

    def units(self, step_id: str, status: str = "ok", twin: bool = False) -> Iterator[UnitRecord]:
        """Iterate over the units of a step in a given status, in order of their ids."""
        manifest = (self.twin if twin else self.manifests).get(step_id)
        if manifest:
            yield from sorted((unit for unit in manifest.units if unit.status == status), key=lambda unit: unit.id)

    def paths(self, step_id: str, role: str, twin: bool = False) -> dict[str, Path]:
        """Give tile to the product it has in a role of a step."""
        folder = self.folder(twin)
        found = ((unit.id, unit.outputs.get(role)) for unit in self.units(step_id, twin=twin))
        return {tile_id: folder / product.path for tile_id, product in found if product}

    def folder(self, twin: bool = False) -> Path:
        """Give the folder that the paths of the manifests are relative to."""
        manifests = self.twin if twin else self.manifests
        return next((manifest.folder for manifest in manifests.values()), Path())

    def metric(self, step_id: str, unit_id: str, name: str) -> Fact:
        """Give one metric of one unit; None if it was not measured."""
        return next((unit.metrics.get(name) for unit in self.units(step_id) if unit.id == unit_id), None)

    def metrics(self, step_id: str, name: str) -> dict[str, float]:
        """Give tile to the number it has under a name in the metrics of a step."""
        found = ((unit.id, unit.metrics.get(name)) for unit in self.units(step_id))
        return {tile_id: float(value) for tile_id, value in found if isinstance(value, int | float)}

    @cached_property
    def troubles(self) -> list[Trouble]:
        """Failures of the run and of its twin, grouped by step, type and remedy, the most frequent first."""
        groups: dict[tuple[bool, str, str, str], list[UnitRecord]] = {}
        for is_twin, manifests in ((False, self.manifests), (True, self.twin)):
            for step_id in sorted(manifests):
                for unit in manifests[step_id].units:
                    if unit.status == "failed" and unit.failure:
                        key = is_twin, step_id, unit.failure.type, _remedy(unit.failure.hint)
                        groups.setdefault(key, []).append(unit)
        troubles = [_trouble(key, sorted(units, key=lambda unit: unit.id)) for key, units in groups.items()]
        return sorted(troubles, key=lambda trouble: (-len(trouble.units), trouble.step, trouble.type))

    @cached_property
    def calibration(self) -> str:
        """Say in a sentence how own frames were calibrated; empty where there were none."""
        told = self.paths(FRAMES[0], "report").values()
        return next((calibration.sentence(json.loads(path.read_bytes())) for path in told), "")

    @cached_property
    def mosaic(self) -> str:
        """Say what mosaic was made of own frames, and of which not, for each filter; empty where there was none."""
        told = [json.loads(path.read_bytes()) for path in self.paths(FRAMES[1], "metrics").values()]
        return " ".join(filter(None, (say(metrics) for metrics in told for say in (mosaic.sentence, mosaic.left_out))))

    @cached_property
    def searches(self) -> dict[str, str]:
        """Stack to what was found to move in it and how complete the search is, in a few sentences."""
        told = self.paths(MOVERS[1], "report")
        return {stack: recovery.sentence(json.loads(path.read_bytes())) for stack, path in told.items()}

    @property
    def search_pages(self) -> list[Path]:
        """Give the page on all stacks, where there is one, else those on each."""
        pages = self.paths(MOVERS[1], "page")
        return [page for name, page in pages.items() if name not in self.searches] or list(pages.values())

    @property
    def warnings(self) -> Counter[tuple[str, str]]:
        """Count the warnings of tiles that worked, by step and words.

        Why a tile was skipped is told elsewhere; own frames and stacks have pages of their own.
        """
        return Counter(
            (step_id, warning)
            for step_id, manifest in self.manifests.items()
            for unit in manifest.units
            for warning in unit.warnings
            if unit.status == "ok" and step_id not in (*FRAMES, *MOVERS)
        )

    @property
    def software(self) -> dict[str, str]:
        """Versions of everything that had a part in the run."""
        return {name: version for m in self.manifests.values() for name, version in m.software.items()}

    @property
    def cites(self) -> list[str]:
        """Keys of what to cite because the run used it, without repetition, in order of the steps."""
        manifests = [manifest for _, manifest in sorted(self.manifests.items())]
        used = [key for m in manifests for key in m.cites if is_used(key, m)]
        return list(dict.fromkeys([*used, *(["astropy"] if "astropy" in self.software else [])]))


def _remedy(hint: str) -> str:
    """Leave out of a hint what differs from tile to tile: names of files, and numbers."""
    return re.sub(r"\S*[\d/_]\S*", "", hint)


def _trouble(key: tuple[bool, str, str, str], units: list[UnitRecord]) -> Trouble:
    is_twin, step_id, kind, _ = key
    first = units[0].failure
    return Trouble(step_id, kind, first.message, first.hint, tuple(unit.id for unit in units), is_twin)
