"""What both extraction engines are told and what both give back: one set of knobs, one list of columns."""

from typing import Protocol

from lostlight.vocab.column import Schema


class Knobs(Protocol):
    """The knobs of source extraction; `core.params.ExtractionParams` has them all, with their meaning."""

    threshold_sigma: float
    min_area_px: int
    filter: bool
    deblend_levels: int
    deblend_contrast: float
    clean: bool
    mask_neighbours: bool
    mesh_px: int
    mesh_filter: int
    aperture_px: float
    gain: float
    seeing_arcsec: float
    timeout_s: float


EXTRACTED: Schema = (
    "object_id", "x_px", "y_px", "xwin_px", "ywin_px", "x_min_px", "x_max_px", "y_min_px", "y_max_px", "area_px",
    "a_px", "b_px", "theta_deg", "elongation", "fwhm_px", "flux_radius_px", "flux_auto_adu", "flux_auto_err_adu",
    "flux_aper_adu", "flux_aper_err_adu", "flux_max_adu", "background_adu", "snr_win", "extraction_flags",
)  # fmt: skip
"""Columns that an engine measures without a PSF and without a sky solution."""

NEIGHBOURS, BLENDED, SATURATED, TRUNCATED, APERTURE_INCOMPLETE, DEBLEND_OVERFLOW = 1, 2, 4, 8, 16, 64
"""SExtractor's extraction flags."""
