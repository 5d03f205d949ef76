"""One frame measured: its stars, its noise, and whether it can be used at all."""

from collections.abc import Mapping
from typing import Any

from lostlight.core.errors import BadImage, ConfigError, NoWork, about
from lostlight.core.params import MosaicParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import mosaic_frames
from lostlight.science.mosaic.frame import measure as science
from lostlight.steps.mosaicking import given


def measure(unit: Unit, params: MosaicParams, out: Outputs) -> Result:
    """Measure a frame; one that cannot be used is left out and told of, or ends the run's hope for it."""
    ((name, facts),) = given.known(unit).items()
    try:
        with about(facts["file"]):
            return _measure(unit, name, facts, out)
    except BadImage as error:
        if params.on_bad_frame == "fail":
            # an error of the unit alone would leave the frame out as well
            raise ConfigError(error.message, f"{error.hint}, or set mosaic.on_bad_frame: skip") from error
        raise NoWork(error.message) from error


def _measure(unit: Unit, name: str, facts: Mapping[str, Any], out: Outputs) -> Result:
    if facts["unusable"]:
        raise BadImage(facts["unusable"], hint="give calibrated lights alone")
    frame = mosaic_frames.open_frame(unit[given.FRAME + name], facts["hdu"], out["measured"].parent)
    data = frame.rows(0, frame.shape[0])
    measured = science.measure(data, facts.get("saturate_adu"))
    if measured.status:
        raise BadImage(measured.status, hint="leave the frame out")
    given.write_measured(out["measured"], measured, frame.header, data.shape)
    return Result(
        {
            "n_stars": int(measured.n_stars),
            "fwhm_px": float(measured.fwhm_px),
            "elongation": float(measured.elongation),
            "noise": float(measured.sigma.mean()),
        }
    )
