"""Frames that belong together: one group for each master, and one for each kind of light."""

import math
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from lostlight.science.calibrate import sections
from lostlight.science.calibrate.frame import NAN, Frame
from lostlight.science.calibrate.names import filter_name

EXPOSURE_S = 0.1
"""Exposures this close count as equal, however short they are."""

EXPOSURE = 0.02
"""Relative difference up to which exposures count as equal."""

ROTATOR_DEG = 0.5
"""Angles of the rotator this close count as equal."""


@dataclass(frozen=True)
class Group:
    """Frames that are combined to one master, a master that is there already, or lights of a kind."""

    id: str
    kind: str
    frames: tuple[str, ...]
    """ids of the frames, in order; none for a master of the library"""
    like: Frame = field(compare=False, repr=False)
    """what the frames have in common: median exposure, mean temperature, the date in the middle"""
    source: str = "frames"
    """frames, supplied (a file that says it is a master) or library"""
    noise: float = field(default=NAN, compare=False)
    """noise of the master where it is known, adu"""

    @property
    def n_frames(self) -> int:
        """How many exposures the master is made of."""
        return len(self.frames) if self.source == "frames" else self.like.n_sub


def is_master(frame: Frame) -> bool:
    """Tell whether a file says that it is a master and no stack of lights: ingest marks it with the tag ``master``."""
    return frame.imagetyp != "light" and "master" in frame.tags.split()


def temperature(frame: Frame) -> float:
    """Give the temperature of the sensor, or the one it was set to where it was not measured; Celsius or NaN."""
    return frame.set_temp_c if math.isnan(frame.ccd_temp_c) else frame.ccd_temp_c


def trimmed_shape(frame: Frame) -> tuple[int, int]:
    """Give rows and columns of a frame without its overscan, (ny, nx)."""
    return sections.read(frame.trimsec).shape if frame.trimsec else frame.shape


def exposures_agree(first_s: float, second_s: float, tolerance: float = EXPOSURE) -> bool:
    """Tell whether two exposures count as equal: within `tolerance`, or a tenth of a second."""
    return abs(first_s - second_s) <= max(tolerance * max(first_s, second_s), EXPOSURE_S) * (1 + 1e-9)


def grouped(frames: Iterable[Frame], temp_bin_c: float = 1.0, exposure: float = EXPOSURE) -> tuple[Group, ...]:
    """Sort frames into groups, each frame into exactly one.

    A value that is not known groups with others that are not known. Exposures and temperatures have no fixed edges:
    the closest are joined as long as all of a group stay within the tolerance (complete linkage), so that a camera
    held at -10 C never falls into two bins. Lights are grouped by what they show, filter and exposure.

    Parameters
    ----------
    frames : iterable of Frame
        In any order: the result does not depend on it.
    temp_bin_c : float
        Darks within this of the middle of their group belong together, Celsius.
    exposure : float
        Relative difference up to which exposures count as equal.

    Returns
    -------
    tuple of Group
        In order of kind and id. Ids are safe as names of files, also where upper and lower case are the same.
    """
    ordered = sorted(frames, key=lambda frame: frame.frame_id)
    supplied = [[frame] for frame in ordered if is_master(frame)]
    raw = _partition([frame for frame in ordered if not is_master(frame)], lambda frame: _exact(frame))
    for split in (_by_exposure(exposure), _by_temperature(temp_bin_c), _by_rotator):
        raw = [part for members in raw for part in split(members)]
    return named([_unnamed(members, "frames") for members in raw] + [_unnamed(one, "supplied") for one in supplied])


def typical(members: Sequence[Frame]) -> Frame:
    """Describe frames by one: median exposure, mean temperature, the date in the middle, else what is known first."""
    middle = sorted(members, key=lambda frame: (frame.date_obs_utc, frame.frame_id))[len(members) // 2]
    return replace(
        middle,
        exptime_s=_of_known(median, [frame.exptime_s for frame in members]),
        ccd_temp_c=_of_known(fmean, [temperature(frame) for frame in members]),
        egain_e_adu=_of_known(lambda known: known[0], [frame.egain_e_adu for frame in members]),
        rdnoise_e=_of_known(lambda known: known[0], [frame.rdnoise_e for frame in members]),
        saturate_adu=_of_known(lambda known: known[0], [frame.saturate_adu for frame in members]),
    )


def named(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Name groups by what they are, and by whatever else tells them from others of their kind."""
    ordered = sorted(groups, key=lambda group: (group.kind, group.frames))
    differing = {
        kind: [key for key, text in _PARTS.items() if len({text(g.like) for g in ordered if g.kind == kind}) > 1]
        for kind in {group.kind for group in ordered}
    }
    taken: set[str] = set()
    result = []
    for group in ordered:
        keys = [*_TOLD[group.kind], *(key for key in differing[group.kind] if key in _TELLING[group.kind])]
        parts = [_PARTS[key](group.like) for key in dict.fromkeys(keys)]
        stem = "_".join([_prefix(group.kind), *(part for part in map(_safe, parts) if part)])
        result.append(replace(group, id=_free(stem, taken)))
    return tuple(sorted(result, key=lambda group: (_ORDER.index(group.kind), group.id)))


def known(value: float | str) -> bool:
    """Tell whether a header said a value."""
    return not math.isnan(value) if isinstance(value, float | int) else value != ""


def _exact(frame: Frame) -> Hashable:
    """Keys that must be the same, whatever the tolerance."""
    keys: list[float | str] = [
        frame.imagetyp, frame.camera_id.casefold(), frame.naxis1, frame.naxis2, frame.biassec, frame.trimsec,
        frame.bitpix, frame.bayerpat, frame.xbin, frame.ybin, frame.readmode, frame.gain_setting, frame.offset,
        frame.calstat,
    ]  # fmt: skip
    if frame.imagetyp == "flat":
        keys += [filter_name(frame.filter), frame.optics_id, frame.session]
    if frame.imagetyp == "light":
        keys += [filter_name(frame.filter), frame.optics_id, frame.object]
    return tuple(key if known(key) else None for key in keys)


def _partition(members: Iterable[Frame], key: Callable[[Frame], Hashable]) -> list[list[Frame]]:
    parts: dict[Hashable, list[Frame]] = {}
    for frame in members:
        parts.setdefault(key(frame), []).append(frame)
    return list(parts.values())


def _by_exposure(tolerance: float) -> Callable[[list[Frame]], list[list[Frame]]]:
    def distance(values: NDArray[np.float64]) -> NDArray[np.float64]:
        first, second = np.meshgrid(values, values)
        return np.abs(first - second) / np.maximum(tolerance * np.maximum(first, second), EXPOSURE_S)

    return lambda members: _split(members, ("dark", "flat_dark", "light"), lambda frame: frame.exptime_s, distance)


def _by_temperature(bin_c: float) -> Callable[[list[Frame]], list[list[Frame]]]:
    def distance(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.abs(values[:, None] - values) / (2 * bin_c)

    return lambda members: _split(members, ("dark", "flat_dark"), temperature, distance)


def _by_rotator(members: list[Frame]) -> list[list[Frame]]:
    def distance(values: NDArray[np.float64]) -> NDArray[np.float64]:
        turn = np.abs(values[:, None] - values) % 360
        return np.minimum(turn, 360 - turn) / (2 * ROTATOR_DEG)

    return _split(members, ("flat",), lambda frame: frame.rotator_deg, distance)


def _split(
    members: list[Frame],
    kinds: tuple[str, ...],
    value: Callable[[Frame], float],
    distance: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> list[list[Frame]]:
    """Split members of some kinds so that no two of a part are further apart than 1."""
    if members[0].imagetyp not in kinds:
        return [members]
    values = np.unique([value(frame) for frame in members])
    values = values[~np.isnan(values)]
    if values.size < 2:
        return _partition(members, lambda frame: known(value(frame)))
    apart = distance(values)[np.triu_indices(values.size, 1)]
    labels = fcluster(linkage(apart, "complete"), 1 + 1e-9, "distance")
    label = dict(zip(values.tolist(), labels.tolist(), strict=True))
    return _partition(members, lambda frame: label.get(value(frame), 0))


def _of_known(statistic: Callable[[list[float]], float], values: Iterable[float]) -> float:
    found = [value for value in values if not math.isnan(value)]
    return float(statistic(found)) if found else NAN


def _unnamed(members: list[Frame], source: str) -> Group:
    return Group("", members[0].imagetyp, tuple(frame.frame_id for frame in members), typical(members), source)


def _number(prefix: str, suffix: str, pick: Callable[[Frame], float]) -> Callable[[Frame], str]:
    def text(frame: Frame) -> str:
        value = pick(frame)
        return "" if math.isnan(value) else f"{prefix}{value:.5g}{suffix}"

    return text


_PARTS: dict[str, Callable[[Frame], str]] = {
    "object": lambda frame: frame.object,
    "filter": lambda frame: frame.filter,
    "exptime": _number("", "s", lambda frame: round(frame.exptime_s, 0 if frame.exptime_s >= 100 else 2)),
    "temperature": _number("", "C", lambda frame: round(temperature(frame), 0) + 0.0),
    "gain": _number("g", "", lambda frame: frame.gain_setting),
    "offset": _number("o", "", lambda frame: frame.offset),
    "session": lambda frame: frame.session,
    "camera": lambda frame: frame.camera_id,
    "shape": lambda frame: f"{frame.naxis1}x{frame.naxis2}",
    "binning": lambda frame: f"bin{frame.xbin}x{frame.ybin}",
    "readmode": lambda frame: frame.readmode,
    "optics": lambda frame: frame.optics_id,
    "rotator": _number("rot", "", lambda frame: frame.rotator_deg),
    "calstat": lambda frame: f"cal{frame.calstat}" if frame.calstat else "",
}
_TOLD = {
    "bias": ("gain", "offset"),
    "dark": ("exptime", "temperature", "gain"),
    "flat_dark": ("exptime", "temperature", "gain"),
    "flat": ("filter", "session"),
    "light": ("object", "filter", "exptime"),
}
_DETECTOR = ("gain", "offset", "camera", "shape", "binning", "readmode", "calstat")
_TELLING = {kind: (*_DETECTOR, *(("optics", "rotator") if kind in ("flat", "light") else ())) for kind in _TOLD}
_ORDER = ("bias", "dark", "flat_dark", "flat", "light")


def _prefix(kind: str) -> str:
    return kind if kind == "light" else f"master_{kind}"


def _safe(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", text.strip()).strip(".").rstrip("-")[:32]


def _free(stem: str, taken: set[str]) -> str:
    name, number = stem, 1
    while name.casefold() in taken:
        number += 1
        name = f"{stem}_{number}"
    taken.add(name.casefold())
    return name
