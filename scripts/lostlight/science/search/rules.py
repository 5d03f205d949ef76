"""What a search is told, and what it gives."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Window(NamedTuple):
    """A rectangle of pixels; it may reach beyond the images."""

    y0: int
    x0: int
    shape: tuple[int, int]


@dataclass(frozen=True)
class SearchRules:
    """How paths are searched.

    Parameters
    ----------
    min_epochs : int
        Images that a path must have.
    top : int
        Paths kept for each pixel.
    margin_px : int, optional
        How far beyond the edges a path may be at mid-arc; None means as far as one with enough images can.
    """

    min_epochs: int = 1
    top: int = 1
    margin_px: int | None = None


@dataclass(frozen=True, eq=False)
class Peaks:
    """The best paths through each pixel, best first.

    Parameters
    ----------
    lh : float32, shape (K, ny, nx)
        Signal to noise; -inf where there is no path.
    velocity : int32, shape (K, ny, nx)
        Number of the motion; -1 where there is none.
    window : Window
        The pixels at mid-arc.
    """

    lh: NDArray[np.float32]
    velocity: NDArray[np.int32]
    window: Window

    def above(self, threshold: float) -> "Paths":
        """List the paths at or above a threshold, best first."""
        which, y, x = np.nonzero(self.lh >= threshold)
        lh, velocity = self.lh[which, y, x], self.velocity[which, y, x]
        order = np.lexsort((velocity, x, y, -lh))
        return Paths(
            (x + self.window.x0)[order].astype(np.int32), (y + self.window.y0)[order].astype(np.int32),
            velocity[order], lh[order],
        )  # fmt: skip


class Paths(NamedTuple):
    """Some paths of a search, best first; all of shape (n,): pixel at mid-arc, number of the motion, likelihood."""

    x: NDArray[np.int32]
    y: NDArray[np.int32]
    velocity: NDArray[np.int32]
    lh: NDArray[np.float32]

    def take(self, which: NDArray[np.generic]) -> "Paths":
        """Give those of an index or a mask."""
        return Paths(*(each[which] for each in self))
