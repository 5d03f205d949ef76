"""The last steps of a master flat: hot pixels repaired, scaled to one, pixels that cannot be corrected left alone."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from lostlight.science.calibrate.hot import map_of_flat
from lostlight.science.calibrate.levels import level, spread
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.quality import mask_of
from lostlight.science.calibrate.repair import repair
from lostlight.science.calibrate.trouble import refuse
from lostlight.vocab.bits import dq as bits
from lostlight.vocab.calibration import CODES

_LARGEST = 5.0  # a pixel five times as sensitive as the others is no pixel
_WIDTH_OF_NORMAL = 0.5067  # from the 40th to the 60th percentile of a normal distribution, in sigma
_MOST_PASSES = 20
_SATURATED_AROUND = 0.2  # of the 25 pixels about a saturated one, it among them


def finish(
    master: Planes,
    *,
    min_value: float = 0.2,
    max_error: float = 0.05,
    hot_mask: NDArray[np.bool_] | None = None,
    bayerpat: str = "",
) -> Planes:
    """Make a combined flat one to divide by.

    Hot pixels repeat in every flat, so that no rejection across frames finds them: they are replaced by neighbours of
    the same colour. The flat is then scaled until the median of its valid pixels is 1, for each place of a
    colour-filter array alone, so that the colour of the flat's lamp stays out of the lights. Pixels without value,
    unfit for use, below `min_value`, above 5 or with a relative error beyond `max_error` become 1 and get the bit
    NO_FLAT: dividing by them would invent light. Those of them that see less than half of what their neighbours see
    are COLD too, which nobody could tell from a 1.

    Parameters
    ----------
    master : Planes, adu or any scale
        Combined flats without pedestal; saturated pixels carry their bit.
    min_value : float
        Least sensitivity that is corrected, relative to the median.
    max_error : float
        Largest relative standard deviation that is corrected.
    hot_mask : ndarray, shape (ny, nx), bool, optional
        Hot pixels, from a dark.
    bayerpat : str
        Pattern of the colour-filter array; empty for mono.

    Returns
    -------
    Planes
        The flat around 1, its uncertainty (the error of its level included), quality bits, and `master.extra`.

    Raises
    ------
    LostlightError
        CAL112 if more than 1e-4 of the pixels are saturated, CAL108 if no valid pixel is left.
    """
    dq = np.zeros(master.data.shape, np.uint16) if master.dq is None else master.dq.copy()
    _refuse_saturated(dq)
    data, uncert = master.data, master.uncert
    if hot_mask is not None and hot_mask.any():
        hot = np.where(hot_mask, bits("HOT"), 0).astype(np.uint16)
        data, uncert, dq, _ = repair(data, uncert, dq, hot, "median5", bayerpat)
    usable = np.isfinite(data) & ~mask_of(dq)
    levels, valid = _settle(data, uncert, usable, "per_cfa" if bayerpat else "median_center", min_value, max_error)
    over = spread(levels, data.shape).astype(np.float32)
    dq[~valid] |= np.uint16(bits("NO_FLAT")) | map_of_flat(data, bayerpat=bayerpat)[~valid]
    flat = np.where(valid, data / over, np.float32(1))
    if uncert is not None:
        uncert = np.where(valid, _error(flat, uncert / over, valid, bool(bayerpat)), np.float32(0))
    return Planes(flat, uncert, dq, master.extra)


def _settle(
    data: NDArray[np.float32],
    uncert: NDArray[np.float32] | None,
    usable: NDArray[np.bool_],
    method: str,
    min_value: float,
    max_error: float,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Find the level and the valid pixels, each of which needs the other.

    It starts from the centre, since optics may light less than half of a detector.
    """
    if uncert is not None:
        usable = usable & (uncert <= max_error * np.abs(data))
    levels, valid = level(data, method, ~usable), usable
    for _ in range(_MOST_PASSES):
        if not (levels > 0).all():
            raise refuse("CAL108", f"the level of the flat is {levels.min():.4g} adu: there is nothing to divide by")
        relative = data / spread(levels, data.shape).astype(np.float32)
        valid = usable & (relative >= min_value) & (relative <= _LARGEST)
        before, levels = levels, _medians(data, valid, levels.shape)
        if (levels == before).all():
            break
    return levels, valid


def _medians(data: NDArray[np.float32], valid: NDArray[np.bool_], shape: tuple[int, ...]) -> NDArray[np.float64]:
    step = shape[0]
    return np.array([[level(data[y::step, x::step], "median", ~valid[y::step, x::step])[0, 0] for x in range(step)]
                     for y in range(step)])  # fmt: skip


def _error(
    flat: NDArray[np.float32], uncert: NDArray[np.float32], valid: NDArray[np.bool_], is_cfa: bool
) -> NDArray[np.float32]:
    """Add the error of the level itself, which all pixels of a colour share."""
    step = 2 if is_cfa else 1
    errors = np.zeros((step, step), np.float32)
    for y, x in np.ndindex(step, step):
        here = valid[y::step, x::step]
        errors[y, x] = _error_of_median(flat[y::step, x::step][here], uncert[y::step, x::step][here])
    return np.hypot(uncert, flat * spread(errors, flat.shape))


def _error_of_median(values: NDArray[np.float32], uncert: NDArray[np.float32]) -> float:
    """Standard deviation of a median whose n values have noise, but differ from each other by more than that.

    Only values within their noise of the median can move it: its variance is the sum of p (1 - p) over (n f)^2, with
    p the chance of a value to lie below and f the density of values there, which gives sigma / (sqrt(pi) n f).
    """
    sigma = float(np.sqrt(np.mean(uncert**2, dtype=np.float64)))
    low, high = np.quantile(values, (0.4, 0.6))
    width = max(high - low, _WIDTH_OF_NORMAL * sigma)
    return float(np.sqrt(sigma * width / (0.2 * np.sqrt(np.pi) * values.size)))


def _refuse_saturated(dq: NDArray[np.uint16]) -> None:
    saturated = (dq & bits("SATURATED")) > 0
    if not saturated.any():
        return
    # hot pixels lie alone; light saturates pixels beside each other
    share = (
        np.count_nonzero(saturated & (uniform_filter(saturated.astype(np.float32), 5) > _SATURATED_AROUND)) / dq.size
    )
    limit = CODES["CAL112"].threshold or 0
    if share > limit:
        raise refuse("CAL112", f"{100 * share:.3g} percent of the flat is saturated, more than {100 * limit:g}")
