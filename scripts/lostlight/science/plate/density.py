"""The top of the characteristic curve: at which density a plate, or at which count a camera, saturates."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_N_BINS = 48
_RARE = 12
"""So many pixels may lie above everything else without belonging to the curve: dust, cosmic rays."""
_MIN_PIXELS = 40
_MIN_RISE = 1.2
_LOWEST = 0.7


class Saturation(NamedTuple):
    """`level_adu`: from here on the image is saturated. `is_reached`: whether any star of the image gets there."""

    level_adu: float
    is_reached: bool


def saturation(image: NDArray[np.float32], background_adu: float, rms_adu: float) -> Saturation:
    """Find the level at which the images of bright stars stop growing brighter.

    Below saturation the number of pixels falls steadily with density, because the profile of a star is steeper the
    brighter it is. Where the emulsion cannot grow denser the pixels pile up in a shoulder. Its lower flank, half-way up
    from the valley before it, is the saturation level.

    Parameters
    ----------
    image : ndarray of float32, (ny, nx), adu
        With background, finite, larger for more light.
    background_adu, rms_adu : float
        Level and noise of the sky.

    Returns
    -------
    Saturation
        Without a shoulder the level just above the brightest pixel, not reached.
    """
    bright = image[image > background_adu + 10 * rms_adu]
    above_all = Saturation(float(np.nextafter(np.float32(image.max()), np.float32(np.inf))), False)
    if len(bright) < _MIN_PIXELS:
        return above_all
    top = float(np.partition(bright, -_RARE)[-_RARE])
    edges = np.linspace(background_adu + 10 * rms_adu, top, _N_BINS + 1)
    counts = np.histogram(np.minimum(bright, top), edges)[0].astype(np.float64)
    smooth = np.convolve(np.pad(counts, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")
    first = int(_LOWEST * _N_BINS)
    mode = first + int(np.argmax(smooth[first:]))
    valley = int(np.argmin(smooth[: mode + 1]))
    around_mode, around_valley = (counts[max(k - 1, 0) : k + 2].sum() for k in (mode, valley))
    rise, noise = around_mode - around_valley, np.sqrt(around_mode + around_valley)
    is_shoulder = smooth[mode] > _MIN_RISE * smooth[valley] and rise > max(_MIN_PIXELS, 5 * noise)
    if not is_shoulder:
        return above_all
    half = (smooth[mode] + smooth[valley]) / 2
    below = valley + int(np.flatnonzero(smooth[valley:mode] < half)[-1])
    fraction = (half - smooth[below]) / (smooth[below + 1] - smooth[below])
    middles = (edges[:-1] + edges[1:]) / 2
    return Saturation(float(middles[below] + fraction * (middles[below + 1] - middles[below])), True)
