"""The planes of a mosaic that belong together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.window import Window


@dataclass(frozen=True)
class Layer:
    """A mosaic or a part of one; the arrays may be memory-mapped.

    Attributes
    ----------
    sci : ndarray, shape (C, H, W), float32, adu
        Image; NaN where nothing is known.
    wht : ndarray, shape (C, H, W), float32, adu^-2
        Inverse variance; 0 where nothing is known.
    cov : ndarray, shape (H, W), uint16
        Frames that contribute.
    rej : ndarray, shape (H, W), uint16
        Samples left out.
    """

    sci: NDArray[np.float32]
    wht: NDArray[np.float32]
    cov: NDArray[np.uint16]
    rej: NDArray[np.uint16]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.cov.shape  # type: ignore[return-value]

    def covered(self) -> NDArray[np.bool_]:
        """Mark the pixels of which something is known in any channel; shape (H, W)."""
        known = np.zeros(self.shape, bool)
        for weight in self.wht:
            known |= weight > 0
        return known & (self.cov > 0)

    def clear(self, where: NDArray[np.bool_]) -> None:
        """Make the marked pixels, shape (H, W), unknown in place."""
        for image, weight in zip(self.sci, self.wht, strict=True):
            np.copyto(image, np.float32(np.nan), where=where)
            np.copyto(weight, np.float32(0), where=where)
        np.copyto(self.cov, np.uint16(0), where=where)
        np.copyto(self.rej, np.uint16(0), where=where)

    def crop(self, window: Window) -> "Layer":
        """Give a window of all planes, without a copy."""
        rows, columns = window.slices
        return Layer(self.sci[:, rows, columns], self.wht[:, rows, columns], self.cov[rows, columns],
                     self.rej[rows, columns])  # fmt: skip
