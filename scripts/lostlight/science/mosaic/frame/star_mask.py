"""The pixels of a frame that its stars cover."""

import numpy as np
from numba import njit
from numpy.typing import NDArray


def star_mask(shape: tuple[int, ...], sources: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark the pixels, of an image of this shape (ny, nx), in the circles x, y, radius (m, 3) around sources."""
    starry = np.zeros(shape, bool)
    _paint(starry, sources)
    return starry


@njit(cache=True, nogil=True)
def _paint(starry, sources):  # type: ignore[no-untyped-def]
    ny, nx = starry.shape
    for k in range(len(sources)):
        x, y, r = sources[k]
        for row in range(max(0, int(y - r)), min(ny, int(y + r) + 2)):
            half = r * r - (row - y) ** 2
            if half >= 0:
                half = np.sqrt(half)
                starry[row, max(0, int(np.ceil(x - half))) : max(0, min(nx, int(x + half) + 1))] = True
