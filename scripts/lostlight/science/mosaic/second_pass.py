"""Lots levelled once more, each against the mosaic of all the others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.overlap import overlap_report
from lostlight.science.mosaic.photometry import PhotometryRules, solve_photometry
from lostlight.science.mosaic.reference import middle
from lostlight.science.mosaic.sky_nodes import sky_ties
from lostlight.science.mosaic.stats import Cells, FrameStats, Stars
from lostlight.science.mosaic.surface import N_TERMS, basis

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class SecondPass:
    """What each lot is multiplied by, and what is subtracted from it then, after one more round.

    Attributes
    ----------
    gain : ndarray, shape (n, C)
    sky : ndarray, shape (n, C, B), adu
    centre : ndarray, shape (n, 2), canvas px
    half_px : float
        As in `photometry.Photometry`.
    before, after : float
        Residual of the overlaps (root mean square, in the noise of a sample) without and with it; it is worth
        applying where it drops.
    """

    gain: Doubles
    sky: Doubles
    centre: Doubles
    half_px: float
    before: float
    after: float


def level_again(stats: Sequence[FrameStats], rules: PhotometryRules, reference: int) -> SecondPass:
    """Level every lot but the reference against the mean of the others, one after the other.

    Parameters
    ----------
    stats : sequence of FrameStats
        Lots that are levelled already, as `tiles.tile_stats` gives them.
    rules : PhotometryRules
        How they are levelled.
    reference : int
        Lot that stays as it is.

    Returns
    -------
    SecondPass
        What is to be done to the lots as they were given.
    """
    n, n_channels, n_basis = len(stats), stats[0].n_channels, N_TERMS[rules.sky_order]
    now, gain, sky = list(stats), np.ones((n, n_channels)), np.zeros((n, n_channels, n_basis))
    centre = np.array([middle(s) for s in stats])
    centre = np.where(np.isfinite(centre), centre, 0.0)
    half_px = max([float(np.ptp(c)) / 2 for s in stats for c in (s.fine.u, s.fine.v) if len(c)] + [1.0])
    for k in sorted(range(n), key=lambda k: stats[k].id):
        others = [s for j, s in enumerate(now) if j != k and len(s.fine.index)]
        if k == reference or not others or not len(now[k].fine.index):
            continue
        found = solve_photometry([replace(mean_of(others), id="0"), replace(now[k], id="1")], rules, 0)
        if found.status[1] != "ok" or found.component[0] != found.component[1]:
            continue
        more = _rescaled(found.sky[1], half_px / found.half_px)
        gain[k], sky[k] = gain[k] * found.gain[1], sky[k] * found.gain[1][:, None] + more
        now[k] = levelled(stats[k], gain[k], sky[k], centre[k], half_px)
    return SecondPass(gain, sky, centre, half_px, _residual(stats), _residual(now))


def levelled(stats: FrameStats, gain: Doubles, sky: Doubles, centre: Doubles, half_px: float) -> FrameStats:
    """Give the stars, cells and noise that a frame has once its gain and sky surface are applied.

    Parameters
    ----------
    stats : FrameStats
    gain : ndarray, shape (C,)
    sky : ndarray, shape (C, B), adu
    centre : ndarray, shape (2,), canvas px
    half_px : float
        As in `photometry.Photometry`.
    """
    stars = replace(stats.stars, flux=stats.stars.flux * gain, error=stats.stars.error * gain)
    cells = (_levelled(c, gain, sky, centre, half_px) for c in (stats.sky, stats.fine))
    grids = dict(zip(("sky", "fine"), cells, strict=True))
    return replace(stats, stars=stars, **grids, sigma=np.asarray(stats.sigma) * gain, median=None)


def mean_of(stats: Sequence[FrameStats]) -> FrameStats:
    """Put several levelled frames together as one: the means of what they saw, by weight."""
    sky, fine = (_mean_cells([getattr(s, name) for s in stats]) for name in ("sky", "fine"))
    sigma = 1 / np.sqrt(np.mean([1 / np.asarray(s.sigma, np.float64) ** 2 for s in stats], axis=0))
    area = float(sum(s.area_px for s in stats))
    return FrameStats("others", _mean_stars(stats), sky, fine, sigma, area_px=area)


def _levelled(cells: Cells, gain: Doubles, sky: Doubles, centre: Doubles, half_px: float) -> Cells:
    order = {n: k for k, n in N_TERMS.items()}[sky.shape[1]]
    surface = basis(cells.u, cells.v, centre, half_px, order) @ sky.T
    value = (cells.value * gain - surface).astype(np.float32)
    return replace(cells, value=value, variance=(cells.variance * gain**2).astype(np.float32))


def _mean_cells(cells: Sequence[Cells]) -> Cells:
    index = np.concatenate([c.index for c in cells])
    names, at = np.unique(index, return_inverse=True)
    value, variance = (np.concatenate([getattr(c, k) for c in cells]).astype(np.float64) for k in ("value", "variance"))
    count = np.concatenate([c.count for c in cells])
    good = np.isfinite(value) & np.isfinite(variance)
    weight = np.where(good, 1 / np.where(good & (variance > 0), variance, 1), 0)
    number = np.bincount(at, minlength=len(names))
    u, v = (np.bincount(at, np.concatenate([getattr(c, k) for c in cells]), len(names)) / number for k in ("u", "v"))
    total, mean = np.zeros((2, len(names), value.shape[1]))
    for channel in range(value.shape[1]):
        total[:, channel] = np.bincount(at, weight[:, channel], len(names))
        mean[:, channel] = np.bincount(at, weight[:, channel] * np.where(good, value, 0)[:, channel], len(names))
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, variance = mean / total, 1 / total
    most = np.zeros(len(names), np.int64)
    np.maximum.at(most, at, count)
    return Cells(names, u, v, mean.astype(np.float32), variance.astype(np.float32), most)


def _mean_stars(stats: Sequence[FrameStats]) -> Stars:
    """Stars seen once are taken as they are; of those seen more often the mean flux."""
    x, y, flux, error = (np.concatenate([getattr(s.stars, k) for s in stats]) for k in ("x", "y", "flux", "error"))
    if not len(x):
        return Stars.none(stats[0].n_channels)
    xy = np.round(np.stack([y, x], axis=1) / 4)
    names, at = np.unique(xy, axis=0, return_inverse=True)
    at, n = at.ravel(), len(names)
    weight = np.where(np.isfinite(flux) & (error > 0), 1 / np.where(error > 0, error, 1) ** 2, 0)
    total, mean = (np.stack([np.bincount(at, c, n) for c in values.T], axis=1)
                   for values in (weight, weight * np.nan_to_num(flux)))  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        flux, error = mean / total, 1 / np.sqrt(total)
    number = np.bincount(at, minlength=n)
    return Stars(np.bincount(at, x, n) / number, np.bincount(at, y, n) / number, flux, error)


def _rescaled(sky: Doubles, ratio: float) -> Doubles:
    """Coefficients of the same surface for a half side larger by this ratio; shape (C, B)."""
    scaled = sky.copy()
    scaled[:, 1:3] *= ratio
    if sky.shape[1] > 3:
        scaled[:, 0] += (sky[:, 3] + sky[:, 5]) * (ratio**2 - 1) / 3
        scaled[:, 3:] *= ratio**2
    return scaled


def _residual(stats: Sequence[FrameStats]) -> float:
    ties, _, count = sky_ties(stats)
    gain = np.ones((len(stats), stats[0].n_channels))
    report = overlap_report(stats, ties, count, gain, np.zeros_like(ties.y))
    return float(report["overlap_residual_sigma"]["rms"])  # type: ignore[index]
