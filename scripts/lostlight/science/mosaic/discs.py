"""Erosion, opening and closing of a mask by a disc, quick and lean enough for hundreds of megapixels."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


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
    r = radius_px
    ny, nx = mask.shape
    run = np.pad(mask, r, constant_values=outside)
    kept = np.ones((ny, nx), bool)
    reach = 0
    for dy in range(r, -1, -1):
        longest = int(np.sqrt(r * r - dy * dy))
        for step in range(reach + 1, longest + 1):
            run = _longer(run, mask, step, r, outside)
        reach = longest
        for offset in {dy, -dy}:
            kept &= run[r + offset : r + offset + ny, r : r + nx]
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


def _longer(run: Mask, mask: Mask, step: int, r: int, outside: bool) -> Mask:
    """Demand the pixels `step` to the left and right as well."""
    nx = mask.shape[1]
    wide = np.pad(mask, ((r, r), (r + step, r + step)), constant_values=outside)
    run = run & wide[:, : nx + 2 * r]
    run &= wide[:, 2 * step :]
    return run
