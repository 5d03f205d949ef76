"""The top of the characteristic curve: at which density a plate, or at which count a camera, saturates."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_LEAST_RMS = 15.0
_FAINT = 0.4
_USUAL_FALL = 0.4
_FLAT = 0.25
_MIN_FLAT = 4
_MIN_USUAL = 10
_TOP = 80
_ALIKE = 0.15
_FEW = 0.05
_GRAIN = 2.0
_CLIPPED = 8


class Saturation(NamedTuple):
    """`level_adu`: from here on the image is saturated. `is_reached`: whether any star of the image gets there."""

    level_adu: float
    is_reached: bool


def saturation(image: NDArray[np.float32], background_adu: float, rms_adu: float) -> Saturation:
    """Find the level at which the images of bright stars stop growing brighter.

    Stars fall off from their peak, all at the same rate, until they are bright enough to saturate; then their tops are
    flat, and all at one level. The fall is measured by the mean over 5 × 5 pixels against that over 3 × 3. The level of
    the flat tops is the saturation if next to nothing lies above it, which holds for no galaxy; two sigma of the grain
    on the tops are taken off, so that they count as saturated as a whole. Where many pixels share the very highest
    value a camera has clipped them there.

    Parameters
    ----------
    image : ndarray of float32, (ny, nx), adu
        With background, finite, larger for more light.
    background_adu, rms_adu : float
        Level and noise of the sky.

    Returns
    -------
    Saturation
        Where no star is flat the level just above the brightest pixel, not reached.
    """
    brightest = np.float32(image.max())
    if np.count_nonzero(image == brightest) >= _CLIPPED:
        return Saturation(float(brightest), True)
    above_all = Saturation(float(np.nextafter(brightest, np.float32(np.inf))), False)
    y, x = _maxima(image, background_adu + _LEAST_RMS * rms_adu)
    if not len(y):
        return above_all
    around = np.stack([image[y + dy, x + dx] for dy in range(-2, 3) for dx in range(-2, 3)], axis=1) - background_adu
    inner = around.reshape(-1, 5, 5)[:, 1:4, 1:4].reshape(-1, 9)
    height, grain = inner.mean(axis=1), inner.std(axis=1)
    fall = 1 - around.mean(axis=1) / height
    usual = fall[height < _FAINT * height.max()]
    usual_fall = float(np.median(usual)) if len(usual) >= _MIN_USUAL else _USUAL_FALL
    flat = fall < _FLAT * usual_fall
    if flat.sum() < _MIN_FLAT:
        return above_all
    top = float(np.percentile(height[flat], _TOP))
    at_top = flat & (np.abs(height - top) < _ALIKE * top)
    values = image[image > background_adu + (1 - _ALIKE) * top] - background_adu
    n_above = int((values > (1 + _ALIKE) * top).sum())
    if at_top.sum() < _MIN_FLAT or n_above > _FEW * len(values):
        return above_all
    return Saturation(float(background_adu + top - _GRAIN * np.median(grain[at_top])), True)


def _maxima(image: NDArray[np.float32], threshold_adu: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pixels above a threshold that none of their neighbours exceeds, two pixels and more from the border."""
    y, x = np.nonzero(image[2:-2, 2:-2] > threshold_adu)
    y, x = y + 2, x + 2
    value = image[y, x]
    highest = np.ones(len(y), dtype=bool)
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)):
        highest &= value >= image[y + dy, x + dx]
    return y[highest], x[highest]
