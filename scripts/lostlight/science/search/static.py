"""Sources that do not move: on most images at the same place of the sky, or there in the sum at both ends of the arc.

A search leaves them out. A body that hardly moves while the images are taken cannot be told from them.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray

from lostlight.science.epochs.grid import Grid, whole_shift
from lostlight.science.mosaic.warp.nodes import expand, route
from lostlight.science.search.curves import along

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

LEAST = 0.5
"""Share of the images that show a place, on which a source must be there to be static."""
_FEWEST = 2
STANDS = 3.0
"""Signal to noise that the first and the last images must both have of a place, for light to stand there."""
PART = 1 / 3
"""Part of the arc that the first images are of, and the last ones."""


def ends(days: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which images are the first ones, and which the last: each (T,) bool, of times in days."""
    part = (np.asarray(days, np.float64) - np.min(days)) / max(float(np.ptp(days)), 1e-9)
    return part <= PART, part >= 1 - PART


def standing(planes: Iterable[tuple[Floats, Floats]], days: ArrayLike) -> Mask:
    """Mark the places where light stands, too faint for single images perhaps: seen on the first images and the last.

    Parameters
    ----------
    planes : iterable of T pairs of float32 arrays of one shape
        Psi, of which no image contributes more than noise does, and phi; each is looked at once.
    days : floating, shape (T,)

    Returns
    -------
    bool, of that shape
        None where either end has a single image.
    """
    which = np.stack(ends(days))
    psi = phi = np.zeros(())
    for (shown, weight), parts in zip(planes, which.T, strict=True):
        is_of = parts.reshape(-1, *(1,) * shown.ndim)
        psi, phi = psi + is_of * shown, phi + is_of * weight
    lh = np.divide(psi, np.sqrt(phi), out=np.zeros(np.shape(psi)), where=phi > 0)
    return np.asarray((lh >= STANDS).all(axis=0) & (which.sum(axis=1) >= _FEWEST).all())


def n_moving(psi: Floats, phi: Floats, days: ArrayLike, x: Doubles, y: Doubles) -> int:
    """Count the images of a path that a mask of what stands leaves, made of the images with the source in them.

    Where a source hardly moves, light stands along its path: the same pixels have it on the first images and the last.

    Parameters
    ----------
    psi, phi : float32, shape (T, H, W)
        As `standing` has them.
    days : floating, shape (T,)
    x, y : float64, shape (T,)
        Pixels of the path on each image; NaN where it is not seen.
    """
    seen = np.isfinite(x)
    place = [np.tile(np.rint(each[seen]).astype(np.int64)[:, None], len(psi)) for each in (x, y)]
    planes = zip(*(along(each, *place).T for each in (psi, phi)), strict=True)
    return int(np.count_nonzero(~standing(planes, days)))


def static_sources(marks: Iterable[Mask], covers: Iterable[Mask], wcs: Sequence[WCS | None], grid: Grid) -> Mask:
    """Mark the pixels of a grid on sources that are at the same place on at least half of the images.

    Parameters
    ----------
    marks, covers : iterables of T (ny, nx) bool
        Pixels of sources of each image, and those that it has; each is looked at once.
    wcs : sequence of T WCS or None
    grid : Grid

    Returns
    -------
    (H, W) bool
    """
    n_marked, n_shown = np.zeros(grid.shape, np.uint16), np.zeros(grid.shape, np.uint16)
    for mark, cover, sky in zip(marks, covers, wcs, strict=True):
        n_marked += nearest_from(mark, grid, sky)
        n_shown += nearest_from(cover, grid, sky)
    return (n_marked >= np.maximum(LEAST * n_shown, _FEWEST)) & (n_shown > 0)


def nearest_from(mask: Mask, grid: Grid, wcs: WCS | None) -> Mask:
    """Bring a mask of an image to a grid: of each pixel of the grid the nearest of the image; False beyond it."""
    return _nearest(mask, wcs, grid.wcs, grid.shape, (-grid.x0, -grid.y0))


def nearest_on(mask: Mask, grid: Grid, wcs: WCS | None, shape: tuple[int, int]) -> Mask:
    """Bring a mask of a grid to an image of a shape: of each pixel of the image the nearest of the grid."""
    return _nearest(mask, grid.wcs, wcs, shape, (grid.x0, grid.y0))


def _nearest(mask: Mask, wcs: WCS | None, other: WCS | None, shape: tuple[int, int], without: tuple[int, int]) -> Mask:
    """Bring a mask from one grid to another; `without` is how it lies shifted there where there is no sky."""
    found = np.zeros(shape, bool)
    shift = without if wcs is None or other is None else whole_shift(wcs, other, mask.shape)
    if shift is not None:
        dx, dy = shift
        y0, x0 = max(dy, 0), max(dx, 0)
        y1, x1 = max(min(dy + mask.shape[0], shape[0]), y0), max(min(dx + mask.shape[1], shape[1]), x0)
        found[y0:y1, x0:x1] = mask[y0 - dy : y1 - dy, x0 - dx : x1 - dx]
        return found
    way = route(other, shape, wcs, mask.shape)
    if way.window is None:
        return found
    window = way.window
    x, y = (np.rint(expand(nodes, window, way.step_px)).astype(np.int64) for nodes in (way.x, way.y))
    inside = (x >= 0) & (x < mask.shape[1]) & (y >= 0) & (y < mask.shape[0])
    part = np.zeros(x.shape, bool)
    part[inside] = mask[y[inside], x[inside]]
    found[window.y0 : window.y0 + window.height, window.x0 : window.x0 + window.width] = part
    return found
