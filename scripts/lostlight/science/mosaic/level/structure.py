"""Nebulae and crowded fields: how the contrast of the same small cells compares in two frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.level.gram import gram_of_sets
from lostlight.science.mosaic.level.star_nodes import Ties
from lostlight.science.mosaic.level.stats import Cells, FrameStats
from lostlight.science.mosaic.level.thinning import thinned

Doubles = NDArray[np.float64]

FEWEST_CELLS = 12
"""Cells in common below which two frames are not compared."""
PARTNERS = 16
"""Frames that each is compared with; in a stack everything overlaps everything."""
FLOOR = 0.01
"""Error of a ratio of contrasts beyond the noise, in its natural logarithm."""
FULL = 0.8
"""A cell counts that has this fraction of the samples that cells of its frame have."""
ROUNDS = 8
TUKEY = 4.685
"""Widths beyond which a cell does not count at all: a trail or a variable star is no structure."""


@dataclass(frozen=True)
class Ratio:
    """Contrast of one frame in units of another's: natural logarithm and its variance."""

    log: float
    variance: float


def structure_ties(stats: Sequence[FrameStats]) -> Ties:
    """Compare the contrast of overlapping frames in their small cells, pair by pair.

    Parameters
    ----------
    stats : sequence of FrameStats
        All frames.

    Returns
    -------
    Ties
        One node for each pair, seen as 0 by the first frame and as ln β by the second.
    """
    n_channels = stats[0].n_channels
    image, y, weight = [], [], []
    cells = thinned([full_cells(s.fine) for s in stats])
    for i, j in partners([c.index for c in cells]):
        ratios = [contrast(*common(cells[i], cells[j], channel)) for channel in range(n_channels)]
        if any(ratios):
            image += [i, j]
            w = [2 / r.variance if r else 0.0 for r in ratios]
            y += [[0.0] * n_channels, [r.log if r else 0.0 for r in ratios]]
            weight += [w, w]
    if not image:
        return Ties.none(n_channels)
    node = np.repeat(np.arange(len(image) // 2), 2)
    return Ties(np.array(image, np.int64), node.astype(np.int64), np.array(y), np.array(weight))


def partners(
    sets: Sequence[NDArray[np.int64]], fewest: int = FEWEST_CELLS, most: int = PARTNERS
) -> list[tuple[int, int]]:
    """Choose the pairs to compare: those that share most, at most so many for each frame.

    Where frames share alike, as in a stack, the choice is spread so that any two are a few steps apart.
    """
    shared = gram_of_sets(sets)
    np.fill_diagonal(shared, 0)
    n = len(sets)
    pairs = set()
    ranks = np.arange(1, n + 1)
    spread = ranks[:, None] * ranks * 2654435761 % 2**32
    for i in range(n):
        others = np.flatnonzero(shared[i] >= fewest)
        order = np.lexsort((others, spread[i, others], -shared[i, others]))
        pairs |= {(min(i, int(j)), max(i, int(j))) for j in others[order[:most]]}
    return sorted(pairs)


def full_cells(cells: Cells, part: float = FULL) -> Cells:
    """Keep the cells with at least this part of the samples that cells of their frame have."""
    if not len(cells.index):
        return cells
    return cells.only(cells.count >= part * np.percentile(cells.count, 90))


def common(one: Cells, other: Cells, channel: int) -> tuple[Doubles, Doubles, Doubles, Doubles, Doubles]:
    """Give the cells that two frames share and that are finite in a channel: x, y, their variances, and (m, 2) u, v."""
    _, a, b = np.intersect1d(one.index, other.index, assume_unique=True, return_indices=True)
    x, y = one.value[a, channel].astype(np.float64), other.value[b, channel].astype(np.float64)
    vx, vy = one.variance[a, channel].astype(np.float64), other.variance[b, channel].astype(np.float64)
    good = np.isfinite(x) & np.isfinite(y) & (vx > 0) & (vy > 0) & np.isfinite(vx) & np.isfinite(vy)
    at = np.stack([one.u[a], one.v[a]], axis=1)
    return x[good], y[good], vx[good], vy[good], at[good]


def contrast(x: Doubles, y: Doubles, vx: Doubles, vy: Doubles, at: Doubles) -> Ratio | None:
    """Compare the contrast of the same cells in two frames, both with noise, whatever planes lie under them.

    Parameters
    ----------
    x, y : ndarray, shape (m,), float64, adu
        Values of the cells in the first and second frame.
    vx, vy : ndarray, shape (m,), float64
        Their variances.
    at : ndarray, shape (m, 2), float64
        Positions of the cells.

    Returns
    -------
    Ratio or None
        ln of (contrast of the second / contrast of the first); None where there are too few cells or the
        structure is not above the noise of a cell.

    Notes
    -----
    Deming's regression with known errors (Deming 1943; Fuller 1987, Measurement Error Models, 1.3), after a
    plane is taken out of both, reweighted by Tukey's function.
    """
    if len(x) < FEWEST_CELLS:
        return None
    plane = np.column_stack([np.ones(len(x)), (at - at.mean(0)) / max(np.ptp(at), 1)])
    beta, weight = float(np.sqrt(np.median(vy) / np.median(vx))), _usual(x, plane) * _usual(y, plane)
    for _ in range(ROUNDS):
        w = weight / (vy + beta**2 * vx)
        dx, dy = _without(plane, x, w), _without(plane, y, w)
        slope = _deming(dx, dy, w, np.sum(w * vx), np.sum(w * vy))
        if slope is None:
            return None
        beta, signal = slope
        t = np.abs(dy - beta * dx) / np.sqrt(vy + beta**2 * vx)
        scale = max(1.4826 * float(np.median(t)), 1e-12)
        weight = np.maximum(1 - (t / (TUKEY * scale)) ** 2, 0) ** 2
    noise_x, noise_y = np.average(vx, weights=w), np.average(vy, weights=w)
    if signal <= noise_x or beta**2 * signal <= noise_y:
        return None
    noise = noise_y + beta**2 * noise_x
    n = weight.sum() - plane.shape[1]
    variance = (noise * signal + noise_x * noise_y) / (beta**2 * signal**2 * n) * max(scale, 1) ** 2
    return Ratio(float(np.log(beta)), variance + FLOOR**2)


def _usual(values: Doubles, plane: Doubles) -> Doubles:
    """Weights to begin with, so that a trail or a bright star does not set the slope that it is judged by."""
    weight = np.ones(len(values))
    for _ in range(2):
        off = np.abs(_without(plane, values, weight))
        weight = np.minimum(1, 3 * 1.4826 * np.median(off) / np.maximum(off, 1e-30)) ** 2
    return weight


def _without(plane: Doubles, values: Doubles, w: Doubles) -> Doubles:
    weighted, rest = plane.T * w, values - values.mean()
    return rest - plane @ (np.linalg.pinv(weighted @ plane, hermitian=True) @ (weighted @ rest))


def _deming(dx: Doubles, dy: Doubles, w: Doubles, noise_x: float, noise_y: float) -> tuple[float, float] | None:
    """Slope, and the mean square of the structure in x; None where they do not rise together."""
    xx, yy, xy = np.sum(w * dx * dx), np.sum(w * dy * dy), np.sum(w * dx * dy)
    if not xy > 0:
        return None
    ratio = noise_y / noise_x
    difference = yy - ratio * xx
    beta = (difference + np.sqrt(difference**2 + 4 * ratio * xy**2)) / (2 * xy)
    signal = xy / beta / np.sum(w)
    return (float(beta), float(signal)) if beta > 0 and np.isfinite(beta) else None
