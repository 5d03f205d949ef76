"""The colours of a mosaic made equal by one factor each, where that is asked for."""

import numpy as np

from lostlight.core.params import MosaicParams
from lostlight.core.step import Unit
from lostlight.science.mosaic.layer import Layer
from lostlight.science.mosaic.level.equalize import equalize_rgb_medians
from lostlight.steps.mosaicking import given


def equalized(layer: Layer, unit: Unit, params: MosaicParams) -> Layer:
    """Apply the factors of the reference frame to the whole mosaic; a mono one stays as it is."""
    if params.rgb_equalize != "reference" or len(layer.sci) == 1:
        return layer
    reference = given.photometry(unit)["reference"]
    cells = given.read_stats(unit[given.LEVELS + reference]).sky.value
    _, gains = equalize_rgb_medians(np.ascontiguousarray(cells.T[:, :, None]))
    for channel, gain in enumerate(gains):
        layer.sci[channel] *= gain
        layer.wht[channel] /= gain * gain
    return layer
