"""Which frames are stacked together: lots that hold enough frames, and whole fields where that is possible."""

from collections.abc import Iterator, Mapping, Sequence
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
from lostlight.science.mosaic.footprint import Polygon, cells_inside

_CELLS = 512
"""Most cells along a side of the grid on which coverage is counted."""
_SAME_FIELD = 0.25
"""Frames whose middles are closer than this part of a frame's side point at one field."""


@dataclass(frozen=True)
class GroupFrame:
    """What decides on the lot of a frame.

    `outline` is in pixels of the canvas, as `Canvas.polygon` gives it; None where it is not known. `time` is anything
    that sorts: a Julian date or an ISO text.
    """

    id: str
    filter: str = ""
    exptime_s: float | None = None
    gain: float | None = None
    night: str = ""
    time: float | str | None = None
    outline: Polygon | None = None


@dataclass(frozen=True)
class LotRules:
    """How many frames a lot has, when it is closed early, and whether fields are kept apart."""

    min: int = 8
    target: int = 40
    coverage: float = 0.92
    by: Literal["auto", "pointing"] = "auto"


def plan_groups(
    frames: Sequence[GroupFrame],
    canvas_shape: tuple[int, int],
    rules: LotRules = LotRules(),
) -> dict[str, str]:
    """Put every frame into exactly one lot.

    Frames are sorted by filter, exposure, gain, night, time and id, whatever their order was. Those alike in the
    first four (and in the field they point at, if asked) are cut into ``round(n / target)`` runs of equal length, or
    one more or less. A lot that has `min` frames is closed early once it covers the fraction `coverage` of all that
    the frames of its filter cover; what would be left as a lot below `min` joins the one before.

    Parameters
    ----------
    frames : sequence of GroupFrame
    canvas_shape : tuple of int
        Rows and columns of the canvas.
    rules : LotRules

    Returns
    -------
    dict
        Name of the lot (``lot_001``, ...) of each frame by its id, in the order of the lots.

    Raises
    ------
    ConfigError
        If two frames have one id.
    """
    _check_ids(frames)
    fields = _fields(frames) if rules.by == "pointing" else dict.fromkeys((frame.id for frame in frames), 0)
    ordered = sorted(frames, key=lambda frame: (_key(frame), fields[frame.id], *_when(frame)))
    lots: list[list[GroupFrame]] = []
    for _, of_filter in groupby(ordered, key=lambda frame: frame.filter):
        mine = list(of_filter)
        covered = _Coverage(mine, canvas_shape)
        for _, alike in groupby(mine, key=lambda frame: (_key(frame), fields[frame.id])):
            lots += _cut(list(alike), covered, rules)
    width = max(3, len(str(len(lots))))
    return {frame.id: f"lot_{number:0{width}d}" for number, lot in enumerate(lots, 1) for frame in lot}


class _Coverage:
    """Which cells of a coarse grid each frame covers."""

    def __init__(self, frames: Sequence[GroupFrame], canvas_shape: tuple[int, int]) -> None:
        self._cell = max(1.0, max(canvas_shape) / _CELLS)
        self._shape = ceil(canvas_shape[0] / self._cell), ceil(canvas_shape[1] / self._cell)
        self._total = np.count_nonzero(np.logical_or.reduce([self.of(frame) for frame in frames]))

    def of(self, frame: GroupFrame) -> NDArray[np.bool_]:
        """Cells of one frame; none where its outline is not known."""
        if frame.outline is None:
            return np.zeros(self._shape, bool)
        return cells_inside(frame.outline, self._shape, self._cell)

    def fraction(self, cells: NDArray[np.bool_]) -> float:
        """Part of the cells that any frame covers."""
        return np.count_nonzero(cells) / self._total if self._total else 0.0


def _cut(frames: Sequence[GroupFrame], covered: _Coverage, rules: LotRules) -> Iterator[list[GroupFrame]]:
    """Cut frames that are alike into lots."""
    start = 0
    while start < len(frames):
        rest = frames[start:]
        size = _close(rest[: _size(len(rest), rules)], covered, rules)
        if len(rest) - size < rules.min:
            size = len(rest)
        yield list(rest[:size])
        start += size


def _size(n: int, rules: LotRules) -> int:
    """Length of the first of the equal runs that n frames are cut into."""
    runs = max(1, min(round(n / rules.target), n // rules.min))
    return ceil(n / runs)


def _close(lot: Sequence[GroupFrame], covered: _Coverage, rules: LotRules) -> int:
    """Number of frames after which a lot may be closed."""
    if any(frame.outline is None for frame in lot):
        return len(lot)
    cells = np.logical_or.reduce([covered.of(frame) for frame in lot[: rules.min]])
    for size in range(rules.min, len(lot)):
        if covered.fraction(cells) >= rules.coverage:
            return size
        cells |= covered.of(lot[size])
    return len(lot)


def _fields(frames: Sequence[GroupFrame]) -> dict[str, int]:
    """Number the fields that frames point at; those without outline are one of their own.

    Frames belong together if a chain of frames close to each other leads from one to the other, so that a field that
    drifts stays one.
    """
    placed = sorted((frame for frame in frames if frame.outline is not None), key=lambda frame: frame.id)
    fields = dict.fromkeys((frame.id for frame in frames), -1)
    if not placed:
        return fields
    middles = np.array([frame.outline.mean(axis=0) for frame in placed])
    near = _SAME_FIELD * np.sqrt(np.median([_area(frame.outline) for frame in placed]))
    pairs = KDTree(middles).query_pairs(near, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(placed), len(placed)))
    labels = connected_components(links, directed=False)[1]
    # from the bottom row of fields upwards, then to the right
    corners = np.array([middles[labels == label].mean(axis=0) for label in range(labels.max() + 1)])
    rank = np.argsort(np.lexsort((corners[:, 0], np.round(corners[:, 1] / (2 * near)))))
    return fields | {frame.id: int(rank[label]) for frame, label in zip(placed, labels, strict=True)}


def _area(polygon: Polygon) -> float:
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _key(frame: GroupFrame) -> tuple[object, ...]:
    return frame.filter, *_number(frame.exptime_s), *_number(frame.gain), frame.night


def _when(frame: GroupFrame) -> tuple[object, ...]:
    # text and numbers do not compare; what is not known comes last
    return (
        frame.time is None,
        isinstance(frame.time, str),
        frame.time if frame.time is not None else 0,
        frame.id,
    )


def _number(value: float | None) -> tuple[bool, float]:
    return value is None, value if value is not None else 0.0


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
