"""What a unit of the mosaic was given: frames, as the plan saw them, and what units before it found out."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io.fits import Header
from astropy.wcs import WCS

from lostlight.core.step import Unit
from lostlight.io import arrays
from lostlight.science.mosaic.canvas import Canvas
from lostlight.science.mosaic.frame.measure import Measured
from lostlight.science.mosaic.level.stats import Cells, FrameStats, Stars
from lostlight.science.mosaic.level.thinning import one_in
from lostlight.steps.mosaicking.frames import wcs_of

FRAME = "frame/"
"""How the roles of frames begin; the same role among the facts tells what is known of the frame."""
MEASURED, LEVELS, LOT = "measured/", "levels/", "lot/"
"""How the roles of what was measured on frames begin, of their levels, and of lots."""
IN_LOT = "in/"
"""How the facts begin that say which lot a frame goes into."""
OTHER = "other/"
"""How the facts begin that name the mosaics in other filters."""


def known(unit: Unit) -> dict[str, dict[str, Any]]:
    """What is known of the frames of a unit, by id."""
    told = ((role, str(fact)) for role, fact in sorted(unit.facts.items()) if role.startswith(FRAME))
    return {role.removeprefix(FRAME): json.loads(fact) for role, fact in told}


def given(unit: Unit, beginning: str) -> dict[str, Path]:
    """Inputs whose roles begin alike, by the rest of the role."""
    return {role.removeprefix(beginning): unit[role] for role in sorted(unit.inputs) if role.startswith(beginning)}


def missing(unit: Unit, beginning: str) -> dict[str, str]:
    """What was to be taken and is not there, with the reason."""
    told = ((role, str(fact)) for role, fact in sorted(unit.facts.items()) if role.startswith(beginning))
    return {role.removeprefix(beginning): _reason(fact) for role, fact in told}


def _reason(fact: str) -> str:
    """Leave out how the unit before ended, and keep why."""
    status, _, why = fact.partition(": ")
    return why or status


def photometry(unit: Unit) -> dict[str, Any]:
    """Read how the frames of a filter were levelled."""
    content: dict[str, Any] = json.loads(unit["photometry"].read_bytes())
    return content


@dataclass(frozen=True)
class Places:
    """Where everything lies: the canvas, and the frames on it."""

    content: Mapping[str, Any]

    @classmethod
    def of(cls, unit: Unit) -> "Places":
        """Read them."""
        return cls(json.loads(unit["canvas"].read_bytes()))

    @cached_property
    def canvas(self) -> Canvas:
        """The canvas."""
        return Canvas.of(Header.fromstring(self.content["canvas"], sep="\n"))

    @property
    def radius_px(self) -> float:
        """Radius of the apertures that the stars of all frames are measured in."""
        return float(self.content["radius_px"])

    def reason(self, name: str) -> str:
        """Why a frame has no place; empty where it has one."""
        return str(self.content["frames"][name]["reason"])

    def wcs(self, name: str, header: Header) -> WCS:
        """Give the mapping of a frame: that of its own header, or the one it was registered with."""
        text = self.content["frames"][name]["wcs"]
        found = WCS(Header.fromstring(text, sep="\n")) if text else wcs_of(header)
        assert found is not None  # a frame with a place has one
        return found


def write_measured(path: Path, measured: Measured, header: Header, shape: tuple[int, ...]) -> None:
    """Keep what was measured on a frame, its header, and its shape (C, ny, nx)."""
    others = {"header": np.array(header.tostring(sep="\n")), "shape": np.array(shape)}
    arrays.write(path, {**measured.arrays(), **others})


def read_measured(path: Path) -> tuple[Measured, Header, tuple[int, int]]:
    """Read what was measured on a frame, its header, and its rows and columns."""
    content = arrays.read(path)
    shape = content.pop("shape")
    header = Header.fromstring(str(content.pop("header")), sep="\n")
    return Measured.of(content), header, (int(shape[-2]), int(shape[-1]))


def write_stats(path: Path, stats: FrameStats) -> None:
    """Keep the levels of a frame."""
    content: dict[str, np.ndarray] = {}
    for name in FrameStats.__dataclass_fields__:
        value = getattr(stats, name)
        if isinstance(value, Stars | Cells):
            content |= {f"{name}.{key}": getattr(value, key) for key in type(value).__dataclass_fields__}
        else:
            content[name] = np.asarray(value)
    arrays.write(path, content)


def read_stats(path: Path) -> FrameStats:
    """Read the levels of a frame."""
    content = arrays.read(path)
    parts: dict[str, dict[str, np.ndarray]] = {"stars": {}, "sky": {}, "fine": {}}
    plain: dict[str, Any] = {}
    for name, value in content.items():
        part, dot, key = name.partition(".")
        if dot:
            parts[part][key] = value
        else:
            plain[name] = _plain(value)
    return FrameStats(stars=Stars(**parts["stars"]), sky=Cells(**parts["sky"]), fine=Cells(**parts["fine"]), **plain)


def read_thinned(paths: Iterable[Path]) -> list[FrameStats]:
    """Read the levels of all frames; of very many small cells only as many as levelling takes are kept."""
    paths = list(paths)
    total = sum(len(read_stats(path).fine.index) for path in paths)
    return [replace(stats, fine=one_in(stats.fine, total)) for stats in map(read_stats, paths)]


def _plain(value: np.ndarray) -> Any:
    return value.item() if value.ndim == 0 else value
