"""The same cell of the sky in several frames: medians that tell how the frames' levels compare."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.level.star_nodes import Ties
from lostlight.science.mosaic.level.stats import Cells, FrameStats
from lostlight.science.mosaic.level.thinning import thinned

FLOOR = 0.02
"""Error of a cell beyond its noise, in the noise of a sample: stars that were missed, gradients within the cell."""
SPARSE = 0.1
"""A cell counts that has this fraction of the samples that cells of its frame have."""


def sky_ties(stats: Sequence[FrameStats]) -> tuple[Ties, NDArray[np.float64], NDArray[np.int64]]:
    """Put the sky of all frames, cell by cell, beside each other.

    The small cells are taken where the frames have them: a large cell at the edge of a frame is covered in part
    only, and a nebula makes its median another than that of the whole cell.

    Parameters
    ----------
    stats : sequence of FrameStats
        All frames.

    Returns
    -------
    ties : Ties
        y is the level in the frame's own units (adu) and weight its inverse variance.
    at : ndarray, shape (m, 2), float64, canvas px
        Position of the cell, x and y: the mean over the frames. It is one for all of them, so that a plane under the
        whole mosaic, which overlaps cannot tell, is not read off how stars and edges shift the samples in a cell.
    count : ndarray, shape (m,), int64
        Samples.
    """
    cells = thinned([_enough(c) for c in _grid(stats)])
    image = np.concatenate([np.full(len(c.index), k, np.int64) for k, c in enumerate(cells)])
    index, count = (np.concatenate([getattr(c, name) for c in cells]).astype(np.int64) for name in ("index", "count"))
    at = np.concatenate([np.stack([c.u, c.v], axis=1) for c in cells]).astype(np.float64)
    value, variance = (np.concatenate([getattr(c, k) for c in cells]).astype(np.float64) for k in ("value", "variance"))
    sigma = np.array([np.asarray(s.sigma, np.float64) for s in stats])
    floor = (FLOOR * np.where(np.isfinite(sigma), sigma, 0)) ** 2
    good = np.isfinite(value) & np.isfinite(variance) & (variance >= 0) & np.isfinite(at).all(1)[:, None]
    total = np.where(good, variance, 0) + floor[image]
    weight = np.where(good, 1 / np.where(total > 0, total, 1), 0.0)
    kept = good.any(1)
    node = np.unique(index[kept], return_inverse=True)[1].astype(np.int64).ravel()
    ties = Ties(image[kept], node, np.where(good, value, 0)[kept], weight[kept])
    number = np.bincount(node)
    middle = np.stack([np.bincount(node, at[kept, k]) / number for k in (0, 1)], axis=1)
    return ties, middle[node], count[kept]


def _grid(stats: Sequence[FrameStats]) -> list[Cells]:
    if any(len(s.sky.index) and not len(s.fine.index) for s in stats):
        return [s.sky for s in stats]
    return [s.fine for s in stats]


def _enough(cells: Cells) -> Cells:
    return cells.only(cells.count >= SPARSE * np.percentile(cells.count, 90)) if len(cells.index) else cells
