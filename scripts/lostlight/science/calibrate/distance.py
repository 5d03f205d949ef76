"""How well a master fits a frame: what must be equal, and how far apart the rest is."""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.groups import (
    EXPOSURE,
    EXPOSURE_S,
    ROTATOR_DEG,
    Group,
    exposures_agree,
    known,
    temperature,
    trimmed_shape,
)
from lostlight.science.calibrate.names import camera_name, filter_name

UNKNOWN = 1.0
"""Distance that one key costs which only one of the two says."""


@dataclass(frozen=True)
class MatchRules:
    """How near a master must be."""

    good: float = 3.0
    """distance up to which it fits well"""
    usable: float = 6.0
    """distance up to which it fits with a warning"""
    days: float = 180.0
    """days that count as one, for biases and darks"""
    flat_days: float = 7.0
    """days that count as one, for flats"""
    temp_tolerance_c: float = 2.0
    """largest difference of temperature of a matched dark"""
    exp_tolerance: float = EXPOSURE
    """largest relative difference of exposure of a matched dark"""
    doubling_c: float = 6.0
    """dark current doubles over this many degrees"""


@dataclass(frozen=True)
class Candidate:
    """A master that was considered: its distance, the terms of it, and in words why it does not fit, if so."""

    id: str
    distance: float
    terms: dict[str, float]
    rejected: str = ""

    @property
    def words(self) -> str:
        """The terms that count, largest first."""
        told = sorted(((value, name) for name, value in self.terms.items() if value >= 0.05), reverse=True)
        return ", ".join(f"{name} {value:.1f}" for value, name in told) or "exact"


def rank(
    frame: Frame,
    masters: Iterable[Group],
    role: str,
    rules: MatchRules,
    *,
    is_scaled: bool = False,
    unfit: Callable[[Group], str] = lambda _: "",
) -> tuple[Candidate, ...]:
    """Put masters in order of how well they fit a frame, those that do not fit last.

    Of equally near ones the newer comes first, then the one of more frames, then the less noisy one.

    Parameters
    ----------
    frame : Frame
        A light, or what the frames of a group have in common.
    masters : iterable of Group
        In any order: the result does not depend on it.
    role : str
        bias, dark, flat or flat_dark.
    is_scaled : bool
        The dark will be multiplied: other exposures and temperatures cost distance, but are allowed.
    unfit : callable
        Says in words why a master cannot be used at all; empty where it can.
    """
    judged = []
    for master in masters:
        reasons = [*filter(None, [unfit(master)]), *contradictions(frame, master.like, role)]
        candidate, n_reasons = judge(frame, master, role, rules, is_scaled=is_scaled, reasons=reasons)
        judged.append((n_reasons, round(candidate.distance, 6), _tie(master), candidate))
    return tuple(entry[-1] for entry in sorted(judged, key=lambda entry: entry[:-1]))


def judge(
    frame: Frame, master: Group, role: str, rules: MatchRules, *, is_scaled: bool, reasons: list[str]
) -> tuple[Candidate, int]:
    """Measure the distance of one master, and count the reasons against it.

    For a matched dark d^2 = (dT / 1 C)^2 + (ln(t_l / t_d) / ln 1.02)^2 + (days / tau)^2; for one that is scaled, a
    factor of two of the dark current counts one; for bias and flat only the days count. A key that only one of the
    two says counts `UNKNOWN`.
    """
    terms = {f"{name} unknown": UNKNOWN for name in one_sided(frame, master.like, role)}
    if role in ("dark", "flat_dark"):
        terms |= _dark_terms(frame, master.like, rules, is_scaled)
        reasons = [*reasons, *([] if is_scaled else _unmatched(frame, master.like, rules))]
    if (days := days_apart(frame, master.like, role)) is not None:
        terms["age"] = days / (rules.flat_days if role == "flat" else rules.days)
    distance = math.hypot(*terms.values())
    candidate = Candidate(master.id, distance, terms)
    if distance > rules.usable and not reasons:
        reasons = [f"distance {distance:.1f} is more than match.usable {rules.usable:g} ({candidate.words})"]
    return Candidate(master.id, distance, terms, "; ".join(reasons)), len(reasons)


def contradictions(frame: Frame, master: Frame, role: str) -> list[str]:
    """Say in words which of the keys that must be equal are not."""
    said = [*_shapes(frame, master), *_camera(frame, master)]
    for name in _equal_keys(role):
        ours, theirs = _KEYS[name](frame), _KEYS[name](master)
        if known(ours) and known(theirs) and ours != theirs:
            said.append(f"{name} {_text(theirs)} is not {_text(ours)}")
    if role == "flat":
        said += _filters(frame.filter, master.filter)
        turn = abs(frame.rotator_deg - master.rotator_deg) % 360
        if min(turn, 360 - turn) > ROTATOR_DEG:
            said.append(f"rotator at {master.rotator_deg:g} deg is not at {frame.rotator_deg:g}")
    return said


def one_sided(frame: Frame, master: Frame, role: str) -> list[str]:
    """Name the keys that only one of the two says."""
    keys = {name: (_KEYS[name](frame), _KEYS[name](master)) for name in _equal_keys(role) if name != "bit depth"}
    keys["camera"] = (frame.camera_id, master.camera_id)
    if role in ("dark", "flat_dark"):
        keys["temperature"] = (temperature(frame), temperature(master))
    if role == "flat":
        keys["rotator"] = (frame.rotator_deg, master.rotator_deg)
    return [name for name, (ours, theirs) in keys.items() if known(ours) != known(theirs)]


def levenshtein(first: str, second: str) -> int:
    """Count the letters to insert, delete or exchange that make one word of another (Levenshtein 1966)."""
    row = list(range(len(second) + 1))
    for i, a in enumerate(first, start=1):
        row, before = [i], row
        for j, b in enumerate(second, start=1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b)))
    return row[-1]


def days_apart(frame: Frame, master: Frame, role: str) -> float | None:
    """Count the days between a frame and a master; nights for flats, as dusk and dawn serve the same night."""
    dates = [_date(each.session) if role == "flat" else None for each in (frame, master)]
    if None in dates:
        dates = [_date(each.date_obs_utc) or _date(each.session) for each in (frame, master)]
    first, second = dates
    return None if first is None or second is None else abs((first - second).total_seconds()) / 86400


def _shapes(frame: Frame, master: Frame) -> list[str]:
    """Compare without overscan: a master that another program made has lost it."""
    (ny, nx), (their_ny, their_nx) = trimmed_shape(frame), trimmed_shape(master)
    return [] if (ny, nx) == (their_ny, their_nx) else [f"{their_nx}x{their_ny} pixels are not {nx}x{ny}"]


def is_of_another_camera(frame: Frame, master: Frame) -> bool:
    """Tell whether a master was made with another camera, and its name is not just spelt otherwise."""
    return bool(_camera(frame, master)) and not _is_misspelt(frame, master)


def _camera(frame: Frame, master: Frame) -> list[str]:
    ours, theirs = camera_name(frame.camera_id), camera_name(master.camera_id)
    if not (ours and theirs) or ours == theirs:
        return []
    near = " (the same, misspelt?)" if _is_misspelt(frame, master) else ""
    return [f"camera {master.camera_id!r} is not {frame.camera_id!r}{near}"]


def _is_misspelt(frame: Frame, master: Frame) -> bool:
    # the chips of a mosaic differ by a letter, and are not misspelt
    is_chip = "/" in frame.camera_id
    return not is_chip and levenshtein(camera_name(frame.camera_id), camera_name(master.camera_id)) <= 2


def _filters(ours: str, theirs: str) -> list[str]:
    if filter_name(ours) == filter_name(theirs):
        return []
    if not (ours and theirs):
        return [f"filter {ours or theirs} is said by the {'frame' if ours else 'master'} alone"]
    return [f"filter {theirs} is not {ours}"]


def _dark_terms(frame: Frame, master: Frame, rules: MatchRules, is_scaled: bool) -> dict[str, float]:
    terms = {}
    warmer = abs(temperature(frame) - temperature(master))
    if known(warmer):
        terms["temperature"] = warmer / (rules.doubling_c if is_scaled else 1.0)
    if known(frame.exptime_s) and known(master.exptime_s):
        ratio = abs(math.log(max(frame.exptime_s, 1e-3) / max(master.exptime_s, 1e-3)))
        near = abs(frame.exptime_s - master.exptime_s) / EXPOSURE_S
        terms["exposure"] = ratio / math.log(2) if is_scaled else min(ratio / math.log(1 + EXPOSURE), near)
    return terms


def _unmatched(frame: Frame, master: Frame, rules: MatchRules) -> list[str]:
    said = []
    if not (known(frame.exptime_s) and known(master.exptime_s)):
        said.append("exposure unknown" + (" of the frame" if known(master.exptime_s) else ""))
    elif not exposures_agree(frame.exptime_s, master.exptime_s, rules.exp_tolerance):
        said.append(f"exposure {master.exptime_s:g} s is not {frame.exptime_s:g} s")
    warmer = temperature(master) - temperature(frame)
    if abs(warmer) > rules.temp_tolerance_c + 1e-9:
        side = "warmer" if warmer > 0 else "colder"
        said.append(f"{abs(warmer):.1f} C {side}, dark.temp_tolerance_c is {rules.temp_tolerance_c:g}")
    return said


def _tie(master: Group) -> tuple[float, int, float, str]:
    date = _date(master.like.date_obs_utc) or _date(master.like.session)
    noise = master.noise if known(master.noise) else math.inf
    return -(date.timestamp() if date else 0.0), -master.n_frames, noise, master.id


def _date(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(f"{text[:19]}+00:00" if "T" in text else f"{text}T00:00:00+00:00")
    except ValueError:
        return None


def _depth(frame: Frame) -> float:
    """Bits of the converter as far as the file tells: 32 bits and floats hold anything."""
    return frame.bitpix if frame.bitpix in (8, 16) and "master" not in frame.tags.split() else math.nan


def _equal_keys(role: str) -> tuple[str, ...]:
    return (*_DETECTOR, "optics") if role == "flat" else _DETECTOR


def _text(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"


_KEYS: dict[str, Callable[[Frame], float | str]] = {
    "binning": lambda frame: f"{frame.xbin}x{frame.ybin}",
    "readout mode": lambda frame: frame.readmode.casefold(),
    "gain": lambda frame: frame.gain_setting,
    "offset": lambda frame: frame.offset,
    "bit depth": _depth,
    "colour pattern": lambda frame: frame.bayerpat,
    "optics": lambda frame: " ".join(re.findall(r"[a-z0-9]+", frame.optics_id.casefold())),
}
_DETECTOR = ("binning", "readout mode", "gain", "offset", "bit depth", "colour pattern")
