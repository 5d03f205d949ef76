"""The outline of a frame: on the sky, on a canvas, and as the cells of a coarse grid."""

from collections.abc import Sequence

import numpy as np
from astropy.wcs import WCS
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import NoWCS
from lostlight.science.plate.wcs import pix_to_sky, sky_to_pix

Polygon = NDArray[np.float64]
"""Corners in order, shape (n, 2); the last is joined to the first."""


def to_world(wcs: WCS, x_px: ArrayLike, y_px: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn zero-based pixels into ICRS degrees, or into the plane of the reference frame where there is no sky."""
    if wcs.has_celestial:
        return pix_to_sky(wcs, x_px, y_px)
    x, y = np.broadcast_arrays(np.asarray(x_px, np.float64), np.asarray(y_px, np.float64))
    u, v = wcs.all_pix2world(x.ravel(), y.ravel(), 0)
    return u.reshape(x.shape), v.reshape(x.shape)


def to_pixels(wcs: WCS, u: ArrayLike, v: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Turn what `to_world` gives into zero-based pixels; NaN where the projection does not reach."""
    if wcs.has_celestial:
        return sky_to_pix(wcs, u, v)
    u, v = np.broadcast_arrays(np.asarray(u, np.float64), np.asarray(v, np.float64))
    x, y = wcs.all_world2pix(u.ravel(), v.ravel(), 0)
    return x.reshape(u.shape), y.reshape(u.shape)


def outline(wcs: WCS, shape: tuple[int, int], per_edge: int = 11) -> Polygon:
    """Follow the outer border of a frame once around.

    Corners alone would cut off what a distorted or wide field bulges out between them.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Two axes: of the sky, or without CTYPE for a registered frame.
    shape : tuple of int
        Rows and columns of the frame.
    per_edge : int
        Points of each edge, both its corners included.

    Returns
    -------
    ndarray, shape (4 * (per_edge - 1), 2), float64
        ICRS right ascension and declination in degrees, or places in the reference frame; NaN where there are none.

    Raises
    ------
    NoWCS
        If no point of the border has a place.
    """
    x, y = border(shape, per_edge)
    places = np.stack(to_world(wcs, x, y), axis=1)
    if not np.isfinite(places).all(axis=1).any():
        raise NoWCS(
            "the sky solution gives no place to any pixel of the frame",
            hint="solve the frame astrometrically again, or remove its sky solution to have it registered by its stars",
        )
    return places


def border(shape: tuple[int, int], per_edge: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give x and y of points along the outer edges of the outermost pixels, once around."""
    ny, nx = shape
    steps = np.linspace(0, 1, per_edge)[:-1]
    ones = np.ones_like(steps)
    x = np.concatenate([steps, ones, 1 - steps, 0 * ones])
    y = np.concatenate([0 * ones, steps, ones, 1 - steps])
    return x * nx - 0.5, y * ny - 0.5


def pixel_size(wcs: WCS, shape: tuple[int, int]) -> float:
    """Give the side of a pixel at the middle of a frame, the square root of its area.

    In arcsec on the sky, or in pixels of the reference frame.
    """
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    places = np.stack(to_world(wcs, [x, x + 1, x], [y, y, y + 1]), axis=1)
    if wcs.has_celestial:
        middle, right, above = unit_vectors(places)
        area = np.linalg.norm(np.cross(right - middle, above - middle))
        return float(np.degrees(np.sqrt(area)) * 3600)
    return float(np.sqrt(abs(np.linalg.det(places[1:] - places[0]))))


def unit_vectors(places_deg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn right ascension and declination, shape (n, 2), into unit vectors, shape (n, 3)."""
    lon, lat = np.radians(places_deg).T
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)


def mean_direction(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mean of unit vectors as one, or the first of them where they cancel, all over the sky."""
    mean = vectors.mean(axis=0)
    length = np.linalg.norm(mean)
    return mean / length if length > 1e-6 else vectors[0]


def flattened(outlines: Sequence[Polygon]) -> list[Polygon]:
    """Lay outlines on the sky onto a plane with equal areas, about their mean direction; points without place go.

    Lambert's zenithal projection, in radians; neither right ascension 0 nor a pole is special.
    """
    if not outlines:
        return []
    vectors = [unit_vectors(places[np.isfinite(places).all(axis=1)]) for places in outlines]
    middle = mean_direction(np.concatenate(vectors))
    # two directions at right angles to it: of the axes, the one farthest from it gives the first
    across = np.cross(middle, np.eye(3)[np.argmin(np.abs(middle))])
    across /= np.linalg.norm(across)
    plane = np.stack([across, np.cross(middle, across)], axis=1)
    return [each @ plane * np.sqrt(2 / np.maximum(1 + each @ middle, 1e-12))[:, np.newaxis] for each in vectors]


def cells_inside(polygon: Polygon, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Tell which cells of a coarse grid have their middle inside a polygon.

    Parameters
    ----------
    polygon : ndarray, shape (n, 2)
        x and y in cells, from the corner of the first. May be concave.
    shape : tuple of int
        Rows and columns of cells.

    Returns
    -------
    ndarray, shape `shape`, bool
        All false for a polygon with corners that are not finite.
    """
    inside = np.zeros(shape, bool)
    if not np.isfinite(polygon).all():
        return inside
    x, y = polygon.T - 0.5
    x1, y1 = np.roll(x, -1), np.roll(y, -1)
    row = np.arange(shape[0])[:, np.newaxis]
    # even-odd rule: each row is cut where an edge passes it, and changes side there
    rows, edges = np.nonzero((y <= row) != (y1 <= row))
    with np.errstate(over="ignore"):
        at = x[edges] + (rows - y[edges]) * (x1 - x)[edges] / (y1 - y)[edges]
    columns = np.clip(np.ceil(at), 0, shape[1]).astype(np.intp)
    turns = np.zeros((shape[0], shape[1] + 1), np.uint8)
    np.bitwise_xor.at(turns, (rows, columns), 1)
    return np.bitwise_xor.accumulate(turns, axis=1)[:, :-1].astype(bool)
