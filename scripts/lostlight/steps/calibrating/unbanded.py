"""Banding that changes from frame to frame, taken off a light by the components that the biases showed."""

import numpy as np

from lostlight.science.calibrate import banding
from lostlight.science.calibrate.banding import Components
from lostlight.science.stack.rule import Floats
from lostlight.steps.calibrating.bias import BANDING
from lostlight.steps.calibrating.given import Master


def unbanded(counts: Floats, bias: Master) -> Floats:
    """Take banding off the pixels of a light, adu; what the master knows no components of stays."""
    for axis, name in BANDING.items():
        shapes = bias.planes.extra.get(name)
        if shapes is not None:
            found = Components(axis, np.asarray(shapes, np.float64), ())
            counts = counts - banding.fit(counts - bias.planes.data, found).correction
    return counts
