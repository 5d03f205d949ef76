"""The search cut into pieces that fit the cache: tiles of pixels, and batches of motions that keep together."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from lostlight.science.search import compiled
from lostlight.science.search.rules import Window

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

SPREAD = 24
"""Motions of a batch end this many pixels apart at most."""
TILE_ROWS, TILE_COLUMNS = 64, 256
"""Pixels of a tile at most."""
BLOCK_BYTES = 6_000_000
"""Of the images around a tile, at most, as long as tiles do not get too small for that."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Motions that are tried together; numbers (n,) tell which they are, dx and dy have shape (n, T)."""

    numbers: Ints
    dx: Ints
    dy: Ints

    @cached_property
    def low(self) -> tuple[Ints, Ints]:
        """Least shift on each image, along x and y."""
        return self.dx.min(axis=0), self.dy.min(axis=0)

    @cached_property
    def spread(self) -> tuple[int, int]:
        """How far shifts on one image differ at most, along x and y."""
        return tuple(int(np.ptp(each, axis=0).max()) for each in (self.dx, self.dy))


def batches(dx: Ints, dy: Ints) -> list[Batch]:
    """Sort motions into batches whose ends lie together; of motions with the same shifts the first stays."""
    _, first = np.unique(np.concatenate([dx, dy], axis=1), axis=0, return_index=True)
    numbers = np.sort(first).astype(np.int32)
    dx, dy = dx[numbers], dy[numbers]
    cells = np.stack([(each[:, -1] - each[:, 0]) // SPREAD for each in (dx, dy)], axis=1)
    _, cell = np.unique(cells, axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    return [Batch(numbers[cell == c], dx[cell == c], dy[cell == c]) for c in range(cell.max() + 1)]


def tiles(window: Window, n_epochs: int, spread: tuple[int, int]) -> Iterator[Window]:
    """Cut a window into tiles small enough that the images around one fit the cache."""
    rows, columns = TILE_ROWS, TILE_COLUMNS
    while columns > 32 and 8 * n_epochs * (rows + spread[1]) * (columns + spread[0]) > BLOCK_BYTES:
        rows, columns = max(rows // 2, 16) if rows >= columns else rows, columns // 2 if columns > rows else columns
    for y in range(0, window.shape[0], rows):
        for x in range(0, window.shape[1], columns):
            shape = (min(rows, window.shape[0] - y), min(columns, window.shape[1] - x))
            yield Window(window.y0 + y, window.x0 + x, shape)


def search_tile(
    psi: Floats, phi: Floats, parts: list[Batch], tile: Window, min_epochs: int, lh: Floats, velocity: Ints
) -> None:
    """Try all motions on one tile; fill its best paths, `lh` and `velocity`, of shape (K, ny, nx)."""
    for batch in parts:
        block = _Block(psi, phi, batch, tile)
        compiled.search_rows(
            block.psi, block.phi, block.stride, block.starts, batch.numbers, block.uniform, block.complete,
            max(min_epochs, 1), lh, velocity,
        )  # fmt: skip


class _Block:
    """The images around a tile, as far as the motions of a batch reach."""

    def __init__(self, psi: Floats, phi: Floats, batch: Batch, tile: Window) -> None:
        n = len(psi)
        low_x, low_y = batch.low
        self.stride = -(-(tile.shape[1] + batch.spread[0]) // 16) * 16
        rows = tile.shape[0] + batch.spread[1]
        # Images begin in different lines of the cache.
        size = rows * self.stride + 16
        self.psi, self.phi = np.empty((2, n * size), np.float32)
        same, least = [], np.inf
        for t in range(n):
            part = slice(t * size, t * size + rows * self.stride)
            corner = (tile.y0 + int(low_y[t]), tile.x0 + int(low_x[t]))
            compiled.gather(psi[t], *corner, self.psi[part].reshape(rows, -1))
            same.append(compiled.gather(phi[t], *corner, self.phi[part].reshape(rows, -1)))
            least = min(least, self.phi[part].min())
        self.complete = bool(least > 0)
        alike = all(same) and self.complete
        self.uniform = self.phi[::size].copy() if alike else np.empty(0, np.float32)
        shifts = (batch.dy - low_y).astype(np.int64) * self.stride + (batch.dx - low_x)
        self.starts = shifts + np.arange(n) * size
