"""Frames without a sky solution, laid over each other by their stars.

Neighbouring frames are matched by triangles, what hangs together is matched again wherever frames lie over each
other, and one least squares gives the maps of all frames. A frame whose stars are not found again is reported, never
moved by a guess.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.wcs import WCS

from lostlight.core.errors import TooFewStars, UnitError
from lostlight.science.mosaic.register.fixed import hot_pixels, match_moving, without_hot, witnesses
from lostlight.science.mosaic.register.graph import Groups, overlapping, pairs_to_try, spanning_maps
from lostlight.science.mosaic.register.joint import Edge, between, residuals, solve_jointly
from lostlight.science.mosaic.register.placing import Placed, place
from lostlight.science.mosaic.register.star_match import TOLERANCES_PX, Field, StarList, match_at, match_near
from lostlight.science.mosaic.register.transform import Affine

_HOT_ROUNDS = 3
_ROUNDS = 2
_FEWEST_WITNESSED = 6


@dataclass(frozen=True)
class PairResidual:
    """How well the stars of two frames lie on each other after registration.

    Attributes
    ----------
    first, second : str
        The frames.
    n_stars : int
        Stars in common.
    median_px, rms_px : float
        Of the distances, in pixels of the second frame; the rms of those within five times the median.
    """

    first: str
    second: str
    n_stars: int
    median_px: float
    rms_px: float


@dataclass(frozen=True)
class Registered:
    """Frames laid over each other.

    Attributes
    ----------
    reference : str
        Frame whose pixels the maps lead to; empty where no frame could be registered. Groups that have sky solutions
        of their own are laid on one of their own anchors instead, see `references`.
    transforms : dict of str to ndarray (2, 3)
        Map of each frame: zero-based pixels to zero-based pixels of its reference frame.
    references : dict of str to str
        Reference frame of each frame: `reference`, or the anchor whose sky solution it takes.
    wcs : dict of str to astropy.wcs.WCS
        Of each frame of `transforms`: the anchor's sky solution carried over, or a linear one in pixels of the
        reference frame.
    failed : dict of str to UnitError
        Frames that are not registered, and why: `TooFewStars` with what was found and needed.
    groups : tuple of tuple of str
        Frames that hang together, largest group first.
    residuals : tuple of PairResidual
        Of each pair of frames that was matched.
    """

    reference: str
    transforms: dict[str, Affine]
    references: dict[str, str]
    wcs: dict[str, WCS]
    failed: dict[str, UnitError]
    groups: tuple[tuple[str, ...], ...]
    residuals: tuple[PairResidual, ...]


def register(
    stars: Mapping[str, StarList],
    shapes: Mapping[str, tuple[int, int]],
    *,
    min_stars: int = 8,
    anchors: Mapping[str, WCS] | None = None,
    times: Mapping[str, float] | None = None,
) -> Registered:
    """Lay frames over each other by their stars.

    Parameters
    ----------
    stars : mapping of str to StarList
        Stars of each frame.
    shapes : mapping of str to (int, int)
        Rows and columns of each frame.
    min_stars : int
        Stars that a frame must have, and have in common with another.
    anchors : mapping of str to astropy.wcs.WCS, optional
        Frames of `stars` that have a sky solution, and which: the others take it over through their stars.
    times : mapping of str to float, optional
        When the frames were taken, in any unit: neighbours in time are compared first. Without, in order of names.

    Returns
    -------
    Registered
        The same for any order of the frames in the mappings. A frame alone is its own reference.
    """
    anchors = anchors or {}
    names = sorted(stars, key=lambda name: ((times or {}).get(name, 0.0), name))
    fields = [Field.of(stars[name], shapes[name]) for name in names]
    fields, edges = _connect(fields, min_stars)
    groups = _groups(len(names), edges)
    solved: list[Placed] = []
    reports: list[PairResidual] = []
    for group in groups:
        fixed = [number for number in group if names[number] in anchors]
        if len(group) < 2 and len(names) > 1:
            continue
        reference = _reference(group, edges, fixed)
        maps, pairs = _solve(group, edges, fields, reference, min_stars)
        solved.append(Placed(group, reference, maps, pairs))
        reports += [_report(names, edge, maps) for edge in pairs]
    found = place(names, solved, anchors)
    failed = _failures(names, fields, groups, set(found.transforms) | set(anchors), min_stars)
    return Registered(
        found.reference,
        found.transforms,
        found.references,
        found.wcs,
        failed,
        tuple(tuple(names[number] for number in group) for group in groups),
        tuple(reports),
    )


def _connect(fields: list[Field], min_stars: int) -> tuple[list[Field], list[Edge]]:
    """Match pairs until all hangs together; anew without the hot pixels that a moving sky lays bare."""
    edges: list[Edge] = []
    for _ in range(_HOT_ROUNDS):
        edges = _match_pairs(fields, min_stars)
        hot = hot_pixels([(fields[e.first], fields[e.second], e.match.transform) for e in edges + _far(fields, edges)])
        clean = [without_hot(field, hot.get(field.shape, np.empty(0, complex))) for field in fields]
        if all(one is two for one, two in zip(clean, fields, strict=True)):
            break
        fields = clean
    return fields, edges


def _far(fields: Sequence[Field], edges: Sequence[Edge]) -> list[Edge]:
    """Matches of frames far apart, where neighbours seem not to move."""
    pairs = witnesses(fields, [(edge.first, edge.second, edge.match) for edge in edges])
    found = ((one, two, match_moving(fields[one], fields[two], _FEWEST_WITNESSED)) for one, two in pairs)
    return [Edge(one, two, match) for one, two, match in found if match is not None]


def _match_pairs(fields: Sequence[Field], min_stars: int) -> list[Edge]:
    groups = Groups(len(fields))
    edges = []
    for first, second in pairs_to_try([field.z.size for field in fields], groups):
        match = match_moving(fields[first], fields[second], min_stars)
        if match is not None:
            edges.append(Edge(first, second, match))
            groups.join(first, second)
    return edges


def _groups(n: int, edges: Sequence[Edge]) -> list[list[int]]:
    groups = Groups(n)
    for edge in edges:
        groups.join(edge.first, edge.second)
    return groups.lists()


def _reference(group: Sequence[int], edges: Sequence[Edge], fixed: Sequence[int]) -> int:
    """Frame with the most stars in common with others; one with a sky solution where there is one."""
    shared = dict.fromkeys(fixed or group, 0)
    for edge in edges:
        for number in (edge.first, edge.second):
            if number in shared:
                shared[number] += edge.match.n_stars
    return max(shared, key=lambda number: (shared[number], -number))


def _solve(
    group: Sequence[int], edges: Sequence[Edge], fields: Sequence[Field], reference: int, min_stars: int
) -> tuple[dict[int, Affine], list[Edge]]:
    """Fit the maps of a group, comparing ever more distant frames as the maps get better."""
    members = set(group)
    pairs = [edge for edge in edges if edge.first in members]
    done = {(edge.first, edge.second) for edge in pairs}
    maps = solve_jointly(pairs, spanning_maps(pairs, reference), reference, iterations=3)
    gap = 2
    while gap < 2 * len(group):
        for first, second in overlapping(maps, [field.shape for field in fields], gap, done):
            done.add((first, second))
            match = match_near(fields[first], fields[second], between(maps, first, second), min_stars)
            if match is not None:
                pairs.append(Edge(first, second, match))
        maps = solve_jointly(pairs, maps, reference, iterations=2)
        gap *= 2
    for _ in range(_ROUNDS):
        tolerance = _tolerance_px(pairs, maps)
        again = [_rematched(edge, fields, maps, tolerance) for edge in pairs]
        pairs = [new if new.match.n_stars >= min_stars else old for new, old in zip(again, pairs, strict=True)]
        maps = solve_jointly(pairs, maps, reference)
    return maps, pairs


def _tolerance_px(pairs: Sequence[Edge], maps: Mapping[int, Affine]) -> float:
    """How far apart a star may lie in two frames: more where a lens bends the field than where it does not."""
    typical = float(np.median(np.concatenate([residuals(edge, maps) for edge in pairs]))) if pairs else 0.0
    return min(max(5 * typical, TOLERANCES_PX[-1]), TOLERANCES_PX[0])


def _rematched(edge: Edge, fields: Sequence[Field], maps: Mapping[int, Affine], tolerance_px: float) -> Edge:
    known = between(maps, edge.first, edge.second)
    return Edge(edge.first, edge.second, match_at(fields[edge.first], fields[edge.second], known, tolerance_px))


def _report(names: Sequence[str], edge: Edge, maps: Mapping[int, Affine]) -> PairResidual:
    distance = residuals(edge, maps)
    median = float(np.median(distance))
    kept = distance[distance <= 5 * median]
    rms = float(np.sqrt(np.mean(kept**2)))
    return PairResidual(names[edge.first], names[edge.second], int(distance.size), median, rms)


def _failures(
    names: Sequence[str], fields: Sequence[Field], groups: Sequence[Sequence[int]], placed: set[str], min_stars: int
) -> dict[str, UnitError]:
    failed: dict[str, UnitError] = {}
    for group in groups:
        members = [names[number] for number in group]
        for number, name in zip(group, members, strict=True):
            if name not in placed:
                failed[name] = _why(name, fields[number].z.size, members, min_stars)
    return dict(sorted(failed.items()))


def _why(name: str, n_found: int, group: Sequence[str], min_stars: int) -> UnitError:
    if n_found < min_stars:
        return TooFewStars(
            f"{name}: {n_found} stars, and {min_stars} are needed to register a frame",
            hint="leave the frame out, or give it a sky solution (WCS)",
            found=n_found,
            needed=min_stars,
        )
    if len(group) == 1:
        return TooFewStars(
            f"{name}: none of its {n_found} detections are stars of another frame",
            hint="leave the frame out, or give it a sky solution (WCS)",
            found=0,
            needed=min_stars,
        )
    others = ", ".join(group[:5]) + (f" and {len(group) - 5} more" if len(group) > 5 else "")
    return TooFewStars(
        f"{name}: it belongs to a group of {len(group)} frames ({others}) that has no stars in common with the others",
        hint="give one frame of each group a sky solution (WCS), or stack the groups apart",
        found=0,
        needed=min_stars,
        group_size=len(group),
    )
