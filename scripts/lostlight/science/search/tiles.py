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

SPREAD = (96, 48)
"""Motions of a batch end this many pixels apart at most, along x and y; rows of pixels are what the cache holds."""
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
    """Sort motions into batches whose ends lie together; neighbours in one read the same rows of pixels."""
    ends = [each[:, -1] - each[:, 0] for each in (dx, dy)]
    cells = [end // size for end, size in zip(ends, SPREAD, strict=True)]
    order = np.lexsort((ends[0], *dy.T, *cells)).astype(np.int32)
    borders = np.flatnonzero(np.any([np.diff(each[order]) for each in cells], axis=0)) + 1
    return [Batch(numbers, dx[numbers], dy[numbers]) for numbers in np.split(order, borders)]


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
    memory = np.empty((2, len(psi) * max(_block_size(part, tile) for part in parts)), np.float32)
    for batch in parts:
        block = _Block(psi, phi, batch, tile, memory)
        compiled.search_rows(
            block.psi, block.phi, block.stride, block.starts, batch.numbers, block.uniform, block.has_gaps,
            max(min_epochs, 1), lh, velocity,
        )  # fmt: skip


def _stride(batch: Batch, tile: Window) -> int:
    return -(-(tile.shape[1] + batch.spread[0]) // 16) * 16


def _block_size(batch: Batch, tile: Window) -> int:
    # Images begin in different lines of the cache.
    return (tile.shape[0] + batch.spread[1]) * _stride(batch, tile) + 16


class _Block:
    """The images around a tile, as far as the motions of a batch reach."""

    def __init__(self, psi: Floats, phi: Floats, batch: Batch, tile: Window, memory: Floats) -> None:
        n, (low_x, low_y) = len(psi), batch.low
        self.stride, size = _stride(batch, tile), _block_size(batch, tile)
        width = tile.shape[1] + batch.spread[0]
        self.psi, self.phi = memory[:, : n * size]
        gaps, uniform = np.empty((2, n), bool)
        for t in range(n):
            part = slice(t * size, (t + 1) * size - 16)
            corner = (tile.y0 + int(low_y[t]), tile.x0 + int(low_x[t]))
            compiled.gather(psi[t], *corner, width, self.psi[part].reshape(-1, self.stride))
            around = self.phi[part].reshape(-1, self.stride)
            compiled.gather(phi[t], *corner, width, around)
            gaps[t], uniform[t] = compiled.look(around, width)
        self.has_gaps = bool(gaps.any())
        alike = uniform.all() and not self.has_gaps
        self.uniform = self.phi[::size].copy() if alike else np.empty(0, np.float32)
        shifts = (batch.dy - low_y).astype(np.int64) * self.stride + (batch.dx - low_x)
        self.starts = shifts + np.arange(n) * size
