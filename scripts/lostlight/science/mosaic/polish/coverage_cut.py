"""Pixels that few frames or little weight stand behind."""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate.statistics import thinned
from lostlight.science.mosaic.layer import Layer

_ENOUGH_PX = 2**22


def well_covered(layer: Layer, min_rel: float, min_abs: int) -> NDArray[np.bool_]:
    """Mark the pixels with enough weight and enough frames.

    The weight is compared with the median of the covered pixels, not with the greatest: where four frames overlap it is
    four times that of one, which is no fault of the one.

    Parameters
    ----------
    layer : Layer
    min_rel : float
        Least weight as a fraction of the median, in every channel that has any.
    min_abs : int
        Fewest frames.

    Returns
    -------
    ndarray, shape (H, W), bool
    """
    keep = layer.covered()
    keep &= layer.cov >= min_abs
    for weight in layer.wht:
        keep &= weight >= min_rel * typical_weight(weight)
    return keep


def typical_weight(weight: NDArray[np.float32]) -> float:
    """Give the median of the weights above zero of one channel, shape (H, W); of large ones every so manieth row."""
    some = thinned(weight, _ENOUGH_PX)
    some = some[some > 0]
    if not some.size:
        some = weight[weight > 0]
    return float(np.median(some)) if some.size else 0.0
