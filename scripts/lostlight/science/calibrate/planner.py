"""Finds the masters for darks, flats and lights; the policy is told in `lostlight.science.calibrate.plan`."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from lostlight.science.calibrate.distance import Candidate, is_of_another_camera, rank
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.groups import Group
from lostlight.science.calibrate.plan_model import Match, PlanSettings
from lostlight.science.calibrate.trouble import Warn, refuse, warn
from lostlight.vocab.calibration import MASTERS
from lostlight.vocab.plan import SYNTHETIC

SHOWN = 5
"""How many candidates are kept with each match."""

Pick = Callable[[str, str, Sequence[Candidate]], str]
"""Target, role and ranked candidates to the id of the master to take; empty for none."""


def nearest(_target: str, _role: str, ranked: Sequence[Candidate]) -> str:
    """Choose the first candidate that fits."""
    return fitting(ranked)


def fitting(ranked: Sequence[Candidate]) -> str:
    """Give the id of the first candidate that fits; empty where none does."""
    return next((candidate.id for candidate in ranked if not candidate.rejected), "")


class Planner:
    """Works through darks, flats and lights, in the order in which masters depend on each other."""

    def __init__(
        self,
        frames: Sequence[Frame],
        groups: Sequence[Group],
        settings: PlanSettings,
        library: Sequence[Group],
        pick: Pick,
    ) -> None:
        self.settings, self.pick, self.is_free = settings, pick, pick is nearest
        self.frames = {frame.frame_id: frame for frame in frames}
        self.lights = [group for group in groups if group.kind == "light"]
        self.made = {kind: [group for group in groups if group.kind == kind] for kind in MASTERS}
        self.library = {kind: [each for each in library if each.kind == kind] for kind in MASTERS}
        self.by_id = {group.id: group for group in (*groups, *library)}
        self.matches: list[Match] = []
        self.warnings: list[Warn] = []
        self.failures: list[tuple[Group, Frame, Match]] = []
        self.chosen: dict[tuple[str, str], str] = {}

    def match_all(self) -> None:
        """Work through all there is; raises what `lostlight.science.calibrate.plan.make_plan` says."""
        for kind, match in (("dark", self._dark), ("flat", self._flat)):
            for group in self.made[kind]:
                if not self.settings.is_too_small(group):
                    match(group)
        for group in self.lights:
            for frame_id in group.frames:
                self._light(group, self.frames[frame_id])
        self._refuse_failures()

    def _dark(self, group: Group) -> None:
        """A dark that is to be multiplied must lose its bias first."""
        wanted = self.settings.dark_mode != "matched" and "B" not in group.like.calstat
        if not wanted and self.is_free:
            return
        bias = self._seek(group.id, group.like, "bias")
        if wanted or bias.chosen:
            self._keep(bias)
        if wanted and not bias.chosen:
            text = f"{group.id}: dark.mode {self.settings.dark_mode} needs a bias, and none fits"
            raise refuse("CAL105", text + _nearest_told(bias), "take biases, or set calibrate.dark.mode: matched")

    def _flat(self, group: Group) -> None:
        if group.source == "supplied" or set(group.like.calstat) & {"B", "D"}:
            return
        wanted = self.settings.pedestal_from
        tried: list[Match] = []
        for role in _PEDESTALS:
            if wanted in ("auto", role) and not any(match.chosen for match in tried):
                tried.append(self._seek(group.id, group.like, role))
                self._keep(tried[-1])
        chosen = tried[-1]
        if chosen.role == "dark" and chosen.chosen and not self._holds_bias(chosen.chosen):
            self._keep(self._seek(group.id, group.like, "bias"))
        if chosen.chosen:
            self._told_of_fallback(group, tried[:-1])
        elif not self._has_overscan(group.like):
            said = f"{group.id}: no flat dark, no dark of its exposure and no bias fits"
            raise refuse("CAL107", said + "".join(_nearest_told(match) for match in tried))

    def _light(self, group: Group, light: Frame) -> None:
        stages, taken = self.settings.stages, {}
        for role in ("dark", "bias", "flat"):
            if role not in stages or (role == "bias" and self._holds_bias(taken.get("dark", ""))):
                continue
            match = self._seek(light.frame_id, light, role)
            taken[role] = match.chosen
            self._keep(match)
            self._refuse_twice(light, role, match)
            if not match.chosen:
                self._missing(group, light, match)
        is_asked = set(stages) & {"bias", "dark"} and not self.failures
        if taken.get("flat") and is_asked and not self._has_lost_pedestal(light, taken):
            said = f"{light.frame_id}: nothing takes its pedestal off before it is divided by {taken['flat']}"
            raise refuse("CAL107", said, "take biases or darks, or leave flat out of calibrate.light.order")

    def _seek(self, target: str, frame: Frame, role: str) -> Match:
        """Rank what there is for a role and pick; the library only where the frames make nothing that fits."""
        is_scaled = role == "dark" and self.settings.dark_mode != "matched" and frame.imagetyp == "light"
        rules = self.settings.rules
        ranked = rank(frame, self.made[role], role, rules, is_scaled=is_scaled, unfit=self._unfit)
        if not fitting(ranked) and self.settings.reuse != "off":
            kept = rank(frame, self.library[role], role, rules, is_scaled=is_scaled, unfit=self._unfit)
            if self.settings.reuse == "use":
                ranked = tuple(sorted((*kept, *ranked), key=lambda candidate: bool(candidate.rejected)))
            elif offered := fitting(kept):
                self.warnings.append(warn("CAL224", role, f"{offered} fits where the frames make no {role} that does"))
        chosen = self.pick(target, role, ranked)
        stands_in = role == "bias" and not self.made["bias"] and self.settings.has_synthetic_bias
        if stands_in and self.is_free and not chosen:
            chosen = SYNTHETIC
        if chosen in self.by_id and chosen not in {candidate.id for candidate in ranked[:SHOWN]}:
            forced = rank(frame, [self.by_id[chosen]], role, rules, is_scaled=is_scaled, unfit=self._unfit)
            return Match(target, role, chosen, ranked[:SHOWN] + forced)
        return Match(target, role, chosen, ranked[:SHOWN])

    def _unfit(self, group: Group) -> str:
        if self.settings.is_too_small(group):
            return f"made of one frame (calibrate.{group.kind}.min_frames: 1 allows it)"
        is_scaled = group.kind == "dark" and self.settings.dark_mode != "matched"
        if is_scaled and group.source == "library" and "B" not in group.like.calstat:
            return "holds its bias, so it cannot be scaled"
        return ""

    def _keep(self, match: Match) -> None:
        self.matches.append(match)
        self.chosen[match.frame, match.role] = match.chosen

    def _holds_bias(self, dark: str) -> bool:
        """A dark holds its bias unless it lost it here or before."""
        return bool(dark) and not self.chosen.get((dark, "bias")) and "B" not in self.by_id[dark].like.calstat

    def _has_overscan(self, frame: Frame) -> bool:
        is_done = frame.imagetyp != "light" or "overscan" in self.settings.stages
        return bool(frame.biassec) and is_done and frame.imagetyp in self.settings.overscan

    def _has_lost_pedestal(self, light: Frame, taken: Mapping[str, str]) -> bool:
        is_done = bool(set(light.calstat) & {"B", "D"}) or self._has_overscan(light)
        return is_done or bool(taken.get("bias")) or self._holds_bias(taken.get("dark", ""))

    def _refuse_twice(self, light: Frame, role: str, match: Match) -> None:
        done = {"bias": "B", "dark": "D", "flat": "F"}[role] in light.calstat
        if role == "dark" and "B" in light.calstat and self._holds_bias(match.chosen):
            done = True
        if match.chosen and "master" in light.tags.split():
            said = f"{light.frame_id} is a stack of lights already, and {match.chosen} is for single ones"
            raise refuse("CAL106", said, "give the lights that it was made of")
        if match.chosen and done:
            said = f"{light.frame_id}: {match.chosen} would do again what CALSTAT {light.calstat!r} says was done"
            raise refuse("CAL106", said)

    def _missing(self, group: Group, light: Frame, match: Match) -> None:
        there = [each for each in self.made[match.role] if not is_of_another_camera(light, each.like)]
        if match.role == "dark":
            there = [each for each in there if not self._serves_flats(each)]
        if there and self.is_free:
            self.failures.append((group, light, match))
        elif not there:
            whose = f" of camera {light.camera_id}" if self.made[match.role] and light.camera_id else ""
            said = f"there are no frames for it, and no light{whose} is corrected for its {match.role}"
            self.warnings.append(warn("CAL227", match.role, said))

    def _serves_flats(self, dark: Group) -> bool:
        """Darks of the exposure of flats are flat darks, whatever their header says."""
        flats = [flat.like for flat in self.made["flat"] if not self.settings.is_too_small(flat)]
        return any(not rank(flat, [dark], "flat_dark", self.settings.rules)[0].rejected for flat in flats)

    def _told_of_fallback(self, group: Group, passed: Sequence[Match]) -> None:
        usable = [each for each in self.made["flat_dark"] if not self.settings.is_too_small(each)]
        for match in passed:
            if match.role == "flat_dark" and usable and not fitting(match.candidates):
                said = f"no flat dark fits, so it takes the next best{_nearest_told(match)}"
                self.warnings.append(warn("CAL201", group.id, said))

    def _refuse_failures(self) -> None:
        """Say at once all that does not fit, a line for each kind of light and role."""
        if not self.failures:
            return
        lines: dict[tuple[str, str], str] = {}
        counts = Counter((group.id, match.role) for group, _, match in self.failures)
        for group, light, match in self.failures:
            many = counts[group.id, match.role]
            lights = f"{many} lights, such as {light.frame_id}" if many > 1 else light.frame_id
            said = f"no {match.role} fits {group.id} ({lights}){_nearest_told(match)}"
            lines.setdefault((group.id, match.role), said)
        hint = "take the missing frames, widen calibrate.match, or empty the cell in an edited plan"
        if offers := [told.said for told in self.warnings if told.code == "CAL224"]:
            hint += f"; with calibrate.reuse: use, {offers[0]}"
        if any(role == "dark" for _, role in lines) and self.made["bias"] and self.settings.dark_mode == "matched":
            hint += "; calibrate.dark.mode: scaled takes darks of another exposure"
        raise refuse(
            "CAL105", "\n  ".join(lines.values()), hint, n_lights=len({f.frame_id for _, f, _ in self.failures})
        )


_PEDESTALS = ("flat_dark", "dark", "bias")


def _nearest_told(match: Match, most: int = 3) -> str:
    told = "; ".join(f"{each.id}: {each.rejected}" for each in match.candidates[:most] if each.rejected)
    return f" (nearest {match.role}: {told})" if told else ""
