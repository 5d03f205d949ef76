"""Which frames are stacked together: lots that hold enough frames, and whole fields where that is possible."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.footprint import Polygon, cells_inside, flattened

_CELLS = 256
"""Most cells along a side of the grid on which coverage is counted."""
_SAME_FIELD = 0.25
"""Frames whose middles are closer than this part of a frame's side point at one field."""


@dataclass(frozen=True)
class GroupFrame:
    """What decides on the lot of a frame.

    `outline` is on the sky, as `footprint.outline` gives it, and None where it is not known. `time` is anything that
    sorts: a Julian date or an ISO text.
    """

    id: str
    filter: str = ""
    exptime_s: float | None = None
    gain: float | None = None
    night: str = ""
    time: float | str | None = None
    outline: Polygon | None = None


@dataclass(frozen=True)
class GroupRules:
    """How many frames a lot has, when it is closed early, and whether fields are kept apart."""

    min: int = 8
    target: int = 40
    coverage: float = 0.92
    by: Literal["auto", "pointing"] = "auto"


def plan_groups(frames: Sequence[GroupFrame], rules: GroupRules = GroupRules()) -> dict[str, str]:
    """Put every frame into exactly one lot.

    Frames are sorted by filter, exposure, gain, night, time and id, whatever their order was. Those alike in the
    first four (and in the field they point at, if asked) are cut into ``round(n / target)`` runs of equal length, or
    one more or less. A lot that has `min` frames is closed early once it covers the fraction `coverage` of all that
    the frames of its filter cover; what would be left as a lot below `min` joins the one before.

    Parameters
    ----------
    frames : sequence of GroupFrame
    rules : GroupRules

    Returns
    -------
    dict
        Name of the lot (``L001``, ...) of each frame by its id, in the order of the lots.

    Raises
    ------
    ConfigError
        If two frames have one id.
    """
    _check_ids(frames)
    sky = _Sky(frames)
    fields = sky.fields() if rules.by == "pointing" else {}
    kinds = {frame.id: (*_kind(frame), fields.get(frame.id, -1)) for frame in frames}
    ordered = sorted(frames, key=lambda frame: (kinds[frame.id], *_when(frame)))
    lots: list[Sequence[str]] = []
    for _, of_filter in groupby(ordered, key=lambda frame: frame.filter):
        names = [frame.id for frame in of_filter]
        enough = rules.coverage * np.count_nonzero(sky.union(names))
        for _, alike in groupby(names, key=kinds.__getitem__):
            lots += _cut(list(alike), sky, enough, rules)
    width = max(3, len(str(len(lots))))
    return {name: f"L{number:0{width}d}" for number, lot in enumerate(lots, 1) for name in lot}


class _Sky:
    """The frames whose outlines are known, flat on a plane, and the cells of a coarse grid that each covers."""

    def __init__(self, frames: Sequence[GroupFrame]) -> None:
        placed = sorted((frame for frame in frames if frame.outline is not None), key=lambda frame: frame.id)
        flat = flattened([frame.outline for frame in placed])
        self.polygons = {frame.id: polygon for frame, polygon in zip(placed, flat, strict=True)}
        corners = np.concatenate(flat) if flat else np.zeros((1, 2))
        self._low, size = corners.min(axis=0), np.ptp(corners, axis=0)
        self._cell = max(float(size.max()) / _CELLS, np.finfo(float).tiny)
        self._shape = int(np.ceil(size[1] / self._cell)) or 1, int(np.ceil(size[0] / self._cell)) or 1

    def cells(self, name: str) -> NDArray[np.bool_]:
        """Cells whose middle a frame covers; none if its outline is not known."""
        if name not in self.polygons:
            return np.zeros(self._shape, bool)
        return cells_inside((self.polygons[name] - self._low) / self._cell, self._shape)

    def union(self, names: Iterable[str]) -> NDArray[np.bool_]:
        """Cells that any of these frames covers."""
        cells = np.zeros(self._shape, bool)
        for name in names:
            cells |= self.cells(name)
        return cells

    def fields(self) -> dict[str, int]:
        """Number the fields that the frames point at.

        Frames belong together if a chain of frames close to each other leads from one to the other, so that a field
        that drifts stays one.
        """
        if not self.polygons:
            return {}
        middles = np.array([polygon.mean(axis=0) for polygon in self.polygons.values()])
        near = _SAME_FIELD * np.sqrt(np.median([_area(polygon) for polygon in self.polygons.values()]))
        first, second = KDTree(middles).query_pairs(near, output_type="ndarray").T
        links = coo_array((np.ones(len(first)), (first, second)), shape=(len(middles), len(middles)))
        labels = connected_components(links, directed=False)[1]
        return dict(zip(self.polygons, labels.tolist(), strict=True))


def _cut(frames: Sequence[str], sky: _Sky, enough: float, rules: GroupRules) -> Iterator[Sequence[str]]:
    """Cut frames that are alike into lots; those that cover `enough` cells may be closed early."""
    while frames:
        runs = max(1, min(round(len(frames) / rules.target), len(frames) // rules.min))
        size = _close(frames[: ceil(len(frames) / runs)], sky, enough, rules)
        if len(frames) - size < rules.min:
            size = len(frames)
        yield frames[:size]
        frames = frames[size:]


def _close(lot: Sequence[str], sky: _Sky, enough: float, rules: GroupRules) -> int:
    """Number of frames after which a lot may be closed."""
    if any(name not in sky.polygons for name in lot):
        return len(lot)
    cells = sky.union(lot[: rules.min])
    for size in range(rules.min, len(lot)):
        if np.count_nonzero(cells) >= enough:
            return size
        cells |= sky.cells(lot[size])
    return len(lot)


def _area(polygon: Polygon) -> float:
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _kind(frame: GroupFrame) -> tuple[object, ...]:
    return frame.filter, *_number(frame.exptime_s), *_number(frame.gain), frame.night


def _when(frame: GroupFrame) -> tuple[object, ...]:
    # text and numbers do not compare; what is not known comes last
    return frame.time is None, isinstance(frame.time, str), 0 if frame.time is None else frame.time, frame.id


def _number(value: float | None) -> tuple[bool, float]:
    # not a number is not even equal to itself
    is_known = value is not None and value == value
    return not is_known, value if is_known else 0.0


def _check_ids(frames: Sequence[GroupFrame]) -> None:
    seen: set[str] = set()
    for frame in frames:
        if frame.id in seen:
            raise ConfigError(f"two frames have the id {frame.id}", hint="rename one of the files", frame=frame.id)
        seen.add(frame.id)


def check_lots(frames: Sequence[GroupFrame], lots: Mapping[str, str]) -> None:
    """Refuse lots of an edited plan that mix filters, whose frames cannot be one image.

    Raises
    ------
    ConfigError
        Naming the lot and a frame of each filter.
    """
    first: dict[str, GroupFrame] = {}
    for frame in frames:
        if not (lot := lots.get(frame.id, "")):
            continue
        other = first.setdefault(lot, frame)
        if other.filter != frame.filter:
            raise ConfigError(
                f"{lot} holds frames of two filters: {other.id} of {other.filter or 'none'} and "
                f"{frame.id} of {frame.filter or 'none'}",
                hint="put them into lots of their own",
                lot=lot,
            )
