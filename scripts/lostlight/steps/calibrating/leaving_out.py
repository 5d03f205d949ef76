"""Frames that cannot be used are left out and told of, where the configuration says so; else they end their unit."""

from collections.abc import Callable
from dataclasses import replace

from lostlight.core.errors import NoWork, UnitError
from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.science.calibrate.trouble import Warn, refuse, warn
from lostlight.steps.calibrating.given import RAW, raws

LEFT_OUT = "left_out/"
"""How the facts of a unit begin that tell of frames it had to do without."""


def without_bad_frames(
    make: Callable[[Unit, CalibrateParams, Outputs], Result], unit: Unit, params: CalibrateParams, out: Outputs
) -> Result:
    """Make a unit; a frame that an error names is left out with `on_bad_frame` skip, and the unit made of the others.

    Raises
    ------
    StorageError
        CAL113 where memory runs out.
    NoWork
        For a light that cannot be used.
    UnitError
        With `on_bad_frame` fail, where no frame is to blame, and where one would be left of several.
    """
    while True:
        try:
            result = make(unit, params, out)
        except MemoryError as error:
            raise refuse("CAL113", f"{unit.id}: memory is full: {error}") from error
        except UnitError as error:
            if params.on_bad_frame == "fail" or "frame" not in error.facts:
                raise
            if unit.facts["kind"] == "light":
                raise NoWork(f"CAL223 {unit.id}: {error.message}") from error
            unit = _without(unit, str(error.facts["frame"]), error)
        else:
            return replace(result, warnings=[*map(str, left_out(unit)), *result.warnings])


def left_out(unit: Unit) -> list[Warn]:
    """Tell of the frames that a unit had to do without."""
    told = ((role, why) for role, why in unit.facts.items() if role.startswith(LEFT_OUT))
    return [warn("CAL223", role.removeprefix(LEFT_OUT), str(why)) for role, why in told]


def _without(unit: Unit, frame_id: str, error: UnitError) -> Unit:
    roles = sorted(role for role in unit.inputs if role.startswith(RAW))
    bad = next(role for role, raw in zip(roles, raws(unit), strict=True) if raw.frame.frame_id == frame_id)
    if len(roles) <= 2:
        said = f"{unit.id}: one of its frames is left, the others cannot be used; the last: {error.message}"
        raise refuse("CAL108", said, error.hint) from error
    facts = {role: value for role, value in unit.facts.items() if role != bad}
    inputs = {role: path for role, path in unit.inputs.items() if role != bad}
    return replace(unit, inputs=inputs, facts={**facts, f"{LEFT_OUT}{frame_id}": error.message})
