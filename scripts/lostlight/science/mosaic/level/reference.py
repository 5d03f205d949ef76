"""Which frame the others are brought to: only a matter of units, but it must be a sound one."""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.level.stats import FrameStats

log = logging.getLogger(__name__)

RULES = ("auto", "weight", "central", "first")


def choose_reference(
    stats: Sequence[FrameStats], rule: str | int, gain: NDArray[np.float64], sound: NDArray[np.bool_]
) -> int:
    """Choose the frame whose scale and level the result has.

    Parameters
    ----------
    stats : sequence of FrameStats
        All frames.
    rule : str or int
        auto or weight: the largest area by inverse variance; central: nearest to the middle of all frames;
        first; or a number from 0.
    gain : ndarray, shape (n, C), float64
        Gains, to any common factor.
    sound : ndarray, shape (n,), bool
        Frames that may be it; where the one asked for is not sound the next one is taken.

    Returns
    -------
    int
        Number of the frame.

    Raises
    ------
    ConfigError
        For an unknown rule or a number that no frame has.
    """
    order = _order(stats, rule, gain)
    for k in order:
        if sound[k]:
            if k != order[0]:
                log.warning("%s cannot be the reference (nothing valid in it, or flat): %s is", stats[order[0]].id,
                            stats[k].id)  # fmt: skip
            return int(k)
    return int(order[0])


def is_sound(stats: FrameStats) -> bool:
    """Tell whether a frame has pixels at all, and more than one value in them."""
    value = stats.sky.value[np.isfinite(stats.sky.value).all(1)]
    return len(value) > 0 and bool(np.any(np.ptp(value, axis=0) > 0) or np.all(np.asarray(stats.sigma) > 0))


def _order(stats: Sequence[FrameStats], rule: str | int, gain: NDArray[np.float64]) -> list[int]:
    n = len(stats)
    if isinstance(rule, str) and rule not in RULES:
        raise ConfigError(f"no reference rule {rule!r}", f"one of {', '.join(RULES)}, or a number from 0 to {n - 1}")
    if not isinstance(rule, str):
        if not 0 <= rule < n:
            raise ConfigError(f"reference {rule} of {n} frames", f"a number from 0 to {n - 1}")
        return [(rule + k) % n for k in range(n)]
    if rule == "first":
        return list(range(n))
    off = _off_centre(stats)
    if rule == "central":
        return [int(k) for k in np.lexsort((np.arange(n), off))]
    weight = _weight(stats, gain)
    # Weights that differ in the last digits alone count as one.
    with np.errstate(divide="ignore"):
        rounded = np.round(np.log(weight), 9)
    return [int(k) for k in np.lexsort((np.arange(n), off, -rounded))]


def _weight(stats: Sequence[FrameStats], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    sigma = np.array([np.asarray(s.sigma, np.float64) for s in stats]) * gain
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.nansum(1 / sigma**2, axis=1) * [s.area_px or s.sky.count.sum() for s in stats]
    return np.where(np.isfinite(weight), weight, 0)


def _off_centre(stats: Sequence[FrameStats]) -> NDArray[np.float64]:
    centre = np.array([middle(s) for s in stats])
    known = np.isfinite(centre).all(1)
    if not known.any():
        return np.zeros(len(stats))
    centre = np.where(known[:, None], centre, np.inf)
    whole = (centre[known].min(0) + centre[known].max(0)) / 2
    return np.round(np.hypot(*(centre - whole).T), 3)


def middle(stats: FrameStats) -> tuple[float, float]:
    """Give the middle of a frame on the canvas, x and y in pixels: as measured, else of its cells."""
    if np.isfinite(stats.x_px) and np.isfinite(stats.y_px):
        return float(stats.x_px), float(stats.y_px)
    if not len(stats.sky.u):
        return float("nan"), float("nan")
    return tuple(float(c.min() + c.max()) / 2 for c in (stats.sky.u, stats.sky.v))  # type: ignore[return-value]
