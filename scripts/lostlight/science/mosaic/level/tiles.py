"""Stacked tiles and lots: levelled with each other after they are stacked, by what they have in common."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from lostlight.science.mosaic.frame.noise import pixel_noise
from lostlight.science.mosaic.level.arrays import planes
from lostlight.science.mosaic.level.block_medians import block_medians
from lostlight.science.mosaic.level.pair import BLOCK_PX, ERODE_PX
from lostlight.science.mosaic.level.photometry import Photometry, PhotometryRules, solve_photometry
from lostlight.science.mosaic.level.stats import FrameStats, Stars
from lostlight.science.mosaic.window import Window

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tile:
    """A stacked tile or lot: a window of the canvas.

    Attributes
    ----------
    id : str
        Its name.
    sci : ndarray, shape (C, h, w), float32, adu
        Image; NaN where there is nothing.
    cov : ndarray, shape (h, w)
        Frames that contribute.
    window : Window
        Where it lies on the canvas.
    wht : ndarray, shape (C, h, w), or None
        Inverse variance; the noise is measured where it is not given.
    stars : Stars or None
        Its stars, in pixels of the canvas.
    """

    id: str
    sci: NDArray[np.float32]
    cov: NDArray[np.integer]
    window: Window
    wht: NDArray[np.float32] | None = None
    stars: Stars | None = None


def tile_stats(tile: Tile, cell_px: int = 64, erode_px: int = ERODE_PX) -> FrameStats:
    """Measure a tile, away from the edges of what it covers, so that it can be levelled with others.

    Parameters
    ----------
    tile : Tile
    cell_px : int
        Side of the sky cells.
    erode_px : int
        Margin taken off what the tile covers; where two tiles overlap it is taken off all around.

    Returns
    -------
    FrameStats
        With medians of all it covers (`median`), not eroded.
    """
    data = planes(tile.sci, tile.id)
    covered = (tile.cov > 0) & np.isfinite(data).all(0)
    mask = binary_erosion(covered, iterations=erode_px) if erode_px > 0 else covered
    sigma = _noise(data, tile.wht, mask)
    sky, fine = (block_medians(data, mask, tile.window, side, sigma) for side in (cell_px, BLOCK_PX))
    median = np.full(len(data), np.nan)
    if covered.any():
        median = np.median(data[:, covered].astype(np.float64), axis=1)
    y, x = np.nonzero(covered)
    middle = ((v.min() + v.max()) / 2 if len(v) else np.nan for v in (x, y))
    x_px, y_px = (float(v + o) for v, o in zip(middle, (tile.window.x0, tile.window.y0), strict=True))
    stars = Stars.none(len(data)) if tile.stars is None else tile.stars
    return FrameStats(
        tile.id, stars, sky, fine, sigma, n_stars=len(stars.x), area_px=float(np.count_nonzero(covered)),
        x_px=x_px, y_px=y_px, median=median,
    )  # fmt: skip


def level_lots(tiles: Sequence[FrameStats], rules: PhotometryRules, reference: str | int = "auto") -> Photometry:
    """Level stacked tiles or lots with each other: the same solution as for frames, on what they cover together.

    Parameters
    ----------
    tiles : sequence of FrameStats
        As `tile_stats` gives them.
    rules : PhotometryRules
        How they are levelled.
    reference : str or int
        auto or weight, central, first, or a number; where it is empty or flat the next one is taken.

    Returns
    -------
    Photometry
        In the order of `tiles`; their gains are also in the log, as gain_0, gain_1, ….
    """
    found = solve_photometry(tiles, rules, reference)
    for pair in found.diagnostics["pairs"]:  # type: ignore[attr-defined]
        log.info("overlap of %s and %s: %d pixels", *pair["frames"], pair["pixels"])
    for k, gain in enumerate(found.gain):
        log.info("gain_%d = %s (%s)", k, ", ".join(f"{g:.5f}" for g in gain), tiles[k].id)
    spread = found.diagnostics["inter_tile_median_std"]
    for channel, (before, after) in enumerate(zip(spread["before"], spread["after"], strict=True)):  # type: ignore[index]
        log.info("[GRID][METRICS] channel %d: inter-tile median std %.4g before, %.4g after", channel, before, after)
    return found


def _noise(data: NDArray[np.float32], wht: NDArray[np.float32] | None, mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    if wht is None:
        sigma = pixel_noise(np.where(mask, data, np.float32(np.nan)))
        return np.where(np.isfinite(sigma), sigma, 0.0)
    weights = [w[mask & (w > 0)] for w in np.broadcast_to(wht, data.shape)]
    return np.array([1 / np.sqrt(np.median(w)) if len(w) else 0.0 for w in weights], np.float64)
