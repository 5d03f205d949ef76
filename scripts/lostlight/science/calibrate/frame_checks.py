"""What is odd about frames and masters: levels, noise, rejection, negative pixels, changes since the last master."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, ndtr

from lostlight.science.calibrate.statistics import MAD_TO_SIGMA, Statistics, clipped_sigma, thinned, usable
from lostlight.science.calibrate.trouble import Warn, refuse, warn
from lostlight.vocab.calibration import CODES

_SMALL_SAMPLE = {2: 1.196, 3: 1.495, 4: 1.363, 5: 1.206, 6: 1.200, 7: 1.140, 8: 1.129, 9: 1.107}
"""Factor that makes the MAD of n normal values unbiased (Croux & Rousseeuw 1992); n / (n - 0.8) beyond."""
_LEVEL_FLOOR = 0.05
"""Shifts of the level below a quarter of a pixel's noise (five of these) change no light that one could see."""
_BIAS_OF_RANGE = 0.3
_MORE_THAN_ONE = 10.0
_HALF_RANGE_ADU = 32768.0


def level_outliers(levels: Mapping[str, float], noise: Mapping[str, float]) -> list[Warn]:
    """Warn of frames whose level is more than five robust sigma from that of their companions (CAL205).

    Parameters
    ----------
    levels : mapping of str to float
        Frame to its median, adu.
    noise : mapping of str to float
        Frame to its noise per pixel, adu: frames that agree to a small part of it are alike.
    """
    names = [name for name, level in levels.items() if np.isfinite(level)]
    if len(names) < 3:
        return []
    values = np.array([levels[name] for name in names])
    middle = float(np.median(values))
    floor = _LEVEL_FLOOR * _typical(noise)
    sigma = max(MAD_TO_SIGMA * _unbiased(len(names)) * float(np.median(np.abs(values - middle))), floor)
    threshold = _threshold("CAL205")
    return [
        warn("CAL205", name, f"its level {value:.1f} is {_times(value - middle, sigma)} sigma from the median "
             f"{middle:.1f} of {len(names)} frames", _ratio(abs(value - middle), sigma))
        for name, value in zip(names, values, strict=True)
        if abs(value - middle) > threshold * sigma
    ]  # fmt: skip


def odd_bias_level(master: str, level_adu: float, full_adu: float = 65535.0) -> list[Warn]:
    """Warn of a bias whose level takes up a good part of the range of the camera (CAL205).

    Parameters
    ----------
    master : str
        Name of the master.
    level_adu : float
        Its median.
    full_adu : float
        Highest value of the camera.
    """
    if not level_adu > _BIAS_OF_RANGE * full_adu:
        return []
    hint = "is it a bias? look at the exposure, the offset setting, and BZERO of the files"
    twice = level_adu - _HALF_RANGE_ADU
    if 0 <= twice < 0.15 * full_adu:
        hint = f"was BZERO added twice when the file was written? the level would be {twice:.0f} without it"
    share = level_adu / full_adu
    said = f"a level of {level_adu:.0f} adu is {100 * share:.0f} % of the range of the camera; a bias has a few percent"
    return [warn("CAL205", master, said, share, _BIAS_OF_RANGE, hint)]


def noise_outliers(noise: Mapping[str, float], levels: Mapping[str, float] | None = None) -> list[Warn]:
    """Warn of frames that are 1.3 times noisier than the median of their companions (CAL206).

    Parameters
    ----------
    noise : mapping of str to float
        Frame to its noise per pixel, adu.
    levels : mapping of str to float, optional
        Frame to its level without pedestal, adu. Where given, noise that grows with the root of the level is as it
        should be: for flats, where photons make it.
    """
    scaled = {name: value for name, value in noise.items() if np.isfinite(value) and value > 0}
    if levels is not None:
        scaled = {name: value / np.sqrt(levels[name]) for name, value in scaled.items() if levels[name] > 0}
    if len(scaled) < 3:
        return []
    middle = float(np.median(list(scaled.values())))
    return [
        warn("CAL206", name, f"its noise is {value / middle:.2f} times the median of {len(scaled)} frames"
             f"{', for its level' if levels is not None else ''}", value / middle)
        for name, value in scaled.items()
        if value > _threshold("CAL206") * middle
    ]  # fmt: skip


def not_blank(frame_id: str, stats: Statistics, full_adu: float = np.inf) -> list[Warn]:
    """Look whether a frame holds anything at all, and warn if all of its pixels are equal (CAL206).

    Parameters
    ----------
    frame_id : str
        The frame.
    stats : Statistics
        Of its pixels, adu.
    full_adu : float
        Level of saturation.

    Raises
    ------
    UnitError
        CAL108 if no pixel is a number, or all of them are saturated.
    """
    if not stats.n:
        raise refuse("CAL108", f"{frame_id}: no pixel of it is a number", frame=frame_id)
    if stats.min >= full_adu:
        raise refuse("CAL108", f"{frame_id}: all of its pixels are saturated", frame=frame_id)
    if stats.n > 1 and stats.min == stats.max:
        return [warn("CAL206", frame_id, f"all of its pixels are {stats.min:g}: was it read out?", 0.0, 0.0)]
    return []


def same_unit(frame_id: str, stats: Statistics, master: str, data: NDArray) -> None:
    """Refuse counts off pixels that a program has scaled to lie between 0 and 1 (CAL104)."""
    level = float(np.nanmedian(data))
    if stats.min >= 0 and stats.max <= 1 and level > _MORE_THAN_ONE:
        said = f"{frame_id} lies between {stats.min:.3g} and {stats.max:.3g}, {master} about {level:.4g}: another unit"
        raise refuse("CAL104", said, "export lights and masters alike, all in counts or all from 0 to 1")


def many_rejected(rejected: Mapping[str, float]) -> list[Warn]:
    """Warn of frames, or of a master, of which more than 5 % of the samples were rejected (CAL207).

    Parameters
    ----------
    rejected : mapping of str to float
        Frame or master to the rejected fraction of its samples.
    """
    return [
        warn("CAL207", name, f"{100 * fraction:.1f} % of its samples were rejected", fraction)
        for name, fraction in rejected.items()
        if fraction > _threshold("CAL207")
    ]


def many_negative(name: str, n_negative: int, n: int, level: float, noise: float) -> list[Warn]:
    """Warn if more than 0.1 % of the pixels of a calibrated frame are negative (CAL208).

    A sky that is faint compared with the noise has negative pixels by right; the hint then says so.

    Parameters
    ----------
    name : str
        The frame.
    n_negative, n : int
        Negative pixels, and all.
    level, noise : float
        Median and noise per pixel, same unit.
    """
    fraction = n_negative / n if n else 0.0
    if not fraction > _threshold("CAL208"):
        return []
    # a sky is never darker than nothing, however far below zero the pixels are
    by_noise = float(ndtr(-max(level, 0.0) / noise)) if noise > 0 else 0.0
    hint = ""
    if fraction < 1.5 * by_noise:
        hint = "the sky is faint compared with the noise: nothing is wrong; light.pedestal_adu keeps pixels positive"
    said = f"{100 * fraction:.2f} % of the pixels are negative; noise alone makes {100 * by_noise:.2f} %"
    return [warn("CAL208", name, said, fraction, hint=hint)]


def noise_ratio(model: NDArray, empirical: NDArray, n_used: NDArray) -> float:
    """Compare the uncertainty that a noise model gives with the one that the scatter of the frames shows.

    The median over pixels of the variance ratio, divided by the median of chi-square over its degrees of freedom,
    which is not one: with five frames half of all pixels scatter less than 0.84 of the true variance.

    Parameters
    ----------
    model, empirical : ndarray, shape (ny, nx)
        One standard deviation of the same master.
    n_used : ndarray, shape (ny, nx), int
        Frames that remained in each pixel.

    Returns
    -------
    float
        Model over scatter; NaN with fewer than three frames everywhere.
    """
    model, empirical, n_used = thinned(model), thinned(empirical), thinned(n_used)
    good = np.isfinite(model) & (model > 0) & np.isfinite(empirical) & (n_used >= 3)
    if not good.any():
        return np.nan
    counts = n_used[good].astype(np.int64)
    freedom = np.arange(counts.max() + 1) - 1
    medians = np.ones(freedom.size)
    medians[3:] = chdtri(freedom[3:], 0.5) / freedom[3:]
    variance = np.median((empirical[good].astype(np.float64) / model[good]) ** 2 / medians[counts])
    return float(1 / np.sqrt(variance)) if variance > 0 else np.nan


def wrong_noise(name: str, ratio: float) -> list[Warn]:
    """Warn if the `noise_ratio` of a master is outside of 0.9 to 1.1 (CAL209)."""
    if not np.isfinite(ratio) or abs(ratio - 1) <= _threshold("CAL209"):
        return []
    more = "less" if ratio > 1 else "more"
    said = f"gain and read noise promise {ratio:.2f} times the scatter of the frames: they are {more} noisy than that"
    return [warn("CAL209", name, said, ratio)]


def read_noise_from_pairs(frames: Sequence[NDArray]) -> float:
    """Measure the read noise from differences of biases, which the fixed pattern drops out of.

    Parameters
    ----------
    frames : sequence of ndarray, shape (ny, nx)
        At least two biases, adu; each is compared with the next.

    Returns
    -------
    float
        Read noise of one frame, adu: root of the mean variance of the differences over two, outliers clipped.
    """
    differences = (np.asarray(a, np.float64) - np.asarray(b, np.float64) for a, b in pairwise(frames))
    variances = [clipped_sigma(d[np.isfinite(d)]) ** 2 / 2 for d in differences]
    if not variances:
        raise ValueError("read noise from pairs needs two frames")
    return float(np.sqrt(np.mean(variances)))


def changed_master(
    name: str, master: NDArray, previous: NDArray, sigma: NDArray, sigma_previous: NDArray, dq: NDArray | None = None
) -> list[Warn]:
    """Warn if more than 5 % of the pixels differ by over six sigma from the master before (CAL220).

    Parameters
    ----------
    name : str
        The master.
    master, previous : ndarray, shape (ny, nx)
        Both masters, same unit.
    sigma, sigma_previous : ndarray, shape (ny, nx)
        Their uncertainties.
    dq : ndarray, shape (ny, nx), uint16, optional
        Quality bits; pixels that must not be used do not count.
    """
    good = usable(master - previous, dq)
    if not good.any():
        return []
    differs = np.abs(master - previous) > 6 * np.hypot(sigma, sigma_previous)
    fraction = float(np.count_nonzero(differs & good) / np.count_nonzero(good))
    if fraction <= _threshold("CAL220"):
        return []
    shift = float(np.median((master - previous)[good]))
    said = f"{100 * fraction:.1f} % of the pixels differ by over 6 sigma from the master before, by {shift:+.2f} in all"
    return [warn("CAL220", name, said, fraction)]


def _threshold(code: str) -> float:
    return float(CODES[code].threshold or 0.0)


def _unbiased(n: int) -> float:
    return _SMALL_SAMPLE.get(n, n / (n - 0.8))


def _typical(noise: Mapping[str, float]) -> float:
    known = [value for value in noise.values() if np.isfinite(value)]
    return float(np.median(known)) if known else 0.0


def _ratio(value: float, sigma: float) -> float | None:
    return float(value / sigma) if sigma > 0 else None


def _times(value: float, sigma: float) -> str:
    return f"{value / sigma:+.1f}" if sigma > 0 else "infinitely many"
