"""A master bias with less noise than its frames allow: large structure and lines from a model, pixels by their worth.

The model is the classic superbias: the large-scale plane of a B3-spline a-trous transform (Starck & Murtagh 1994), plus
trimmed means of columns and rows. It has hardly any noise, but no fixed pattern of single pixels either. Whether there
is one, two halves of the frames tell: the residual that both share is pattern, the rest is noise. Empirical Bayes
(James & Stein 1961) then keeps of the residual just the share that is pattern.
"""

import math
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline
from scipy.ndimage import correlate1d

from lostlight.science.calibrate.trouble import refuse

Axes = Literal["cols", "rows", "both"]
Image = NDArray[np.float32]

B3 = (1 / 16, 1 / 4, 3 / 8, 1 / 4, 1 / 16)
CLIP_SIGMA = 5.0
"""Residuals beyond this are defects: they enter neither the model nor the variances, and stay as they were measured."""
SIGNIFICANT = 3.0
"""Weights smaller than this many of their own errors are zero: chance, no pattern."""
SAMPLE = 1_000_000


class Superbias(NamedTuple):
    """A blend of model and master."""

    bias: Image
    """shape (ny, nx), adu"""
    weight: float
    """share of the residual that was kept: 0 is the model, 1 the master"""
    sigma: Image
    """one standard deviation of `bias`, shape (ny, nx), adu"""


def classic(master: Image, layers: int = 7, trim: float = 0.2, axes: Axes = "both") -> Image:
    """Model a bias by its large-scale structure and the means of its columns and rows alone.

    Parameters
    ----------
    master : ndarray, shape (ny, nx), float32, adu
        Master bias; NaN is no data.
    layers : int
        Structure finer than two to this power of pixels is not part of the model, except for columns and rows.
    trim : float
        Fraction trimmed from each end before the mean of a column or row is taken.
    axes : str
        Lines whose means are kept: cols, rows or both.

    Returns
    -------
    ndarray, shape (ny, nx), float32, adu
        Model, without NaN.

    Raises
    ------
    UnitError
        CAL108: no pixel is valid.
    """
    if not np.isfinite(master).any():
        raise refuse("CAL108", "a superbias of a master without a valid pixel")
    level = float(np.nanmedian(master))
    filled = np.where(np.isfinite(master), master - level, 0).astype(np.float32)
    rough = _model(filled, layers, trim, axes)
    residual = filled - rough
    limit = CLIP_SIGMA * _spread(residual)
    cleaned = np.where(np.isfinite(master), rough + np.clip(residual, -limit, limit), rough)
    return _model(cleaned, layers, trim, axes) + np.float32(level)


def shrink(
    master: Image,
    half_a: Image,
    half_b: Image,
    layers: int = 7,
    trim: float = 0.2,
    axes: Axes = "both",
    *,
    frames: tuple[int, int] = (1, 1),
) -> Superbias:
    """Blend a master bias with its model, pixel noise against fixed pattern.

    Parameters
    ----------
    master : ndarray, shape (ny, nx), float32, adu
        Master bias of all frames; NaN is no data.
    half_a, half_b : ndarray of the same shape, float32, adu
        Masters of two halves of the frames.
    layers, trim, axes
        As for `classic`.
    frames : tuple of int
        Frames in each half: five frames make halves of 2 and 3.

    Returns
    -------
    Superbias
        Model + w (master - model), w = max(0, 1 - v / var(master - model)); v, the noise of the master, is
        var(half_a - half_b) n_a n_b / (n_a + n_b)^2. No pixel is moved by more than five sigma of its noise, so that
        defects stay (Efron & Morris 1971).
    """
    share = math.sqrt(frames[0] * frames[1]) / sum(frames)
    noise = (half_a - half_b) * np.float32(share)
    noise_model = classic(noise, layers, trim, axes)
    model = classic(master, layers, trim, axes)
    residual = master - model
    variance, count = _variance(residual)
    noise_variance, _ = _variance(noise - noise_model)
    weight = _weight(noise_variance, variance, count)
    limit = np.float32(CLIP_SIGMA * math.sqrt(noise_variance))
    removed = np.clip(np.float32(1 - weight) * residual, -limit, limit)
    bias = np.where(np.isfinite(residual), master - removed, model)
    # a pattern that is not seen may be as large as the error of its variance
    pattern = max(variance - noise_variance, _error(variance, count))
    of_model = float(np.var(noise_model))
    blended = weight**2 * noise_variance + (1 - weight) ** 2 * pattern + of_model
    sigma = np.where(np.abs(removed) < limit, blended, noise_variance + of_model)
    sigma[~np.isfinite(residual)] = pattern + of_model
    return Superbias(bias, weight, np.sqrt(sigma).astype(np.float32))


def _weight(noise_variance: float, variance: float, count: int) -> float:
    if variance <= 0:
        return 0.0
    weight = 1 - noise_variance / variance
    return weight if weight * variance > SIGNIFICANT * _error(noise_variance, count) else 0.0


def _error(variance: float, count: int) -> float:
    # of the difference of two variances of about normal samples: var(s^2) = 2 s^4 / n
    return 2 * variance / math.sqrt(count)


def _model(image: Image, layers: int, trim: float, axes: Axes) -> Image:
    from scipy.stats import trim_mean  # slow to load, and few ask for a superbias

    model = _large(image, layers)
    if axes != "rows":
        model = model + trim_mean(image - model, trim, axis=0)[None, :]
    if axes != "cols":
        model = model + trim_mean(image - model, trim, axis=1)[:, None]
    return model.astype(np.float32, copy=False)


def _large(image: Image, layers: int) -> Image:
    """Smooth by the B3 scaling function of `layers` octaves, on ever coarser grids: same values, far less work."""
    coarse = layers - 2
    step = 2**coarse
    ny, nx = image.shape
    low = np.pad(image, [(0, -(n - 1) % step) for n in image.shape], mode="reflect")
    for _ in range(coarse):
        low = _b3(_b3(low, 0)[::2], 1)[:, ::2]
    for hole in (1, 2):
        low = _b3(_b3(low, 0, hole), 1, hole)
    rows, cols = (np.arange(n) * step for n in low.shape)
    spline = RectBivariateSpline(rows, cols, low, kx=min(3, low.shape[0] - 1), ky=min(3, low.shape[1] - 1))
    fine: NDArray[np.float64] = spline(np.arange(ny), np.arange(nx))
    return fine.astype(np.float32)


def _b3(image: Image, axis: int, hole: int = 1) -> Image:
    kernel = np.zeros(4 * hole + 1)
    kernel[::hole] = B3
    return correlate1d(image, kernel, axis=axis, mode="mirror")


def _spread(residual: Image) -> float:
    # an odd stride, so that all columns are sampled; a million values are plenty for a limit
    residual = residual.ravel()[:: residual.size // SAMPLE | 1]
    return 1.4826 * float(np.median(np.abs(residual - np.median(residual))))


def _variance(residual: Image) -> tuple[float, int]:
    values = residual[np.isfinite(residual)]
    spread = _spread(values)
    values = values[np.abs(values) <= CLIP_SIGMA * spread]
    return float(np.mean(np.square(values, dtype=np.float64))), values.size
