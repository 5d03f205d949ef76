"""What completes a row once its source is measured: magnitudes, and the mask bits under it."""

import numpy as np
from astropy.table import Table

from lostlight.science.detect.pixels import window

_POGSON = 2.5 / np.log(10)
_CORE_PX = 2.0  # core of a source whose width could not be measured


def best_position(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Choose the windowed position of each source, or its barycentre where the window found nothing or ran away.

    A window on the wing of a bright star can climb to the star; it must stay in the box of the isophote.

    Returns
    -------
    x_px, y_px : ndarray, shape (n,), float64, pixels, zero-based
    """
    columns = {axis: (table[f"{axis}win_px"], table[f"{axis}_min_px"], table[f"{axis}_max_px"]) for axis in "xy"}
    # Comparisons with NaN are false.
    inside = [(win >= low - 0.5) & (win <= high + 0.5) for win, low, high in columns.values()]
    good = np.asarray(inside[0] & inside[1])
    return tuple(np.where(good, table[f"{axis}win_px"], table[f"{axis}_px"]) for axis in "xy")


def add_magnitudes(table: Table, zero_point_mag: float) -> None:
    """Add instrumental magnitudes and their errors for each kind of flux; NaN where the flux is not positive."""
    for kind in ("auto", "aper", "psf"):
        flux, error = np.asarray(table[f"flux_{kind}_adu"]), np.asarray(table[f"flux_{kind}_err_adu"])
        positive = np.where(flux > 0, flux, np.nan)
        table[f"mag_{kind}"] = zero_point_mag - 2.5 * np.log10(positive)
        table[f"mag_{kind}_err"] = _POGSON * error / positive


def mask_bits_under(mask: np.ndarray, x_px: np.ndarray, y_px: np.ndarray, radius_px: np.ndarray) -> np.ndarray:
    """Collect the mask bits within a radius of each source.

    Parameters
    ----------
    mask : ndarray, shape (ny, nx), int
        Bits of `vocab.bits.MASK`.
    x_px, y_px, radius_px : ndarray, shape (n,), pixels
        Positions, zero-based, inside the image; radii, two pixels where NaN.

    Returns
    -------
    ndarray, shape (n,), int32
    """
    x, y = np.asarray(x_px, dtype=float), np.asarray(y_px, dtype=float)
    radius = np.nan_to_num(np.asarray(radius_px, dtype=float), nan=_CORE_PX)
    pixels = window(x, y, radius, mask.shape)
    o = pixels.owner
    inside = (pixels.x - x[o]) ** 2 + (pixels.y - y[o]) ** 2 <= radius[o] ** 2
    bits = np.zeros(len(x), dtype=np.int32)
    np.bitwise_or.at(bits, o[inside], mask[pixels.y[inside], pixels.x[inside]].astype(np.int32))
    return bits
