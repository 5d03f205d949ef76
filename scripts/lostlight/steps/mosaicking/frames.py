"""The frames of a mosaic: those of step 11, of a folder or of a table, each with what its header says."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from astropy.io.fits import Header
from astropy.wcs import WCS

from lostlight.core.errors import BadImage, ConfigError, NoWCS
from lostlight.core.manifest import Manifest, products
from lostlight.core.params import MosaicParams
from lostlight.io import mosaic_frames
from lostlight.science.calibrate.dialects import normalise
from lostlight.science.calibrate.frame import Frame
from lostlight.science.mosaic.footprint import outline
from lostlight.science.plate.wcs import sky_wcs

RAW = ("bias", "dark", "flat", "flat_dark")
"""Kinds of frames that no mosaic is made of."""


@dataclass(frozen=True)
class Own:
    """A frame: where it lies, what is known of it, or why it cannot be used."""

    id: str
    path: Path
    header: Header | None = None
    hdu: int = 0
    unusable: str = ""

    @cached_property
    def known(self) -> Frame:
        """What the header says, in one vocabulary."""
        return normalise(self.header or Header(), self.id, self.path.name, self.hdu)

    @property
    def n_channels(self) -> int:
        """Number of colours."""
        header = self.header or {}
        return int(header.get("NAXIS3", 1)) if header.get("NAXIS", 2) > 2 else 1

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.known.naxis2, self.known.naxis1

    @property
    def wcs(self) -> WCS | None:
        """The sky solution, where the header has a usable one."""
        return wcs_of(self.header) if self.header is not None else None

    def told(self) -> str:
        """What the units of the step are told of it, as one line."""
        known = self.known
        facts = {
            "file": self.path.name, "hdu": self.hdu, "filter": known.filter, "exptime_s": known.exptime_s,
            "gain": known.gain_setting, "night": known.session, "time": known.date_obs_utc,
            "saturate_adu": known.saturate_adu, "unusable": self.unusable,
        }  # fmt: skip
        return json.dumps({key: value for key, value in facts.items() if value == value}, sort_keys=True)


def wcs_of(header: Header) -> WCS | None:
    """Give the sky solution of a header, None where there is no usable one."""
    try:
        wcs = sky_wcs(header)
        outline(wcs, (header["NAXIS2"], header["NAXIS1"]))
    except NoWCS:
        return None
    return wcs


def are_raw(source: str) -> bool:
    """Tell whether frames must be calibrated first: there are biases, darks or flats, or colour-filter arrays.

    Raises
    ------
    ConfigError
        If there is nothing in the folder or table.
    """
    for name, path in mosaic_frames.listed(source):
        try:
            headers = mosaic_frames.headers(path)
        except BadImage:
            continue  # the step itself says what is wrong with it
        if any(_needs_calibration(Own(name, path, header, hdu)) for hdu, header in headers):
            return True
    return False


def _needs_calibration(own: Own) -> str:
    if own.known.imagetyp in RAW:
        return f"it is a {own.known.imagetyp}, not a light"
    if own.known.bayerpat and own.n_channels == 1:
        return f"its pixels are a colour-filter array ({own.known.bayerpat})"
    return ""


def listed(manifests: Sequence[Manifest], params: MosaicParams) -> list[Own]:
    """List the frames, in order of their ids.

    Raises
    ------
    ConfigError
        If there are none, if a file is given twice, or if some have colours and others have not.
    """
    found = mosaic_frames.listed(params.frames) if params.frames else _calibrated(manifests)
    if not found:
        hint = "name a folder of calibrated frames there, or raw ones in calibrate.frames"
        raise ConfigError("mosaic.frames is empty, and step 11 made no lights", hint=hint)
    if twice := mosaic_frames.duplicates([path for _, path in found]):
        names = "; ".join(" = ".join(path.name for path in some) for some in twice[:3])
        raise ConfigError(f"given more than once: {names}", hint="keep one file of each frame", n_frames=len(twice))
    frames = sorted((own for each in found for own in _read(*each, params)), key=lambda own: own.id)
    _refuse_mixed(frames)
    return frames


def _calibrated(manifests: Sequence[Manifest]) -> list[tuple[str, Path]]:
    return [(path.name.removesuffix(".fits"), path) for path in products(manifests, "image")]


def _read(name: str, path: Path, params: MosaicParams) -> list[Own]:
    try:
        headers = mosaic_frames.headers(path)
    except BadImage as error:
        if params.on_bad_frame == "fail":
            raise
        return [Own(name, path, unusable=error.message)]
    several = len(headers) > 1
    return [_checked(Own(f"{name}_hdu{hdu}" if several else name, path, header, hdu)) for hdu, header in headers]


def _checked(own: Own) -> Own:
    why = _needs_calibration(own)
    why += ": calibrate first (step 11)" if why else ""
    if own.n_channels not in (1, 3):
        why = f"it has {own.n_channels} planes, and not one or three"
    return replace(own, unusable=why)


def _refuse_mixed(frames: Sequence[Own]) -> None:
    usable = [own for own in frames if not own.unusable]
    if not usable:
        raise ConfigError(
            f"none of the {len(frames)} frames can be used; {frames[0].path.name}: {frames[0].unusable}",
            hint="give calibrated lights, or raw frames in calibrate.frames",
        )
    mono, colour = (
        [own.path.name for own in usable if (own.n_channels > 1) is is_colour] for is_colour in (False, True)
    )
    if mono and colour:
        few, what = (mono, "mono") if len(mono) < len(colour) else (colour, "colour")
        named = ", ".join(few[:5]) + (" …" if len(few) > 5 else "")
        raise ConfigError(
            f"frames with colours ({len(colour)}) and without ({len(mono)}); {what}: {named}",
            hint="make a mosaic of each kind",
            n_mono=len(mono),
            n_colour=len(colour),
        )
