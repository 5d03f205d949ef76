"""Frames cut from one exposure: what they share has the same noise, and so they compare far better than it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.frame.cells import MEDIAN_VARIANCE
from lostlight.science.mosaic.level.star_nodes import Ties
from lostlight.science.mosaic.level.stats import FrameStats
from lostlight.science.mosaic.level.structure import common, full_cells, partners
from lostlight.science.mosaic.level.thinning import thinned

Doubles = NDArray[np.float64]

CLOSE = 0.03
"""Cells of twins agree to this part of the noise that the medians of their pixels have."""
FULL = 0.3
"""A cell counts that has this fraction of the samples that cells of its frame have."""
FEWEST = 16
SHARE = 0.15
"""Cells that must agree, and the part of all that they must be; borders and masks spoil the others."""
LINES = 256
"""Lines that are tried."""
SCREENED = 300
"""Points of very many that tell whether there may be a line at all."""
FLOOR = 1e-4
"""Error of the ratio of twins, in its natural logarithm."""


@dataclass(frozen=True)
class Twins:
    """Two frames of the same noise, and the cells that show it.

    Attributes
    ----------
    first, second : int
        Numbers of the frames.
    at : ndarray, shape (m, 2), canvas px
        Middles of the cells.
    values : ndarray, shape (2, m), adu
        What either frame has there.
    ratio : float
        Contrast of the second over that of the first.
    variance : float
        Of a difference, in units of the second frame.
    log_variance : float
        Of the natural logarithm of the ratio.
    """

    first: int
    second: int
    channel: int
    at: Doubles
    values: Doubles
    ratio: float
    variance: float
    log_variance: float


def find_twins(stats: Sequence[FrameStats]) -> list[Twins]:
    """Find the pairs of frames that share their noise.

    Surveys cut their scans into tiles that overlap, and publish each with a level of its own: where two of them
    overlap they are the same pixels, and differ by a constant and a factor that are known without any error.

    Parameters
    ----------
    stats : sequence of FrameStats
        All frames.
    """
    cells = [full_cells(c, FULL) for c in thinned([s.fine for s in stats])]
    found = []
    for i, j in partners([c.index for c in cells]):
        for channel in range(stats[0].n_channels):
            x, y, _, _, at = common(cells[i], cells[j], channel)
            noise = float(stats[j].sigma[channel]) * np.sqrt(MEDIAN_VARIANCE / np.median(cells[j].count))
            if (line := common_line(x, y, CLOSE * noise)) is None:
                continue
            ratio, core = line
            off = y[core] - ratio * x[core]
            variance = max(float(np.var(off)), (CLOSE * noise) ** 2)
            log_variance = variance / (ratio**2 * np.var(x[core]) * core.sum())
            values = np.stack([x[core], y[core]])
            found.append(Twins(i, j, channel, at[core], values, ratio, variance, log_variance + FLOOR**2))
    return found


def common_line(x: Doubles, y: Doubles, close: float) -> tuple[float, NDArray[np.bool_]] | None:
    """Find the line that more points lie on than chance allows: its slope, and which they are.

    Parameters
    ----------
    x, y : ndarray, shape (m,)
    close : float
        How far from the line, in y, a point may lie.

    Notes
    -----
    Lines through pairs of points far apart, chosen in a fixed order; the one with most points wins (Fischler &
    Bolles 1981, Communications of the ACM 24, 381).
    """
    if len(x) > 2 * SCREENED:
        some = slice(None, None, len(x) // SCREENED)
        if common_line(x[some], y[some], close) is None:
            return None
    fewest = max(FEWEST, int(np.ceil(SHARE * len(x))))
    if len(x) < fewest or not close > 0:
        return None
    order = np.argsort(x, kind="stable")
    one = np.concatenate([order[:-step] for step in (len(x) // 2, len(x) // 3)])
    other = np.concatenate([order[step:] for step in (len(x) // 2, len(x) // 3)])
    rise = x[other] - x[one]
    slope = np.divide(y[other] - y[one], rise, out=np.zeros(len(one)), where=rise > 0)
    tried = np.flatnonzero((slope > 0) & np.isfinite(slope))
    tried = tried[:: -(-len(tried) // LINES)] if len(tried) else tried
    if not len(tried):
        return None
    off = (y - y[one[tried], None]) - slope[tried, None] * (x - x[one[tried], None])
    core = np.abs(off) < close
    core = core[np.argmax(core.sum(axis=1))]
    for _ in range(2):
        if core.sum() < fewest:
            return None
        ratio, level = np.polyfit(x[core] - x[core].mean(), y[core], 1)
        core = np.abs(y - level - ratio * (x - x[core].mean())) < close
    return (float(ratio), core) if core.sum() >= fewest and ratio > 0 else None


def ratio_ties(twins: Sequence[Twins], n_channels: int) -> Ties:
    """One node for each pair, seen as 0 by the first frame and as ln of the ratio by the second."""
    y, weight = np.zeros((2, len(twins), 2, n_channels))
    for k, pair in enumerate(twins):
        y[k, 1, pair.channel] = np.log(pair.ratio)
        weight[k, :, pair.channel] = 2 / pair.log_variance
    image = np.array([[pair.first, pair.second] for pair in twins], np.int64).reshape(-1)
    node = np.repeat(np.arange(len(twins)), 2)
    return Ties(image, node, y.reshape(-1, n_channels), weight.reshape(-1, n_channels))


def level_ties(twins: Sequence[Twins], n_channels: int) -> tuple[Ties, Doubles]:
    """Cells of twins as observations of both frames, and where they are, x and y of shape (m, 2)."""
    if not twins:
        return Ties.none(n_channels), np.empty((0, 2))
    image = np.concatenate([np.repeat([pair.first, pair.second], len(pair.at)) for pair in twins])
    at = np.concatenate([np.tile(pair.at, (2, 1)) for pair in twins])
    sizes = [len(pair.at) for pair in twins]
    begin = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    node = np.concatenate([np.tile(b + np.arange(m), 2) for b, m in zip(begin, sizes, strict=True)])
    y, weight = np.zeros((2, len(image), n_channels))
    row = 0
    for pair, m in zip(twins, sizes, strict=True):
        rows = slice(row, row + 2 * m)
        y[rows, pair.channel] = pair.values.ravel()
        # The error is of the difference, half of it of either; that of the first is in its own units.
        weight[rows, pair.channel] = np.repeat([pair.ratio**2, 1.0], m) * 2 / pair.variance
        row += 2 * m
    return Ties(image.astype(np.int64), node.astype(np.int64), y, weight), at
