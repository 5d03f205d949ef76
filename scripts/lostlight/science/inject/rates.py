"""How fast sources drift that have no orbit: what a stack of images can show."""

import numpy as np

from lostlight.science.epochs.epochs import Epochs
from lostlight.science.search.reach import FASTEST_ARCSEC_H, fastest, slowest


def drift_limits(
    epochs: Epochs,
    shape: tuple[int, int],
    min_epochs: float,
    plate_scale: float,
    low: float | None = None,
    high: float | None = None,
) -> tuple[float, float]:
    """Give the slowest and fastest drift that is worth planting.

    The slowest is that which a search can tell from standing still. The fastest crosses the field while as few images
    are taken as must show it, and is not faster than searches look for by default.

    Parameters
    ----------
    epochs : Epochs
    shape : (int, int)
        Rows and columns of the field.
    min_epochs : float
        Fraction of the images that must show a source.
    plate_scale : float
        Arcsec per pixel, for images without a WCS; of those no motion is too fast for a search.
    low, high : float or None
        Limits that are given, arcsec per hour; without a WCS, pixels per hour.

    Returns
    -------
    low, high : float
        Arcsec per hour; `high` is not below `low`.
    """
    first = epochs.wcs[0]
    scale = plate_scale if first is None else float(np.sqrt(abs(np.linalg.det(first.pixel_scale_matrix)))) * 3600
    unit, most = (plate_scale, np.inf) if first is None else (1.0, FASTEST_ARCSEC_H)
    days, n = epochs.mjd_mid - epochs.mjd_mid[0], len(epochs)
    needed = min(max(int(np.ceil(min_epochs * n)), 2), n)
    width = float(np.median([psf.fwhm_px for psf in epochs.psfs]))
    slow = slowest(days, width) * scale / 24 if low is None else low * unit
    fast = min(fastest(days, shape, needed) * scale / 24, most) if high is None else high * unit
    return slow, max(slow, fast)
