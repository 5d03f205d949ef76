"""How the dark current of a camera grows with temperature, by darks taken at three temperatures and more."""

import json
import math

import numpy as np

from lostlight.core import atomic
from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.science.calibrate import dark_rate
from lostlight.science.calibrate.dark_rate import ZERO_C_K
from lostlight.steps.calibrating.given import Master, master, number

ROLE = "law"
"""Role in which a light takes the law, a text in JSON."""


def law(unit: Unit, params: CalibrateParams, out: Outputs) -> Result:
    """Fit ln rate = alpha + beta / T to classes of pixels, and say over how many degrees the current doubles."""
    darks = [found for role in sorted(unit.inputs) if (found := master(unit, role))]
    temperatures = [number(each.header, "CCD-TEMP") for each in darks]
    seconds = [np.float32(number(each.header, "EXPTIME")) for each in darks]
    rates = [each.planes.data / exposure for each, exposure in zip(darks, seconds, strict=True)]
    warmest = int(np.argmax(temperatures))
    sigma = _sigma(darks[warmest]) / seconds[warmest]
    laws = dark_rate.temperature_law(temperatures, rates, sigma)
    told: dict[str, float | int] = {"n_temperatures": len(darks), "n_classes": len(laws)}
    if laws:
        weights = np.array([each.sigma_beta_k**-2 for each in laws])
        beta_k = float(np.average([each.beta_k for each in laws], weights=weights))
        middle_k = float(np.mean(temperatures)) + ZERO_C_K
        if beta_k < 0:
            told["doubling_c"] = math.log(2) * middle_k**2 / -beta_k
    atomic.write_text(out["told"], json.dumps(told, sort_keys=True))
    return Result(told)


def doubling_c(unit: Unit, params: CalibrateParams) -> float:
    """Degrees over which dark current doubles: by the darks of a unit where they tell it, else as configured."""
    told = json.loads(unit[ROLE].read_text()) if ROLE in unit else {}
    return float(told.get("doubling_c", params.dark.doubling_c))


def _sigma(dark: Master) -> np.ndarray | float:
    return dark.planes.uncert if dark.planes.uncert is not None else 0.0
