"""Amplifier glow: how bright it is along the border of a dark, its smooth shape, and how much of it a light has.

Everything works on medians of square blocks, which hot pixels and most stars leave alone.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import polynomial
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from lostlight.science.calibrate.trouble import refuse

BLOCK_PX = 16
MIN_BLOCKS = 16
SKY_DEGREE = 3
"""Degree of the sky under a glow: vignetting is of second degree, that of a sky with a gradient of third."""
PASSES = 50
MAX_SIGMA = 3.0
"""Glow, in units of the noise of the sky, beyond which one factor for the whole dark is refused."""
CLIP_SIGMA = 3.0


@dataclass(frozen=True)
class Glow:
    """Glow of a dark."""

    amplitude_adu: float
    """brightest block of the border minus the middle of the frame, adu"""
    sigma_adu: float
    """one standard deviation of it, from the scatter of pixels within blocks, adu"""
    x: float
    """centre of that block, pixels from the first"""
    y: float


@dataclass(frozen=True)
class Fit:
    """Share of a glow in a light."""

    k: float
    """glow of the light over glow of the dark"""
    sigma_k: float
    """one standard deviation"""
    n_blocks: int
    """blocks it was measured on"""


@dataclass(frozen=True)
class _Blocks:
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    level: NDArray[np.float64]
    sigma: NDArray[np.float64]


def amplitude(dark: NDArray[np.float32], *, cfa: bool = False) -> Glow:
    """Measure by how much the border of a dark outshines its middle.

    Parameters
    ----------
    dark : ndarray, shape (ny, nx), float32, adu
        Master dark; NaN is no data.
    cfa : bool
        The frame has a 2x2 colour-filter array.
    """
    blocks = _blocks(dark, cfa)
    border = np.ones(blocks.level.shape, dtype=bool)
    border[1:-1, 1:-1] = False
    at = np.unravel_index(np.nanargmax(np.where(border, blocks.level, -np.inf)), border.shape)
    middle = _middle(blocks.level)
    return Glow(
        float(blocks.level[at] - np.nanmedian(middle)),
        float(np.hypot(blocks.sigma[at], np.nanmedian(blocks.sigma) / math.sqrt(middle.size))),
        float(blocks.x[at[1]]),
        float(blocks.y[at[0]]),
    )


def model(dark: NDArray[np.float32], *, cfa: bool = False) -> NDArray[np.float32]:
    """Make the smooth surface by which a dark outshines its own middle: bicubic through medians of blocks.

    Parameters
    ----------
    dark : ndarray, shape (ny, nx), float32, adu
        Master dark; NaN is no data.
    cfa : bool
        The frame has a 2x2 colour-filter array.

    Returns
    -------
    ndarray, shape (ny, nx), float32, adu
        Glow, never negative: an amplifier takes no light away.
    """
    blocks = _blocks(dark, cfa)
    level = np.nan_to_num(_excess(blocks))
    ny, nx = level.shape
    spline = RectBivariateSpline(blocks.y, blocks.x, level, kx=min(3, ny - 1), ky=min(3, nx - 1))
    surface: NDArray[np.float64] = spline(np.arange(dark.shape[0]), np.arange(dark.shape[1]))
    return np.maximum(surface, 0).astype(np.float32)


def fit(light: NDArray[np.float32], dark: NDArray[np.float32], *, cfa: bool = False) -> Fit:
    """Measure how much of the glow of a dark is in a light, over a sky that is a surface of third degree.

    Parameters
    ----------
    light : ndarray, shape (ny, nx), float32, adu
        Light with its bias taken off.
    dark : ndarray of the same shape, float32, adu
        Master dark with its bias taken off.
    cfa : bool
        The frames have a 2x2 colour-filter array.

    Notes
    -----
    Clipping at three sigma leaves out blocks full of stars. The error is that of the residuals, each as if its
    block had not been fitted (HC3, MacKinnon & White 1985): a few corner blocks tell most of a glow.
    """
    blocks, of_dark = _blocks(light, cfa), _blocks(dark, cfa)
    glow, level = _excess(of_dark).ravel(), blocks.level.ravel()
    yy, xx = np.meshgrid(np.linspace(-1, 1, blocks.y.size), np.linspace(-1, 1, blocks.x.size), indexing="ij")
    powers = polynomial.polyvander2d(xx.ravel(), yy.ravel(), [SKY_DEGREE, SKY_DEGREE])
    total = np.add.outer(np.arange(SKY_DEGREE + 1), np.arange(SKY_DEGREE + 1)).ravel()
    design = np.column_stack([glow, powers[:, total <= SKY_DEGREE]])
    good = np.isfinite(level) & np.isfinite(glow)
    if good.sum() < MIN_BLOCKS or not glow[good].any():
        return Fit(math.nan, math.nan, int(good.sum()))
    return _clipped(design[good], level[good], float(np.nanmedian(of_dark.sigma)))


def check(found: Glow, k: float, sky_sigma_adu: float, where: str) -> None:
    """Refuse to multiply a glowing dark by one factor: glow does not follow exposure as dark current does.

    Parameters
    ----------
    found : Glow
        Of the master dark.
    k : float
        Factor of the dark.
    sky_sigma_adu : float
        Noise of the sky of the light, adu.
    where : str
        The light.

    Raises
    ------
    UnitError
        CAL212: the glow that would be taken off exceeds three times the noise of the sky.
    """
    glow = found.amplitude_adu * k
    if glow > MAX_SIGMA * sky_sigma_adu and found.amplitude_adu > MAX_SIGMA * found.sigma_adu:
        said = (
            f"{where}: glow of {glow:.4g} adu at x {found.x:.0f}, y {found.y:.0f} against sky noise {sky_sigma_adu:.3g}"
        )
        raise refuse("CAL212", f"{said}: one factor would not fit it")


def _blocks(image: NDArray[np.float32], cfa: bool) -> _Blocks:
    side = min(BLOCK_PX, *(max(2, n // 4) for n in image.shape))
    side -= side % 2
    ny, nx = (n // side for n in image.shape)
    # blocks of equal size in the middle; what is left over is cut evenly from both ends, whole 2x2 cells of a mosaic
    y0, x0 = ((n - m * side) // 4 * 2 for n, m in zip(image.shape, (ny, nx), strict=True))
    cells = image[y0 : y0 + ny * side, x0 : x0 + nx * side].astype(np.float32)
    if cfa:
        cells = cells.reshape(ny * side // 2, 2, nx * side // 2, 2).mean(axis=(1, 3))
    tall = cells.shape[0] // ny
    samples = cells.reshape(ny, tall, nx, tall).swapaxes(1, 2).reshape(ny, nx, -1)
    empty = np.isfinite(samples).sum(axis=2) < samples.shape[2] // 2
    samples[empty] = 0.0
    level = _median(samples)
    spread = 1.4826 * _median(np.abs(samples - level[..., None].astype(np.float32)))
    level[empty] = np.nan
    sigma = spread * math.sqrt(math.pi / 2 / samples.shape[2])
    centre = (side - 1) / 2
    return _Blocks(x0 + centre + side * np.arange(nx), y0 + centre + side * np.arange(ny), level, sigma)


def _median(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    # nanmedian takes ten times as long, which blocks without holes need not pay
    level = np.median(samples, axis=2).astype(np.float64)
    holes = np.isnan(level)
    if holes.any():
        level[holes] = np.nanmedian(samples[holes], axis=1)
    return level


def _excess(blocks: _Blocks) -> NDArray[np.float64]:
    return blocks.level - np.nanmedian(_middle(blocks.level))


def _middle(level: NDArray[np.float64]) -> NDArray[np.float64]:
    ny, nx = level.shape
    return level[ny // 4 : ny - ny // 4, nx // 4 : nx - nx // 4]


def _clipped(design: NDArray[np.float64], level: NDArray[np.float64], noise: float) -> Fit:
    keep = np.ones(level.size, dtype=bool)
    for _ in range(PASSES):
        used = design[keep]
        normal = used.T @ used
        normal[0, 0] -= len(used) * noise**2  # the glow is measured too: its noise is no glow
        inverse = np.linalg.pinv(normal)
        residual = level - design @ (inverse @ (used.T @ level[keep]))
        scale = 1.4826 * float(np.median(np.abs(residual)))
        before, keep = keep, np.abs(residual) <= max(CLIP_SIGMA * scale, 1e-9)
        if np.array_equal(keep, before):
            break
    if inverse[0, 0] <= 0:
        return Fit(math.nan, math.nan, len(used))
    leverage = np.einsum("ij,jk,ik->i", used, inverse, used)
    influence = (used @ inverse[0]) * residual[before] / (1 - np.minimum(leverage, 0.9))
    return Fit(float(inverse[0] @ (used.T @ level[before])), float(np.linalg.norm(influence)), len(used))
