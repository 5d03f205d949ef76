"""Which frames hang together."""

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from lostlight.science.mosaic.level.components import components


@pytest.mark.parametrize("seed", range(4))
def test_as_a_graph_library_finds_them(seed):
    rng = np.random.default_rng(seed)
    image, node = rng.integers(0, 30, 40), rng.integers(0, 35, 40)
    graph = coo_matrix((np.ones(40), (image, 30 + node)), (65, 65))
    _, theirs = connected_components(graph, directed=False)
    ours = components(30, image, node)
    for frame in range(30):
        assert ours[frame] == np.flatnonzero(theirs[:30] == theirs[frame])[0]


def test_a_long_chain_is_one():
    k = np.arange(999)
    assert not components(1000, np.concatenate([k, k + 1]), np.concatenate([k, k])).any()


def test_frames_that_saw_nothing_stand_alone():
    assert components(3, np.empty(0, np.int64), np.empty(0, np.int64)).tolist() == [0, 1, 2]
