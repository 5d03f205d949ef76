"""The medians of the colours of a tile made equal, by one factor for each."""

import logging

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.level.arrays import numpy_only, planes

log = logging.getLogger(__name__)


def equalize_rgb_medians(
    tile: NDArray[np.floating], *, mask: NDArray[np.bool_] | None = None, gain_clip: tuple[float, float] = (0.5, 2.0)
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Bring the medians of red, green and blue to their common one.

    Parameters
    ----------
    tile : ndarray, shape (C, H, W) or (H, W), adu
        Stacked tile; NaN where there is no pixel. It is not changed.
    mask : ndarray, shape (H, W), bool, optional
        Pixels whose medians are taken, those valid in all colours when it is not given.
    gain_clip : tuple of float
        Smallest and largest factor.

    Returns
    -------
    tile : ndarray, of the shape of `tile`, float32
        A new array; a mono tile is copied as it is.
    gains : ndarray, shape (C,), float32
        Factors, finite always.

    Raises
    ------
    NotNumpy
        For arrays that lie on a GPU.
    """
    data = planes(tile, "tile")
    if len(data) == 1:
        log.info("mono tile: no colours to equalise")
        return tile.astype(np.float32, copy=True), np.ones(1, np.float32)
    valid = np.isfinite(data).all(0)
    if mask is not None:
        numpy_only(mask, "mask")
        valid &= mask.astype(bool)
    gains = _gains(data, valid, gain_clip)
    levelled = data * gains[:, None, None]
    describe("before equalising", data)
    describe("after equalising", levelled)
    return levelled, gains


def _gains(data: NDArray[np.float32], valid: NDArray[np.bool_], gain_clip: tuple[float, float]) -> NDArray[np.float32]:
    if not valid.any():
        log.warning("colours not equalised: no pixel is valid in all of them")
        return np.ones(3, np.float32)
    medians = np.median(data[:, valid].astype(np.float64), axis=1)
    if not (medians > 0).all():
        # Ratios of levels at or below nothing are noise.
        log.warning("colours not equalised: medians %s are not all above 0", np.round(medians, 4).tolist())
        return np.ones(3, np.float32)
    wanted = medians.mean() / medians
    gains = np.clip(wanted, *gain_clip)
    if np.any(gains != wanted):
        log.warning("colour gains %s limited to %s", np.round(wanted, 4).tolist(), gain_clip)
    log.debug("colour medians %s, gains %s", medians.tolist(), gains.tolist())
    return gains.astype(np.float32)


def describe(when: str, data: NDArray[np.floating]) -> None:
    """Write smallest value, median and largest value of each plane, shape (C, H, W), to the log, for debugging."""
    if not log.isEnabledFor(logging.DEBUG):
        return
    for channel, plane in enumerate(data):
        values = plane[np.isfinite(plane)]
        spread = (values.min(), np.median(values), values.max()) if len(values) else (np.nan,) * 3
        log.debug("%s, channel %d: min %.6g, median %.6g, max %.6g", when, channel, *spread)
