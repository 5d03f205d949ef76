"""What headers do not say of frames: cells of a table, knobs, the type by the name; and what is missing still."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from astropy.io.fits import Header

from lostlight.core.params.calibrate import CalibrateParams, CameraParams
from lostlight.science.calibrate.dialects import TYPE_KEYS
from lostlight.science.calibrate.frame import FIELDS, Frame
from lostlight.science.calibrate.names import kind_in_path, kind_of
from lostlight.science.calibrate.trouble import Warn, refuse, warn
from lostlight.vocab.calibration import KINDS

_KIND_OF_FIELD = {item.name: item.type for item in fields(Frame)}
_ESSENTIAL: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "camera_id": ("INSTRUME", KINDS),
    "exptime_s": ("EXPTIME", ("dark", "flat_dark", "flat", "light")),
    "ccd_temp_c": ("CCD-TEMP", ("dark", "light")),
    "egain_e_adu": ("EGAIN", KINDS),
    "rdnoise_e": ("RDNOISE", KINDS),
    "filter": ("FILTER", ("flat", "light")),
    "date_obs_utc": ("DATE-OBS", KINDS),
}
"""Fields that calibration needs, with the key that should hold them, and the kinds of frames that need them."""
_SECTIONS = {"BIASSEC": "biassec", "TRIMSEC": "trimsec"}
_POINTING = ("RA", "OBJCTRA", "OBJRA", "TELRA", "CRVAL1")
"""Keys that say where the telescope pointed."""
_NAMED = 3


def overridden(frame: Frame, cells: Mapping[str, str], camera: CameraParams) -> Frame:
    """Put what a table and the configuration say of a frame in place of what its header says.

    Raises
    ------
    LostlightError
        CAL109 for a column that is no field of a frame, or a cell that cannot be read; CAL102 for an unknown type.
    """
    known = {"egain_e_adu": camera.egain_e_adu, "rdnoise_e": camera.rdnoise_e, "saturate_adu": camera.saturate_adu}
    told: dict[str, Any] = {name: value for name, value in known.items() if value is not None}
    return replace(frame, **told, **{name: _cell(frame.path, name, text) for name, text in cells.items()})


def typed(
    read: Sequence[tuple[Frame, Header]], params: CalibrateParams
) -> tuple[list[tuple[Frame, Header]], list[Warn]]:
    """Guess the type of frames whose header does not say it, if that is asked for.

    Folder and name come first, then OBJECT (``bias``), then that a frame was exposed while the telescope pointed
    somewhere: a light.

    Returns
    -------
    read : list of (Frame, Header)
        In the order given; those that nothing tells the type of have none.
    warnings : list of Warn
        One for each guess.
    """
    if not params.infer_type:
        return list(read), []
    warnings, known = [], []
    for frame, header in read:
        guess, by = _guess(frame, header, params) if not frame.imagetyp else ("", "")
        if guess:
            said = f"{type_told(header)}: taken for a {guess.replace('_', ' ')} by its {by}"
            warnings.append(warn("CAL218", frame.path, said))
        known.append((replace(frame, imagetyp=guess or frame.imagetyp), header))
    return known, warnings


def _guess(frame: Frame, header: Header, params: CalibrateParams) -> tuple[str, str]:
    """Give the likely type of a frame and what tells it; empty where nothing does."""
    if kind := kind_in_path(f"{Path(params.frames).name}/{frame.path}"):
        return kind, "folder or name"
    if any(str(header.get(key, "")).strip() for key in TYPE_KEYS):
        return "", ""  # a word that nobody knows is no reason to guess
    if kind := kind_of(frame.object)[0]:
        return kind, "OBJECT"
    is_pointed = any(str(header.get(key, "")).strip() for key in _POINTING) or bool(frame.object)
    return ("light", "pointing and exposure") if is_pointed and frame.exptime_s > 0 else ("", "")


def type_told(header: Header) -> str:
    """Say what the header has about the type of the frame, for a message."""
    told = next((f"{key} = {header[key]!r}" for key in TYPE_KEYS if str(header.get(key, "")).strip()), "")
    return told or "IMAGETYP is missing"


def missing_keys(frames: Sequence[Frame]) -> list[Warn]:
    """Warn of each key that calibration needs and that some frames lack, once for all of them."""
    warnings = []
    for name, (key, kinds) in _ESSENTIAL.items():
        needing = [frame for frame in frames if frame.imagetyp in kinds and not (name == "filter" and frame.bayerpat)]
        lacking = [frame for frame in needing if (value := getattr(frame, name)) == "" or value != value]
        # no filter in any frame is a camera without filters
        if lacking and not (name == "filter" and len(lacking) == len(needing)):
            some = ", ".join(frame.frame_id for frame in lacking[:_NAMED]) + (", …" if len(lacking) > _NAMED else "")
            said = f"{key} is missing in {len(lacking)} of {len(needing)} frames that need it: {some}"
            warnings.append(warn("CAL218", key, said, len(lacking)))
    return warnings


def odd_sections(read: Sequence[tuple[Frame, Header]]) -> list[Warn]:
    """Warn of sections that are not sections of their frame, and so not used, once for all frames alike."""
    odd: dict[str, list[str]] = {}
    for frame, header in read:
        for key, name in _SECTIONS.items():
            if str(header.get(key, "")).strip() and not getattr(frame, name):
                said = f"{key} = {header[key]!r} is no section of {frame.naxis1} x {frame.naxis2} pixels"
                odd.setdefault(said, []).append(frame.path)
    return [
        warn(
            "CAL218", paths[0], said + (f", nor of {len(paths) - 1} more frames" if len(paths) > 1 else ""), len(paths)
        )
        for said, paths in odd.items()
    ]


def _cell(path: str, name: str, text: str) -> Any:
    if name not in FIELDS:
        near = get_close_matches(name, FIELDS, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"columns are path, {', '.join(FIELDS[2:])}"
        raise refuse("CAL109", f"the table of frames has a column {name!r}, which is nothing of a frame", hint)
    if name == "imagetyp":
        kind = kind_of(text)[0]
        if not kind:
            raise refuse("CAL102", f"{path}: imagetyp {text!r} in the table of frames", f"one of {', '.join(KINDS)}")
        return kind
    of = _KIND_OF_FIELD[name]
    try:
        value = of(text)
    except ValueError:
        value = math.nan
    if of is not str and not math.isfinite(value):
        raise refuse("CAL109", f"{path}: {name} is {text!r} in the table of frames, not a number", "correct the table")
    return value
