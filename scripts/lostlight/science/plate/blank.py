"""Where a scan shows no sky: padding of one value, and emulsion that was never exposed."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_opening, label, maximum_filter1d

from lostlight.core.errors import BadImage

_BLOCK_PX = 8
_MIN_BLOCKS = 12
_LEAST_SKY = 0.05
_FOG, _COARSER = 4.0, 1.4


def no_data(image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Mark pixels without data: NaN, infinity, and areas of one value that touch the border or lie at or below the sky.

    Parameters
    ----------
    image : ndarray of float32, (ny, nx), adu

    Returns
    -------
    ndarray of bool, (ny, nx)

    Raises
    ------
    BadImage
        If less than 5 % of the image is left.
    """
    missing = ~np.isfinite(image)
    value = _blocks(np.where(missing, np.nan, image) if missing.any() else image)
    low, high = value.min(axis=(1, 3)), value.max(axis=(1, 3))
    flat = low == high
    # A star's saturated core can be flat as well, but it lies above the sky and inside the image.
    sky = np.nanmedian(low[~flat]) if (~flat & np.isfinite(low)).any() else np.inf
    flat = _connected(flat & (low <= sky), _MIN_BLOCKS) | _touching_border(flat)
    blank = missing | _grown_to_edge(flat, image)
    left = 1 - blank.mean()
    if left < _LEAST_SKY:
        raise BadImage(
            f"{100 - 100 * left:.0f} % of the image is blank (NaN, or one value: {float(np.nanmin(low)):g} adu)"
            if np.isfinite(low).any()
            else "every pixel of the image is NaN",
            hint="the position lies outside the plate, or the image is damaged: fetch it again or from another plate",
            blank_fraction=float(1 - left),
        )
    return blank


def unexposed(
    image: NDArray[np.float32], level_adu: NDArray[np.float32], blank: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Mark the parts of a scan that lie outside the exposed field: bare emulsion beside the sky.

    Bare emulsion shows fog only: it lies below the sky by several times the grain, far more than vignetting takes
    away, and its grain is no coarser; stars only add to both. Bare areas touch the border of the image or the blank
    around the plate. What they cut off from the sky, such as step wedges and labels, belongs to them. Sky must be the
    larger part.

    Parameters
    ----------
    image, level_adu : ndarray of float32, (ny, nx), adu
        Image, finite, and its background.
    blank : ndarray of bool, (ny, nx)
        Pixels without data.

    Returns
    -------
    ndarray of bool, (ny, nx)
        Without the pixels of `blank`.
    """
    mesh = slice(_BLOCK_PX // 2, None, 4 * _BLOCK_PX)
    sky = np.median(level_adu[mesh, mesh][~blank[mesh, mesh]])
    value = _blocks(image)
    mean = value.mean(axis=(1, 3))
    spread = np.sqrt(np.maximum((value**2).mean(axis=(1, 3)) - mean**2, 0))
    outside = _blocks(blank).any(axis=(1, 3))
    if outside.all():
        return np.zeros_like(blank)
    grain = np.percentile(spread[~outside], 10)  # where the stars are fewest
    bare = (mean < sky - _FOG * grain) & (spread < _COARSER * grain) & ~outside
    bare = binary_opening(bare, structure=np.ones((2, 2)))
    bare = _connected(_touching_border(bare | outside) & ~outside, _MIN_BLOCKS)
    if not bare.any():
        return np.zeros_like(blank)
    bare |= ~outside & ~_largest(~bare & ~outside)
    # The block on the boundary is half sky, so one more on each side.
    return _enlarge(binary_dilation(bare), image.shape) & ~blank


def margin(blank: NDArray[np.bool_], width_px: int) -> NDArray[np.bool_]:
    """Mark the pixels within `width_px` of the border of the image or of a blank pixel, blank pixels excluded."""
    edge = np.zeros_like(blank)
    if width_px <= 0:
        return edge
    if blank.any():
        grown = blank.view(np.uint8)
        for axis in (0, 1):
            grown = maximum_filter1d(grown, 2 * width_px + 1, axis=axis, mode="nearest")
        edge = grown.astype(bool)
    edge[:width_px] = edge[-width_px:] = True
    edge[:, :width_px] = edge[:, -width_px:] = True
    return edge & ~blank


def _blocks(image: NDArray) -> NDArray:
    """View an image as whole blocks, (my, b, mx, b), without the rest that fills no block."""
    ny, nx = image.shape
    my, mx = ny // _BLOCK_PX, nx // _BLOCK_PX
    if my == 0 or mx == 0:
        return image[:, None, :, None].reshape(1, ny, 1, nx)
    return image[: my * _BLOCK_PX, : mx * _BLOCK_PX].reshape(my, _BLOCK_PX, mx, _BLOCK_PX)


def _enlarge(blocks: NDArray[np.bool_], shape: tuple[int, int]) -> NDArray[np.bool_]:
    rows, columns = (np.minimum(np.arange(n) // _BLOCK_PX, m - 1) for n, m in zip(shape, blocks.shape, strict=True))
    return blocks[np.ix_(rows, columns)]


def _grown_to_edge(flat: NDArray[np.bool_], image: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Follow flat blocks to the pixel: neighbours of theirs that have the same value."""
    if not flat.any():
        return np.zeros(image.shape, dtype=bool)
    near = _enlarge(binary_dilation(flat, structure=np.ones((3, 3)), iterations=2), image.shape)
    near[near] = np.isin(image[near], np.unique(image[_enlarge(flat, image.shape)]))
    return near


def _connected(area: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    found, n = label(area)
    sizes = np.bincount(found.ravel(), minlength=n + 1)
    sizes[0] = 0
    return (sizes >= least)[found]


def _largest(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    found, n = label(area)
    sizes = np.bincount(found.ravel(), minlength=n + 1)
    sizes[0] = 0
    return area & (found == np.argmax(sizes))


def _touching_border(area: NDArray[np.bool_]) -> NDArray[np.bool_]:
    found, n = label(area)
    rim = np.concatenate([found[0], found[-1], found[:, 0], found[:, -1]])
    kept = np.zeros(n + 1, dtype=bool)
    kept[rim] = True
    kept[0] = False
    return kept[found]
