"""Hot pixels: found out by the sky that moves over them, and harmless where it does not."""

import numpy as np
import pytest
from tests.star_lists import Sky, View, taken
from tests.star_lists import hot_pixels as planted_hot

from lostlight.science.mosaic.register.fixed import coincident, hot_pixels, match_moving, without_hot, witnesses
from lostlight.science.mosaic.register.star_match import Field, match_stars


@pytest.fixture
def night():
    view, moved = View(), View(centre=40 + 9j)
    hot = planted_hot(5, 400, view.shape)
    sky = Sky(31)
    return view, moved, hot, *(Field.of(sky.seen(v, hot=hot), v.shape) for v in (view, moved))


def test_stars_win_over_more_and_brighter_hot_pixels(night):
    view, moved, _, first, second = night
    assert np.allclose(match_stars(first, second, 8).transform, np.eye(2, 3), atol=0.05)
    found = match_moving(first, second, 8)
    truth = moved.pixels(view.sky(view.corners))
    assert np.abs(taken(found.transform, view.corners) - truth).max() < 0.3


def test_hot_pixels_are_named_and_stars_are_not(night):
    _, _, hot, first, second = night
    match = match_moving(first, second, 8)
    found = hot_pixels([(first, second, match.transform)])[first.shape]
    distance = np.abs(found[:, None] - hot).min(axis=1)
    assert (distance < 0.4).sum() >= 398
    assert (distance >= 0.4).sum() <= 2
    clean = without_hot(first, found)
    assert clean.z.size == pytest.approx(first.z.size - 400, abs=4)


def test_what_stays_under_a_still_sky_is_not_called_hot():
    sky, view = Sky(2), View()
    first, second = (Field.of(sky.seen(view), view.shape) for _ in range(2))
    match = match_moving(first, second, 8)
    assert np.allclose(match.transform, np.eye(2, 3), atol=0.1)
    assert not hot_pixels([(first, second, match.transform)])[first.shape].size


def test_chance_on_one_pair_of_several_is_not_called_hot():
    shift = np.array([[1.0, 0, 30], [0, 1, 0]])
    alone = Field(np.array([5 + 5j, 80 + 9j]), (99, 99)), Field(np.array([5 + 5j, 60 + 9j]), (99, 99)), shift
    other = Field(np.array([44 + 5j]), (99, 99)), Field(np.array([44 + 5j]), (99, 99)), shift
    assert hot_pixels([alone])[99, 99].tolist() == [5 + 5j]
    assert not hot_pixels([alone, other])[99, 99].size
    assert hot_pixels([alone, other, other])[99, 99].tolist() == [44 + 5j] * 2


def test_frames_of_different_cameras_share_no_pixels():
    one, two = Field(np.array([5 + 5j]), (99, 99)), Field(np.array([5 + 5j]), (50, 50))
    assert coincident(one, two) is None
    assert coincident(one, Field(np.empty(0, complex), (99, 99))) is None
    assert hot_pixels([]) == {}


def test_witnesses_are_asked_only_where_nothing_moves():
    sky, view = Sky(6), View()
    still = [Field.of(sky.seen(view), view.shape) for _ in range(7)]
    pairs = [(k, k + 1, match_moving(still[k], still[k + 1], 8)) for k in range(6)]
    asked = witnesses(still, pairs)
    assert (0, 6) in asked
    assert len(asked) == 10
    moved = Field.of(sky.seen(View(centre=100)), view.shape)
    assert witnesses([still[0], moved], [(0, 1, match_moving(still[0], moved, 8))]) == []
