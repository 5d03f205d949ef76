"""A master that the user brings: put into the form of ours, and used as it is."""

import numpy as np

from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import frame_files, planes
from lostlight.io.own_files import IMAGES
from lostlight.io.planes import StoredPlanes
from lostlight.science.calibrate import flat as flats
from lostlight.science.calibrate.cards import header_cards, history
from lostlight.science.calibrate.diagnostics import unit_record
from lostlight.science.calibrate.order import Stage
from lostlight.science.calibrate.planes import Planes
from lostlight.steps.calibrating import product
from lostlight.steps.calibrating.dark import without
from lostlight.steps.calibrating.given import bias_of, raws
from lostlight.steps.calibrating.levels import pedestal
from lostlight.vocab.bits import dq


def supplied(unit: Unit, params: CalibrateParams, out: Outputs) -> Result:
    """Copy a master into the run: the bias off a dark that is to be scaled, a flat scaled to one."""
    (raw,) = raws(unit)
    frame = raw.frame
    data, header = frame_files.read_frame(raw.path, frame.hdu)
    is_ours = raw.path.name.lower().endswith(IMAGES) and frame.hdu in (0, 1)
    there = planes.read(raw.path)[0] if is_ours else StoredPlanes(data)
    quality = there.dq if there.dq is not None else np.where(np.isfinite(data), 0, dq("NO_DATA")).astype(np.uint16)
    whole = Planes(data - np.float32(pedestal(frame)), there.uncert, quality)
    header.pop("PEDESTAL", None)
    bias = bias_of(unit, raw, params, data.shape)
    if bias:
        whole = without(whole, bias.planes)
        stages = [Stage("bias", True)]
        cards = header_cards(stages, calstat=frame.calstat, sha256={"bias": bias.sha256})
        header.update({name: cards[name] for name in ("CALSTAT", "BIASSUB", "BIASID") if name in cards})
        for line in history(stages):
            header.add_history(line)
    if frame.imagetyp == "flat":
        own = params.flat
        whole = flats.finish(whole, min_value=own.min_value, max_error=own.max_error, bayerpat=frame.bayerpat)
    header["BUNIT"] = "" if frame.imagetyp == "flat" else "adu"
    product.write_planes(out, "master", whole, header, params.output)
    masters = {"bias": bias.name} if bias else {}
    record = unit_record(
        frame.imagetyp, unit.id, whole, unit=header["BUNIT"], method={"combine": "supplied"}, masters=masters
    )
    return product.conclude(out, record, whole, [], {"n_combined": frame.n_sub})
