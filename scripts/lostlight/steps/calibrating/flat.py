"""A master flat: pedestal off, frames scaled to each other, combined, made one, and looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.science.calibrate import flat as flats
from lostlight.science.calibrate import hot
from lostlight.science.calibrate.flat_checks import analyse_flat, flat_warnings
from lostlight.science.calibrate.illumination import shape_change
from lostlight.science.calibrate.levels import level
from lostlight.science.calibrate.order import Stage
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.trouble import Warn, refuse, warn
from lostlight.science.stack.rule import Floats, NoiseModel, ReadRows
from lostlight.steps.calibrating import noise
from lostlight.steps.calibrating.finish import Made, finish
from lostlight.steps.calibrating.given import Master, Raw, master, number, raws, reader
from lostlight.steps.calibrating.levels import saturation
from lostlight.steps.calibrating.raw import Trimmed, less, over
from lostlight.steps.calibrating.stacking import measured, stack
from lostlight.vocab.bits import dq
from lostlight.vocab.calibration import CODES

_SAMPLES = 5
"""Flats whose noise is compared."""
PEDESTALS = ("flat_dark", "dark", "bias")
"""Where the pedestal of a flat comes from, the best first."""


@dataclass(frozen=True)
class _Look:
    """What a first look at the flats tells: levels, saturated pixels, parts to measure the noise on."""

    levels: list[NDArray[np.float64]]
    samples: list[Floats]
    saturated: dict[str, float]
    mask: NDArray[np.bool_]

    @property
    def overall(self) -> list[float]:
        """Level of each flat, the mean of its colours."""
        return [float(np.mean(each)) for each in self.levels]


def flat(unit: Unit, params: CalibrateParams, out: Outputs) -> Result:
    """Combine flats, scaled to each other before any sample is rejected."""
    raw, own = raws(unit), params.flat
    taken = {role: found for role in PEDESTALS if (found := master(unit, role))}
    with reader(raw, out["master"].parent) as rows:
        raw, warnings = _unsaturated(unit.id, raw, Trimmed(rows, [each.frame for each in raw], own.overscan), params)
    frames = [each.frame for each in raw]
    with reader(raw, out["master"].parent) as rows:
        trimmed = Trimmed(rows, frames, own.overscan)
        pedestal = next((taken[role].planes for role in PEDESTALS if role in taken), None)
        read = less(trimmed, pedestal.data) if pedestal else trimmed
        look = _look(trimmed, read, params)
        rdnoise = number(taken["bias"].header, "RDNOISE") if "bias" in taken else np.nan
        known = noise.of_flat(unit.id, frames, look.samples, look.overall[:_SAMPLES], params.camera, rdnoise)
        by_colour = own.normalize == "per_cfa"
        ready = over(read, look.levels) if by_colour else read
        made = stack(
            unit.id,
            own,
            frames,
            trimmed.shape,
            ready,
            measured(trimmed, 2 if frames[0].bayerpat else 1),
            _relative(known.model, float(np.mean(look.overall))) if by_colour else known.model,
            unit.lent,
            scales=None if by_colour or own.normalize == "none" else np.mean(look.overall) / np.array(look.overall),
            levels=look.overall,
        )
        planes = _one(made.planes, pedestal, look, params, _hot(taken, params, frames[0].bayerpat), frames[0].bayerpat)
        analysed = analyse_flat(
            planes.data,
            planes.uncert,
            planes.dq,
            level=float(np.median(look.overall)) / saturation(frames[0], params.camera),
            saturated_fraction=float(np.median(list(look.saturated.values()))),
            shape_changes=_shape_changes(trimmed, read, planes),
        )
        found = [*warnings, *known.warnings, *made.warnings, *flat_warnings(unit.id, analysed)]
        stages = [Stage("dark" if role != "bias" else role, True) for role in PEDESTALS if role in taken][:1]
        used = {role: taken[role] for role in PEDESTALS if role in taken}
        facts = {"level_adu": float(np.median(look.overall))}
        scale = 1.0 if by_colour else float(np.mean(look.overall))
        return finish(
            unit, params, own, out,
            Made(raw, trimmed, made, planes, known, ready, scale, found, stages, used, facts, analysed),
        )  # fmt: skip


def _unsaturated(name: str, raw: list[Raw], trimmed: Trimmed, params: CalibrateParams) -> tuple[list[Raw], list[Warn]]:
    """Leave out saturated flats, or refuse them, as the configuration says of frames that cannot be used."""
    limit = CODES["CAL112"].threshold or 0.0
    kept, warnings = [], []
    for index, each in enumerate(raw):
        full = saturation(each.frame, params.camera) - trimmed.levels[index].level_adu
        share = float(np.mean(trimmed.whole(index) >= full))
        if share <= limit:
            kept.append(each)
            continue
        said = f"{each.frame.frame_id}: {100 * share:.3g} percent of its pixels are saturated ({100 * limit:g} may be)"
        if params.on_bad_frame == "fail":
            raise refuse("CAL112", said, frame=each.frame.frame_id)
        warnings.append(warn("CAL223", name, said, share, limit))
    if len(kept) < min(2, len(raw)):
        raise refuse("CAL112", f"{name}: {len(raw) - len(kept)} of {len(raw)} flats are saturated")
    return kept, warnings


def _look(trimmed: Trimmed, read: ReadRows, params: CalibrateParams) -> _Look:
    how = "median_center" if params.flat.normalize == "none" else params.flat.normalize
    middle = noise.middle_rows(trimmed.shape)
    levels, samples, saturated = [], [], {}
    counts = np.zeros(trimmed.shape, np.uint16)
    whole = np.empty(trimmed.shape, np.float32)
    for index, frame in enumerate(trimmed.frames):
        full = saturation(frame, params.camera) - trimmed.levels[index].level_adu
        is_full = trimmed.whole(index) >= full
        counts += is_full
        saturated[frame.frame_id] = float(is_full.mean())
        read(index, 0, trimmed.shape[0], whole)
        levels.append(level(whole, how, is_full))
        if index < _SAMPLES:
            samples.append(whole[middle].copy())
    if dark := [f.frame_id for f, each in zip(trimmed.frames, levels, strict=True) if not (each > 0).all()]:
        raise refuse("CAL108", f"the level of flat {dark[0]} is not above its pedestal: there is no light in it")
    return _Look(levels, samples, saturated, counts > len(trimmed.frames) // 2)


def _one(
    planes: Planes,
    pedestal: Planes | None,
    look: _Look,
    params: CalibrateParams,
    hot_mask: NDArray[np.bool_] | None,
    pattern: str,
) -> Planes:
    """Make the stack a flat around one, the uncertainty of the pedestal included."""
    scale = 1.0 if params.flat.normalize == "per_cfa" else float(np.mean(look.overall))
    uncert = planes.uncert
    if pedestal is not None and pedestal.uncert is not None and uncert is not None:
        by = 1 / float(np.mean(look.overall)) if scale == 1.0 else 1.0
        uncert = np.hypot(uncert, pedestal.uncert * np.float32(by))
    quality = np.where(look.mask, planes.dq | np.uint16(dq("SATURATED")), planes.dq)
    whole = replace(planes, uncert=uncert, dq=quality)
    own = params.flat
    return flats.finish(whole, min_value=own.min_value, max_error=own.max_error, hot_mask=hot_mask, bayerpat=pattern)


def _relative(model: NoiseModel | None, level_adu: float) -> NoiseModel | None:
    """Give the noise of samples that were divided by this level: so many more electrons per unit."""
    return replace(model, gain_e_adu=model.gain_e_adu * level_adu) if model else None


def _hot(taken: Mapping[str, Master], params: CalibrateParams, pattern: str) -> NDArray[np.bool_] | None:
    """Hot pixels by the darks at hand: they repeat in every flat, so that no rejection finds them."""
    threshold = params.cosmetic.hot_sigma
    source = next((taken[role] for role in ("dark", "flat_dark") if role in taken), None)
    if not params.flat.repair_hot or source is None or threshold is None:
        return None
    found = hot.map_of_master(source.planes.data, threshold, None, bayerpat=pattern)
    return (found & np.uint16(dq("HOT"))) > 0


def _shape_changes(trimmed: Trimmed, read: ReadRows, planes: Planes) -> dict[str, float]:
    good = (planes.dq == 0) if planes.dq is not None else None
    changes, whole = {}, np.empty(trimmed.shape, np.float32)
    for index, frame in enumerate(trimmed.frames[:_SAMPLES]):
        read(index, 0, trimmed.shape[0], whole)
        if frame.bayerpat:
            _recoloured(whole, planes.data)
        changes[frame.frame_id] = shape_change(whole, planes.data, good)
    return changes


def _recoloured(frame: Floats, master: Floats) -> None:
    """Give every place of a colour-filter array the level that it has in the master."""
    for row in (0, 1):
        for column in (0, 1):
            place = np.s_[row::2, column::2]
            frame[place] *= np.float32(np.nanmedian(master[place]) / np.nanmedian(frame[place]))
