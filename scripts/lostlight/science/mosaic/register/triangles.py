"""Triangles of stars: the same three stars are found again by the ratios of their sides, however a frame is turned.

Method of Groth (1986, AJ 91, 1244) and Valdes et al. (1995, PASP 107, 1119): two ratios of sides do not change with
place, rotation, scale and mirroring. Here each pair of like triangles proposes a whole map between the frames, and
the maps that many pairs propose are followed up.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lostlight.science.mosaic.register.transform import Affine, Points, fit

N_BRIGHT = 16
"""Among this many of the brightest stars all triangles are used."""
N_NEAR = 80
"""Among this many each star makes triangles with its neighbours."""
N_NEIGHBOURS = 7
CENTROID_PX = 0.7
"""How far sides may differ by the errors of positions."""
LARGEST_SCALE = 8.0
_NEAREST = 8
_BEST = 4
_POLLED = 600
_CLEAR = 15


@dataclass(frozen=True)
class Triangles:
    """Triangles of one frame.

    Attributes
    ----------
    z : ndarray of complex128, shape (n, 3), pixels
        Corners, in the order of the sides they face: shortest, middle, longest.
    vertices : ndarray of int64, shape (n, 3)
        Which stars they are.
    ratios : ndarray of float64, shape (n, 2)
        Shortest and middle side over the longest.
    longest : ndarray of float64, shape (n,), pixels
        Longest sides.
    tree : cKDTree
        Of the ratios.
    """

    z: Points
    vertices: NDArray[np.int64]
    ratios: NDArray[np.float64]
    longest: NDArray[np.float64]
    tree: cKDTree


@dataclass(frozen=True)
class Proposal:
    """A map that like triangles agree on, and how many proposals there were altogether."""

    transform: Affine
    votes: int
    proposals: int


def triangles(z: Points) -> Triangles:
    """Make the triangles of a frame.

    Parameters
    ----------
    z : ndarray of complex128, shape (n,), pixels
        Positions of the stars, brightest first.
    """
    vertices = _chosen(z)
    corners = z[vertices]
    sides = np.abs(corners[:, [1, 2, 0]] - corners[:, [2, 0, 1]])
    order = np.argsort(sides, axis=1)
    sides, corners, vertices = (np.take_along_axis(values, order, axis=1) for values in (sides, corners, vertices))
    good = sides[:, 0] > 4 * CENTROID_PX
    sides, corners, vertices = sides[good], corners[good], vertices[good]
    ratios = sides[:, :2] / sides[:, 2:]
    return Triangles(corners, vertices, ratios, sides[:, 2], cKDTree(ratios))


def _chosen(z: Points) -> NDArray[np.int64]:
    bright = np.array(list(combinations(range(min(z.size, N_BRIGHT)), 3)), dtype=np.int64).reshape(-1, 3)
    near = z[:N_NEAR]
    if near.size <= N_BRIGHT:
        return bright
    xy = np.column_stack([near.real, near.imag])
    around = cKDTree(xy).query(xy, k=N_NEIGHBOURS + 1)[1]
    pairs = np.array(list(combinations(range(N_NEIGHBOURS + 1), 3)))
    local = np.sort(around[:, pairs].reshape(-1, 3), axis=1)
    return np.unique(np.concatenate([bright, local]), axis=0)


def propose(first: Triangles, second: Triangles, half_diagonal_px: float) -> list[Proposal]:
    """Find the maps from the first frame to the second that most pairs of like triangles agree on.

    Parameters
    ----------
    first, second : Triangles
        Of the two frames.
    half_diagonal_px : float
        Of the first frame; maps are compared by where they take two points this far apart.

    Returns
    -------
    list of Proposal
        At most four, most votes first; mirrored ones among them.
    """
    one, two = _like(first, second)
    if not one.size:
        return []
    a, b = first.z[one], second.z[two]
    # Both in the same sense of rotation, or one in a mirror.
    mirrored = _sense(a) * _sense(b) < 0
    a = np.where(mirrored[:, None], a.conj(), a)
    middle, target = a.mean(axis=1, keepdims=True), b.mean(axis=1, keepdims=True)
    u, v = a - middle, b - target
    turn = np.sum(u.conj() * v, axis=1) / np.sum(np.abs(u) ** 2, axis=1)
    shift = target[:, 0] - turn * middle[:, 0]
    places = _places(shift, turn, mirrored, first, half_diagonal_px)
    tolerance = max(4.0, 0.006 * half_diagonal_px)
    groups = _agreeing(places, tolerance)
    return [_pooled(first.z[one[group]], b[group], bool(mirrored[group[0]]), one.size) for group in groups]


def _like(first: Triangles, second: Triangles) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    if not first.longest.size or not second.longest.size:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    radius = np.minimum(0.03, CENTROID_PX / first.longest)
    k = min(_NEAREST, second.longest.size)
    distance, found = second.tree.query(first.ratios, k=k, distance_upper_bound=0.03)
    distance, found = distance.reshape(-1, k), found.reshape(-1, k)
    close = distance <= radius[:, None]
    one = np.broadcast_to(np.arange(first.longest.size)[:, None], close.shape)[close]
    two = found[close]
    scale = np.abs(np.log(second.longest[two] / first.longest[one]))
    kept = scale < np.log(LARGEST_SCALE)
    return one[kept], two[kept]


def _sense(corners: Points) -> NDArray[np.float64]:
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.sign(u.real * v.imag - u.imag * v.real)


def _places(
    shift: Points, turn: Points, mirrored: NDArray[np.bool_], first: Triangles, reach: float
) -> NDArray[np.float64]:
    """Where each map takes two fixed points of the first frame; mirrored maps are put far from the others."""
    centre = complex(first.z.mean())
    points = np.array([centre - reach / 2, centre + reach / 2])
    turned = np.where(mirrored[:, None], points.conj(), points)
    ends = shift[:, None] + turn[:, None] * turned
    return np.column_stack([ends.real, ends.imag, mirrored * 1e9])


def _agreeing(places: NDArray[np.float64], tolerance: float) -> list[NDArray[np.intp]]:
    """Groups of maps within the tolerance of each other, largest first."""
    tree = cKDTree(places)
    votes = _votes(tree, places, tolerance)
    groups = []
    for _ in range(_BEST):
        best = int(np.argmax(votes))
        if votes[best] < 1:
            break
        groups.append(np.sort(tree.query_ball_point(places[best], tolerance)))
        votes[tree.query_ball_point(places[best], 2 * tolerance)] = 0
    return groups


def _votes(tree: cKDTree, places: NDArray[np.float64], tolerance: float) -> NDArray[np.intp]:
    """Neighbours of each map; where a part of the maps already agrees clearly, of that part alone, to save time."""
    votes = np.zeros(len(places), dtype=np.intp)
    step = -(-len(places) // _POLLED)
    votes[::step] = cKDTree(places[::step]).query_ball_point(places[::step], tolerance, return_length=True)
    if step > 1 and votes.max() < _CLEAR:
        votes = tree.query_ball_point(places, tolerance, return_length=True)
    return votes


def _pooled(a: Points, b: Points, mirrored: bool, proposals: int) -> Proposal:
    return Proposal(fit(a.ravel(), b.ravel(), mirrored), a.shape[0], proposals)
