"""A master bias, plain or as a superbias."""

from dataclasses import replace
from typing import Any

import numpy as np

from lostlight.core.params.calibrate import BiasParams, CalibrateParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.science.calibrate import banding, frame_checks, superbias
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.trouble import refuse
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import Floats, Rule
from lostlight.steps.calibrating import noise
from lostlight.steps.calibrating.even import evened, levels_of, multiplied
from lostlight.steps.calibrating.finish import Made, finish
from lostlight.steps.calibrating.given import raws, reader
from lostlight.steps.calibrating.raw import Trimmed
from lostlight.steps.calibrating.stacking import Stack, measured, stack

BANDING = {"rows": "PCAROWS", "cols": "PCACOLS"}
"""Extensions of a master bias that hold the components of its banding, one in each row."""


def bias(unit: Unit, params: CalibrateParams, out: Outputs) -> Result:
    """Combine biases; a superbias blends the master with its model."""
    raw = raws(unit)
    frames = [each.frame for each in raw]
    own = params.bias
    with reader(raw, out["master"].parent) as rows:
        trimmed = Trimmed(rows, frames, own.overscan)
        stats = measured(trimmed)
        known = noise.of_dark(unit.id, frames, trimmed, params.camera)
        ready, factors = evened(trimmed, levels_of(trimmed, own.normalize), own.normalize)
        made = stack(unit.id, own, frames, trimmed.shape, ready, stats, known.model, unit.lent, scales=factors)
        planes, facts = _blended(unit, own, trimmed, made)
        planes = replace(planes, extra={**planes.extra, **_banding(own, trimmed, planes.data)})
        warnings = [*known.warnings, *made.warnings]
        level = float(np.nanmedian([each.median for each in stats]))
        full = frames[0].saturate_adu if np.isfinite(frames[0].saturate_adu) else 65535.0
        if not any(each.level_adu for each in trimmed.levels):
            warnings += frame_checks.odd_bias_level(unit.id, level, full)
        return finish(
            unit,
            params,
            own,
            out,
            Made(raw, trimmed, made, planes, known, multiplied(ready, factors), warnings=warnings, facts=facts),
        )  # fmt: skip


def _blended(unit: Unit, own: BiasParams, trimmed: Trimmed, made: Stack) -> tuple[Planes, dict[str, Any]]:
    how = own.superbias_layers, own.superbias_trim, own.superbias_axes
    if own.superbias == "classic":
        return replace(made.planes, data=superbias.classic(made.planes.data, *how)), {"superbias": "classic"}
    if own.superbias == "off":
        return made.planes, {}
    n_frames = len(trimmed.frames)
    if n_frames < 2:
        raise refuse("CAL109", f"{unit.id}: a superbias needs two frames or more", "take more, or superbias: off")
    halves = [range(0, n_frames, 2), range(1, n_frames, 2)]
    first, second = (_half(unit, trimmed, numbers, made.rule) for numbers in halves)
    found = superbias.shrink(made.planes.data, first, second, *how, frames=(len(halves[0]), len(halves[1])))
    return replace(made.planes, data=found.bias, uncert=found.sigma), {"superbias": "shrink", "weight": found.weight}


def _banding(own: BiasParams, trimmed: Trimmed, master: Floats) -> dict[str, Floats]:
    """Shapes by which rows and columns move from frame to frame, as further planes of the master."""
    found = {}
    for axis in ("rows", "cols") if own.pca else ():
        frames = (trimmed.whole(number) for number in range(len(trimmed.frames)))
        shapes = banding.components(frames, master, axis, own.pca).shapes
        if len(shapes):
            found[BANDING[axis]] = shapes.astype(np.float32)
    return found


def _half(unit: Unit, trimmed: Trimmed, numbers: range, rule: Rule) -> Floats:
    def read(number: int, y0: int, y1: int, out: Floats) -> None:
        trimmed(numbers[number], y0, y1, out)

    lent = unit.lent
    return combine(
        len(numbers), trimmed.shape, read, rule, threads=lent.threads, memory_mb=lent.memory_mb, backend=lent.backend
    ).data
