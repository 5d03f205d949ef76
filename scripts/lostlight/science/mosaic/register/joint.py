"""All maps at once: one least squares over all stars that frames have in common, so that errors do not walk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array
from scipy.sparse.linalg import splu

from lostlight.science.mosaic.register.star_match import Match
from lostlight.science.mosaic.register.transform import (
    SHEAR_SIGMA,
    Affine,
    Points,
    apply,
    compose,
    from_complex,
    invert,
    is_mirrored,
    scale_of,
)

_LEAST_PX = 0.02
_ROWS, _COLUMNS = (places.ravel() for places in np.indices((3, 3)))


@dataclass(frozen=True)
class Edge:
    """Two frames, by number, and the stars they have in common."""

    first: int
    second: int
    match: Match


@dataclass
class _Frame:
    centre: complex
    half: float
    mirrored: bool
    column: int


def solve_jointly(
    edges: Sequence[Edge], start: Mapping[int, Affine], reference: int, iterations: int = 6
) -> dict[int, Affine]:
    """Fit the maps of all frames onto the pixels of one of them.

    Stars that disagree count less and less (Geman and McClure), each pair by its own scatter. As in `transform.fit`
    the maps are similarities with as much shear as the stars ask for.

    Parameters
    ----------
    edges : sequence of Edge
        Between frames of `start`, which they connect.
    start : mapping of int to ndarray (2, 3)
        First guess for every frame: map to pixels of the reference frame.
    reference : int
        The frame whose map is the identity.
    iterations : int
        How often the weights are made anew.

    Returns
    -------
    dict of int to ndarray (2, 3)
    """
    frames = _frames(edges, start, reference)
    maps = dict(start)
    if not frames:
        return maps
    basis = [(_basis(frames.get(e.first), e.match.z), _basis(frames.get(e.second), e.match.w)) for e in edges]
    for _ in range(iterations):
        weights = [_weights(edge, maps) for edge in edges]
        maps = {reference: start[reference], **_solve(edges, basis, weights, frames, maps, reference)}
    return maps


def residuals(edge: Edge, maps: Mapping[int, Affine]) -> NDArray[np.float64]:
    """Distances of the stars of a pair after both maps, in pixels of the second frame."""
    first = apply(maps[edge.first], edge.match.z)
    return np.abs(first - apply(maps[edge.second], edge.match.w)) / scale_of(maps[edge.second])


def _frames(edges: Sequence[Edge], start: Mapping[int, Affine], reference: int) -> dict[int, _Frame]:
    positions: dict[int, list[Points]] = {number: [] for number in sorted(start) if number != reference}
    for edge in edges:
        for number, z in ((edge.first, edge.match.z), (edge.second, edge.match.w)):
            if number != reference:
                positions[number].append(z)
    frames = {}
    for column, (number, parts) in enumerate(positions.items()):
        z = np.concatenate(parts)
        centre = complex(z.mean())
        frames[number] = _Frame(centre, max(float(np.abs(z - centre).max()), 1.0), is_mirrored(start[number]), column)
    return frames


def _basis(frame: _Frame | None, z: Points) -> Points | None:
    """Terms of the map: shift, similarity, shear; None for the reference frame, whose map is known."""
    if frame is None:
        return None
    u = (z - frame.centre) / frame.half
    u = u.conj() if frame.mirrored else u
    return np.stack([np.ones_like(u), u, u.conj()], axis=1)


def _weights(edge: Edge, maps: Mapping[int, Affine]) -> NDArray[np.float64]:
    scale = scale_of(maps[edge.second])
    residual = residuals(edge, maps) * scale
    half = residual.size // 2
    width = max(1.4826 * float(np.partition(residual, half)[half]), _LEAST_PX * scale)
    return (1 + (residual / (2 * width)) ** 2) ** -2 / width**2


def _solve(
    edges: Sequence[Edge],
    basis: Sequence[tuple[Points | None, Points | None]],
    weights: Sequence[NDArray[np.float64]],
    frames: Mapping[int, _Frame],
    maps: Mapping[int, Affine],
    reference: int,
) -> dict[int, Affine]:
    n = 3 * len(frames)
    blocks = _Blocks(n)
    for number, frame in frames.items():
        # The prior on the shear, in the units of the basis.
        sigma = SHEAR_SIGMA * scale_of(maps[number]) * frame.half
        blocks.add(frame.column, frame.column, np.diag([0, 0, sigma**-2]).astype(complex))
    for edge, (one, two), weight in zip(edges, basis, weights, strict=True):
        known = _known(edge, maps, reference)
        sides = ((edge.first, one, 1.0), (edge.second, two, -1.0))
        for number, terms, sign in sides:
            if terms is None:
                continue
            weighted = (terms.conj() * weight[:, None]).T * sign
            blocks.right[3 * frames[number].column :][:3] += weighted @ known
            for other, others, its_sign in sides:
                if others is not None:
                    blocks.add(frames[number].column, frames[other].column, weighted @ others * its_sign)
    found = blocks.solve()
    return {number: _affine(frame, found[3 * frame.column :][:3]) for number, frame in frames.items()}


def _known(edge: Edge, maps: Mapping[int, Affine], reference: int) -> Points:
    """Right-hand side of first − second = 0: what the reference frame contributes."""
    if edge.first == reference:
        return -apply(maps[reference], edge.match.z)
    if edge.second == reference:
        return apply(maps[reference], edge.match.w)
    return np.zeros_like(edge.match.z)


class _Blocks:
    """Normal equations in blocks of three, one a frame."""

    def __init__(self, n: int) -> None:
        self.right = np.zeros(n, dtype=complex)
        self._n = n
        self._rows: list[NDArray] = []
        self._columns: list[NDArray] = []
        self._values: list[NDArray] = []

    def add(self, row: int, column: int, block: NDArray) -> None:
        """Add a block at the place of two frames."""
        self._rows.append(3 * row + _ROWS)
        self._columns.append(3 * column + _COLUMNS)
        self._values.append(block.ravel())

    def solve(self) -> NDArray[np.complex128]:
        """Solve them."""
        places = (np.concatenate(self._rows), np.concatenate(self._columns))
        matrix = csc_array((np.concatenate(self._values), places), shape=(self._n, self._n))
        return splu(matrix).solve(self.right)


def _affine(frame: _Frame, terms: NDArray[np.complex128]) -> Affine:
    shift, similar, shear = terms[0], terms[1] / frame.half, terms[2] / frame.half
    centre = frame.centre.conjugate() if frame.mirrored else frame.centre
    shift = shift - similar * centre - shear * centre.conjugate()
    return from_complex(shift, shear, similar) if frame.mirrored else from_complex(shift, similar, shear)


def between(maps: Mapping[int, Affine], first: int, second: int) -> Affine:
    """Give the map from one frame to another by way of the reference frame."""
    return compose(invert(maps[second]), maps[first])
