"""Shadows of dust on a flat."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lostlight.science.calibrate.illumination import Illumination, surface
from lostlight.science.calibrate.statistics import MAD_TO_SIGMA
from lostlight.science.calibrate.tiles import smooth

_BACKGROUND_PX = 128.0
_SCALES_PX = (2.0, 4.0)
_SIGMA = 5.0
_LEAST_DEPTH = 0.005
_LEAST_AREA_PX = 50
_LEAST_FILL = 0.45
_MOST_ELONGATED = 2.5
_ROUNDS = 3


@dataclass(frozen=True)
class Dust:
    """One shadow: centre (zero-based), radius of the disc of the same area at half depth, and depth as a fraction."""

    x_px: float
    y_px: float
    r_px: float
    depth: float

    def plain(self) -> dict[str, Any]:
        """Give plain data for a report."""
        return asdict(self)


def relative(flat: NDArray, lit: Illumination, good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Divide a flat by its fitted surface and subtract one; NaN where a pixel is not good."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(good, flat / surface(lit, flat.shape) - 1, np.nan)


def find_dust(deviation: NDArray) -> list[Dust]:
    """Find round dark patches at least half a percent deep, the deepest first.

    What is left of the illumination at scales above 128 pixels (a sixth of a small frame) is taken off, with the
    patches themselves left out once they are known. Patches stand out by five sigma after smoothing by two or by four
    pixels; they cover at least 50 pixels and are round, so columns and gradients are none. Hot and cold pixels are
    taken out by a median of 3 by 3 first.

    Parameters
    ----------
    deviation : ndarray, shape (ny, nx)
        The flat over its smooth illumination, minus one (see `relative`); NaN where there is none.
    """
    good = np.isfinite(deviation)
    if not good.any():
        return []
    filled = ndimage.median_filter(np.where(good, deviation, 0.0).astype(np.float32), 3, mode="nearest")
    wide = min(_BACKGROUND_PX, min(deviation.shape) / 6)
    shadows = np.zeros(deviation.shape, bool)
    for _ in range(_ROUNDS):
        flattened = filled - _background(filled, good & ~shadows, wide)
        planes = [smooth(flattened, good, scale) for scale in _SCALES_PX]
        found = _significant(planes, good)
        reach = ndimage.binary_dilation(found, iterations=4)
        if np.array_equal(reach, shadows):
            break
        shadows = reach
    labels, n = ndimage.label(found, structure=np.ones((3, 3)))
    patches = (_measure(planes[0], labels, box, k) for k, box in enumerate(ndimage.find_objects(labels, n), start=1))
    return sorted((patch for patch in patches if patch), key=lambda patch: (-patch.depth, patch.y_px, patch.x_px))


def _background(filled: NDArray, good: NDArray[np.bool_], sigma_px: float) -> NDArray[np.float64]:
    wide = smooth(filled, good, sigma_px)
    return np.where(np.isfinite(wide), wide, 0.0)


def _significant(planes: list[NDArray], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    found = np.zeros(good.shape, bool)
    for plane in planes:
        inside = plane[good]
        middle = np.median(inside)
        sigma = MAD_TO_SIGMA * np.median(np.abs(inside - middle))
        found |= good & (plane - middle < -max(_SIGMA * sigma, _LEAST_DEPTH))
    return found


def _measure(plane: NDArray, labels: NDArray, box: tuple[slice, slice], k: int) -> Dust | None:
    """Measure one patch within its half-depth contour; None if it is not round or too small."""
    inside = labels[box] == k
    depths = np.where(inside, -plane[box], 0.0)
    deepest = float(np.quantile(depths[inside], 0.9))
    core = ndimage.binary_fill_holes(depths > deepest / 2)
    area = int(core.sum())
    if area < _LEAST_AREA_PX or not _is_round(core, area):
        return None
    y, x = (float(c) for c in ndimage.center_of_mass(core))
    return Dust(box[1].start + x, box[0].start + y, float(np.sqrt(area / np.pi)), deepest)


def _is_round(core: NDArray[np.bool_], area: int) -> bool:
    rows, columns = np.flatnonzero(core.any(axis=1)), np.flatnonzero(core.any(axis=0))
    height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    return area >= _LEAST_FILL * height * width and max(height, width) <= _MOST_ELONGATED * min(height, width)
