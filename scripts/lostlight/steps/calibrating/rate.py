"""Dark current in adu per second, fitted to darks of several exposures."""

import numpy as np

from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.science.calibrate import dark_rate
from lostlight.science.calibrate.diagnostics import unit_record
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.trouble import warn
from lostlight.steps.calibrating import product
from lostlight.steps.calibrating.given import master, number
from lostlight.vocab.bits import dq
from lostlight.vocab.calibration import CODES


def rate(unit: Unit, params: CalibrateParams, out: Outputs) -> Result:
    """Fit a straight line to every pixel of the darks; its slope is the dark, its intercept drops out."""
    darks = [found for role in sorted(unit.inputs) if (found := master(unit, role))]
    exposures = [number(each.header, "EXPTIME") for each in darks]
    sigmas = [each.planes.uncert if each.planes.uncert is not None else 1.0 for each in darks]
    fitted = dark_rate.rate(exposures, [each.planes.data for each in darks], sigmas)
    quality = np.bitwise_or.reduce([each.planes.dq for each in darks if each.planes.dq is not None])
    quality = np.where(fitted.unstable, quality | np.uint16(dq("UNSTABLE")), quality)
    planes = Planes(fitted.rate_adu_s, fitted.sigma_rate_adu_s, quality)
    header = darks[0].header.copy()
    header["EXPTIME"] = (1.0, "[s] exposure")
    header["BIASSUB"] = (True, "bias taken off, alone or with a dark")
    header["BUNIT"] = "adu"
    header.add_history(f"calibrate: rate from exposures of {', '.join(f'{each:g}' for each in exposures)} s")
    product.write_planes(out, "master", planes, header, params.output)
    share = float(fitted.unstable.mean())
    limit = CODES["CAL222"].threshold or 0.0
    warnings = [warn("CAL222", unit.id, f"{100 * share:.2g} % of the pixels", share)] if share > limit else []
    record = unit_record(
        "dark", unit.id, planes, method={"mode": "rate", "exposures_s": ", ".join(f"{each:g}" for each in exposures)},
        masters={f"dark {index + 1}": each.name for index, each in enumerate(darks)}, warnings=warnings,
    )  # fmt: skip
    metrics = {"n_exposures": len(darks), "n_unstable": int(fitted.unstable.sum())}
    return product.conclude(out, record, planes, warnings, metrics)
