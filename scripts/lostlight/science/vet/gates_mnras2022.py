"""The published cuts of Solano et al. 2022, MNRAS 515, 1380, as the replications of it state them."""

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.science.match.residual import MAD_TO_SIGMA
from lostlight.vocab.extraction import SATURATED

STATED_SCALE_ARCSEC = 1.7
"""Pixel scale the cuts in pixels were stated for."""

Bools = NDArray[np.bool_]


def published_cuts(
    table: Table, pixel_scale_arcsec: float, *, snr_min: float = 30, spread_min: float = -0.002,
    fwhm_range_px: tuple[float, float] = (2, 7), elongation_max: float = 1.3,
    extent_difference_px: float = 2, extent_min_px: float = 1, clip_sigma: float = 2,
) -> dict[str, Bools]:  # fmt: skip
    """Tell which detections fail each of the published cuts.

    The 2-sigma clip is about the stars of the whole tile *before* any catalogue veto: the handful of rows left after
    the vetoes could reject nothing. A value that is not a number fails its cut.

    Parameters
    ----------
    table : Table
        Every detection of one tile: `extraction_flags`, `snr_win`, `spread_model`, `fwhm_px`, `elongation` and the
        bounding box.
    pixel_scale_arcsec : float
        Scale of the tile; cuts in pixels are stated at 1.7 arcsec and scaled to it.
    snr_min, spread_min, elongation_max : float
        Open limits.
    fwhm_range_px, extent_difference_px, extent_min_px : float
        Open limits in pixels of 1.7 arcsec.
    clip_sigma : float
        Half width of the clip on FWHM and elongation in robust sigmas (1.4826 MAD).

    Returns
    -------
    dict
        Name of the filter bit to ndarray of bool, shape (n,): True where the row fails.
    """
    pixel = pixel_scale_arcsec / STATED_SCALE_ARCSEC
    fwhm, elongation = _values(table, "fwhm_px"), _values(table, "elongation")
    width = _values(table, "x_max_px") - _values(table, "x_min_px")
    height = _values(table, "y_max_px") - _values(table, "y_min_px")
    low, high = fwhm_range_px
    passes = {
        # The published FLAGS = 0 never saw saturation: its level, 50000, is above the density of every plate.
        "EXTRACTION": (np.asarray(table["extraction_flags"]) & ~SATURATED) == 0,
        "SNR": _values(table, "snr_win") > snr_min,
        "SPREAD": _values(table, "spread_model") > spread_min,
        "FWHM": (fwhm * pixel > low) & (fwhm * pixel < high),
        "ELONGATION": elongation < elongation_max,
        "EXTENT": (np.abs(width - height) * pixel < extent_difference_px)
        & (np.minimum(width, height) * pixel > extent_min_px),
    }
    stars = np.logical_and.reduce(list(passes.values()))
    passes["CLIP"] = _clipped(fwhm, stars, clip_sigma) & _clipped(elongation, stars, clip_sigma)
    return {name: ~passed for name, passed in passes.items()}


def _clipped(values: NDArray[np.float64], stars: Bools, clip_sigma: float) -> Bools:
    """Mark the values within `clip_sigma` of the median of the stars; without stars nothing is."""
    if not stars.any():
        return np.zeros(len(values), bool)
    median = np.median(values[stars])
    sigma = MAD_TO_SIGMA * np.median(np.abs(values[stars] - median))
    return np.abs(values - median) <= clip_sigma * sigma


def _values(table: Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name], float)
