"""The sky of an image: its level and its noise on a coarse mesh, sources kept out."""

from dataclasses import dataclass
from functools import cache
from math import ceil

import numpy as np
import sep
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import binary_dilation, distance_transform_edt

from lostlight.core.errors import BadImage

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_FILTER = 3
_SPARE = 0.25
"""Part of a cell that is shared out among the others rather than made a cell of its own."""
_MIN_AREA_PX = 5
_CLIPPED_SIGMA, _MOST_SKEWED = 4.0, 0.05
_GROWN_PX, _GROWN = 3, 0.5
"""How far the mask of a source reaches beyond what was detected of it: so many pixels, or that part of the radius of
what was detected. Wings are faint, but many; those of Moffat's profile fall to a tenth within half a radius."""


@dataclass(frozen=True, eq=False)
class Sky:
    """The sky of one image.

    Attributes
    ----------
    mesh : ndarray, shape (my, mx), float32, adu
        Level in the middle of each cell; `level` makes an image of it.
    rms_mesh : ndarray, shape (my, mx), float32, adu
        Noise of a pixel in each cell.
    sources : ndarray, shape (ny, nx), bool
        Pixels of what was detected; they have no part in the sky.
    """

    mesh: Floats
    rms_mesh: Floats
    sources: Mask

    @property
    def level_map(self) -> Floats:
        """Level of the sky at every pixel, shape (ny, nx), float32, adu."""
        return level(self.mesh, self.sources.shape)

    @property
    def rms_map(self) -> Floats:
        """Noise of every pixel, shape (ny, nx), float32, adu."""
        # a spline through steps may undershoot
        return np.maximum(level(self.rms_mesh, self.sources.shape), self.rms_mesh.min())


def sky_mesh(image: Floats, bad: Mask, mesh_px: int = 64, detect_sigma: float = 3.0) -> Sky:
    """Measure the level and the noise of the sky in cells, once with all pixels and again without sources.

    Parameters
    ----------
    image : ndarray, shape (ny, nx), float32, adu
    bad : ndarray, shape (ny, nx), bool
        Pixels that hold no measurement; those that are not finite count too.
    mesh_px : int
        Side of a cell; cells are made a little larger or smaller so that they fill the image. At least 15 times the
        width of a star and 3 times the longest trail, or they lose light to it. 0 takes the sky to be zero.
    detect_sigma : float
        Sources brighter than this are kept out.

    Returns
    -------
    Sky

    Raises
    ------
    BadImage
        If no pixel is good, or the image has no noise.

    Notes
    -----
    Clipped modes of cells, median-filtered over 3 x 3 (Bertin & Arnouts 1996, A&AS 117, 393), by SEP (Barbary 2016).
    """
    pixels = np.array(image, dtype=np.float32, order="C")
    missing = ~np.isfinite(pixels) | bad
    if missing.all():
        raise BadImage("no pixel of the image is good", hint="look at its mask; leave the image out")
    pixels[missing] = 0
    sides = [cell_side(n, mesh_px or n) for n in pixels.shape]
    first = _background(pixels, missing, sides)
    light = pixels - (first.back() if mesh_px else 0)
    sources = _sources(light, missing, detect_sigma * float(first.globalrms))
    hidden = sources | missing
    if hidden.all():
        hidden = missing
    mesh = _at_nodes(_background(pixels, hidden, sides).back(), sides) if mesh_px else np.zeros((1, 1), np.float32)
    # noise is what is left once the slope of the sky within a cell is gone
    pixels -= level(mesh, pixels.shape)
    rms = _at_nodes(_background(pixels, hidden, sides).rms(), sides)
    if mesh_px:
        mesh += _skewness(pixels[~hidden], float(np.median(rms)))
    return Sky(mesh, rms, sources)


def cell_side(n_px: int, mesh_px: int) -> int:
    """Give the side of the cells that fill an axis of an image evenly, as near as can be to what is wished."""
    return -(-n_px // max(1, ceil(n_px / mesh_px - _SPARE)))


def level(mesh: Floats, shape: tuple[int, int]) -> Floats:
    """Give the smooth image that a mesh stands for: a natural bicubic spline, straight beyond the outermost nodes.

    Parameters
    ----------
    mesh : ndarray, shape (my, mx)
        Values in the middles of the cells, as `sky_mesh` gives them for an image of this shape.
    shape : (int, int)
        Rows and columns of the image.

    Returns
    -------
    ndarray, shape (ny, nx), float32
    """
    along_y, along_x = (_spline(n, nodes) for n, nodes in zip(shape, mesh.shape, strict=True))
    return np.asarray(along_y @ mesh.astype(np.float64) @ along_x.T, np.float32)


def _background(pixels: Floats, missing: Mask, sides: list[int]) -> sep.Background:
    sky = sep.Background(pixels, mask=missing, bh=sides[0], bw=sides[1], fh=_FILTER, fw=_FILTER)
    if not sky.rms().any():  # the global one is 1 in this case, not 0
        raise BadImage(
            f"the image has no noise: its pixels are {sky.globalback:g} adu, or nearly so",
            hint="look at the image; leave it out",
        )
    return sky


def _skewness(rest: Floats, sigma: float) -> np.float32:
    """Give how far the mean of the sky lies above its mode: photons are skewed, and a search adds up many pixels."""
    plain = rest[np.abs(rest) < _CLIPPED_SIGMA * sigma]
    mean = float(plain.mean(dtype=np.float64)) if plain.size else 0.0
    return np.float32(np.clip(mean, -_MOST_SKEWED * sigma, _MOST_SKEWED * sigma))


def _sources(light: Floats, missing: Mask, threshold_adu: float) -> Mask:
    sep.set_extract_pixstack(max(300_000, light.size + 1))
    sep.set_sub_object_limit(20_000)
    rows, segments = sep.extract(light, threshold_adu, mask=missing, minarea=_MIN_AREA_PX, segmentation_map=True)
    grown = binary_dilation(segments > 0, _disc(_GROWN_PX))
    for number, row in enumerate(rows, 1):
        reach = int(np.ceil(_GROWN * np.sqrt(row["npix"] / np.pi)))
        if reach > _GROWN_PX:
            y, x = (slice(max(row[f"{axis}min"] - reach, 0), row[f"{axis}max"] + reach + 1) for axis in ("y", "x"))
            grown[y, x] |= distance_transform_edt(segments[y, x] != number) <= reach
    return grown


def _disc(radius: int) -> Mask:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(y**2 + x**2 <= radius**2)


def _middles(n_px: int, side: int) -> NDArray[np.float64]:
    return (np.arange(-(-n_px // side)) + 0.5) * side - 0.5


def _at_nodes(values: Floats, sides: list[int]) -> Floats:
    """Take a smooth image in the middles of its cells, which may lie between two pixels."""
    for axis, side in enumerate(sides):
        at = np.minimum(_middles(values.shape[axis], side), values.shape[axis] - 1)
        low, high = (np.take(values, edge(at).astype(int), axis=axis) for edge in (np.floor, np.ceil))
        values = (low + high) / np.float32(2)
    return values


@cache
def _spline(n_px: int, n_nodes: int) -> NDArray[np.float64]:
    """Give the weights of all nodes at all pixels of an axis, (n_px, n_nodes)."""
    if n_nodes == 1:
        return np.ones((n_px, 1))
    nodes = _middles(n_px, -(-n_px // n_nodes))
    spline = CubicSpline(nodes, np.eye(n_nodes), bc_type="natural")
    at = np.arange(n_px, dtype=np.float64)
    within = at.clip(nodes[0], nodes[-1])
    return np.asarray(spline(within) + (at - within)[:, None] * spline(within, 1))
