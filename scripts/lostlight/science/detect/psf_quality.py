"""Is a PSF model fit for use, and what is it like over the tile?"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lostlight.science.detect.psf_model import PsfModel, shape_at

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]

_GRID = 7  # points of the map along each axis
_SAME_STAR_PX = 0.5


@dataclass(frozen=True)
class Limits:
    """What a model must keep: fewest stars, range of chi-square, and range of FWHM in pixels over the whole tile."""

    min_accepted: int
    chi2_range: tuple[float, float]
    fwhm_range_px: tuple[float, float]


@dataclass(frozen=True)
class StarFits:
    """What became of the stars a model was offered; arrays of shape (n,), positions zero-based."""

    x_px: FloatArray
    y_px: FloatArray
    chi2: FloatArray
    is_used: BoolArray


@dataclass(frozen=True)
class Attempt:
    """A model, what became of its stars, what is wrong with it, and whether its stars were chosen by relaxed rules."""

    model: PsfModel
    stars: StarFits
    faults: list[str]
    is_fallback: bool = False


def faults(model: PsfModel, shape: tuple[int, int], limits: Limits) -> list[str]:
    """List what is wrong with a model; nothing if it is fit for use.

    Parameters
    ----------
    model : PsfModel
    shape : (int, int)
        Size of the image as (ny, nx).
    limits : Limits

    Returns
    -------
    list of str
        With values and limits. The FWHM must hold at every point of a grid that reaches the corners, where a polynomial
        with too much freedom goes astray first.
    """
    if model.n_accepted < limits.min_accepted:
        return [f"{model.n_accepted} stars, fewer than {limits.min_accepted}"]
    found = []
    low, high = limits.chi2_range
    if not low < model.chi2 < high:
        found.append(f"chi-square {model.chi2:.2f}, not between {low:g} and {high:g}")
    low, high = limits.fwhm_range_px
    x, y = _grid(shape)
    if not np.all(np.isfinite(model.basis)) or np.any(model.at(x, y).max(axis=(1, 2)) <= 0):
        return [*found, "profiles without light"]
    fwhm_px, _ = shape_at(model, x, y)
    if fwhm_px.min() < low or fwhm_px.max() > high:
        span = f"{fwhm_px.min():.2f} to {fwhm_px.max():.2f} px"
        found.append(f"FWHM {span} over the tile, not within {low:.2f} to {high:.2f} px")
    return found


def quality_table(
    model: PsfModel, shape: tuple[int, int], detections: Mapping[str, FloatArray], is_masked: BoolArray, fits: StarFits
) -> Table:
    """Tell which stars were used, and give width and ellipticity of the model on a grid.

    Parameters
    ----------
    model : PsfModel
    shape : (int, int)
        Size of the image as (ny, nx).
    detections : table
        First-pass detections with the columns of ``PASS1``.
    is_masked : (ny, nx) bool
        Pixels not to trust.
    fits : StarFits

    Returns
    -------
    Table
        Columns of ``PSF_QUALITY``: one row of kind ``star`` for every detection without flags outside masks, and one
        of kind ``map`` for every point of the grid.
    """
    return vstack([_stars(detections, is_masked, fits), _map(model, shape)])


def metrics(best: Attempt, quality: Table, scale_arcsec: float) -> dict[str, float | int | bool]:
    """Sum up a model: width and ellipticity in the middle of the values over the tile, and what it was made of."""
    grid = quality[quality["kind"] == "map"]
    fwhm_px = float(np.median(grid["fwhm_px"]))
    return {
        "fwhm_px": fwhm_px,
        "fwhm_arcsec": fwhm_px * scale_arcsec,
        "ellipticity": float(np.median(grid["ellipticity"])),
        "degree": best.model.degree,
        "chi2": best.model.chi2,
        "n_loaded": best.model.n_loaded,
        "n_accepted": best.model.n_accepted,
        "is_fallback": best.is_fallback,
    }


def _stars(detections: Mapping[str, FloatArray], is_masked: BoolArray, fits: StarFits) -> Table:
    x, y = (np.asarray(detections[name], dtype=float) for name in ("x_px", "y_px"))
    rows, columns = (np.clip(np.rint(v), 0, n - 1).astype(int) for v, n in zip((y, x), is_masked.shape, strict=True))
    clean = (np.asarray(detections["extraction_flags"]) == 0) & ~is_masked[rows, columns]
    elongation = np.asarray(detections["elongation"], dtype=float)
    stars = Table({"x_px": x, "y_px": y, "fwhm_px": 2 * np.asarray(detections["flux_radius_px"], dtype=float)})
    stars["ellipticity"] = (elongation - 1) / (elongation + 1)
    for name in ("snr_win", "flux_aper_adu", "flux_max_adu"):
        stars[name] = np.asarray(detections[name], dtype=float)
    stars["chi2_psf"], stars["is_used"] = np.nan, False
    if len(x) and len(fits.x_px):
        distance, number = cKDTree(np.c_[x, y]).query(np.c_[fits.x_px, fits.y_px])
        same = distance < _SAME_STAR_PX
        stars["chi2_psf"][number[same]] = fits.chi2[same]
        stars["is_used"][number[same]] = fits.is_used[same]
    stars = stars[clean | stars["is_used"]]
    stars["kind"] = np.full(len(stars), "star")
    return stars


def _map(model: PsfModel, shape: tuple[int, int]) -> Table:
    x, y = _grid(shape)
    fwhm_px, ellipticity = shape_at(model, x, y)
    grid = Table({"x_px": x, "y_px": y, "fwhm_px": fwhm_px, "ellipticity": ellipticity})
    for name in ("snr_win", "flux_aper_adu", "flux_max_adu", "chi2_psf"):
        grid[name] = np.nan
    grid["is_used"] = False
    grid["kind"] = np.full(len(grid), "map")
    return grid


def _grid(shape: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    ny, nx = shape
    y, x = np.meshgrid(np.linspace(0, ny - 1, _GRID), np.linspace(0, nx - 1, _GRID), indexing="ij")
    return x.ravel(), y.ravel()
