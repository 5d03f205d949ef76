"""What a unit of calibration was given: its raw frames, as the plan saw them, and masters made before it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from astropy.io.fits import Header

from lostlight.core import atomic
from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Unit
from lostlight.io import fits, frame_files, planes
from lostlight.io.rows import RowReader
from lostlight.science.calibrate import synthetic
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.planes import Planes
from lostlight.vocab.plan import SYNTHETIC

RAW = "frame/"
"""How the roles of raw frames begin; the same role among the facts tells what is known of the frame."""

_STREAMED = (".fits", ".fit", ".fts")
_COUNTS = ("NUSED", "REJLOW", "REJHIGH")
_DEFAULTS = {field.name: field.default for field in fields(Frame)}


def told(frame: Frame) -> str:
    """Write what is known of a frame as one line, for the facts of a unit."""
    known = {name: value for name in _DEFAULTS if (value := getattr(frame, name)) != _DEFAULTS[name] and value == value}
    return json.dumps(known, sort_keys=True, ensure_ascii=False)


@dataclass(frozen=True)
class Raw:
    """One raw frame: what is known of it, and its file."""

    frame: Frame
    path: Path
    sha256: str = ""


def raws(unit: Unit) -> list[Raw]:
    """Give the raw frames of a unit, in order."""
    roles = sorted(role for role in unit.inputs if role.startswith(RAW))
    return [Raw(Frame(**json.loads(str(unit.facts[role]))), unit[role]) for role in roles]


@contextmanager
def reader(raw: list[Raw], scratch: Path) -> Iterator[RowReader]:
    """Open raw frames for reading by rows.

    What cannot be read in rows (compressed FITS, TIFF, files of cameras) is unpacked into the folder `scratch` first:
    memory does not grow with the number of frames.
    """
    with TemporaryDirectory(prefix="unpacked-", dir=scratch) as folder:
        paths, hdus = [], []
        for number, each in enumerate(raw):
            is_plain = each.path.name.lower().endswith(_STREAMED)
            paths.append(each.path if is_plain else _unpacked(each, Path(folder) / f"{number}.fits"))
            hdus.append(each.frame.hdu if is_plain else 0)
        with RowReader(paths, hdus) as opened:
            yield opened


def header(raw: Raw) -> Header:
    """Read the header of a raw frame."""
    return dict(frame_files.headers(raw.path))[raw.frame.hdu]


@dataclass(frozen=True)
class Master:
    """A master, with its header and its id, the sha256 of its file in the manifest."""

    name: str
    planes: Planes
    header: Header
    sha256: str


def master(unit: Unit, role: str) -> Master | None:
    """Read the master that a unit takes in a role; None where it takes none. Its planes are read-only."""
    return _master(unit[role], atomic.sha256_file(unit[role])) if role in unit else None


@lru_cache(maxsize=4)
def _master(path: Path, sha256: str) -> Master:
    """Keep the masters of the last light: the next one mostly takes the same."""
    stored, cards = planes.read(path, without=_COUNTS)
    for plane in (stored.data, stored.uncert, stored.dq, *stored.extra.values()):
        if plane is not None:
            plane.flags.writeable = False
    return Master(path.name.partition(".")[0], Planes(**vars(stored)), cards, sha256)


def bias_of(unit: Unit, raw: Raw, params: CalibrateParams, shape: tuple[int, int]) -> Master | None:
    """Read the bias that a unit takes, or make one of a level where the plan says so; None where it takes none."""
    if unit.facts.get("bias") != SYNTHETIC:
        return master(unit, "bias")
    own, cards = params.bias.synthetic, header(raw)
    level = synthetic.level(
        cards, constant_adu=own.constant_adu, keyword=own.keyword, factor=own.factor, where=raw.frame.frame_id
    )
    planes = Planes(np.full(shape, level, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.uint16))
    return Master(SYNTHETIC, planes, cards[:0], "")


def number(cards: Header, key: str) -> float:
    """Give a number of a header; NaN where it is not there."""
    value = cards.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan


def positive(cards: Header, key: str) -> float:
    """Give a number of a header that must be above zero to mean anything; NaN where it is not."""
    value = number(cards, key)
    return value if value > 0 else np.nan


def _unpacked(raw: Raw, path: Path) -> Path:
    data, _ = frame_files.read_frame(raw.path, raw.frame.hdu)
    fits.write_image(path, data)
    return path
