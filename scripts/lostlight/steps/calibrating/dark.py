"""A master dark, of lights or of flats."""

from dataclasses import replace

import numpy as np

from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.science.calibrate.order import Stage
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.unstable import hopping
from lostlight.steps.calibrating import noise
from lostlight.steps.calibrating.even import evened, levels_of, multiplied
from lostlight.steps.calibrating.finish import Made, finish
from lostlight.steps.calibrating.given import bias_of, raws, reader
from lostlight.steps.calibrating.raw import Trimmed, less
from lostlight.steps.calibrating.stacking import Stack, measured, stack
from lostlight.vocab.bits import dq


def dark(unit: Unit, params: CalibrateParams, out: Outputs) -> Result:
    """Combine darks; the bias stays in unless the plan gives one to take off."""
    raw = raws(unit)
    frames = [each.frame for each in raw]
    own = params.dark if frames[0].imagetyp == "dark" else params.flat_dark
    with reader(raw, out["master"].parent) as rows:
        trimmed = Trimmed(rows, frames, own.overscan)
        bias = bias_of(unit, raw[0], params, trimmed.shape)
        stats = measured(trimmed, 2 if frames[0].bayerpat else 1)
        known = noise.of_dark(unit.id, frames, trimmed, params.camera)
        ready, factors = evened(trimmed, levels_of(trimmed, own.normalize), own.normalize)
        made = stack(unit.id, own, frames, trimmed.shape, ready, stats, known.model, unit.lent, scales=factors)
        planes = _steady(made) if made.rule.reject == "noise_model" else made.planes
        return finish(
            unit,
            params,
            own,
            out,
            Made(
                raw,
                trimmed,
                made,
                without(planes, bias.planes) if bias else planes,
                known,
                less(multiplied(ready, factors), bias.planes.data) if bias else multiplied(ready, factors),
                warnings=(*known.warnings, *made.warnings),
                stages=[Stage("bias", True)] if bias else [],
                taken={"bias": bias} if bias else {},
            ),
        )


def _steady(made: Stack) -> Planes:
    """Flag the pixels whose dark current hops."""
    hops = np.where(hopping(made.combined), dq("UNSTABLE"), 0).astype(np.uint16)
    return replace(made.planes, dq=made.planes.dq | hops)


def without(planes: Planes, bias: Planes) -> Planes:
    """Take a bias off a master: after the frames were combined, as it is the same for all of them."""
    uncert = planes.uncert
    if uncert is not None and bias.uncert is not None:
        uncert = np.hypot(uncert, bias.uncert)
    quality = planes.dq if bias.dq is None or planes.dq is None else planes.dq | bias.dq
    return replace(planes, data=planes.data - bias.data, uncert=uncert, dq=quality)
