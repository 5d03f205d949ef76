"""What should be known of a plan: masters that fit barely, few frames, keys that are missing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lostlight.science.calibrate.distance import MatchRules, days_apart
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.groups import Group, exposures_agree, known, temperature
from lostlight.science.calibrate.plan_model import Match
from lostlight.science.calibrate.trouble import Warn, warn
from lostlight.vocab.calibration import CODES
from lostlight.vocab.plan import PlanRow


@dataclass(frozen=True)
class Facts:
    """A plan as far as the warnings need it."""

    frames: Sequence[Frame]
    groups: Sequence[Group]
    matches: Sequence[Match]
    min_frames: Mapping[str, int]
    rules: MatchRules
    dark_mode: str


def collect(facts: Facts) -> tuple[Warn, ...]:
    """Collect the warnings of a plan, one for each cause and not one for each light."""
    return (*_of_matches(facts), *_few(facts), *_missing_keys(facts), *_resolution(facts))


def left_out(rows: Sequence[PlanRow]) -> tuple[Warn, ...]:
    """Tell of frames that take no part."""
    if not rows:
        return ()
    first = min(rows, key=lambda row: row.id)
    many = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return (warn("CAL223", "plan", f"{first.path}{many}: {first.reason or 'left out'}", len(rows)),)


def _of_matches(facts: Facts) -> Iterator[Warn]:
    """Say the worst of each pair of a master and a kind of light."""
    home = {frame_id: group for group in facts.groups for frame_id in group.frames}
    groups = {group.id: group for group in facts.groups}
    by_id = {frame.frame_id: frame for frame in facts.frames}
    worst: dict[tuple[str, str, str], Warn] = {}
    for match in facts.matches:
        master = groups.get(match.chosen)
        if master is None:
            continue
        target = by_id.get(match.frame) if match.frame in by_id else groups[match.frame].like
        where = home[match.frame].id if match.frame in home else match.frame
        for doubt in _doubts(facts, match, target, master):
            key = (where, match.chosen, doubt.code)
            if key not in worst or doubt.value > (worst[key].value or 0):
                said = f"{match.role} {match.chosen}: {doubt.said}"
                worst[key] = warn(doubt.code, where, said, round(doubt.value, 4), doubt.threshold)
    yield from worst.values()


class _Doubt(NamedTuple):
    code: str
    value: float
    threshold: float
    said: str


def _doubts(facts: Facts, match: Match, frame: Frame, master: Group) -> list[_Doubt]:
    """Compare with the thresholds of the codes; a sum of small differences is told by the largest of them."""
    like, found = master.like, []
    days = days_apart(frame, like, match.role)
    if days is not None and days > _threshold("CAL203"):
        found.append(_Doubt("CAL203", days, _threshold("CAL203"), f"{days:.0f} days apart"))
    if match.role == "flat_dark" or (match.role == "dark" and facts.dark_mode == "matched"):
        found += _unlike(frame, like)
    candidate = match.candidate
    if candidate is not None and candidate.distance > facts.rules.good:
        term = max(candidate.terms, key=lambda name: candidate.terms[name])
        code = {"temperature": "CAL202", "exposure": "CAL201", "age": "CAL203"}.get(term, "CAL218")
        said = f"fits barely: distance {candidate.distance:.1f} ({candidate.words})"
        if code not in {doubt.code for doubt in found}:
            found.append(_Doubt(code, candidate.distance, facts.rules.good, said))
    return found


def _unlike(frame: Frame, dark: Frame) -> Iterator[_Doubt]:
    warmer = abs(temperature(frame) - temperature(dark))
    if warmer > _threshold("CAL202") + 1e-9:
        yield _Doubt("CAL202", warmer, _threshold("CAL202"), f"{warmer:.1f} C apart")
    is_timed = known(frame.exptime_s) and known(dark.exptime_s)
    if is_timed and not exposures_agree(frame.exptime_s, dark.exptime_s, _threshold("CAL201")):
        ratio = abs(frame.exptime_s / dark.exptime_s - 1) if dark.exptime_s else 1.0
        yield _Doubt("CAL201", ratio, _threshold("CAL201"), f"{dark.exptime_s:g} s for {frame.exptime_s:g} s")


def _few(facts: Facts) -> Iterator[Warn]:
    for group in facts.groups:
        if group.kind != "light" and group.source == "frames" and group.n_frames < facts.min_frames[group.kind]:
            least = facts.min_frames[group.kind]
            said = f"{group.n_frames} frames, {least} are asked for"
            yield warn("CAL204", group.id, said, group.n_frames, least)


def _missing_keys(facts: Facts) -> Iterator[Warn]:
    """Tell of keys that some frames say and others do not, and of darks that nobody knows the temperature of."""
    for name, kinds, key in _ASKED:
        asked = [frame for frame in facts.frames if frame.imagetyp in kinds]
        silent = [frame for frame in asked if not known(key(frame))]
        must = name == "exposure" or (name == "temperature" and any(frame.imagetyp == "dark" for frame in asked))
        if silent and (must or len(silent) < len(asked)):
            kind_names = ", ".join(sorted({frame.imagetyp for frame in silent}))
            said = f"{len(silent)} of {len(asked)} frames do not say it ({kind_names}; {silent[0].path} first)"
            yield warn("CAL218", name, said, len(silent), 0)


def _resolution(facts: Facts) -> Iterator[Warn]:
    """Tell of masters at a binning that no light has."""
    lights = {(frame.xbin, frame.ybin) for frame in facts.frames if frame.imagetyp == "light"}
    for group in facts.groups:
        binning = (group.like.xbin, group.like.ybin)
        if lights and group.kind != "light" and binning not in lights:
            said = f"binned {binning[0]}x{binning[1]}, and no light is"
            yield warn("CAL219", group.id, said)


def _threshold(code: str) -> float:
    return CODES[code].threshold or 0.0


_EVERY = ("bias", "dark", "flat", "flat_dark", "light")
_TIMED = ("dark", "flat_dark", "light")
_ASKED: tuple[tuple[str, tuple[str, ...], Callable[[Frame], float | str]], ...] = (
    ("exposure", _TIMED, lambda frame: frame.exptime_s),
    ("temperature", _TIMED, temperature),
    ("gain", _EVERY, lambda frame: frame.gain_setting),
    ("offset", _EVERY, lambda frame: frame.offset),
    ("camera", _EVERY, lambda frame: frame.camera_id),
    ("filter", ("flat", "light"), lambda frame: frame.filter),
    ("date", _EVERY, lambda frame: frame.date_obs_utc),
)
