"""The lots, and one lot of frames, combined on the part of the canvas that they cover."""

from collections import Counter

from lostlight.core.errors import NoWork
from lostlight.core.params import MosaicParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import lots_file, mosaic_file
from lostlight.steps.mosaicking import given
from lostlight.steps.mosaicking.assembling import assemble, hull
from lostlight.steps.mosaicking.bench import Bench
from lostlight.steps.mosaicking.placed import placed

CORNER = ("CANVASX", "CANVASY")
"""Cards of the column and row of the canvas that the first pixel of a lot is."""
DEVICE = "DEVICE"
"""Card of where a lot was combined, cpu or gpu: their results differ by rounding."""


def lots(unit: Unit, params: MosaicParams, out: Outputs) -> Result:
    """Write which frame goes into which lot, to be read and edited."""
    told = {role.removeprefix(given.IN_LOT): str(lot) for role, lot in unit.facts.items() if role != "kind"}
    lots_file.write(out["lots"], dict(sorted(told.items(), key=lambda each: (each[1], each[0]))))
    sizes = Counter(lot for lot in told.values() if lot)
    small = {lot: size for lot, size in sorted(sizes.items()) if size < params.lots.min}
    warnings = [
        f"lot {lot} has fewer frames than mosaic.lots.min ({size} of {params.lots.min})" for lot, size in small.items()
    ]
    return Result({"n_lots": len(sizes)}, warnings=warnings)


def lot(unit: Unit, params: MosaicParams, out: Outputs) -> Result:
    """Combine the frames of a lot that are used; a lot that has none is left out."""
    frames = placed(unit, params, out["lot"].parent)
    if not frames:
        raise NoWork("none of its frames is used")
    canvas = given.Places.of(unit).canvas
    window = hull(frame.route.window for frame in frames.values() if frame.route.window is not None)
    if window.is_empty:
        raise NoWork("none of its frames lies on the canvas")
    bench = Bench(params, unit.lent)
    made = assemble(list(frames.values()), [window], canvas.shape, bench, out["lot"].parent)
    header = canvas.header(window)
    for card, place in zip(CORNER, (window.x0, window.y0), strict=True):
        header[card] = (place, "place on the canvas, from 0")
    header["NCOMBINE"] = (len(frames), "frames")
    header[DEVICE] = (bench.device, "where it was combined")
    planes = {"SCI": made.layer.sci, "WHT": made.layer.wht, "COV": made.layer.cov, "REJ": made.layer.rej}
    mosaic_file.write(out["lot"], {**planes, "WSUM": made.wsum}, header)
    out.sizes["lot"] = list(made.layer.sci.shape)
    low, high, valid = (int(each.sum()) for each in (made.tally.low, made.tally.high, made.tally.valid))
    return Result(
        {"n_frames": len(frames), "n_samples": valid, "n_rejected_low": low, "n_rejected_high": high},
        warnings=bench.warnings,
    )
