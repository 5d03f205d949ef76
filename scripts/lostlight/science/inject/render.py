"""Light of moving points on images: whole planes of one source each, or stamps to be added to large ones."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.inject.psf import Psf

Floats = NDArray[np.float64]


def render_cases(
    psfs: Sequence[Psf],
    shape: tuple[int, int],
    x: Floats,
    y: Floats,
    flux: Floats,
    dtype: DTypeLike = np.float32,
    threads: int = 1,
) -> NDArray[Any]:
    """Render many stacks of images with one source each.

    Light is integrated over pixels, added up in float64 and rounded once. What falls outside of the image is lost.

    Parameters
    ----------
    psfs : sequence of Psf, length T
        Profile of a point on each image.
    shape : (int, int)
        Rows and columns of an image, H and W.
    x, y : (n, T, K) float64
        Zero-based pixels of each source at K nodes of time within each exposure; one that is NaN adds nothing.
    flux : (n, T, K) float64
        Light of each node, adu; its sum over nodes is that of the source.
    dtype : float32 or float64
    threads : int
        The result is the same for any number.

    Returns
    -------
    (n, T, H, W) `dtype`
        Light of the sources, adu.

    Raises
    ------
    ConfigError
        Arrays of different shapes, or not one of each for every profile.
    """
    x, y, flux = (np.asarray(each, np.float64) for each in (x, y, flux))
    same_shape(len(psfs), x, y, flux)
    images = np.zeros((x.shape[0], x.shape[1], *shape), dtype)
    for t, psf in enumerate(psfs):
        psf.draw(images[:, t], x[:, t], y[:, t], flux[:, t], threads)
    return images


def stamps(
    psf: Psf, x: Floats, y: Floats, flux: Floats, half: int | None = None, threads: int = 1
) -> tuple[Floats, NDArray[np.int64]]:
    """Render sources on one image, each on a square stamp of its own.

    Parameters
    ----------
    psf : Psf
    x, y, flux : (n, K) float64
        As for `render_cases`, of one image.
    half : int or None
        Half-width of the stamps in pixels; None takes what holds all but a millionth of the light of every trail.
    threads : int

    Returns
    -------
    values : (n, S, S) float64
        Light, adu; S is 2 half + 1.
    corner : (n, 2) int64
        Row and column of the first pixel of each stamp on the image, which may lie outside.

    Raises
    ------
    ConfigError
        Arrays of different shapes.
    """
    x, y, flux = (np.asarray(each, np.float64) for each in (x, y, flux))
    same_shape(None, x, y, flux)
    (x_mid, x_half), (y_mid, y_half) = _extent(x), _extent(y)
    if half is None:
        half = psf.half_width() + math.ceil(max([0.0, *x_half, *y_half]))
    corner = np.stack([np.floor(y_mid + 0.5), np.floor(x_mid + 0.5)], 1).astype(np.int64) - half
    values = np.zeros((len(x), 2 * half + 1, 2 * half + 1))
    psf.draw(values, x - corner[:, 1:], y - corner[:, :1], flux, threads)
    return values, corner


def add_stamps(image: NDArray[Any], values: NDArray[Any], corner: NDArray[np.integer[Any]]) -> NDArray[Any]:
    """Add stamps to an image in place, one after the other; what lies outside is left out.

    Parameters
    ----------
    image : (H, W) float
    values : (n, S, S) float
    corner : (n, 2) int
        Row and column of the first pixel of each stamp.

    Returns
    -------
    (H, W) float
        The same image.
    """
    for stamp, (row, column) in zip(values, corner.tolist(), strict=True):
        (y0, y1), (x0, x1) = (
            _overlap(row, stamp.shape[0], image.shape[0]),
            _overlap(column, stamp.shape[1], image.shape[1]),
        )
        if y0 < y1 and x0 < x1:
            image[y0:y1, x0:x1] += stamp[y0 - row : y1 - row, x0 - column : x1 - column]
    return image


def same_shape(n_images: int | None, x: Any, y: Any, flux: Any) -> tuple[int, ...]:
    """Check that there is one of each for every node, and give their shape.

    Raises
    ------
    ConfigError
        Arrays of different shapes, or not (sources, images, nodes); without images, (sources, nodes).
    """
    shapes = [tuple(each.shape) for each in (x, y, flux)]
    if len(set(shapes)) > 1:
        raise ConfigError(f"x, y and flux have the shapes {shapes}", "give one of each for every node")
    if len(shapes[0]) != (2 if n_images is None else 3) or n_images not in (None, shapes[0][1]):
        wanted = "(sources, nodes)" if n_images is None else f"(sources, images, nodes) for {n_images} images"
        raise ConfigError(f"positions have the shape {shapes[0]}", f"give {wanted}")
    return shapes[0]


def _overlap(first: int, length: int, size: int) -> tuple[int, int]:
    return max(first, 0), min(first + length, size)


def _extent(nodes: Floats) -> tuple[Floats, Floats]:
    """Give the middle and half the length of each trail along one axis; nodes that are not finite do not count."""
    known = np.isfinite(nodes)
    low = np.where(known, nodes, np.inf).min(1, initial=np.inf)
    high = np.where(known, nodes, -np.inf).max(1, initial=-np.inf)
    low, high = np.where(known.any(1), low, 0), np.where(known.any(1), high, 0)
    return (low + high) / 2, (high - low) / 2
