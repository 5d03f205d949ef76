"""One frame measured: its stars, its noise, and whether it can be used at all."""

from lostlight.core.errors import BadImage, NoWork
from lostlight.core.params import MosaicParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import mosaic_frames
from lostlight.science.mosaic import measure as science
from lostlight.steps.mosaicking import given


def measure(unit: Unit, params: MosaicParams, out: Outputs) -> Result:
    """Measure a frame; one that cannot be used is left out and told of, or ends the run's hope for it."""
    try:
        return _measure(unit, out)
    except BadImage as error:
        if params.on_bad_frame == "fail":
            raise
        raise NoWork(error.message) from error


def _measure(unit: Unit, out: Outputs) -> Result:
    ((name, facts),) = given.known(unit).items()
    if facts["unusable"]:
        raise BadImage(f"{facts['file']}: {facts['unusable']}", hint="give calibrated lights alone")
    frame = mosaic_frames.open_frame(unit[given.FRAME + name], facts["hdu"], out["measured"].parent)
    data = frame.rows(0, frame.shape[0])
    measured = science.measure(data, facts.get("saturate_adu"))
    if measured.status:
        raise BadImage(f"{facts['file']}: {measured.status}", hint="leave the frame out", file=facts["file"])
    given.write_measured(out["measured"], measured, frame.header, data.shape)
    return Result(
        {
            "n_stars": int(measured.n_stars),
            "fwhm_px": float(measured.fwhm_px),
            "elongation": float(measured.elongation),
            "noise": float(measured.sigma.mean()),
        }
    )
