"""Cosmetic cleaning: single pixels that no optics can have made."""

import numpy as np
from numpy.typing import NDArray

_SHARPEST = 0.25
_MIN_PEAKS = 20
_AROUND = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0))


def isolated_flaws(
    subtracted: NDArray[np.float32], rms_adu: float, n_sigma: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Find single hot and cold pixels, and leave the cores of stars alone.

    A point source always shares its light with its neighbours: through a scan aperture of two pixels the brightest
    neighbour of a star's peak keeps a third of it or more. A pixel is hot if it stands out by `n_sigma` and all its
    neighbours stay below a quarter of it, or below half of what the image's own stars share where these are sharper. A
    pixel is cold if it lies `n_sigma` below the lowest of its neighbours.

    Parameters
    ----------
    subtracted : ndarray of float32, (ny, nx), adu
        Image without its background.
    rms_adu : float
        Noise of the sky.
    n_sigma : float
        Least height above the sky, or depth below the neighbours.

    Returns
    -------
    y_px, x_px : ndarray of int
        Zero-based positions, in reading order.
    """
    limit = n_sigma * rms_adu
    y, x = np.nonzero(subtracted > limit)
    peak, neighbours = subtracted[y, x], neighbours_of(subtracted, y, x)
    share = neighbours.max(axis=1) / peak
    is_hot = share < min(_SHARPEST, _sharpest_share(share))
    cold_y, cold_x = np.nonzero(subtracted < -limit)
    depth = neighbours_of(subtracted, cold_y, cold_x).min(axis=1) - subtracted[cold_y, cold_x]
    is_cold = depth > limit
    y, x = np.concatenate([y[is_hot], cold_y[is_cold]]), np.concatenate([x[is_hot], cold_x[is_cold]])
    order = np.lexsort((x, y))
    return y[order], x[order]


def neighbours_of(image: NDArray[np.float32], y_px: NDArray[np.intp], x_px: NDArray[np.intp]) -> NDArray[np.float32]:
    """Give the eight neighbours of each pixel, (n, 8), mirrored at the border of the image."""
    ny, nx = image.shape
    columns = [image[_mirrored(y_px + dy, ny), _mirrored(x_px + dx, nx)] for dy, dx in _AROUND]
    return np.stack(columns, axis=1) if len(y_px) else np.empty((0, len(columns)), dtype=image.dtype)


def _mirrored(index: NDArray[np.intp], size: int) -> NDArray[np.intp]:
    return (size - 1) - np.abs((size - 1) - np.abs(index))


def _sharpest_share(share: NDArray[np.float32]) -> float:
    """Half of what the brightest neighbour keeps of a well-centred star, told from all stars of the image.

    With s = 1 / (2 sigma²) a Gaussian star at offset d (the larger of |dx|, |dy|) from the pixel's centre has the share
    exp(-s (1 - 2 d)). Offsets are even, so the median star has d = 0.354 and exp(-0.293 s); a centred one has exp(-s).
    """
    peaks = share[share < 1]
    return 0.5 * float(np.median(peaks)) ** (1 / 0.293) if len(peaks) >= _MIN_PEAKS else _SHARPEST
