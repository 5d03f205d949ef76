"""The pixel grid of a stack: that of the earliest image, extended until it holds all images."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS, Sip
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.mosaic.warp.mapping import mapping

Doubles = NDArray[np.float64]

LARGEST = 9.0
"""A grid is at most this many times as large as an image: images farther apart are not of one field."""
SAME_PX = 1e-3
"""Places that agree this well are the same."""
_EDGE_POINTS = 17


@dataclass(frozen=True, eq=False)
class Grid:
    """Pixels that hold all images of a stack.

    Attributes
    ----------
    wcs : WCS or None
        Sky of the grid; None where the images have none.
    shape : (int, int)
        Rows and columns.
    x0, y0 : int
        Pixel of the earliest image, zero-based, that is the first of the grid; not above zero.
    """

    wcs: WCS | None
    shape: tuple[int, int]
    x0: int
    y0: int


def union_grid(epochs: Epochs) -> Grid:
    """Extend the pixel grid of the earliest image until it holds all images of a stack.

    Parameters
    ----------
    epochs : Epochs

    Returns
    -------
    Grid

    Raises
    ------
    ConfigError
        If some images have a place on the sky and others do not, or if they are too far apart.
    """
    first = epochs.wcs[0]
    if all(wcs is None for wcs in epochs.wcs):
        return Grid(None, epochs.shape, 0, 0)
    without = [name for name, wcs in zip(epochs.ids, epochs.wcs, strict=True) if wcs is None]
    if first is None or without:
        raise ConfigError(
            f"{len(without)} of {len(epochs.ids)} images have no place on the sky, {without[0]} for one",
            hint="solve their plates, or leave them out",
        )
    corners = [outline(wcs, first, epochs.shape) for wcs in epochs.wcs if wcs is not None]
    (x0, y0), (x1, y1) = _bounds(corners, epochs)
    return Grid(shifted(first, x0, y0), (y1 - y0 + 1, x1 - x0 + 1), x0, y0)


def outline(wcs: WCS, other: WCS, shape: tuple[int, int]) -> Doubles:
    """Give the outermost pixels of an image in zero-based pixels of another: x and y, shape (2, n)."""
    (ny, nx), t = shape, np.linspace(0, 1, _EDGE_POINTS)
    x = np.concatenate([t, t, 0 * t, 0 * t + 1]) * (nx - 1)
    y = np.concatenate([0 * t, 0 * t + 1, t, t]) * (ny - 1)
    return np.array([x, y]) if other is wcs else np.array(mapping(wcs, other)(x, y))


def whole_shift(wcs: WCS, other: WCS, shape: tuple[int, int]) -> tuple[int, int] | None:
    """Tell by how many whole pixels (x, y) an image lies shifted on another grid; None where it is not just that.

    Parameters
    ----------
    wcs, other : WCS
        Of the image and of the grid.
    shape : (int, int)
        Rows and columns of the image.
    """
    off = outline(wcs, other, shape) - outline(wcs, wcs, shape)
    whole = np.rint(off[:, :1])
    if not np.all(np.abs(off - whole) < SAME_PX):
        return None
    return int(whole[0, 0]), int(whole[1, 0])


def shifted(wcs: WCS, x0: int, y0: int) -> WCS:
    """Give the WCS of a grid whose first pixel is pixel (x0, y0) of another, distortion included."""
    moved: WCS = wcs.deepcopy()
    moved.wcs.crpix = np.asarray(wcs.wcs.crpix) - (x0, y0)
    if wcs.sip is not None:
        moved.sip = Sip(wcs.sip.a, wcs.sip.b, wcs.sip.ap, wcs.sip.bp, np.asarray(wcs.sip.crpix) - (x0, y0))
    for name in ("cpdis1", "cpdis2", "det2im1", "det2im2"):
        table = getattr(wcs, name)
        if table is not None:
            own = deepcopy(table)
            own.crval = (table.crval[0] - x0, table.crval[1] - y0)
            setattr(moved, name, own)
    moved.pixel_shape = None
    moved.wcs.set()
    return moved


def _bounds(corners: list[Doubles], epochs: Epochs) -> tuple[tuple[int, int], tuple[int, int]]:
    ny, nx = epochs.shape
    low, high = np.zeros(2), np.array([nx - 1.0, ny - 1.0])
    for name, places in zip(epochs.ids, corners, strict=True):
        seen = np.isfinite(places).all()
        if seen:
            low, high = np.minimum(low, places.min(axis=1)), np.maximum(high, places.max(axis=1))
        if not seen or np.prod(high - low + 1) > LARGEST * nx * ny:
            raise ConfigError(
                f"image {name} lies too far from {epochs.ids[0]} to be of the same field",
                hint="give each field a folder of its own",
            )
    x0, y0 = (int(v) for v in np.floor(low + SAME_PX))
    x1, y1 = (int(v) for v in np.ceil(high - SAME_PX))
    return (x0, y0), (x1, y1)
