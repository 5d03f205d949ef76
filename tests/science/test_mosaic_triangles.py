"""Triangles of stars: the same ratios however a frame is turned; the planted map gets the votes."""

import numpy as np
import pytest
from tests.star_lists import Sky, View, taken

from lostlight.science.mosaic.register.triangles import propose, triangles


def _brightest_first(stars):
    order = np.argsort(-stars.flux)
    return (stars.x + 1j * stars.y)[order]


def test_corners_face_their_sides_in_order():
    found = triangles(np.array([0, 30, 40j, 500 + 400j]))
    corners = {tuple(row) for row in found.vertices}
    # Sides of the first triangle: 30 faces the corner at 40j, 40 that at 30, 50 that at 0.
    assert (2, 1, 0) in corners
    row = next(i for i, vertices in enumerate(found.vertices) if tuple(vertices) == (2, 1, 0))
    assert np.allclose(found.ratios[row], [0.6, 0.8])
    assert found.longest[row] == pytest.approx(50)


def test_triangles_smaller_than_the_errors_are_left_out():
    assert not triangles(np.array([0, 1, 1j])).longest.size
    assert not triangles(np.array([0, 100])).longest.size


@pytest.mark.parametrize(
    ("turn", "mirrored", "binning"), [(0, False, 1), (180, False, 1), (77, False, 2), (10, True, 1), (-140, True, 0.5)]
)
def test_most_votes_go_to_the_planted_map(turn, mirrored, binning):
    sky = Sky(3, n=600, width=2000)
    one = View()
    two = View(centre=40 - 25j, turn_deg=turn, mirrored=mirrored, binning=binning)
    first, second = (triangles(_brightest_first(sky.seen(view, false=0.3))) for view in (one, two))
    best = propose(first, second, 750.0)[0]
    truth = two.pixels(one.sky(one.corners))
    assert np.abs(taken(best.transform, one.corners) - truth).max() < 12
    assert best.votes > 10
    assert best.proposals > best.votes


def test_frames_without_triangles_have_no_proposals():
    none, some = triangles(np.array([1 + 1j])), triangles(np.array([0, 100, 70j, 300 + 20j]))
    assert propose(none, some, 100.0) == []
    assert propose(some, none, 100.0) == []


def test_scales_beyond_any_binning_are_not_proposed():
    random = np.random.default_rng(2)
    z = random.uniform(0, 900, 12) + 1j * random.uniform(0, 900, 12)
    wanted = propose(triangles(z), triangles(20 * z), 500.0)
    assert all(abs(np.linalg.det(p.transform[:, :2])) < 8.1**2 for p in wanted)
