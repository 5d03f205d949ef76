"""The plan as a person edited it: every name is checked, and nothing is chosen against what it says."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from lostlight.core.errors import ConfigError
from lostlight.science.calibrate.distance import Candidate
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.groups import Group, is_master, known, trimmed_shape, typical
from lostlight.science.calibrate.plan import assemble, check_frames
from lostlight.science.calibrate.plan_model import Plan, PlanSettings
from lostlight.science.calibrate.shelf import PREFIX
from lostlight.science.calibrate.trouble import refuse
from lostlight.vocab.calibration import KINDS
from lostlight.vocab.plan import MASTER, ROLES, SYNTHETIC, PlanRow

_TAKES = {"dark": ("bias",), "flat": ("bias", "dark", "flat_dark"), "light": ("bias", "dark", "flat")}
"""What each kind of frame can take."""


def replan(
    frames: Sequence[Frame],
    rows: Sequence[PlanRow],
    settings: PlanSettings,
    library: Sequence[Group] = (),
    file: str = "plan.csv",
) -> Plan:
    """Make the plan that the rows say.

    A frame whose row is gone, or whose group is empty, is left out; an empty cell means none; the kind of a row
    overrules the header. Distance and reason are measured anew.

    Parameters
    ----------
    frames : sequence of Frame
        The frames there are.
    rows : sequence of PlanRow
        As read, each with its line.
    file : str
        Name of the file, for messages.

    Raises
    ------
    ConfigError
        Names file, line and value: an unknown name, a frame that is not there, a contradiction; with code CAL103 or
        CAL104 for frames that cannot be combined, CAL105 for what cannot be used, CAL106 for what is subtracted twice.
    """
    check_frames(frames)
    edit = _Edit(file, rows, library)
    kept = edit.kept(frames)
    groups = edit.groups(kept)
    edit.check_cells(kept, groups, settings)
    plan = assemble(kept, groups, settings, library, edit.pick, edit.left_out(frames))
    edit.check_once(plan, settings)
    return plan


class _Edit:
    """The rows of a file, by what they are."""

    def __init__(self, file: str, rows: Sequence[PlanRow], library: Sequence[Group]) -> None:
        self.file = file
        self.library = {group.id: group for group in library}
        self.masters = {row.id: row for row in rows if row.kind in MASTER.values()}
        self.named = {row.id: row for row in rows if row.kind in KINDS}
        self.frames = {row.id: row for row in self.named.values() if row.group}
        self.targets = {**self.masters, **{row.id: row for row in self.frames.values() if row.kind == "light"}}

    def pick(self, target: str, role: str, _ranked: Sequence[Candidate]) -> str:
        """Choose what the cell says."""
        return str(getattr(self.targets[target], role))

    def kept(self, frames: Sequence[Frame]) -> list[Frame]:
        """Give the frames that the rows name, of the kind they say."""
        there = {frame.frame_id: frame for frame in frames}
        for row in self.named.values():
            if row.id not in there:
                raise self._wrong(row, "id", row.id, "no such frame", there)
            if row.path and row.path != there[row.id].path:
                raise self._wrong(row, "path", row.path, f"frame {row.id} is {there[row.id].path}", ())
        return [replace(there[row.id], imagetyp=row.kind) for row in self.frames.values()]

    def left_out(self, frames: Iterable[Frame]) -> list[PlanRow]:
        """Give a row for each frame whose own is gone or names no group."""
        left = []
        for frame in frames:
            row = self.named.get(frame.frame_id)
            if row is None:
                left.append(PlanRow(frame.imagetyp, frame.frame_id, frame.path, reason=f"not in {self.file}"))
            elif not row.group:
                left.append(PlanRow(row.kind, row.id, frame.path, reason=row.reason))
        return left

    def groups(self, kept: Iterable[Frame]) -> tuple[Group, ...]:
        """Make the groups that the rows say, in the order of a plan."""
        members: dict[tuple[str, str], list[Frame]] = {}
        for frame in sorted(kept, key=lambda frame: frame.frame_id):
            row = self.frames[frame.frame_id]
            if row.kind != "light":
                self._check_group(row)
            members.setdefault((row.kind, row.group), []).append(frame)
        for row in self.masters.values():
            if row.id in self.library or any(group == row.id for _, group in members):
                continue
            if row.id.startswith(PREFIX):
                raise self._wrong(row, "id", row.id, "calibrate.library has no such master", self.library)
            raise self._wrong(row, "id", row.id, "no frame goes into it; remove the row too", ())
        ordered = sorted(members.items(), key=lambda item: (_ORDER.index(item[0][0]), item[0][1]))
        return tuple(self._group(kind, name, frames) for (kind, name), frames in ordered)

    def check_cells(self, kept: Iterable[Frame], groups: Sequence[Group], settings: PlanSettings) -> None:
        """Check that every master that is named is there and can be used."""
        likes = {**{frame.frame_id: frame for frame in kept}, **{group.id: group.like for group in groups}}
        stock = {**self.library, **{group.id: group for group in groups if group.kind != "light"}}
        for row in self.targets.values():
            for role in ROLES:
                if (value := getattr(row, role)) and row.id not in self.library:
                    self._check_cell(row, role, value, likes[row.id], stock, settings)

    def check_once(self, plan: Plan, settings: PlanSettings) -> None:
        """Refuse cells that the plan cannot follow: what a dark or another pedestal has taken off already."""
        followed = {(match.frame, match.role) for match in plan.matches if match.chosen}
        for row in self.targets.values():
            for role in ROLES:
                value = getattr(row, role)
                if not value or (row.id, role) in followed or row.id in self.library:
                    continue
                if row.kind == "light" and role not in settings.stages:
                    raise self._wrong(row, role, value, f"calibrate.light.order leaves {role} out", ())
                said = (
                    f"{self._where(row)}: {role} {value} would be subtracted twice, another master of {row.id} holds it"
                )
                raise refuse("CAL106", said, "empty one of the two cells", line=row.line)

    def _check_group(self, row: PlanRow) -> None:
        home = self.masters.get(row.group)
        wanted = MASTER[row.kind]
        if home is None:
            known_ids = [each.id for each in self.masters.values() if each.kind == wanted]
            raise self._wrong(row, "group", row.group, f"no row of kind {wanted} has this id", known_ids)
        if home.kind != wanted:
            raise self._wrong(row, "group", row.group, f"a {row.kind} cannot go into a {home.kind}", ())
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", home.id) is None:
            raise self._wrong(home, "id", home.id, "give it letters, digits and . _ + - alone", ())

    def _group(self, kind: str, name: str, frames: list[Frame]) -> Group:
        ids = tuple(frame.frame_id for frame in frames)
        supplied = [frame for frame in frames if is_master(frame)]
        if kind == "light":
            return Group(name, kind, ids, typical(frames))
        row = self.frames[ids[0]]
        if supplied and len(frames) > 1:
            odd = self.frames[supplied[0].frame_id]
            raise self._wrong(odd, "group", name, f"{odd.id} is a master already and cannot be combined", ())
        for frame in frames[1:]:
            self._check_alike(self.frames[frame.frame_id], frame, frames[0], f"{row.id} of {name}", "gain")
        return Group(name, kind, ids, typical(frames), "supplied" if supplied else "frames")

    def _check_cell(
        self, row: PlanRow, role: str, value: str, like: Frame, stock: Mapping[str, Group], settings: PlanSettings
    ) -> None:
        kind = next((kind for kind, name in MASTER.items() if name == row.kind), "light")
        if role not in _TAKES.get(kind, ()):
            raise self._wrong(row, role, value, f"a {row.kind} takes no {role}", ())
        if value == SYNTHETIC and role == "bias" and settings.has_synthetic_bias:
            return
        fitting = [group.id for group in stock.values() if group.kind == role]
        if value not in stock:
            raise self._wrong(row, role, value, f"no {role} master has this id", fitting)
        master = stock[value]
        if master.kind != role:
            raise self._wrong(row, role, value, f"it is a {MASTER[master.kind]}", fitting)
        if settings.is_too_small(master):
            hint = f"give it more, or set calibrate.{role}.min_frames: 1"
            raise refuse("CAL105", f"{self._where(row)}: {role} {value} is made of one frame", hint, line=row.line)
        self._check_alike(row, like, master.like, value, "" if role == "flat" else "gain")

    def _check_alike(self, row: PlanRow, frame: Frame, other: Frame, name: str, gain: str) -> None:
        """Refuse what cannot be combined by pixel, and what has another gain; a flat is a ratio and may have one."""
        ours, theirs = _form(frame), _form(other)
        if ours != theirs:
            raise refuse("CAL103", f"{self._where(row)}: {row.id} is {ours}, {name} is {theirs}", line=row.line)
        for key in ("gain_setting", "offset") if gain else ():
            first, second = getattr(frame, key), getattr(other, key)
            if known(first) and known(second) and first != second:
                word = key.removesuffix("_setting")
                said = f"{self._where(row)}: {row.id} has {word} {first:g}, {name} has {second:g}"
                raise refuse("CAL104", said, line=row.line)

    def _where(self, row: PlanRow) -> str:
        return f"{self.file}, line {row.line}"

    def _wrong(self, row: PlanRow, column: str, value: str, why: str, choices: Iterable[str]) -> ConfigError:
        near = difflib.get_close_matches(value, list(choices), n=1, cutoff=0.0)
        hint = f"did you mean {near[0]}?" if near else "correct the cell, or remove the row"
        return ConfigError(f"{self._where(row)}: {column} {value!r}: {why}", hint=hint, line=row.line)


_ORDER = ("bias", "dark", "flat_dark", "flat", "light")


def _form(frame: Frame) -> str:
    ny, nx = trimmed_shape(frame)
    return f"{nx}x{ny} binned {frame.xbin}x{frame.ybin}"
