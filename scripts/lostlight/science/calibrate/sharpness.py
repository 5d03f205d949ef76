"""How sharp the stars of a frame are."""

from typing import NamedTuple

import numpy as np
import sep
from numpy.typing import NDArray

_THRESHOLD = 5.0
_MIN_SNR = 30.0
_MAX_ELONGATION = 1.5
_MAX_PEAK_SHARE = 0.6  # a cosmic ray puts most of its charge into one pixel, a star of FWHM 1 pixel half
_MOST = 300
_PIXELS_PX2 = 2 * 8 * np.log(2) / 12  # a pixel is as wide as this squared; light is gathered by pixels, and cut by them


class Sharpness(NamedTuple):
    """Width of the stars of a frame: median full width at half maximum, NaN if there is none, and number of stars."""

    fwhm_px: float
    n_stars: int


def stellar_fwhm(data: NDArray[np.float32], mask: NDArray[np.bool_] | None = None) -> Sharpness:
    """Measure the width of the stars: twice the radius of the circle that holds half of their light.

    The width of the pixels is taken off, as a Gaussian's would be. Stars are the round, undisturbed sources that do
    not put most of their light into one pixel, as cosmic rays do; the brightest few hundred are used.

    Parameters
    ----------
    data : ndarray, shape (ny, nx), float32
        Pixels in any unit, sky included or not.
    mask : ndarray, shape (ny, nx), bool, optional
        Pixels that must not be used, saturated ones among them.

    Returns
    -------
    Sharpness
    """
    mask = ~np.isfinite(data) if mask is None else mask | ~np.isfinite(data)
    if mask.all():
        return Sharpness(np.nan, 0)
    pixels = np.ascontiguousarray(np.where(mask, 0, data), dtype=np.float32)
    sky = sep.Background(pixels, mask=mask)
    light = pixels - sky.back()
    found = sep.extract(light, _THRESHOLD, err=sky.globalrms, mask=mask, minarea=5)
    snr = found["flux"] / (sky.globalrms * np.sqrt(found["npix"].clip(1)))
    round_ones = found["a"] < _MAX_ELONGATION * found["b"]
    stars = found[
        (found["flag"] == 0) & (snr > _MIN_SNR) & round_ones & (found["peak"] < _MAX_PEAK_SHARE * found["flux"])
    ]
    stars = stars[np.argsort(-stars["flux"], kind="stable")][:_MOST]
    if not stars.size:
        return Sharpness(np.nan, 0)
    radius, flag = sep.flux_radius(light, stars["x"], stars["y"], 6 * stars["a"].clip(1), 0.5, mask=mask, subpix=5)
    radius = radius[(flag == 0) & (radius > 0)]
    if not radius.size:
        return Sharpness(np.nan, 0)
    return Sharpness(float(np.sqrt(max(4 * np.median(radius) ** 2 - _PIXELS_PX2, 0))), int(radius.size))
