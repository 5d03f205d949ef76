"""Frames that would do the mosaic harm: few stars, blurred, trailed, noisy, or not of the same sky."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.level.stats import FrameStats

_WILD_GAIN = 5.0

Float = NDArray[np.float64]


@dataclass(frozen=True)
class QualityRules:
    """Limits relative to the median of all frames: the knobs of the same names."""

    min_stars: float = 0.3
    max_fwhm: float = 1.6
    max_elongation: float = 1.6
    max_noise: float = 3.0


def judge_quality(stats: Sequence[FrameStats], gains: Float, rules: QualityRules) -> dict[str, str]:
    """Say which frames to leave out, and why.

    Parameters
    ----------
    stats : sequence of FrameStats
        The frames of one filter.
    gains : ndarray, shape (n, C)
        Their gains: what they are multiplied by. NaN where unknown.
    rules : QualityRules

    Returns
    -------
    dict
        Reason by id of the frames that are left out. If all were, the one that exceeds the limits least stays.
    """
    if not stats:
        return {}
    gains = np.asarray(gains, float).reshape(len(stats), -1)
    sigma = np.array([s.sigma for s in stats], float).reshape(len(stats), -1)
    dead = {s.id: "no noise that could be measured" for s, own in zip(stats, sigma, strict=True) if not (own > 0).all()}
    checks = [
        _stars(stats, rules.min_stars),
        _too_much(np.array([s.fwhm_px for s in stats]), rules.max_fwhm, "FWHM {:.1f} px"),
        _too_much(np.array([s.elongation for s in stats]), rules.max_elongation, "elongation {:.2f}"),
        _noise(sigma * gains, rules.max_noise),
        _gain(gains),
    ]
    return dead | _worst(stats, checks, dead)


Check = list[tuple[float, str]]
"""For each frame by how much it exceeds a limit, as a factor, and how to say so."""


def _worst(stats: Sequence[FrameStats], checks: list[Check], dead: dict[str, str]) -> dict[str, str]:
    excess = np.array([[factor for factor, _ in check] for check in checks])
    reasons = {
        stats[i].id: "; ".join(check[i][1] for check in checks if check[i][0] > 1)
        for i in np.flatnonzero((excess > 1).any(axis=0))
        if stats[i].id not in dead
    }
    if reasons and len(reasons) + len(dead) == len(stats):
        ways = {stats[i].id: float(excess[:, i].max()) for i in range(len(stats)) if stats[i].id in reasons}
        del reasons[min(ways, key=lambda frame: (ways[frame], frame))]
    return reasons


def _too_much(values: Float, limit: float, said: str) -> Check:
    """Compare with the median of those known; what is not known exceeds nothing."""
    typical = _median(values)
    return [
        (_factor(value, limit * typical), f"{said.format(value)} is {value / typical:.1f} times the median")
        for value in values
    ]


def _stars(stats: Sequence[FrameStats], least: float) -> Check:
    """Compare the stars per area, for frames of other cameras cover other areas."""
    area = np.array([s.area_px for s in stats], float)
    number = np.array([s.n_stars for s in stats], float)
    density = number / area if (area > 0).all() else number
    typical = _median(density)
    return [
        (
            _factor(least * typical, value) if value > 0 else np.inf * (least * typical > 0 or np.nan),
            f"{n:.0f} stars are {value / typical if typical else np.nan:.2f} times the median",
        )
        for n, value in zip(number, density, strict=True)
    ]


def _noise(scaled: Float, limit: float) -> Check:
    """Take the channel that is worst beside its own median."""
    ratio = np.array([plane / _median(plane) for plane in scaled.T])
    known = np.isfinite(ratio)
    worst = np.where(known.any(axis=0), np.where(known, ratio, -np.inf).max(axis=0), np.nan)
    return [(_factor(value, limit), f"noise is {value:.1f} times the median") for value in worst]


def _gain(gains: Float) -> Check:
    far = np.where(np.isfinite(gains) & (gains > 0), np.abs(np.log(np.where(gains > 0, gains, 1))), 0).max(axis=1)
    said = [f"gain {', '.join(f'{g:.3g}' for g in own)} is beyond a factor of {_WILD_GAIN:g}" for own in gains]
    return [(float(value / np.log(_WILD_GAIN)), text) for value, text in zip(far, said, strict=True)]


def _factor(value: float, limit: float) -> float:
    return float(value / limit) if np.isfinite(value) and limit > 0 else 0.0


def _median(values: Float) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else np.nan
