"""The density at which a plate saturates."""

from collections.abc import Mapping

import numpy as np

_FRACTION_OF_MAXIMUM = 0.93


def saturation_adu(mask_header: Mapping[str, object], image: np.ndarray) -> float:
    """Give the saturation level of a tile: the card SATURATE of its mask, else 0.93 of the brightest pixel, in adu."""
    measured = mask_header.get("SATURATE")
    if isinstance(measured, int | float) and np.isfinite(measured) and measured > 0:
        return float(measured)
    return _FRACTION_OF_MAXIMUM * float(np.nanmax(image))
