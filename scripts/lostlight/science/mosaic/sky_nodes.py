"""The same cell of the sky in several frames: medians that tell how the frames' levels compare."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.star_nodes import Ties
from lostlight.science.mosaic.stats import FrameStats

FLOOR = 0.02
"""Error of a cell beyond its noise, in the noise of a sample: stars that were missed, gradients within the cell."""
SPARSE = 0.1
"""A cell counts that has this fraction of the samples that cells of its frame have."""


def sky_ties(stats: Sequence[FrameStats]) -> tuple[Ties, NDArray[np.float64], NDArray[np.int64]]:
    """Put the sky cells of all frames beside each other.

    Parameters
    ----------
    stats : sequence of FrameStats
        All frames.

    Returns
    -------
    ties : Ties
        y is the level in the frame's own units (adu) and weight its inverse variance.
    at : ndarray, shape (m, 2), float64, canvas px
        Mean position of the samples, x and y.
    count : ndarray, shape (m,), int64
        Samples.
    """
    image = np.concatenate([np.full(len(s.sky.index), k, np.int64) for k, s in enumerate(stats)])
    index = np.concatenate([s.sky.index for s in stats])
    at = np.concatenate([np.stack([s.sky.u, s.sky.v], axis=1) for s in stats]).astype(np.float64)
    value = np.concatenate([s.sky.value for s in stats]).astype(np.float64)
    variance = np.concatenate([s.sky.variance for s in stats]).astype(np.float64)
    count = np.concatenate([s.sky.count for s in stats]).astype(np.int64)
    sigma = np.array([np.broadcast_to(s.sigma, value.shape[1]) for s in stats], np.float64)
    floor = (FLOOR * np.where(np.isfinite(sigma), sigma, 0)) ** 2
    good = np.isfinite(value) & np.isfinite(variance) & (variance >= 0) & np.isfinite(at).all(1)[:, None]
    total = np.where(good, variance, 0) + floor[image]
    weight = np.where(good, 1 / np.where(total > 0, total, 1), 0.0)
    full = np.array([np.percentile(s.sky.count, 90) if len(s.sky.count) else 0 for s in stats])
    kept = good.any(1) & (count >= SPARSE * full[image])
    _, node = np.unique(index[kept], return_inverse=True)
    ties = Ties(image[kept], node.astype(np.int64), np.where(good, value, 0)[kept], weight[kept])
    return ties, at[kept], count[kept]
