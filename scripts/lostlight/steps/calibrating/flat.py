"""A master flat: pedestal off, frames scaled to each other, combined, made one, and looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.science.calibrate import flat as flats
from lostlight.science.calibrate import hot
from lostlight.science.calibrate.flat_checks import analyse_flat, flat_warnings, lit_to_saturation
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.illumination import shape_change
from lostlight.science.calibrate.levels import level
from lostlight.science.calibrate.order import Stage
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.trouble import of_frame, refuse
from lostlight.science.stack.rule import Floats, ReadRows
from lostlight.steps.calibrating import noise
from lostlight.steps.calibrating.even import evened, multiplied
from lostlight.steps.calibrating.finish import Made, finish
from lostlight.steps.calibrating.given import Master, Raw, bias_of, master, positive, raws, reader
from lostlight.steps.calibrating.levels import saturation
from lostlight.steps.calibrating.raw import Trimmed, less
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
    frames = [each.frame for each in raw]
    with reader(raw, out["master"].parent) as rows:
        trimmed = Trimmed(rows, frames, own.overscan)
        taken = _pedestals(unit, raw[0], params, trimmed.shape)
        pedestal = _together([each.planes for each in taken.values()])
        read = less(trimmed, pedestal.data) if pedestal else trimmed
        look = _look(trimmed, read, params)
        rdnoise = positive(taken["bias"].header, "RDNOISE") if "bias" in taken else np.nan
        known = noise.of_flat(unit.id, frames, look.samples, look.overall[:_SAMPLES], params.camera, rdnoise)
        ready, factors = evened(read, look.levels, own.normalize)
        made = stack(
            unit.id,
            own,
            frames,
            trimmed.shape,
            ready,
            measured(trimmed, 2 if frames[0].bayerpat else 1),
            known.model,
            unit.lent,
            scales=factors,
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
        found = [*known.warnings, *made.warnings, *flat_warnings(unit.id, analysed)]
        stages = [Stage(role, True) for role in dict.fromkeys("bias" if each == "bias" else "dark" for each in taken)]
        facts = {"level_adu": float(np.median(look.overall))}
        scale = float(np.mean(look.overall))
        return finish(
            unit, params, own, out,
            Made(
                raw, trimmed, made, planes, known, multiplied(ready, factors), scale, found, stages, taken, facts,
                analysed,
            ),
        )  # fmt: skip


def _pedestals(unit: Unit, raw: Raw, params: CalibrateParams, shape: tuple[int, int]) -> dict[str, Master]:
    """Give what is taken off the flats: one master, or two where a dark has lost its bias."""
    bias = bias_of(unit, raw, params, shape)
    taken = {role: found for role in PEDESTALS if role != "bias" and (found := master(unit, role))}
    return taken | ({"bias": bias} if bias else {})


def _together(parts: list[Planes]) -> Planes | None:
    """Add masters; none give none."""
    if len(parts) < 2:
        return parts[0] if parts else None
    noises = [each.uncert for each in parts if each.uncert is not None]
    return Planes(np.sum([each.data for each in parts], axis=0), np.sqrt(np.sum(np.square(noises), axis=0)))


def _look(trimmed: Trimmed, read: ReadRows, params: CalibrateParams) -> _Look:
    how = "median_center" if params.flat.normalize == "none" else params.flat.normalize
    middle = noise.middle_rows(trimmed.shape)
    levels, samples, saturated = [], [], {}
    counts = np.zeros(trimmed.shape, np.uint16)
    whole = np.empty(trimmed.shape, np.float32)
    for index, frame in enumerate(trimmed.frames):
        full = saturation(frame, params.camera) - trimmed.levels[index].subtracted_adu
        image = trimmed.whole(index)
        is_full = image >= full
        counts += is_full
        saturated[frame.frame_id] = _saturated(frame, image, full)
        read(index, 0, trimmed.shape[0], whole)
        with of_frame(frame.frame_id):
            levels.append(level(whole, how, is_full))
            if not (levels[-1] > 0).all():
                raise refuse("CAL108", "its level is not above its pedestal: there is no light in it")
        if index < _SAMPLES:
            samples.append(whole[middle].copy())
    return _Look(levels, samples, saturated, counts > len(trimmed.frames) // 2)


def _saturated(frame: Frame, image: Floats, full_adu: float) -> float:
    """Give the fraction of the pixels that light saturated, and refuse a flat where that is too large."""
    limit = CODES["CAL112"].threshold or 0.0
    share = float(lit_to_saturation(image, full_adu, limit, 2 if frame.bayerpat else 1).mean())
    if share > limit:
        said = f"{frame.frame_id}: {100 * share:.3g} percent of its pixels are saturated ({100 * limit:g} may be)"
        raise refuse("CAL112", said, frame=frame.frame_id)
    return share


def _one(
    planes: Planes,
    pedestal: Planes | None,
    look: _Look,
    params: CalibrateParams,
    hot_mask: NDArray[np.bool_] | None,
    pattern: str,
) -> Planes:
    """Make the stack a flat around one, the uncertainty of the pedestal included."""
    uncert = planes.uncert
    if pedestal is not None and pedestal.uncert is not None and uncert is not None:
        uncert = np.hypot(uncert, pedestal.uncert)
    quality = np.where(look.mask, planes.dq | np.uint16(dq("SATURATED")), planes.dq)
    whole = replace(planes, uncert=uncert, dq=quality)
    own = params.flat
    return flats.finish(whole, min_value=own.min_value, max_error=own.max_error, hot_mask=hot_mask, bayerpat=pattern)


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
