"""Sample a tabulated profile at the pixels of an image: separable Lanczos interpolation as small matrices."""

import numpy as np
from numpy.typing import NDArray

LANCZOS_ORDER = 4

FloatArray = NDArray[np.floating]


def lanczos_matrices(centre_px: FloatArray, pixels: NDArray[np.integer], n_nodes: int, step_px: float) -> FloatArray:
    """Give the matrices that interpolate profiles, tabulated about their centres, at whole pixels along one axis.

    Parameters
    ----------
    centre_px : (n,) float
        Where the middle node (``n_nodes // 2``) of each profile lies, in pixels.
    pixels : (n, m) int
        The pixels wanted for each profile.
    n_nodes : int
        Number of nodes of the table.
    step_px : float
        Distance of two nodes, in pixels.

    Returns
    -------
    (n, m, n_nodes) float32
        Rows sum to one as long as the kernel lies inside the table, and to zero outside it.

    Notes
    -----
    Lanczos kernel of order 4, ``sinc(t) sinc(t/4)`` for ``|t| < 4``. The sines are taken of the pixel positions alone
    and moved to the nodes by the addition theorem, because they would otherwise take most of the time.
    """
    position = (pixels - centre_px[:, None]) / step_px + n_nodes // 2
    node = np.arange(n_nodes)
    t = position[:, :, None] - node
    quarter = np.pi / LANCZOS_ORDER
    slow = np.sin(quarter * position)[:, :, None] * np.cos(quarter * node) - np.cos(quarter * position)[
        :, :, None
    ] * np.sin(quarter * node)
    fast = np.sin(np.pi * position)[:, :, None] * np.where(node % 2, -1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        kernel = fast * slow * LANCZOS_ORDER / (np.pi * t) ** 2
    kernel = np.where(np.abs(t) < 1e-6, 1.0, kernel)
    kernel *= np.abs(t) < LANCZOS_ORDER
    return (kernel / _full_sum(position)[:, :, None]).astype(np.float32)


def _full_sum(position: FloatArray) -> FloatArray:
    """Sum the kernel over an endless table: it differs from one by up to a percent."""
    t = (position - np.floor(position))[..., None] - np.arange(1 - LANCZOS_ORDER, LANCZOS_ORDER + 1)
    return np.sum(np.sinc(t) * np.sinc(t / LANCZOS_ORDER), axis=-1)


def stamp_pixels(x_px: FloatArray, half_px: int) -> NDArray[np.int64]:
    """List the pixels of a stamp along one axis, centred on the pixel nearest to each position: (n, 2 half_px + 1)."""
    return np.rint(x_px).astype(np.int64)[:, None] + np.arange(-half_px, half_px + 1)


def cut_stamps(
    image: FloatArray, x_pixels: NDArray[np.int64], y_pixels: NDArray[np.int64], outside: float = 0.0
) -> FloatArray:
    """Cut stamps out of an image; pixels beyond its edges get the value `outside`.

    Parameters
    ----------
    image : (ny, nx) float
    x_pixels, y_pixels : (n, m) int
        Columns and rows of each stamp, as `stamp_pixels` gives them.
    outside : float

    Returns
    -------
    (n, m, m) float
    """
    ny, nx = image.shape
    stamps = image[np.clip(y_pixels, 0, ny - 1)[:, :, None], np.clip(x_pixels, 0, nx - 1)[:, None, :]]
    inside_x = (x_pixels >= 0) & (x_pixels < nx)
    inside_y = (y_pixels >= 0) & (y_pixels < ny)
    return np.where(inside_y[:, :, None] & inside_x[:, None, :], stamps, outside)
