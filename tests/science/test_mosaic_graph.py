"""Pairs of frames: neighbours first, no pair twice, never within a group, and an end to patience."""

import numpy as np

from lostlight.science.mosaic.register.graph import PATIENCE, Groups, overlapping, pairs_to_try, spanning_maps
from lostlight.science.mosaic.register.joint import Edge
from lostlight.science.mosaic.register.star_match import Match


def _shifted(x):
    return np.array([[1.0, 0, x], [0, 1, 0]])


def _edge(first, second, shift, n):
    stars = np.zeros(n, dtype=complex)
    return Edge(first, second, Match(_shifted(shift), stars, stars))


def test_groups_grow_and_are_listed_by_size():
    groups = Groups(6)
    assert groups.join(4, 5)
    assert groups.join(3, 4)
    assert not groups.join(5, 3)
    groups.join(0, 2)
    assert groups.lists() == [[3, 4, 5], [0, 2], [1]]


def test_neighbours_come_first_and_then_the_richest():
    pairs = list(pairs_to_try([10, 10, 10, 99, 10], Groups(5)))
    assert pairs[:4] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert pairs[4:6] == [(0, 3), (1, 3)]
    assert len(set(pairs)) == len(pairs) == 10


def test_frames_of_one_group_are_not_compared():
    groups = Groups(5)
    pairs = []
    for pair in pairs_to_try([1] * 5, groups):
        pairs.append(pair)
        groups.join(*pair)
    assert pairs == [(0, 1), (1, 2), (2, 3), (3, 4)]


def test_patience_ends():
    pairs = list(pairs_to_try([1] * 200, Groups(200)))
    assert 199 < len(pairs) <= 200 * PATIENCE
    asked = np.bincount(np.array(pairs).ravel(), minlength=200)
    assert asked.min() >= PATIENCE


def test_maps_go_along_the_strongest_pairs():
    edges = [_edge(0, 1, 10, 50), _edge(1, 2, 10, 40), _edge(0, 2, 999, 9), _edge(3, 4, 1, 70)]
    maps = spanning_maps(edges, 2)
    assert {number: float(m[0, 2]) for number, m in maps.items()} == {0: 20, 1: 10, 2: 0}


def test_frames_that_lie_over_each_other_are_found():
    # Five of 100 pixels in a row, 40 apart, the last turned away by far.
    maps = {k: _shifted(40.0 * k) for k in range(4)} | {4: _shifted(5000)}
    shapes = [(100, 100)] * 5
    assert overlapping(maps, shapes, 2, {(0, 1)}) == [(0, 2), (1, 2), (1, 3), (2, 3)]
    assert overlapping(maps, shapes, 4, set()) == []
