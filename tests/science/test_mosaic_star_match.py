"""The same stars in two frames: planted maps are found, nothing in nothing, and the odds are those counted."""

import numpy as np
import pytest
from tests.star_lists import Sky, View, random_list, taken

from lostlight.science.mosaic.register.star_match import (
    Field,
    Match,
    StarList,
    chance_of,
    match_at,
    match_near,
    match_stars,
    mutual,
)

SHAPE = (901, 1203)


def _fields(sky, one, two, **options):
    return tuple(Field.of(sky.seen(view, **options), view.shape) for view in (one, two))


@pytest.mark.parametrize(
    "two",
    [
        View(centre=300 + 200j, turn_deg=-73),
        View(centre=10j, turn_deg=180),
        View(centre=-50, turn_deg=33, mirrored=True),
        View(centre=25, turn_deg=5, binning=2, shape=(450, 601)),
    ],
)
@pytest.mark.parametrize("false", [0, 0.5])
def test_planted_maps_are_found(two, false):
    sky, one = Sky(11), View()
    found = match_stars(*_fields(sky, one, two, false=false), 8)
    points = one.corners[[4]]
    assert np.abs(taken(found.transform, points) - two.pixels(one.sky(points))).max() < 0.15
    true = two.pixels(one.sky(found.z))
    assert np.median(np.abs(true - found.w)) < 0.3
    assert found.chance < 1e-7


def test_eight_stars_are_enough_and_seven_are_not():
    sky = Sky(4, n=8, width=600)
    first, second = _fields(sky, View(), View(centre=20, turn_deg=50))
    assert match_stars(first, second, 8).n_stars == 8
    assert match_stars(Field(first.z[:7], SHAPE), second, 8) is None


def test_a_crowded_field_is_matched():
    sky = Sky(8, n=20000, width=4000)
    one, two = View(shape=(1999, 2001)), View(centre=300 - 40j, turn_deg=12, shape=(1999, 2001))
    first, second = _fields(sky, one, two)
    assert first.z.size > 4500
    found = match_stars(first, second, 8)
    assert np.abs(taken(found.transform, one.corners) - two.pixels(one.sky(one.corners))).max() < 0.3


def _accepted(n_pairs, n_stars, seed):
    random = np.random.default_rng(seed)
    fields = [Field.of(random_list(random, n_stars, SHAPE), SHAPE) for _ in range(n_pairs + 1)]
    return [k for k in range(n_pairs) if match_stars(fields[k], fields[k + 1], 8) is not None]


@pytest.mark.parametrize("n_stars", [12, 40, 300])
def test_random_lists_are_never_matched(n_stars):
    assert _accepted(40, n_stars, n_stars) == []


@pytest.mark.soak
@pytest.mark.parametrize("n_stars", [12, 40, 120, 300])
def test_a_thousand_random_lists_are_never_matched(n_stars):
    assert _accepted(1000, n_stars, n_stars) == []


def test_clusters_of_random_stars_are_never_matched():
    random = np.random.default_rng(77)

    def cluster():
        x, y = random.normal([[600], [450]], 60, (2, 300))
        return Field.of(StarList(x, y, random.pareto(1, 300)), SHAPE)

    fields = [cluster() for _ in range(13)]
    assert [k for k in range(12) if match_stars(fields[k], fields[k + 1], 8)] == []


def test_the_odds_are_those_counted_in_random_lists():
    random = np.random.default_rng(9)
    identity = np.array([[1.0, 0, 0], [0, 1, 0]])
    counts, expected = [], []
    for _ in range(200):
        first, second = (Field.of(random_list(random, 200, SHAPE), SHAPE) for _ in range(2))
        one, _ = mutual(first.bright, second, 6.0)
        counts.append(one.size)
        match = Match(identity, first.bright[: one.size + 3], first.bright[: one.size + 3])
        expected.append(chance_of(first, second, match, 6.0))
    # A number that half of the lists reach has a chance near one half.
    half = int(np.median(counts))
    chances = [e for e, c in zip(expected, counts, strict=True) if c == half]
    assert 0.2 < np.median(chances) < 0.8


def test_a_map_known_to_some_pixels_is_made_exact():
    sky, one, two = Sky(21), View(), View(centre=700 + 100j, turn_deg=3)
    first, second = _fields(sky, one, two)
    exact = match_stars(first, second, 8).transform
    off = exact + np.array([[0, 0, 3.0], [0, 0, -2.0]])
    found = match_near(first, second, off, 8)
    assert np.abs(taken(found.transform, one.corners) - taken(exact, one.corners)).max() < 0.05
    assert match_near(first, second, off + np.array([[0, 0, 90.0], [0, 0, 0]]), 8) is None


def test_pairs_are_mutual_and_each_star_has_one():
    second = Field(np.array([10 + 10j, 50 + 50j]), (100, 100))
    one, two = mutual(np.array([10.4 + 10j, 10.1 + 10j, 50 + 51j, 90 + 90j, 500 + 0j]), second, 2.0)
    assert one.tolist() == [1, 2]
    assert two.tolist() == [0, 1]
    assert mutual(np.array([500 + 0j]), second, 2.0)[0].size == 0
    assert match_at(second, Field(np.empty(0, complex), (5, 5)), np.eye(2, 3), 3.0).n_stars == 0


def test_what_is_no_star_is_left_out_of_the_list():
    stars = StarList([1, 2, np.nan, 4, 4], [1, 2, 3, 4, 4], [5, 9, 7, np.inf, 3])
    assert Field.of(stars, (9, 9)).z.tolist() == [2 + 2j, 1 + 1j, 4 + 4j]
    assert Field.of(StarList([], [], []), (9, 9)).z.size == 0
