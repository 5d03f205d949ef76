"""From a folder or table to the frames of calibration: listed, checked, read in one vocabulary, each only once."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from astropy.io.fits import Header

from lostlight.core.errors import BadImage
from lostlight.core.params.calibrate import CalibrateParams
from lostlight.io import frame_files, frame_list
from lostlight.science.calibrate.dialects import normalise
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.trouble import Warn, refuse, warn
from lostlight.steps.calibrating import completing, unique

_NAMED = 5


@dataclass
class Ingested:
    """What was found: frames in the order of their paths, and what was left out, and why."""

    folder: Path
    frames: tuple[Frame, ...] = ()
    paths: dict[str, Path] = field(default_factory=dict)
    """file of each frame, by frame_id"""
    skipped: tuple[tuple[str, str, str], ...] = ()
    """path, code and reason of each file that was left out"""
    warnings: list[Warn] = field(default_factory=list)


def ingest(params: CalibrateParams) -> Ingested:
    """Find all frames and read what their headers say.

    Parameters
    ----------
    params : CalibrateParams
        `frames` says where; a table of frames and `camera` correct the headers; `infer_type` and `on_bad_frame` say
        what becomes of frames without a type and of damaged ones.

    Raises
    ------
    LostlightError
        CAL101 if there is no frame, CAL109 for a table that cannot be understood; where `on_bad_frame` is ``fail``
        also CAL111 for a damaged file and CAL102 for frames of unknown type.
    """
    listed = frame_list.listed(frame_list.resolve(params.frames))
    found = Ingested(listed.folder)
    read: list[tuple[Frame, Header]] = []
    for path, cells in listed.rows:
        try:
            read += _read(listed.folder, path, cells, params)
        except BadImage as error:
            if params.on_bad_frame == "fail":
                raise
            _leave_out(found, path, "CAL111", error.message.removeprefix("CAL111: "))
    read, guesses = completing.typed(read, params)
    kept, copies = unique.once(listed.folder, _known(found, read, params))
    for path, first in copies:
        _leave_out(found, path, "CAL223", f"the same file as {first}")
    if not kept:
        why = "; ".join(f"{path}: {reason}" for path, _, reason in found.skipped[:1])
        raise refuse("CAL101", f"none of the files of {listed.folder.name} can be used ({why})")
    found.frames = unique.named([frame for frame, _ in kept])
    found.paths = {frame.frame_id: listed.folder / frame.path for frame in found.frames}
    found.warnings += [*guesses, *completing.missing_keys(found.frames), *completing.odd_sections(kept)]
    return found


def _read(folder: Path, path: str, cells: Mapping[str, str], params: CalibrateParams) -> list[tuple[Frame, Header]]:
    """Read the frames of one file, as its header and then the table and the configuration say they are."""
    headers = frame_files.headers(folder / path)
    inside = Path(os.path.relpath(folder / path, folder)).as_posix()
    stem = re.sub(r"[^\w.+-]+", "_", frame_list.stem(Path(path).name))
    read = []
    for hdu, header in headers:
        frame_id = f"{stem}_hdu{hdu}" if len(headers) > 1 else stem
        frame = completing.overridden(normalise(header, frame_id, inside, hdu), cells, params.camera)
        if frame.hdu == hdu:  # a cell hdu picks one of several
            read.append((frame, header))
    if not read:
        raise frame_files.broken(f"{path} holds no frame in HDU {cells['hdu']}, as the table of frames has it")
    return read


def _known(found: Ingested, read: list[tuple[Frame, Header]], params: CalibrateParams) -> list[tuple[Frame, Header]]:
    """Keep frames whose type is known; of the others, none stays unmentioned."""
    said = [(frame.path, completing.type_told(header)) for frame, header in read if not frame.imagetyp]
    if said and params.on_bad_frame == "fail":
        some = "; ".join(f"{path}: {told}" for path, told in said[:_NAMED]) + ("; …" if len(said) > _NAMED else "")
        raise refuse("CAL102", f"{len(said)} of {len(read)} frames are of unknown type: {some}", n_frames=len(said))
    for path, told in said:
        _leave_out(found, path, "CAL102", f"unknown type of frame: {told}")
    return [(frame, header) for frame, header in read if frame.imagetyp]


def _leave_out(found: Ingested, path: str, code: str, reason: str) -> None:
    found.skipped += ((path, code, reason),)
    found.warnings.append(warn("CAL223", path, reason if code == "CAL223" else f"{code}: {reason}"))
