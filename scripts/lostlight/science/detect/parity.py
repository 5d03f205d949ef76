"""Do two engines see the same sources, and measure them alike?"""

from collections.abc import Iterable

import numpy as np
from astropy.table import Table
from scipy.spatial import cKDTree

RELATIVE = ("flux_auto_adu", "flux_aper_adu", "flux_psf_adu", "fwhm_px", "flux_radius_px", "snr_win", "elongation")
"""Columns compared as ratios; all others as differences."""

COMPARED = (
    "x_px", "y_px", "xwin_px", "ywin_px", "mag_auto", "mag_aper", "mag_psf", "fwhm_px", "flux_radius_px", "snr_win",
    "elongation", "area_px", "spread_model", "chi2_psf",
)  # fmt: skip

_RADIUS_PX = 0.6


def pair(reference: Table, other: Table, radius_px: float = _RADIUS_PX) -> tuple[np.ndarray, np.ndarray]:
    """Find the sources that two tables of one image share: row numbers in each, mutually nearest within `radius_px`."""
    if not (len(reference) and len(other)):
        return np.empty(0, dtype=int), np.empty(0, dtype=int)
    here, there = (np.column_stack([table["x_px"], table["y_px"]]) for table in (reference, other))
    distance, nearest = cKDTree(there).query(here)
    _, back = cKDTree(here).query(there)
    rows = np.flatnonzero((distance <= radius_px) & (back[nearest] == np.arange(len(here))))
    return rows, nearest[rows]


def compare(reference: Table, other: Table, columns: Iterable[str] = COMPARED, radius_px: float = _RADIUS_PX) -> Table:
    """Compare two tables of detections of one image, column by column, on sources without extraction flags.

    Parameters
    ----------
    reference, other : Table
        With ``x_px, y_px, extraction_flags`` and the columns to compare.
    columns : iterable of str
        Columns to compare; those in `RELATIVE` as ``other / reference - 1``, the rest as ``other - reference``.
    radius_px : float
        Sources closer than this are the same.

    Returns
    -------
    Table
        One row a column: name, whether relative, number of sources, median difference, and the 95th percentile of its
        size. The metadata hold ``n_reference, n_other, n_common, common_fraction`` and ``flags_agree_fraction``.
    """
    rows, mates = pair(reference, other, radius_px)
    first, second = reference[rows], other[mates]
    clean = [np.asarray(table["extraction_flags"]) == 0 for table in (first, second)]
    both = clean[0] & clean[1]
    lines = [_line(name, np.asarray(first[name])[both], np.asarray(second[name])[both]) for name in columns]
    found = Table(rows=lines, names=("column", "is_relative", "n", "median", "p95"))
    found.meta = {
        "n_reference": len(reference),
        "n_other": len(other),
        "n_common": len(rows),
        "common_fraction": len(rows) / max(len(reference), len(other), 1),
        "flags_agree_fraction": float(np.mean(clean[0] == clean[1])) if len(rows) else float("nan"),
    }
    return found


def _line(name: str, reference: np.ndarray, other: np.ndarray) -> tuple[str, bool, int, float, float]:
    known = np.isfinite(reference) & np.isfinite(other)
    first, second = reference[known].astype(float), other[known].astype(float)
    relative = name in RELATIVE
    if not len(first):
        return name, relative, 0, float("nan"), float("nan")
    difference = second / first - 1 if relative else second - first
    return name, relative, len(first), float(np.median(difference)), float(np.percentile(np.abs(difference), 95))
