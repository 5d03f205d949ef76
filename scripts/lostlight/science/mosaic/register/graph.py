"""Which frames are compared, and how they hang together."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from lostlight.science.mosaic.register.joint import Edge, between
from lostlight.science.mosaic.register.transform import IDENTITY, Affine, Points, apply, compose, invert

PATIENCE = 40
"""Frames with which a frame without partner is compared before it is given up."""
N_HUBS = 3
N_NEAR = 4


class Groups:
    """Frames that hang together, grown pair by pair (union-find)."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))

    def root(self, number: int) -> int:
        """Give the least number of its group."""
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def join(self, first: int, second: int) -> bool:
        """Put two groups together; tells whether they were apart."""
        one, two = sorted((self.root(first), self.root(second)))
        self._parent[two] = one
        return one != two

    def lists(self) -> list[list[int]]:
        """Give the groups, largest first; of the same size the one with the least number."""
        members: dict[int, list[int]] = {}
        for number in range(len(self._parent)):
            members.setdefault(self.root(number), []).append(number)
        return sorted(members.values(), key=lambda group: (-len(group), group[0]))


def pairs_to_try(n_stars: Sequence[int], groups: Groups) -> Iterator[tuple[int, int]]:
    """Give pairs of frames of different groups, the likeliest first; `groups` is looked at as they grow.

    Neighbours in order come first, then the frames of most stars, then frames ever farther apart in order.
    """
    n = len(n_stars)
    tried: set[tuple[int, int]] = set()
    patience = [PATIENCE] * n
    hubs = sorted(range(n), key=lambda number: (-n_stars[number], number))[:N_HUBS]
    near = ((i, i + 1) for i in range(n - 1))
    to_hubs = ((hub, i) for hub in hubs for i in range(n))
    far = ((i, i + gap) for gap in range(2, n) for i in range(n - gap))
    for one, two in _chain(near, to_hubs, far):
        pair = (min(one, two), max(one, two))
        if one == two or pair in tried or groups.root(one) == groups.root(two):
            continue
        if max(patience[one], patience[two]) <= 0:
            continue
        tried.add(pair)
        patience[one] -= 1
        patience[two] -= 1
        yield pair


def _chain(*parts: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for part in parts:
        yield from part


def spanning_maps(edges: Sequence[Edge], reference: int) -> dict[int, Affine]:
    """Join the maps of pairs along the tree of the strongest pairs, those with most stars in common.

    Parameters
    ----------
    edges : sequence of Edge
        Matched pairs.
    reference : int
        Where the tree starts.

    Returns
    -------
    dict of int to ndarray (2, 3)
        Maps of all frames that hang together with the reference, to its pixels.
    """
    count = 1 + max([reference, *(max(edge.first, edge.second) for edge in edges)])
    groups = Groups(count)
    tree: dict[int, list[tuple[int, Affine]]] = {}
    for edge in sorted(edges, key=lambda edge: (-edge.match.n_stars, edge.first, edge.second)):
        if groups.join(edge.first, edge.second):
            tree.setdefault(edge.second, []).append((edge.first, edge.match.transform))
            tree.setdefault(edge.first, []).append((edge.second, invert(edge.match.transform)))
    maps, open_ends = {reference: IDENTITY}, [reference]
    while open_ends:
        here = open_ends.pop(0)
        for there, step in tree.get(here, []):
            if there not in maps:
                maps[there] = compose(maps[here], step)
                open_ends.append(there)
    return dict(sorted(maps.items()))


def overlapping(
    maps: Mapping[int, Affine], shapes: Sequence[tuple[int, int]], gap: int, done: set[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Give pairs not yet compared that lie over each other: so many apart in order, or nearest on the sky.

    The farther apart the fewer: each gap is bridged at every quarter of it, so that any two frames are joined by few
    steps, and the number of pairs grows with that of the frames alone.
    """
    numbers = sorted(maps)
    centres = np.array([complex(apply(maps[i], np.array([_middle(shapes[i])]))[0]) for i in numbers])
    wanted = {
        (one, two) for one, two in zip(numbers[:: max(gap // 4, 1)], numbers[gap :: max(gap // 4, 1)], strict=False)
    }
    if gap == 2:
        for place, one in enumerate(numbers):
            order = np.argsort(np.abs(centres - centres[place]), kind="stable")
            near = [numbers[k] for k in order if numbers[k] != one][:N_NEAR]
            wanted |= {(min(one, two), max(one, two)) for two in near}
    return [pair for pair in sorted(wanted - done) if _overlap(maps, shapes, *pair)]


def _overlap(maps: Mapping[int, Affine], shapes: Sequence[tuple[int, int]], first: int, second: int) -> bool:
    """Whether a grid of points of the first frame meets the second in more than a strip."""
    ny, nx = shapes[first]
    grid: Points = np.add.outer(np.linspace(0, ny, 11) * 1j, np.linspace(0, nx, 11)).ravel()
    there = apply(between(maps, first, second), grid)
    my, mx = shapes[second]
    inside = (there.real > 0) & (there.real < mx) & (there.imag > 0) & (there.imag < my)
    return bool(inside.mean() > 0.05)


def _middle(shape: tuple[int, int]) -> complex:
    return complex(shape[1] - 1, shape[0] - 1) / 2
