"""Hot pixels among the stars: they stay where they are while the sky moves."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from lostlight.science.mosaic.register.star_match import Field, Match, match_stars, tree_of
from lostlight.science.mosaic.register.transform import Affine, Points, apply

SAME_PX = 0.5
"""Detections closer than this, in pixels of the camera, are of the same pixel."""
MOVED_PX = 1.0
"""A sky that moved by more takes the stars off their pixels."""
_WITNESSES = 5


def match_moving(first: Field, second: Field, min_stars: int) -> Match | None:
    """Match two frames by what did not stay on its pixel; where that is not enough, by everything.

    Hot pixels always agree on a map that moves nothing, and there may be more of them than stars; so that map is
    taken only where no other is found.
    """
    stayed = coincident(first, second)
    if stayed is not None:
        moving = match_stars(first.without(stayed[0]), second.without(stayed[1]), min_stars)
        if moving is not None:
            return moving
    return match_stars(first, second, min_stars)


def witnesses(fields: Sequence[Field], pairs: Sequence[tuple[int, int, Match]]) -> list[tuple[int, int]]:
    """Give pairs of frames far apart, among frames that seem not to have moved against their neighbours.

    A sky that moves less than a pixel from frame to frame cannot be told from hot pixels there; over the whole series
    it can.

    Parameters
    ----------
    fields : sequence of Field
        All frames.
    pairs : sequence of (int, int, Match)
        Matched frames, by number.
    """
    still: dict[tuple[int, int], set[int]] = {}
    for first, second, match in pairs:
        if fields[first].shape == fields[second].shape and np.median(np.abs(match.w - match.z)) < MOVED_PX:
            still.setdefault(fields[first].shape, set()).update((first, second))
    chosen = []
    for numbers in still.values():
        spread = np.array(sorted(numbers))[np.linspace(0, len(numbers) - 1, _WITNESSES).astype(int)]
        chosen += sorted({(int(one), int(two)) for one, two in combinations(spread, 2) if one != two})
    return chosen


def coincident(first: Field, second: Field) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Tell which detections of two frames of one camera are on the same pixel; None where there are none."""
    if first.shape != second.shape or not first.z.size or not second.z.size:
        return None
    distance, found = tree_of(second.z).query(_xy(first.z), distance_upper_bound=SAME_PX)
    here = np.isfinite(distance)
    there = np.zeros(second.z.size, dtype=bool)
    there[found[here]] = True
    return (here, there) if here.any() else None


def hot_pixels(pairs: Sequence[tuple[Field, Field, Affine]]) -> dict[tuple[int, int], Points]:
    """Find the pixels that light up in both frames of a pair although the sky moved between them.

    Parameters
    ----------
    pairs : sequence of (Field, Field, affine map)
        Matched frames, and the map from the first to the second.

    Returns
    -------
    dict of shape to ndarray of complex128, pixels
        Positions for each kind of frame; seen in two pairs, unless there is only one.
    """
    seen: dict[tuple[int, int], list[Points]] = {}
    for first, second, transform in pairs:
        stayed = coincident(first, second)
        if stayed is not None:
            z = first.z[stayed[0]]
            moved = np.abs(apply(transform, z) - z) > MOVED_PX
            seen.setdefault(first.shape, []).append(z[moved])
    return {shape: _repeated(found) for shape, found in seen.items()}


def _repeated(found: list[Points]) -> Points:
    everything = np.concatenate(found)
    if len(found) == 1 or not everything.size:
        return everything
    times = tree_of(everything).query_ball_point(_xy(everything), SAME_PX, return_length=True)
    return everything[times >= 2]


def without_hot(field: Field, hot: Points) -> Field:
    """Leave out the detections on hot pixels."""
    if not hot.size or not field.z.size:
        return field
    tree: cKDTree = tree_of(hot)
    return field.without(np.isfinite(tree.query(_xy(field.z), distance_upper_bound=SAME_PX)[0]))


def _xy(z: Points) -> NDArray[np.float64]:
    return np.column_stack([z.real, z.imag])
