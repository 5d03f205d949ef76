"""Which frames hang together by what they have in common."""

import numpy as np
from numpy.typing import NDArray


def components(n: int, image: NDArray[np.int64], node: NDArray[np.int64]) -> NDArray[np.int64]:
    """Tell which frames are joined, directly or through others.

    Parameters
    ----------
    n : int
        How many frames there are.
    image, node : ndarray, shape (m,), int64
        Frame and node (a star, a cell of the sky) of each observation; frames that share a node are joined.

    Returns
    -------
    ndarray, shape (n,), int64
        For each frame the lowest number of a frame that it is joined to; its own where it stands alone.
    """
    parent = np.arange(n)
    order = np.lexsort((image, node))
    first, second = order[:-1], order[1:]
    joined = node[first] == node[second]
    pairs = np.stack([image[first], image[second]], axis=1)[joined]
    for one, other in np.unique(pairs, axis=0):
        low, high = sorted((_root(parent, one), _root(parent, other)))
        parent[high] = low
    return np.array([_root(parent, k) for k in range(n)], np.int64)


def _root(parent: NDArray[np.int64], k: int) -> int:
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = int(parent[k])
    return k
