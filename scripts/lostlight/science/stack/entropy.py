"""Weights from how much a frame has to tell, tile by tile: its Shannon entropy (German et al. 2005, as DeepSkyStacker).

Noise has entropy as well: of calibration frames the noisier ones weigh more.
"""

import numpy as np
from numpy.typing import NDArray

from lostlight.science.stack.rule import Floats, ReadRows


def tile_entropy(image: NDArray[np.floating], tile_px: int = 21) -> NDArray[np.float64]:
    """Measure the entropy of square tiles, of pixels rounded to whole numbers of 16 bits.

    Parameters
    ----------
    image : ndarray, shape (ny, nx), adu
        Pixels; NaN where invalid.
    tile_px : int
        Side of the tiles; those at the far edges are smaller.

    Returns
    -------
    ndarray, shape (ceil(ny / tile_px), ceil(nx / tile_px)), bits
    """
    ny, nx = image.shape
    tiles_y, tiles_x = -(-ny // tile_px), -(-nx // tile_px)
    padded = np.full((tiles_y * tile_px, tiles_x * tile_px), np.nan)
    padded[:ny, :nx] = np.clip(np.rint(image), 0, 65535)
    tiles = padded.reshape(tiles_y, tile_px, tiles_x, tile_px).swapaxes(1, 2).reshape(tiles_y * tiles_x, -1)
    tiles = np.sort(tiles, axis=1)
    n = np.isfinite(tiles).sum(axis=1)
    # Equal pixels stand together now: the length of each run is the count of one bin of the histogram.
    new = np.ones(tiles.shape, bool)
    new[:, 1:] = tiles[:, 1:] != tiles[:, :-1]
    start = np.flatnonzero(new)
    length = np.diff(start, append=new.size)
    valid = np.isfinite(tiles.ravel()[start])
    tile = start[valid] // tiles.shape[1]
    terms = np.bincount(tile, length[valid] * np.log2(length[valid]), len(tiles))
    safe = np.maximum(n, 1)
    return (np.log2(safe) - terms / safe).reshape(tiles_y, tiles_x)


class EntropyWeights:
    """Weights of pixels between the entropies of tiles, as ``weight_rows`` of `lostlight.science.stack.combine`.

    Parameters
    ----------
    n_frames : int
    shape : (int, int)
    read_rows : callable
        Frames are read once, whole, when this is made; only their tiles are kept.
    tile_px : int
    """

    def __init__(self, n_frames: int, shape: tuple[int, int], read_rows: ReadRows, tile_px: int = 21) -> None:
        self.shape, self.tile_px = shape, tile_px
        self.tiles = []
        image = np.empty(shape, np.float32)
        for frame in range(n_frames):
            read_rows(frame, 0, shape[0], image)
            self.tiles.append(np.maximum(tile_entropy(image, tile_px), np.finfo(np.float32).eps))

    def __call__(self, frame: int, y0: int, y1: int, out: Floats) -> None:
        """Fill `out`, shape (y1 - y0, nx), with weights, bilinear between the centres of tiles."""
        tiles = self.tiles[frame]
        below, upper, part_y = self._between(np.arange(y0, y1), tiles.shape[0])
        left, right, part_x = self._between(np.arange(self.shape[1]), tiles.shape[1])
        rows = tiles[below] * (1 - part_y)[:, None] + tiles[upper] * part_y[:, None]
        out[:] = rows[:, left] * (1 - part_x) + rows[:, right] * part_x

    def _between(self, pixel: NDArray[np.int64], n_tiles: int) -> tuple[NDArray, NDArray, NDArray]:
        place = np.clip((pixel + 0.5) / self.tile_px - 0.5, 0, n_tiles - 1)
        first = np.floor(place).astype(int)
        return first, np.minimum(first + 1, n_tiles - 1), place - first
