"""Choose the stars fit for a PSF model among the detections of a first pass."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]

_MODE_WIDTH = 0.2  # stars of one tile differ this much in size (PSFEx's SAMPLE_VARIABILITY)
_BAD_FLAGS = 0xFE  # all extraction flags but "has neighbours"


@dataclass(frozen=True)
class StarRules:
    """Which stars make a PSF: limits of signal to noise, of (a - b)/(a + b) and of twice the half-light radius."""

    min_snr: float
    max_ellipticity: float
    fwhm_range_px: tuple[float, float]
    is_isolated: bool = True


@dataclass(frozen=True)
class StarSample:
    """Stars for a PSF model; arrays of shape (n,), positions zero-based, fluxes in adu.

    `all_px` (k, 2) holds x and y of everything found on the image, so that neighbours can be left out of the fit.
    """

    x_px: FloatArray
    y_px: FloatArray
    flux_adu: FloatArray
    fwhm_px: FloatArray
    all_px: FloatArray

    def subset(self, numbers: NDArray[np.int64]) -> "StarSample":
        """Take some of the stars."""
        own = (value[numbers] for value in (self.x_px, self.y_px, self.flux_adu, self.fwhm_px))
        return StarSample(*own, self.all_px)


def select_stars(found: Mapping[str, FloatArray], is_masked: BoolArray, rules: StarRules) -> BoolArray:
    """Choose the stars fit for a PSF model: clean, round, isolated and of the commonest size.

    Parameters
    ----------
    found : table
        First-pass detections with the columns of ``PASS1``, n rows.
    is_masked : (ny, nx) bool
        Pixels not to trust.
    rules : StarRules
        With `is_isolated`, stars with a neighbour that matters are left out.

    Returns
    -------
    (n,) bool
    """
    x, y, flux = (np.asarray(found[name], dtype=float) for name in ("x_px", "y_px", "flux_aper_adu"))
    size = 2 * np.asarray(found["flux_radius_px"], dtype=float)
    elongation = np.asarray(found["elongation"], dtype=float)
    ellipticity = (elongation - 1) / (elongation + 1)
    good = np.isfinite(x + y + flux + size) & (np.asarray(found["extraction_flags"]) & _BAD_FLAGS == 0)
    good &= (np.asarray(found["snr_win"]) >= rules.min_snr) & (ellipticity <= rules.max_ellipticity) & (flux > 0)
    good &= (size >= rules.fwhm_range_px[0]) & (size <= rules.fwhm_range_px[1])
    good &= ~_masked_at(is_masked, x, y)
    if not good.any():
        return good
    low, high = _mode_window(size[good])
    good &= (size >= low) & (size <= high)
    return good & ~_crowded(x, y, flux, radius_px=1.25 * (low + high)) if rules.is_isolated else good


def sample_of(found: Mapping[str, FloatArray], chosen: BoolArray) -> StarSample:
    """Take what a PSF model needs from first-pass detections and the choice of stars among them."""
    names = ("x_px", "y_px", "flux_aper_adu", "flux_radius_px")
    x_px, y_px, flux_adu, radius_px = (np.asarray(found[name], dtype=float) for name in names)
    placed = np.c_[x_px, y_px][np.isfinite(x_px + y_px)]
    return StarSample(x_px[chosen], y_px[chosen], flux_adu[chosen], 2 * radius_px[chosen], placed)


def _masked_at(is_masked: BoolArray, x_px: FloatArray, y_px: FloatArray) -> BoolArray:
    ny, nx = is_masked.shape
    columns = np.clip(np.rint(np.nan_to_num(x_px)), 0, nx - 1).astype(int)
    rows = np.clip(np.rint(np.nan_to_num(y_px)), 0, ny - 1).astype(int)
    return is_masked[rows, columns]


def _mode_window(size: FloatArray) -> tuple[float, float]:
    """Find the window of constant relative width that holds most of the sizes."""
    ordered = np.sort(size)
    count = np.searchsorted(ordered, ordered * (1 + _MODE_WIDTH), side="right") - np.arange(len(ordered))
    low = ordered[np.argmax(count)]
    return float(low), float(low * (1 + _MODE_WIDTH))


def _crowded(x_px: FloatArray, y_px: FloatArray, flux: FloatArray, radius_px: float) -> BoolArray:
    """Mark sources with a neighbour within the radius that has more than a tenth of their light."""
    placed = np.flatnonzero(np.isfinite(x_px + y_px))
    pairs = cKDTree(np.c_[x_px, y_px][placed]).query_pairs(radius_px, output_type="ndarray")
    first, second = placed[pairs].T
    crowded = np.zeros(len(x_px), dtype=bool)
    crowded[first[flux[second] > 0.1 * flux[first]]] = True
    crowded[second[flux[first] > 0.1 * flux[second]]] = True
    return crowded
