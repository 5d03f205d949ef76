"""Levels of a camera: where its pixels saturate, and what was added to them."""

import numpy as np

from lostlight.core.params.calibrate import CameraParams
from lostlight.science.calibrate.frame import Frame


def saturation(frame: Frame, camera: CameraParams) -> float:
    """Level of saturation, adu: that of the configuration, of the header, or of the number of bits; else infinity."""
    if camera.saturate_adu:
        return camera.saturate_adu
    if np.isfinite(frame.saturate_adu):
        return frame.saturate_adu
    return {8: 255.0, 16: 65535.0}.get(frame.bitpix, np.inf)


def pedestal(frame: Frame) -> float:
    """Level that a program added to every pixel of a frame, adu.

    PEDESTAL holds it, with a minus as MaxIm DL writes what is to be added for zero, or without as PixInsight does.
    """
    return abs(frame.pedestal_adu) if np.isfinite(frame.pedestal_adu) else 0.0
