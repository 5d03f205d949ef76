"""The same stars in two frames, and the odds that they are the same by chance.

A map is believed only if so many stars fall on stars that chance does not do it in any of the maps tried.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree
from scipy.special import gammainc

from lostlight.science.mosaic.register.transform import Affine, Points, apply, fit, is_mirrored, scale_of
from lostlight.science.mosaic.register.triangles import Proposal, Triangles, propose, triangles

N_MATCHED = 300
"""Stars of a frame that are compared, the brightest."""
CHANCE = 1e-7
"""Probability that stars without anything in common are taken for the same."""
TOLERANCES_PX = (6.0, 3.0, 1.5)
_FREE = 3
"""Stars that fall on others because the map was fitted to them."""
_FEWEST = 4
_AROUND = 8.0


@dataclass(frozen=True)
class StarList:
    """Stars of one frame.

    Attributes
    ----------
    x, y : array_like of float, shape (n,), pixels
        Zero-based positions.
    flux : array_like of float, shape (n,)
        In any unit; the brightest are used.
    """

    x: ArrayLike
    y: ArrayLike
    flux: ArrayLike


@dataclass(frozen=True)
class Field:
    """What is compared of a frame: all its stars, brightest first, in a frame of some size.

    Attributes
    ----------
    z : ndarray of complex128, shape (n,), pixels
    shape : tuple of int
        Rows and columns.
    """

    z: Points
    shape: tuple[int, int]

    @classmethod
    def of(cls, stars: StarList, shape: tuple[int, int]) -> "Field":
        """Order the stars by flux; those without a position, a flux or a place of their own are left out."""
        x, y, flux = (np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in (stars.x, stars.y, stars.flux))
        good = np.isfinite(x) & np.isfinite(y) & np.isfinite(flux)
        order = np.lexsort((y[good], x[good], -flux[good]))
        z = (x[good] + 1j * y[good])[order]
        _, first = np.unique(z, return_index=True)
        return cls(z[np.sort(first)], shape)

    @cached_property
    def bright(self) -> Points:
        """The brightest."""
        return self.z[:N_MATCHED]

    @cached_property
    def tree(self) -> cKDTree:
        """Of the brightest."""
        return tree_of(self.bright)

    @cached_property
    def triangles(self) -> Triangles:
        """Of the brightest."""
        return triangles(self.bright)

    @property
    def half_diagonal_px(self) -> float:
        """From the centre to a corner."""
        return float(np.hypot(*self.shape)) / 2

    def without(self, dropped: NDArray[np.bool_]) -> "Field":
        """Leave some stars out."""
        return Field(self.z[~dropped], self.shape) if dropped.any() else self


@dataclass(frozen=True)
class Match:
    """Stars that two frames have in common.

    Attributes
    ----------
    transform : ndarray of float64, shape (2, 3)
        Map from pixels of the first frame to those of the second.
    z, w : ndarray of complex128, shape (n,), pixels
        Positions in the first and in the second.
    chance : float
        Probability that as many fall on stars by chance, in all maps tried.
    """

    transform: Affine
    z: Points
    w: Points
    chance: float = field(default=1.0)

    @property
    def n_stars(self) -> int:
        """Stars in common."""
        return self.z.size


def tree_of(z: Points) -> cKDTree:
    """Tree of complex positions."""
    return cKDTree(np.column_stack([z.real, z.imag]))


def match_stars(first: Field, second: Field, min_stars: int) -> Match | None:
    """Find the map between two frames of which nothing is known: any rotation, scale up to 8, mirrored or not.

    Parameters
    ----------
    first, second : Field
        Stars of the two frames.
    min_stars : int
        Fewest stars in common.

    Returns
    -------
    Match or None
        None where no map is better than chance.
    """
    if min(first.z.size, second.z.size) < max(min_stars, _FEWEST):
        return None
    best: Match | None = None
    for proposal in propose(first.triangles, second.triangles, first.half_diagonal_px):
        found = _follow(first, second, proposal, min_stars)
        if found is not None and (best is None or found.n_stars > best.n_stars):
            best = found
    return best


def match_near(first: Field, second: Field, transform: Affine, min_stars: int, trials: int = 100) -> Match | None:
    """Match two frames whose map is known to some pixels; None where the stars do not bear it out."""
    match = Match(transform, first.z[:0], first.z[:0])
    best: Match | None = None
    for tolerance in TOLERANCES_PX:
        match = match_at(first, second, match.transform, tolerance)
        if match.n_stars < _FEWEST:
            break
        odds = chance_of(first, second, match, tolerance) * trials
        if odds <= CHANCE and match.n_stars >= min_stars:
            best = Match(match.transform, match.z, match.w, odds)
    return best


def _follow(first: Field, second: Field, proposal: Proposal, min_stars: int) -> Match | None:
    """Make a proposed map exact; where it is too rough for that, by a wider look first."""
    trials = proposal.proposals + 1
    found = match_near(first, second, proposal.transform, min_stars, trials)
    if found is None:
        wide = match_at(first, second, proposal.transform, max(2 * TOLERANCES_PX[0], 0.01 * first.half_diagonal_px))
        found = match_near(first, second, wide.transform, min_stars, trials) if wide.n_stars >= 2 * _FEWEST else None
    return found


def match_at(first: Field, second: Field, transform: Affine, tolerance_px: float) -> Match:
    """Pair the stars that the map brings within the tolerance of each other, each with one, and fit the map anew."""
    scale = max(1.0, scale_of(transform))
    one, two = mutual(apply(transform, first.bright), second, tolerance_px * scale)
    z, w = first.bright[one], second.bright[two]
    if z.size < _FEWEST:
        return Match(transform, z, w)
    residual = np.abs(apply(transform, z) - w)
    fitted = transform
    for _ in range(3):
        width = max(1.4826 * float(np.median(residual)), 0.05 * scale)
        weights = (1 + (residual / (2 * width)) ** 2) ** -2 / width**2
        fitted = fit(z, w, is_mirrored(transform), weights)
        residual = np.abs(apply(fitted, z) - w)
    return Match(fitted, z, w)


def mutual(places: Points, second: Field, radius_px: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pair places with the stars of a frame that are nearest to them and to which they are nearest."""
    inside = np.flatnonzero(_within(places, second.shape, radius_px))
    if not inside.size or not second.bright.size:
        return inside[:0], inside[:0]
    xy = np.column_stack([places.real, places.imag])
    distance, found = second.tree.query(xy[inside], distance_upper_bound=radius_px)
    close = np.isfinite(distance)
    inside, found, distance = inside[close], found[close], distance[close]
    order = np.lexsort((inside, distance))
    _, first = np.unique(found[order], return_index=True)
    kept = np.sort(order[first])
    return inside[kept], found[kept]


def _within(places: Points, shape: tuple[int, int], margin: float) -> NDArray[np.bool_]:
    ny, nx = shape
    in_x = (places.real > -margin) & (places.real < nx + margin)
    return in_x & (places.imag > -margin) & (places.imag < ny + margin)


def chance_of(first: Field, second: Field, match: Match, tolerance_px: float) -> float:
    """Probability that the stars of one frame fall on as many of another by chance, under one map.

    The number expected is that of the mean density of stars, or of the density around each star where that is more,
    as in a cluster.
    """
    radius = tolerance_px * max(1.0, scale_of(match.transform))
    places = apply(match.transform, first.bright)
    places = places[_within(places, second.shape, radius)]
    xy = np.column_stack([places.real, places.imag])
    area = second.shape[0] * second.shape[1]
    everywhere = places.size * second.bright.size * np.pi * radius**2 / area
    around = second.tree.query_ball_point(xy, _AROUND * radius, return_length=True)
    local = max(float(np.sum(around)) - match.n_stars, 0.0) / _AROUND**2
    return float(gammainc(max(match.n_stars - _FREE, 1), max(everywhere, local)))
