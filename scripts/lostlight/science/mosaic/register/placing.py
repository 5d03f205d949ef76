"""Where registered frames go: onto the sky solution of a frame that has one, else onto the largest group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from astropy.wcs import WCS

from lostlight.science.mosaic.register.joint import Edge, between
from lostlight.science.mosaic.register.transform import Affine, composed_wcs, linear_wcs


@dataclass(frozen=True)
class Placed:
    """A group of frames that hang together, and their maps to its reference frame."""

    members: Sequence[int]
    reference: int
    maps: Mapping[int, Affine]
    edges: Sequence[Edge]


@dataclass
class Places:
    """Maps, reference frames and coordinates of the frames that have a place."""

    reference: str = ""
    transforms: dict[str, Affine] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)
    wcs: dict[str, WCS] = field(default_factory=dict)


def place(names: Sequence[str], groups: Sequence[Placed], anchors: Mapping[str, WCS]) -> Places:
    """Give each frame its coordinates.

    Without sky solutions the first group, the largest, is kept in pixels of its reference frame. With some, the groups
    that hold one are kept: frames without take over that of the anchor with which they share most stars.

    Parameters
    ----------
    names : sequence of str
        Frames by number.
    groups : sequence of Placed
        Largest first.
    anchors : mapping of str to astropy.wcs.WCS
        Frames with a sky solution.
    """
    if not anchors:
        return _on_reference(names, groups[0]) if groups else Places()
    places = Places()
    for group in groups:
        fixed = [number for number in group.members if names[number] in anchors]
        if not fixed:
            continue
        places.reference = places.reference or names[group.reference]
        for number in group.members:
            _take_over(places, names, group, number, _anchor_of(number, group, fixed), anchors)
    return places


def _on_reference(names: Sequence[str], group: Placed) -> Places:
    maps = {names[number]: group.maps[number] for number in group.members}
    reference = names[group.reference]
    return Places(reference, maps, dict.fromkeys(maps, reference), {name: linear_wcs(m) for name, m in maps.items()})


def _take_over(
    places: Places, names: Sequence[str], group: Placed, number: int, anchor: int, anchors: Mapping[str, WCS]
) -> None:
    name, its = names[number], names[anchor]
    places.transforms[name] = between(group.maps, number, anchor)
    places.references[name] = its
    places.wcs[name] = anchors[name] if name in anchors else composed_wcs(anchors[its], places.transforms[name])


def _anchor_of(number: int, group: Placed, fixed: Sequence[int]) -> int:
    """The frame itself, the anchor with most stars in common, or that of the group."""
    if number in fixed:
        return number
    shared = dict.fromkeys(fixed, 0)
    for edge in group.edges:
        for one, two in ((edge.first, edge.second), (edge.second, edge.first)):
            if one == number and two in shared:
                shared[two] += edge.match.n_stars
    best = max(shared, key=lambda other: (shared[other], -other))
    return best if shared[best] else group.reference
