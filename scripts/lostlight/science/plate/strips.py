"""Profiles along straight lines on an image: how far a spike or a trail reaches, and how wide it is."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

HALF_WIDTH_PX = 12
"""The strip that is sampled reaches so far to either side of the line."""
SEGMENT_PX = 8
SEGMENT_NOISE = 0.4
"""Noise of a segment's contrast over that of a pixel, with grain correlated over two pixels."""

_ON = slice(HALF_WIDTH_PX - 1, HALF_WIDTH_PX + 2)
_SIDES = np.abs(np.arange(-HALF_WIDTH_PX, HALF_WIDTH_PX + 1)) >= 5
_RANK = 5


class Strip(NamedTuple):
    """A strip of an image.

    `values`, (8 n, 25 or another width), adu: along and across the line, zero outside the image. `inside`, (8 n,):
    whether the middle of the strip lies on the image.
    """

    values: NDArray[np.float32]
    inside: NDArray[np.bool_]


def sample(
    image: NDArray[np.float32],
    start_px: tuple[float, float],
    direction: tuple[float, float],
    n_segments: int,
    half_width_px: int = HALF_WIDTH_PX,
) -> Strip:
    """Sample a strip of an image by nearest pixels.

    Parameters
    ----------
    image : ndarray of float32, (ny, nx), adu
        Image without its background.
    start_px : (float, float)
        Zero-based x and y of the start of the line.
    direction : (float, float)
        Unit vector along the line.
    n_segments : int
        Length of the line in segments of 8 pixels.
    half_width_px : int
        Pixels to either side; `contrast` and `beside` need the usual 12.
    """
    ny, nx = image.shape
    along = np.arange(n_segments * SEGMENT_PX, dtype=np.float64)[:, None]
    across = np.arange(-half_width_px, half_width_px + 1, dtype=np.float64)
    x = np.rint(start_px[0] + along * direction[0] - across * direction[1]).astype(np.intp)
    y = np.rint(start_px[1] + along * direction[1] + across * direction[0]).astype(np.intp)
    inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
    values = image[np.where(inside, y, 0), np.where(inside, x, 0)] * inside
    return Strip(values, inside[:, half_width_px])


def profiles(strip: Strip) -> NDArray[np.float32]:
    """Give the median profile across the line for each segment, (n, 25), adu.

    Medians along the segment, so that a star on the line or beside it does not count as line.
    """
    return np.median(strip.values.reshape(-1, SEGMENT_PX, strip.values.shape[1]), axis=1)


def beside(across: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the level beside the line for each profile, (n,), adu.

    The sixth lowest of the 16 columns that are 5 to 12 pixels away, because aircraft draw two or three lines at once.
    """
    return np.partition(across[:, _SIDES], _RANK, axis=1)[:, _RANK]


def contrast(strip: Strip) -> NDArray[np.float32]:
    """Give the contrast of the line against what lies beside it for each segment, (n,), adu.

    NaN where most of the segment lies outside the image.
    """
    across = profiles(strip)
    line = across[:, _ON].mean(axis=1) - beside(across)
    known = strip.inside.reshape(-1, SEGMENT_PX).sum(axis=1) > SEGMENT_PX // 2
    return np.where(known, line, np.float32(np.nan))


def unbroken(lit: NDArray[np.bool_], gap: int) -> int:
    """Count the segments from the start to the last lit one before a gap of more than `gap` dark ones."""
    end = 0
    for number, is_lit in enumerate(lit, start=1):
        if is_lit:
            end = number
        elif number - end > gap:
            break
    return end
