"""How a flat is lit: vignetting, tilt, banding, and whether single flats have the shape of their master."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate.statistics import MAD_TO_SIGMA, clipped_sigma, noise
from lostlight.science.calibrate.tiles import row_medians, tile_centers, tile_medians, tile_side

TILE_PX = 64
_TUKEY = 4.685
_ERROR_OF_MEDIAN = 1.2533


@dataclass(frozen=True)
class Illumination:
    """A robust two-dimensional quadratic through a flat; what cannot be told is NaN."""

    corner_over_center: float
    """mean of the four corners over the centre of the frame"""
    tilt: float
    """change across the frame along the steepest direction of the linear term, as a fraction of the centre"""
    tilt_angle_deg: float
    """direction in which it gets brighter: 0 along x, 90 along y"""
    center_x_px: float
    """where the vignetting is brightest, zero-based; may lie outside of the frame"""
    center_y_px: float
    coefficients: tuple[float, ...]
    """of 1, x, y, x^2, x y, y^2, with x and y from -1 to 1 across the frame"""
    residual_rms: float
    """robust scatter of the tiles about the surface, as a fraction of the centre"""

    def plain(self) -> dict[str, Any]:
        """Give plain data for a report."""
        return asdict(self)


def illumination(flat: NDArray, good: NDArray[np.bool_] | None = None) -> Illumination:
    """Fit a quadratic surface to the medians of 64-pixel tiles, by Tukey's biweight, which dust does not bend.

    Parameters
    ----------
    flat : ndarray, shape (ny, nx)
        A flat of any scale, its pedestal subtracted.
    good : ndarray, shape (ny, nx), bool, optional
        Pixels that count.
    """
    side = tile_side(flat.shape, TILE_PX)
    medians = tile_medians(flat, side, good)
    y, x = np.meshgrid(*tile_centers(flat.shape, side), indexing="ij")
    known = np.isfinite(medians)
    if known.sum() < 6:
        return Illumination(*[np.nan] * 5, coefficients=(np.nan,) * 6, residual_rms=np.nan)
    terms = _terms(_scaled(x[known], flat.shape[1]), _scaled(y[known], flat.shape[0]))
    found, residuals = robust_fit(terms, medians[known])
    middle = found[0]
    corners = _terms(np.array([-1.0, 1, -1, 1]), np.array([-1.0, -1, 1, 1])) @ found
    top = _brightest(found, flat.shape)
    return Illumination(
        corner_over_center=float(corners.mean() / middle),
        tilt=float(2 * np.hypot(found[1], found[2]) / middle),
        tilt_angle_deg=float(np.degrees(np.arctan2(found[2], found[1]))),
        center_x_px=top[0],
        center_y_px=top[1],
        coefficients=tuple(float(c) for c in found),
        residual_rms=float(MAD_TO_SIGMA * np.median(np.abs(residuals)) / middle),
    )


def surface(found: Illumination, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Evaluate the fitted surface at every pixel of an image of `shape`, in the unit of the flat."""
    c = found.coefficients
    x = _scaled(np.arange(shape[1]), shape[1])
    y = _scaled(np.arange(shape[0]), shape[0])[:, np.newaxis]
    return c[0] + c[1] * x + c[2] * y + c[3] * x**2 + c[4] * x * y + c[5] * y**2


def banding(relative: NDArray) -> tuple[float, float]:
    """Compare the scatter of the means of rows and of columns with what noise alone would give.

    Parameters
    ----------
    relative : ndarray, shape (ny, nx)
        A flat over its smooth part, minus one; NaN where there is none.

    Returns
    -------
    tuple of float
        For rows and for columns: one without banding, above three with it.
    """
    sigma = noise(relative)
    ratios = []
    for axis, length in ((1, relative.shape[1]), (0, relative.shape[0])):
        profile = row_medians(relative if axis == 1 else np.ascontiguousarray(relative.T))
        expected = _ERROR_OF_MEDIAN * sigma / np.sqrt(length)
        ratios.append(clipped_sigma(np.diff(profile)) / np.sqrt(2) / expected if expected > 0 else np.nan)
    return float(ratios[0]), float(ratios[1])


def shape_change(frame: NDArray, master: NDArray, good: NDArray[np.bool_] | None = None) -> float:
    """Measure how far the illumination of one flat differs from that of its master.

    Parameters
    ----------
    frame, master : ndarray, shape (ny, nx)
        Flats of any scale, their pedestal subtracted.
    good : ndarray, shape (ny, nx), bool, optional
        Pixels that count.

    Returns
    -------
    float
        Scatter of the tile medians of their ratio, as a fraction, without the part that noise makes.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(master > 0, frame / master, np.nan)
    side = tile_side(frame.shape, TILE_PX)
    medians = tile_medians(ratio, side, good)
    medians = medians[np.isfinite(medians)]
    if medians.size < 2:
        return np.nan
    medians = medians / np.median(medians)
    by_noise = _ERROR_OF_MEDIAN * noise(ratio / np.nanmedian(ratio)) / side
    return float(np.sqrt(max(medians.var() - by_noise**2, 0.0)))


def robust_fit(terms: NDArray, values: NDArray) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit ``terms @ c = values`` by least squares reweighted with Tukey's biweight; give c and the residuals."""
    weights = np.ones(len(values))
    found = np.zeros(terms.shape[1])
    for _ in range(30):
        roots = np.sqrt(weights)
        previous, found = found, np.linalg.lstsq(terms * roots[:, np.newaxis], values * roots, rcond=None)[0]
        residuals = values - terms @ found
        width = MAD_TO_SIGMA * float(np.median(np.abs(residuals)))
        if width == 0 or np.abs(found - previous).max() < 1e-9 * np.abs(found).max():
            break
        weights = np.clip(1 - (residuals / (_TUKEY * width)) ** 2, 0, None) ** 2
    return found, values - terms @ found


def _scaled(pixels: NDArray, length: int) -> NDArray[np.float64]:
    """Pixels from -1 at the first to 1 at the last."""
    return (2 * np.asarray(pixels, np.float64) - (length - 1)) / max(length - 1, 1)


def _terms(x: NDArray, y: NDArray) -> NDArray[np.float64]:
    return np.stack([np.ones_like(x), x, y, x**2, x * y, y**2], axis=-1)


def _brightest(c: NDArray, shape: tuple[int, int]) -> tuple[float, float]:
    """Where the surface is highest; NaN if it has no maximum worth the name."""
    curvature = np.array([[2 * c[3], c[4]], [c[4], 2 * c[5]]])
    if np.linalg.eigvalsh(curvature).max() > -1e-3 * c[0]:
        return np.nan, np.nan
    x, y = np.linalg.solve(curvature, -c[1:3])
    return float((x + 1) / 2 * (shape[1] - 1)), float((y + 1) / 2 * (shape[0] - 1))
