"""Two tiles of one canvas: what the one is multiplied by and what is added to make it agree with the other."""

import logging

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.frame.noise import pixel_noise
from lostlight.science.mosaic.level.arrays import numpy_only, planes
from lostlight.science.mosaic.level.block_medians import block_medians
from lostlight.science.mosaic.level.equalize import describe
from lostlight.science.mosaic.level.gains import solve_gains
from lostlight.science.mosaic.level.stats import Cells, FrameStats, Stars
from lostlight.science.mosaic.window import Window

log = logging.getLogger(__name__)

Planes = NDArray[np.float32]
Mask = NDArray[np.bool_]

ERODE_PX = 2
FEWEST_PX = 400
"""Pixels in common below which two tiles are not compared."""
BLOCK_PX = 15
SPARSE = 0.2
"""Fraction of a block that both tiles must cover; it may be small, for it is the same pixels of both."""
FARTHEST = 5.0
PRIOR = 0.3
MATCH_PX = 2.0


def overlap_mask(reference_coverage: NDArray, target_coverage: NDArray, erode_px: int = ERODE_PX) -> Mask:
    """Mark the pixels that two tiles cover both, away from the edges.

    Parameters
    ----------
    reference_coverage, target_coverage : ndarray, shape (H, W)
        Frames that contribute, or whether there is a pixel.
    erode_px : int
        Margin taken off all around.

    Returns
    -------
    ndarray, shape (H, W), bool
    """
    for coverage, name in ((reference_coverage, "reference coverage"), (target_coverage, "target coverage")):
        numpy_only(coverage, name)
    both = (reference_coverage > 0) & (target_coverage > 0)
    mask = binary_erosion(both, iterations=erode_px, border_value=0) if erode_px > 0 else both
    log.info("overlap of %d pixels, %d away from the edges", np.count_nonzero(both), np.count_nonzero(mask))
    return np.asarray(mask, bool)


def compute_tile_photometric_scaling(
    reference_tile: NDArray[np.floating],
    target_tile: NDArray[np.floating],
    *,
    mask: Mask | None = None,
    stars: tuple[Stars, Stars] | None = None,
    noise: tuple[float | NDArray, float | NDArray] | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Find gain and offset of each channel that bring a tile to the scale and level of another.

    The gain comes from stars where they are given, and from the structure that both tiles show; never from the
    ratio of their levels. The offset is the median of what then remains between them.

    Parameters
    ----------
    reference_tile, target_tile : ndarray, shape (C, H, W) or (H, W), adu
        The same pixels of the canvas; NaN where there is none. They are not changed.
    mask : ndarray, shape (H, W), bool, optional
        Pixels to compare; those that both tiles have, less two at the edges, when it is not given.
    stars : pair of Stars, optional
        Stars of the reference and of the target, in pixels of these arrays.
    noise : pair of float or ndarray, shape (C,), optional
        One-sigma noise of a pixel of each; measured when it is not given.

    Returns
    -------
    gains, offsets : ndarray, shape (C,), float32
        ``gain · target + offset`` is like the reference. Finite always: 1 and 0 where nothing is valid, 1 and an
        offset where the gain cannot be told, with the reason in the log.

    Raises
    ------
    NotNumpy
        For arrays that lie on a GPU.
    ConfigError
        For tiles of different shapes.
    """
    reference, target = planes(reference_tile, "reference tile"), planes(target_tile, "target tile")
    if reference.shape != target.shape:
        raise ConfigError(f"tiles of shapes {reference.shape} and {target.shape}", "compare the same pixels of both")
    gains, offsets = np.ones(len(target), np.float32), np.zeros(len(target), np.float32)
    valid = _valid(reference, target, mask)
    if np.count_nonzero(valid) < FEWEST_PX:
        log.warning("gain 1, offset 0: %d pixels in common, %d are needed", np.count_nonzero(valid), FEWEST_PX)
        return gains, offsets
    describe("reference", reference)
    describe("target before", target)
    stats = [_stats(d, valid, k, stars, noise) for k, d in enumerate((reference, target))]
    found = solve_gains(stats, PRIOR, MATCH_PX, np.ones(2, bool))
    wanted = found.relative(0)[0][1]
    for channel in range(len(target)):
        gains[channel] = _gain(found.fallback[1], wanted[channel], target[channel][valid], channel)
        offsets[channel] = _offset(*(s.fine for s in stats), gains[channel], channel)
    return gains, offsets


def apply_tile_photometric_scaling(
    tile: NDArray[np.floating], gains: NDArray[np.floating], offsets: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Multiply each channel of a tile by its gain and add its offset.

    Parameters
    ----------
    tile : ndarray, shape (C, H, W) or (H, W), adu
        NaN stays NaN. It is not changed.
    gains, offsets : ndarray, shape (C,)
        As `compute_tile_photometric_scaling` gives them.

    Returns
    -------
    ndarray, of the shape of `tile`, float32
        A new array.

    Raises
    ------
    NotNumpy
        For arrays that lie on a GPU.
    ConfigError
        For gains or offsets that are not finite, or not one for each channel.
    """
    data = planes(tile, "tile")
    for values, name in ((gains, "gains"), (offsets, "offsets")):
        numpy_only(values, name)
        if values.shape != (len(data),) or not np.isfinite(values).all():
            raise ConfigError(f"{name} {values.tolist()} for {len(data)} channels", "one finite value for each channel")
    scale, shift = (v.astype(np.float32)[:, None, None] for v in (gains, offsets))
    levelled = (data * scale + shift).astype(np.float32)
    describe("target after", levelled)
    return levelled.reshape(tile.shape)


def _valid(reference: Planes, target: Planes, mask: Mask | None) -> Mask:
    there = [np.isfinite(d).all(0) for d in (reference, target)]
    if mask is None:
        return overlap_mask(*there)
    numpy_only(mask, "mask")
    return there[0] & there[1] & mask.astype(bool)


def _stats(data: Planes, valid: Mask, which: int, stars, noise) -> FrameStats:
    masked = np.where(valid, data, np.float32(np.nan))
    sigma = pixel_noise(masked) if noise is None else np.broadcast_to(noise[which], len(data))
    sigma = np.where(np.isfinite(sigma), sigma, 0.0).astype(np.float64)
    cells = block_medians(data, valid, Window(0, 0, *valid.shape), BLOCK_PX, sigma, fewest=SPARSE)
    own = Stars.none(len(data)) if stars is None else stars[which]
    return FrameStats(f"{which}", own, Cells.none(len(data)), cells, sigma)


def _gain(fallback: str, gain: float, target: NDArray, channel: int) -> float:
    if np.ptp(target) == 0:
        log.warning("channel %d: gain 1, the target is flat where the tiles overlap", channel)
        return 1.0
    if fallback:
        log.warning("channel %d: gain 1, neither stars nor structure tell it", channel)
        return 1.0
    if not 1 / FARTHEST <= gain <= FARTHEST:
        log.warning("channel %d: gain 1, for %.3g is more than a factor of %g away", channel, gain, FARTHEST)
        return 1.0
    return gain


def _offset(reference: Cells, target: Cells, gain: float, channel: int) -> float:
    """Median over the blocks of what remains, by weight; stars do not move the median of a block."""
    _, a, b = np.intersect1d(reference.index, target.index, assume_unique=True, return_indices=True)
    if not len(a):
        return 0.0
    rest = reference.value[a, channel].astype(np.float64) - gain * target.value[b, channel].astype(np.float64)
    weight = np.sqrt(reference.count[a].astype(np.float64))
    order = np.argsort(rest, kind="stable")
    total = np.cumsum(weight[order])
    at = np.searchsorted(total, total[-1] / 2)
    return float(rest[order][at])
