"""The plan of calibration: which frames make which master, and which masters each frame takes.

What an astronomer would do, in this order:

- A dark that is matched holds the bias, so a light takes dark or bias, never both. A dark whose bias was taken off
  (`dark.mode` scaled or rate, or CALSTAT says B) needs a bias for the light as well. Bias once and only once.
- A flat takes its pedestal from flat darks, else from darks of its exposure, else from biases, else from its overscan.
  With none of them it would invert the vignetting, so that is an error (CAL107); so is a light that is divided by a
  flat while nothing takes its own pedestal off.
- What is missing altogether is skipped for all lights, with a warning (CAL227): lights, flats and biases alone are a
  fair night's work. Darks that fit flats and no light count as flat darks. Masters of another camera are not there for
  a light: a folder may hold the nights of two.
- What is there but fits nowhere is an error (CAL105), which lists the nearest with the reasons: somebody took those
  frames for these lights, and a plan that quietly leaves them out is wrong.
- No master is made of one frame unless `min_frames` is 1: where a light needs it that is an error, else the frame is
  left out, with a warning (CAL223). A supplied master is used as it is.
- Masters of the library join only where the frames make none that fits, and only if told to; else they are told of.
- What CALSTAT says was done already is never done again (CAL106).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lostlight.science.calibrate import plan_warnings
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.groups import EXPOSURE, Group, grouped
from lostlight.science.calibrate.plan_model import Match, Plan, PlanSettings
from lostlight.science.calibrate.planner import Pick, Planner, nearest
from lostlight.science.calibrate.trouble import refuse
from lostlight.vocab.calibration import KINDS
from lostlight.vocab.plan import MASTER, ROLES, PlanRow


def make_plan(frames: Sequence[Frame], settings: PlanSettings, library: Sequence[Group] = ()) -> Plan:
    """Group the frames and find for each the masters that fit best.

    Parameters
    ----------
    frames : sequence of Frame
        In any order.
    settings : PlanSettings
        The knobs.
    library : sequence of Group
        Masters of earlier runs, with source ``library``.

    Raises
    ------
    LostlightError
        CAL101 without frames, CAL102 for a frame of unknown type, CAL105 where nothing fits, CAL106 for what was done
        already, CAL107 for a flat without pedestal.
    """
    check_frames(frames)
    groups = grouped(frames, settings.temp_bin_c, EXPOSURE)
    return assemble(frames, groups, settings, library, nearest)


def check_frames(frames: Sequence[Frame]) -> None:
    """Refuse a plan for nothing, and frames of unknown type."""
    if not frames:
        raise refuse("CAL101", "there are no frames to plan with")
    if unknown := [frame for frame in frames if frame.imagetyp not in KINDS]:
        raise refuse("CAL102", f"{unknown[0].path}: type {unknown[0].imagetyp!r} is none of {', '.join(KINDS)}")


def assemble(
    frames: Sequence[Frame],
    groups: Sequence[Group],
    settings: PlanSettings,
    library: Sequence[Group],
    pick: Pick,
    left_out: Sequence[PlanRow] = (),
) -> Plan:
    """Match all lights and groups by a way to pick, and put the plan together.

    `left_out` are rows of further frames, which take no part.
    """
    frames = sorted(frames, key=lambda frame: frame.frame_id)
    planner = Planner(frames, groups, settings, library, pick)
    planner.match_all()
    matches = tuple(planner.matches)
    single = _single(groups, settings)
    rows = (*left_out, *(_left(frame, single) for frame in frames if frame.frame_id in single))
    used = [group for group in library if any(match.chosen == group.id for match in matches)]
    every = (*(group for group in groups if not single.keys() & set(group.frames)), *used)
    kept = [frame for frame in frames if frame.frame_id not in single]
    facts = plan_warnings.Facts(kept, every, matches, settings.min_frames, settings.rules, settings.dark_mode)
    warnings = (*planner.warnings, *plan_warnings.collect(facts), *plan_warnings.left_out(rows))
    rows = (*_rows(kept, every, matches), *sorted(rows, key=lambda row: row.id))
    return Plan(every, rows, matches, tuple(dict.fromkeys(warnings)))


def _single(groups: Sequence[Group], settings: PlanSettings) -> dict[str, Group]:
    """Give frames that are alone in their group, by id: no master is made of them, so no light can have taken it."""
    alone = {group.frames[0]: group for group in groups if settings.is_too_small(group)}
    if alone and not any(group.kind == "light" for group in groups):
        group = next(iter(alone.values()))
        hint = f"take more, leave it out of the plan, or set calibrate.{group.kind}.min_frames: 1"
        raise refuse("CAL101", f"{group.id} would be made of one frame, {group.frames[0]}", hint)
    return alone


def _left(frame: Frame, single: Mapping[str, Group]) -> PlanRow:
    kind = frame.imagetyp
    reason = f"alone in {single[frame.frame_id].id}; calibrate.{kind}.min_frames: 1 allows it"
    return PlanRow(kind, frame.frame_id, frame.path, reason=reason)


def _rows(frames: Iterable[Frame], groups: Sequence[Group], matches: Sequence[Match]) -> tuple[PlanRow, ...]:
    """Masters first, then lights, then the raw frames of the masters."""
    by_id = {frame.frame_id: frame for frame in frames}
    taken: dict[str, list[Match]] = {}
    for match in matches:
        taken.setdefault(match.frame, []).append(match)
    masters = [group for group in groups if group.kind != "light"]
    rows = [_filled(PlanRow(MASTER[each.kind], each.id, reason=_made_of(each)), taken) for each in masters]
    for group in (each for each in groups if each.kind == "light"):
        rows += [
            _filled(PlanRow("light", frame_id, by_id[frame_id].path, group.id), taken) for frame_id in group.frames
        ]
    for group in masters:
        rows += [PlanRow(group.kind, frame_id, by_id[frame_id].path, group.id) for frame_id in group.frames]
    return tuple(rows)


def _made_of(group: Group) -> str:
    return {"frames": f"{group.n_frames} frames", "supplied": "used as it is", "library": "of the library"}[
        group.source
    ]


def _filled(row: PlanRow, taken: Mapping[str, Sequence[Match]]) -> PlanRow:
    """Write the choices of a frame into its row."""
    matches = sorted(taken.get(row.id, ()), key=lambda match: ROLES.index(match.role))
    chosen = [(match, match.candidate) for match in matches if match.candidate]
    told = [f"{match.role}: {candidate.rejected or candidate.words}" for match, candidate in chosen]
    distances = [round(candidate.distance, 3) for _, candidate in chosen]
    return replace(
        row,
        **{match.role: match.chosen for match in matches},
        distance=max(distances, default=None),
        reason="; ".join([row.reason] * bool(row.reason) + told),
    )
