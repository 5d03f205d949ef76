"""Tiles that overlap, joined: each fades out towards its edge."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.coadd import Level
from lostlight.science.mosaic.layer import Layer
from lostlight.science.mosaic.level.surface import sky_surface
from lostlight.science.mosaic.window import Window

LEAST = 1e-3
"""What is left of the weight at the very edge, so that the outer rim of the mosaic is not lost."""


@dataclass(frozen=True)
class StackedTile:
    """A tile, where it lies on the canvas, and what brings it to the level of the others."""

    layer: Layer
    window: Window
    level: Level


def fade(window: Window, margin_px: int) -> NDArray[np.float32]:
    """Give the weights of the pixels of a tile: 1 inside, falling smoothly to almost nothing at its edges.

    Parameters
    ----------
    window : Window
    margin_px : int
        Over how many pixels.

    Returns
    -------
    ndarray, shape (height, width), float32
    """
    along = [np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5 for n in window.shape]
    r = np.minimum(np.minimum(along[0][:, None], along[1][None, :]) / max(margin_px, 0.5), 1)
    return np.maximum(r**3 * (6 * r**2 - 15 * r + 10), LEAST).astype(np.float32)


def blend(tiles: Iterable[StackedTile], layer: Layer, total: NDArray[np.float32], margin_px: int) -> None:
    """Join tiles into a layer of the whole canvas.

    Tiles share frames where they overlap, so neither inverse variance nor coverage add up there: the former is that of
    the mean, the latter the larger one.

    Parameters
    ----------
    tiles : iterable of StackedTile
    layer : Layer
        Of zeros; filled in place.
    total : ndarray, shape (C, H, W), float32
        Of zeros: scratch for the sums of weights.
    margin_px : int
        Over how many pixels a tile fades out.
    """
    for tile in tiles:
        at, window = tile.window.slices, tile.window
        weights = fade(window, margin_px)
        for c, plane in enumerate(tile.layer.sci):
            gain = np.float32(tile.level.gain[c])
            value = gain * plane - sky_surface(tile.level.sky[c], tile.level.centre, tile.level.half_px, window)
            known = np.isfinite(value)
            layer.sci[(c, *at)] += np.where(known, weights * value, 0)
            layer.wht[(c, *at)] += np.where(known, weights * tile.layer.wht[c] / (gain * gain), 0)
            total[(c, *at)] += np.where(known, weights, 0)
        np.maximum(layer.cov[at], tile.layer.cov, out=layer.cov[at])
        np.maximum(layer.rej[at], tile.layer.rej, out=layer.rej[at])
    with np.errstate(divide="ignore", invalid="ignore"):
        for sci, wht, weight in zip(layer.sci, layer.wht, total, strict=True):
            np.divide(sci, weight, out=sci)
            np.divide(wht, weight, out=wht)
            wht[weight == 0] = 0
