"""Why a planted source was missed: one reason each, from what lies along its true path and along those of the grid."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lostlight.vocab.movers import REASONS

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

HALF = 0.5
"""Most of its light: more than this part."""
KEPT = 0.9
"""The background took light away where less than this part of it is left."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known of n planted sources; all arrays have shape (n,).

    Parameters
    ----------
    n_on_image : int64
        Images that the source is on.
    n_seen : int64
        Images that measure it: its place is not masked.
    frac_masked, frac_blended : float64
        Part of its light on bad pixels, and part of the images where it is on or beside a star.
    frac_kept : float64
        Part of its light that is left when the background is taken off; NaN where that was not measured.
    lh_unharmed : float64
        Likelihood expected of it if nothing were masked, blended or taken away.
    lh_expected : float64
        Likelihood expected of it as it is, losses of the grid included.
    lh_true, lh_grid : float64
        Likelihood along its true path, and along the best path of the grid near it.
    bend_px : float64
        Largest distance of its path from a straight one at constant speed.
    is_clipped : bool
        The paths near it pass the threshold, and no longer once outliers are clipped.
    is_path : bool
        A path near it is among those that the search keeps for each pixel.
    is_static : bool
        It hardly moves, and a mask of what stands still leaves too few of its images.
    is_candidate : bool
        A candidate near it is left when paths are clustered.
    is_vetted_out : bool
        And vetting takes that for an artefact.
    """

    n_on_image: IntArray
    n_seen: IntArray
    frac_masked: FloatArray
    frac_blended: FloatArray
    frac_kept: FloatArray
    lh_unharmed: FloatArray
    lh_expected: FloatArray
    lh_true: FloatArray
    lh_grid: FloatArray
    bend_px: FloatArray
    is_clipped: BoolArray
    is_path: BoolArray
    is_static: BoolArray
    is_candidate: BoolArray
    is_vetted_out: BoolArray

    def __post_init__(self) -> None:
        shapes = {np.shape(getattr(self, each.name)) for each in fields(self)}
        if len(shapes) != 1:
            raise ValueError(f"evidence of different shapes: {sorted(shapes)}")


def why(
    evidence: Evidence, is_found: BoolArray, threshold: float, min_epochs: int, fwhm_px: float
) -> tuple[list[str], list[str]]:
    """Give every source that was missed its reason.

    Parameters
    ----------
    evidence : Evidence
    is_found : ndarray, (n,), bool
    threshold : float
        Least likelihood of a candidate.
    min_epochs : int
        Images that a path must have.
    fwhm_px : float
        Width of a point.

    Returns
    -------
    lost_because : list of str
        The first reason of `REASONS` that holds; empty where the source was found. Where none holds, a candidate is
        there but is another's: MERGED.
    also_because : list of str
        The others that hold, separated by spaces.
    """
    held = holding(evidence, threshold, min_epochs, fwhm_px)
    lost, also = [], []
    for i, found in enumerate(is_found):
        names = [] if found else [name for name in REASONS if held[name][i]] or ["MERGED"]
        lost.append(names[0] if names else "")
        also.append(" ".join(names[1:]))
    return lost, also


def holding(evidence: Evidence, threshold: float, min_epochs: int, fwhm_px: float) -> dict[str, BoolArray]:
    """Tell for each reason for which sources it holds; parameters as of `why`."""
    e = evidence
    # What harms a source that is too faint anyway is not why it is missed.
    matters = ~(e.lh_unharmed < threshold)
    return {
        "OUT_OF_FIELD": e.n_on_image == 0,
        "TOO_FEW_EPOCHS": e.n_on_image < min_epochs,
        "MASKED": matters & ((e.frac_masked > HALF) | (e.n_seen < min_epochs)),
        "BLENDED": matters & (e.frac_blended > HALF),
        "BACKGROUND_LOSS": matters & (e.frac_kept < KEPT),
        "BELOW_THRESHOLD_EXPECTED": e.lh_expected < threshold,
        "STATIC": e.is_static,
        "CURVATURE": e.bend_px > HALF * fwhm_px,
        "NOISE": e.lh_true < threshold,
        "GRID_LOSS": ~(e.lh_grid >= threshold),  # NaN: no path of the grid comes near
        "SIGMA_G": e.is_clipped,
        "TOPK": ~e.is_path,
        "MERGED": ~e.is_candidate,
        "VETTED": e.is_vetted_out,
    }


def bend(days: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
    """Find how far paths are from straight ones at constant speed, fitted by least squares.

    Parameters
    ----------
    days : ndarray, (T,), float64
    x, y : ndarray, (n, T), float64
        Pixels; NaN where a source is on no image.

    Returns
    -------
    ndarray, (n,), float64
        Largest distance on any image, pixels; 0 where fewer than three show the source.
    """
    far = np.zeros(len(x))
    for i in range(len(x)):
        known = np.isfinite(x[i]) & np.isfinite(y[i])
        if known.sum() > 2:
            line = np.c_[np.ones(known.sum()), days[known] - days[known].mean()]
            both = np.c_[x[i, known], y[i, known]]
            left = both - line @ np.linalg.lstsq(line, both, rcond=None)[0]
            far[i] = np.hypot(*left.T).max()
    return far
