"""Which frames are stacked with which: decided from their headers, and told before anything is done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path

from astropy.io.fits import Header

from lostlight.core.errors import BadImage, ConfigError
from lostlight.core.params import MosaicParams
from lostlight.io import lots_file, mosaic_frames
from lostlight.science.calibrate.frame import Frame
from lostlight.science.mosaic.footprint import outline
from lostlight.science.mosaic.groups import GroupFrame, GroupRules, check_lots, plan_groups
from lostlight.steps.mosaicking.frames import Own, listed, wcs_of

_HEAD = ("lot", "filter", "exposure", "night", "frames", "from", "to")


@dataclass(frozen=True)
class Planned:
    """The frames to be joined, the lot of each in mode sds, and why other files are left out."""

    frames: Sequence[GroupFrame]
    lots: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


def planned(params: MosaicParams) -> Planned:
    """Read the headers of calibrated frames and decide what becomes of them; raises ConfigError as `listed` does."""
    found = listed((), params)
    usable = [grouped(own) for own in found if not own.unusable]
    left_out = {own.path.name: own.unusable for own in found if own.unusable}
    return Planned(usable, lots_of(usable, params), left_out)


def planned_raw(params: MosaicParams, lights: Iterable[Frame], paths: Mapping[str, Path]) -> Planned:
    """Decide what becomes of lights once they are calibrated; `paths` are those of the raw frames, by id."""
    frames = [_grouped(light, _header(paths[light.frame_id], light.hdu)) for light in lights]
    return Planned(frames, lots_of(frames, params))


def grouped(own: Own) -> GroupFrame:
    """Say what decides on the lot of a frame; where it lies is known only later, if it is to be registered."""
    return _grouped(own.known, own.header)


def lots_of(frames: Sequence[GroupFrame], params: MosaicParams) -> dict[str, str]:
    """Say which lot each frame goes into; empty for those that go into none, no entries but in mode sds."""
    if params.mode != "sds":
        return {}
    if not params.plan:
        return plan_groups(frames, GroupRules(**params.lots.model_dump()))
    path = Path(params.plan)
    if not path.is_file():
        raise ConfigError(f"mosaic.plan names {params.plan!r}, which does not exist", hint="correct the path")
    lots = lots_file.read(path, [frame.id for frame in frames])
    check_lots(frames, lots)
    return lots


def told(done: Planned, params: MosaicParams) -> str:
    """Give the plan as text: the lots, or what each mosaic is made of."""
    left_out = [f"  left out: {name}: {why}" for name, why in done.left_out.items()]
    alone = [frame.id for frame in done.frames if not done.lots.get(frame.id, "-")]
    left_out += [f"  left out: {name}: {params.plan} gives it no lot" for name in alone]
    used = [frame for frame in done.frames if frame.id not in alone]
    n_mosaics = len({frame.filter for frame in used})
    n_lots = len(set(done.lots.values()) - {""})
    sizes = f"{_many(len(used), 'frame')} in {_many(n_mosaics, 'mosaic')}" + ", one of each filter" * (n_mosaics > 1)
    head = ["mosaic", f"  {sizes}" + (f", by way of {_many(n_lots, 'lot')}" if n_lots else ""), *left_out]
    if lost := sum(frame.outline is None for frame in used):
        head.append(f"  {_many(lost, 'frame')} without a sky solution: to be placed by their stars")
    rows = [_HEAD, *_rows(used, done.lots)]
    return "\n".join([*head, "", *_columns(rows if n_lots else [row[1:] for row in rows]), ""])


def write(done: Planned, path: Path) -> None:
    """Write the lots as CSV, to be edited and named in `mosaic.plan`."""
    lots_file.write(path, done.lots)


def _grouped(known: Frame, header: Header | None) -> GroupFrame:
    wcs = None if header is None else wcs_of(header)
    seen = None if wcs is None else outline(wcs, (known.naxis2, known.naxis1))
    return GroupFrame(
        known.frame_id, known.filter, known.exptime_s, known.gain_setting, known.session, known.date_obs_utc, seen
    )


def _header(path: Path, hdu: int) -> Header | None:
    try:
        return dict(mosaic_frames.headers(path)).get(hdu)
    except BadImage:
        return None


def _rows(frames: Sequence[GroupFrame], lots: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Tell of frames that are alike, and in one lot, on one line."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for frame in frames:
        seconds = frame.exptime_s
        exposure = f"{seconds:g} s" if seconds is not None and isfinite(seconds) else "-"
        kind = lots.get(frame.id, "-"), frame.filter or "-", exposure, frame.night or "-"
        alike.setdefault(kind, []).append(frame.id)
    return [(*kind, str(len(names)), min(names), max(names)) for kind, names in sorted(alike.items())]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{c:<{w}}" for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _many(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
