"""How well the frames agree where they overlap, before and after they are levelled."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.level.star_nodes import Ties
from lostlight.science.mosaic.level.stats import FrameStats
from lostlight.science.mosaic.level.structure import partners

Doubles = NDArray[np.float64]

FEWEST_PX = 400
"""Pixels in common below which the levels of two frames are not compared."""


def overlap_report(
    stats: Sequence[FrameStats],
    ties: Ties,
    count: NDArray[np.int64],
    gain: Doubles,
    surface: Doubles,
) -> dict[str, object]:
    """Compare the frames in the cells they share.

    Parameters
    ----------
    stats, ties, count
        All frames and their cells, as `sky_nodes.sky_ties` gives them.
    gain : ndarray, shape (n, C)
        Factors of the frames.
    surface : ndarray, shape (m, C)
        What is subtracted from the cells after that.

    Returns
    -------
    dict
        overlap_residual_sigma (max and rms over pairs, in the noise of a sample) and inter_tile_median_std (adu,
        for each channel), both before and after; overlap_pixels; pairs (for each its frames, pixels, and median
        difference before and after); median_before and median_after of each frame.
    """
    seen = ties.weight > 0
    before = np.where(seen, ties.y, np.nan)
    after = np.where(seen, ties.y * gain[ties.image] - surface, np.nan)
    rows = [np.flatnonzero(ties.image == k) for k in range(len(stats))]
    pairs, pixels = _pairs([ties.node[r] for r in rows], rows, count, before, after)
    sigma = _noise(stats, gain)
    return {
        "overlap_pixels": int(sum(pixels)),
        "overlap_residual_sigma": _summary(pairs, 1, sigma),
        "overlap_residual_sigma_before": _summary(pairs, 0, _noise(stats, np.ones_like(gain))),
        "inter_tile_median_std": {"before": _spread(pairs, 0, gain), "after": _spread(pairs, 1, gain)},
        "median_before": [_medians(before[r]) for r in rows],
        "median_after": [_medians(after[r]) for r in rows],
        "pairs": [
            {"frames": [stats[i].id, stats[j].id], "pixels": p, "before": _plain(d[0]), "after": _plain(d[1])}
            for (i, j, d), p in zip(pairs, pixels, strict=True)
        ],
    }  # fmt: skip


def _pairs(nodes, rows, count, before: Doubles, after: Doubles):
    """For each pair of frames the median differences before and after, shape (2, C), and the pixels they share."""
    found, pixels = [], []
    for i, j in partners(nodes, fewest=1):
        _, a, b = np.intersect1d(nodes[i], nodes[j], assume_unique=True, return_indices=True)
        one, other = rows[i][a], rows[j][b]
        shared = int(np.minimum(count[one], count[other]).sum())
        if shared < FEWEST_PX:
            continue
        differences = np.stack([_medians(v[one] - v[other]) for v in (before, after)])
        found.append((i, j, differences))
        pixels.append(shared)
    return found, pixels


def _medians(values: Doubles) -> Doubles:
    some = np.isfinite(values).any(0) if len(values) else np.zeros(values.shape[1], bool)
    medians = np.full(values.shape[1], np.nan)
    medians[some] = np.nanmedian(values[:, some], axis=0)
    return medians


def _noise(stats: Sequence[FrameStats], gain: Doubles) -> Doubles:
    sigma = np.array([np.asarray(s.sigma, np.float64) for s in stats]) * gain
    return np.array([np.median(c[np.isfinite(c)]) if np.isfinite(c).any() else np.nan for c in sigma.T])


def _summary(pairs, which: int, sigma: Doubles) -> dict[str, float]:
    if not pairs:
        return {"max": 0.0, "rms": 0.0}
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.abs(np.array([d[which] for _, _, d in pairs])) / sigma
    t = t[np.isfinite(t)]
    return {"max": float(t.max()), "rms": float(np.sqrt(np.mean(t**2)))} if len(t) else {"max": 0.0, "rms": 0.0}


def _spread(pairs, which: int, gain: Doubles) -> list[float]:
    """Root mean square of the differences, over root 2: what the level of one frame is off by."""
    if not pairs:
        return [0.0] * gain.shape[1]
    differences = np.array([d[which] for _, _, d in pairs])
    good = np.isfinite(differences)
    squares = np.where(good, differences, 0) ** 2
    return [float(s) for s in np.sqrt(squares.sum(0) / np.maximum(good.sum(0), 1) / 2)]


def _plain(values: Doubles) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]
