"""Whether a flat takes too much or too little vignetting out of a light."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from lostlight.science.calibrate.illumination import robust_fit
from lostlight.science.calibrate.statistics import clipped_sigma, noise
from lostlight.science.calibrate.tiles import averaged, smooth, tile_centers, tile_medians, tile_side
from lostlight.science.calibrate.trouble import Warn, warn
from lostlight.vocab.calibration import CODES

TILE_PX = 64
_COARSE_PX = 512
"""Frames are averaged over squares that leave about this many: the background needs no more."""
_MOST = 0.05
_SIGMA = 5.0
_PARTS = 4


@dataclass(frozen=True)
class Correction:
    """How the background of a calibrated light follows the flat; zero if the flat corrects as it should."""

    slope: float
    """relative change of the background over the relative change of the flat: above zero vignetting is left, below zero
    it is turned over"""
    slope_error: float
    n_tiles: int
    background: float
    """level of the sky, in the unit of the light"""

    @property
    def is_wrong(self) -> bool:
        """Beyond 0.05 and beyond five times its error."""
        return abs(self.slope) > _MOST and abs(self.slope) > _SIGMA * self.slope_error

    def plain(self) -> dict[str, Any]:
        """Give plain data for a report."""
        return {**asdict(self), "is_wrong": self.is_wrong}


def correction(
    light: NDArray, flat: NDArray, good: NDArray[np.bool_] | None = None, pedestal: float = 0.0
) -> Correction:
    """Regress the background of a calibrated light on its flat.

    Medians of 64-pixel tiles, sources left out, are fitted by background * (1 + c (F - 1) + gradient) with Tukey's
    biweight. The linear gradient is the sky's own, and so what a tilted flat does is not told. The error is the larger
    of that of the fit and that of a jackknife over sixteen parts of the frame, which nebulae and galaxies inflate.

    Parameters
    ----------
    light : ndarray, shape (ny, nx)
        Calibrated light, any unit.
    flat : ndarray, shape (ny, nx)
        The flat it was divided by.
    good : ndarray, shape (ny, nx), bool, optional
        Pixels that count.
    pedestal : float
        Level that was added to the light after calibration.
    """
    valid = np.isfinite(light) & np.isfinite(flat) & (flat > 0)
    valid = valid if good is None else valid & good
    square = max(min(light.shape) // _COARSE_PX, 1)
    side = max(tile_side(light.shape, TILE_PX) // square, 2)
    light, flat = averaged(light - pedestal, valid, square), averaged(flat, valid, square)
    if not np.isfinite(light).any():
        return Correction(np.nan, np.nan, 0, np.nan)
    sky = np.isfinite(light) & ~sources(light)
    level, relative = tile_medians(light, side, sky), tile_medians(flat, side, sky)
    known = np.isfinite(level) & np.isfinite(relative)
    background = float(np.median(level[known])) if known.any() else np.nan
    if known.sum() < 8 or not background > 0:
        return Correction(np.nan, np.nan, int(known.sum()), background)
    y, x = np.meshgrid(*(c / c.max() - 0.5 for c in tile_centers(light.shape, side)), indexing="ij")
    shading = relative / np.median(relative[known]) - 1
    terms = np.stack([np.ones(known.sum()), shading[known], x[known], y[known]], axis=-1)
    values = level[known] / background
    found, residuals = robust_fit(terms, values)
    parts = _parts(known.shape)[known]
    error = max(_error(terms, residuals), _jackknife(terms, values, parts))
    return Correction(float(found[1]), float(error), int(known.sum()), background)


def sources(light: NDArray) -> NDArray[np.bool_]:
    """Mark stars and galaxies: pixels three sigma above their surroundings after smoothing, and all within five."""
    good = np.isfinite(light)
    wide = max(min(light.shape) / 16, 4.0)
    typical = np.median(light[good])
    sigma = noise(light)
    found = np.zeros(light.shape, bool)
    for _ in range(2):
        calm = good & ~found & (np.abs(light - typical) < 50 * sigma) if sigma > 0 else good
        excess = smooth(light - smooth(light, calm, wide), good, 1.5)
        width = clipped_sigma(excess[good & ~found])
        found = binary_dilation(good & (excess > 3 * width), iterations=5) if width > 0 else found
    return found if (good & ~found).sum() > 0.3 * good.sum() else np.zeros(light.shape, bool)


def wrong_correction(light: str, flat: str, found: Correction) -> list[Warn]:
    """Warn if a flat corrects a light too much or too little (CAL217)."""
    if not found.is_wrong:
        return []
    much = "too little: vignetting is left in" if found.slope > 0 else "too much: it turns the vignetting over in"
    said = f"{flat} corrects {much} {light}, by {abs(found.slope):.3f} ± {found.slope_error:.3f} of the flat"
    hint = f"is a pedestal left in the light or in the flat? {CODES['CAL217'].hint}"
    return [warn("CAL217", light, said, found.slope, _MOST, hint)]


def _error(terms: NDArray, residuals: NDArray) -> float:
    spread = clipped_sigma(residuals)
    return float(spread * np.sqrt(np.linalg.pinv(terms.T @ terms)[1, 1]))


def _jackknife(terms: NDArray, values: NDArray, parts: NDArray) -> float:
    slopes = [
        robust_fit(terms[parts != part], values[parts != part])[0][1]
        for part in np.unique(parts)
        if np.count_nonzero(parts != part) >= 6
    ]
    n = len(slopes)
    return float(np.sqrt((n - 1) * np.var(slopes))) if n > 1 else np.inf


def _parts(shape: tuple[int, int]) -> NDArray[np.int64]:
    """Number a grid of four by four parts over the tiles."""
    rows, columns = (np.arange(n) * _PARTS // n for n in shape)
    return rows[:, np.newaxis] * _PARTS + columns
