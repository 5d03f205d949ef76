"""Erosion, opening and closing of a mask by a disc, quick and lean enough for hundreds of megapixels."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

_BAND = 512
"""Rows worked on at once: what is in hand then is small, and stays in the cache."""


def erode(mask: Mask, radius_px: int, outside: bool = False) -> Mask:
    """Keep the pixels whose whole disc is set.

    Parameters
    ----------
    mask : ndarray, shape (H, W), bool
    radius_px : int
        The disc is of all pixels whose centres are no farther than this.
    outside : bool
        What lies beyond the mask.

    Returns
    -------
    ndarray, shape (H, W), bool
        A new mask.

    Notes
    -----
    Row by row of the disc, from the shortest to the longest: a longer run of set pixels is a shorter one grown by a
    pixel at each end, so two comparisons of whole planes serve each radius.
    """
    kept = np.empty(mask.shape, bool)
    for y0 in range(0, len(mask), _BAND):
        kept[y0 : y0 + _BAND] = _eroded_rows(mask, y0, radius_px, outside)
    return kept


def dilate(mask: Mask, radius_px: int) -> Mask:
    """Set the pixels with any set pixel in their disc."""
    found = erode(~mask, radius_px, outside=True)
    return np.logical_not(found, out=found)


def opened(mask: Mask, radius_px: int) -> Mask:
    """Keep what a disc can be moved about in: teeth and threads narrower than it go."""
    return dilate(erode(mask, radius_px), radius_px)


def closed(mask: Mask, radius_px: int) -> Mask:
    """Fill what no disc fits into: holes and slits narrower than it."""
    room = np.pad(mask, radius_px)
    inner = slice(radius_px, radius_px + mask.shape[0]), slice(radius_px, radius_px + mask.shape[1])
    return erode(dilate(room, radius_px), radius_px)[inner]


def _eroded_rows(mask: Mask, y0: int, r: int, outside: bool) -> Mask:
    """Erode some rows, of which those above and below are seen as well."""
    ny, nx = min(_BAND, len(mask) - y0), mask.shape[1]
    seen = mask[max(y0 - r, 0) : y0 + ny + r]
    beyond = max(r - y0, 0), max(y0 + ny + r - len(mask), 0)
    wide = np.pad(seen, (beyond, (2 * r, 2 * r)), constant_values=outside)
    run = wide[:, r : nx + 3 * r].copy()
    kept = np.ones((ny, nx), bool)
    reach = 0
    for dy in range(r, -1, -1):
        longest = int(np.sqrt(r * r - dy * dy))
        for step in range(reach + 1, longest + 1):
            run &= wide[:, r - step : nx + 3 * r - step]
            run &= wide[:, r + step : nx + 3 * r + step]
        reach = longest
        for offset in {dy, -dy}:
            kept &= run[r + offset : r + offset + ny, r : r + nx]
    return kept
