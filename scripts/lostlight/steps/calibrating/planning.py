"""From frames and configuration to the plan."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lostlight.core.params.calibrate import CalibrateParams
from lostlight.io import plan_file
from lostlight.io.library import Library
from lostlight.science.calibrate.distance import MatchRules
from lostlight.science.calibrate.frame import NAN, Frame
from lostlight.science.calibrate.groups import Group
from lostlight.science.calibrate.plan import make_plan
from lostlight.science.calibrate.plan_edit import replan
from lostlight.science.calibrate.plan_model import Plan, PlanSettings
from lostlight.science.calibrate.plan_text import table
from lostlight.science.calibrate.shelf import group_of
from lostlight.steps.calibrating.ingest import Ingested, ingest
from lostlight.vocab.calibration import KINDS, MASTERS


@dataclass(frozen=True)
class Planned:
    """Frames, the plan for them, and where the masters of the library lie."""

    found: Ingested
    plan: Plan
    stock: dict[str, Path]
    shelf: tuple[Group, ...] = ()
    """the masters of the library"""

    @cached_property
    def frames(self) -> dict[str, Frame]:
        """Frames by id."""
        return {frame.frame_id: frame for frame in self.found.frames}


def planned(params: CalibrateParams) -> Planned:
    """Read what the frames are and decide what becomes of them; raises the coded errors of ingest and plan."""
    found = ingest(params)
    shelf, stock = _library(params)
    settings = settings_of(params)
    if params.plan:
        path = Path(params.plan)
        plan = replan(found.frames, plan_file.read(path), settings, shelf, path.name)
    else:
        plan = make_plan(found.frames, settings, shelf)
    return Planned(found, plan, stock, tuple(shelf))


def told(done: Planned) -> str:
    """Give the plan as text, with what ingest has to say."""
    skipped = [f"  left out: {path}: {why}" for path, _, why in done.found.skipped]
    heard = [f"  {warning}\n    -> {warning.hint}" for warning in done.found.warnings]
    notes = ["frames", f"  {len(done.found.frames)} frames in {done.found.folder.name}", *skipped, *heard]
    return "\n".join([*notes, "", table(done.plan)])


def write(done: Planned, path: Path) -> None:
    """Write the plan as CSV."""
    plan_file.write(path, done.plan.rows)


def settings_of(params: CalibrateParams) -> PlanSettings:
    """Give what decides a plan, as plain values."""
    match, dark, synthetic = params.match, params.dark, params.bias.synthetic
    return PlanSettings(
        rules=MatchRules(
            match.good, match.usable, match.days, match.flat_days, dark.temp_tolerance_c, dark.exp_tolerance,
            dark.doubling_c,
        ),
        temp_bin_c=match.temp_bin_c,
        dark_mode=dark.mode,
        pedestal_from=params.flat.pedestal_from,
        stages=params.light.order,
        min_frames={kind: getattr(params, kind).min_frames for kind in MASTERS},
        overscan=frozenset(kind for kind in KINDS if getattr(params, kind).overscan != "off"),
        has_synthetic_bias=synthetic.constant_adu is not None or bool(synthetic.keyword),
        reuse=params.reuse,
    )  # fmt: skip


def _library(params: CalibrateParams) -> tuple[list[Group], dict[str, Path]]:
    """Give the masters of the library as groups, and where their files lie."""
    if not params.library or params.reuse == "off":
        return [], {}
    shelf = Library(Path(params.library))
    entries = shelf.entries()
    groups = [group_of(entry.id, entry.frame, float(entry.stats.get("noise") or NAN)) for entry in entries]
    return groups, {group.id: shelf.path(entry) for group, entry in zip(groups, entries, strict=True)}
