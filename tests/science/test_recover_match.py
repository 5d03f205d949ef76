"""Candidates are given to planted sources one to one, the best first, and never by chance."""

import numpy as np
import pytest

from lostlight.science.recover.match import by_chance, false_density, match

TIMES = np.array([-1.0, 0.0, 1.0])


def paths(*rows):
    """Places (n, 3, 2) of paths x, y, vx, vy at three times."""
    return np.array([[(x + vx * t, y + vy * t) for t in TIMES] for x, y, vx, vy in rows])


PLANTED = paths((10, 20, 3, 0), (60, 20, 0, 3), (62, 22, 0, 3))


def test_each_source_gets_the_candidate_on_its_path():
    found = match(PLANTED, paths((60.4, 20.2, 0, 3), (10.5, 19.8, 3.1, 0)), [9, 8], 5.0)
    assert found.candidate.tolist() == [1, 0, -1]
    assert found.offset_px[1] == pytest.approx(np.hypot(0.4, 0.2))
    assert np.isnan(found.offset_px[2])


def test_the_better_candidate_chooses_first_and_takes_one_source_only():
    found = match(PLANTED, paths((61.2, 21.2, 0, 3), (61.0, 21.0, 0, 3)), [7, 9], 5.0)
    assert found.candidate.tolist() == [-1, 1, 0]


def test_a_path_that_crosses_is_not_near():
    crossing = paths((10, 20, -3, 0))
    assert match(PLANTED, crossing, [9], 5.0).candidate.tolist() == [-1, -1, -1]
    assert match(PLANTED, crossing, [9], 6.1).candidate.tolist() == [0, -1, -1]


def test_each_source_may_be_seen_at_times_of_its_own():
    theirs = np.stack([paths((10, 20, 3, 0)), paths((10, 20, 3, 0)) + 100, paths((10, 20, 3, 0))])
    assert match(PLANTED, theirs, [9], 5.0).candidate.tolist() == [0, -1, -1]


def test_a_match_that_chance_makes_too_often_does_not_count():
    candidates = paths((10, 20, 3, 0), (60, 20, 0, 3))
    dense = 2e-3 / (np.pi * 25) ** 2
    found = match(PLANTED, candidates, [9, 5], 5.0, [0.0, dense])
    assert found.candidate.tolist() == [0, -1, -1]
    assert by_chance(dense, 5.0) == pytest.approx(2e-3, rel=1e-2)
    assert match(PLANTED, candidates, [9, 5], 5.0, [0.0, dense], max_chance=0.01).candidate.tolist() == [0, 1, -1]


def test_chance_is_how_often_scattered_candidates_are_matched():
    """Candidates strewn at random are matched as often as their density says."""
    rng = np.random.default_rng(0)
    n, side, reach, radius = 4000, 100.0, 40.0, 5.0
    first = rng.uniform(0, side, (n, 2))
    strewn = np.stack([first, first, first + rng.uniform(-reach / 2, reach / 2, (n, 2))], axis=1)
    strewn[:, 1] = strewn[:, [0, 2]].mean(axis=1)
    planted = paths((50, 50, 0, 0))
    hits = 0
    for k in range(0, n, 10):
        found = match(planted, strewn[k : k + 10], np.arange(10), radius, max_chance=1.0)
        hits += found.candidate[0] >= 0
    told = by_chance(10 / side**2 / reach**2, radius)
    assert hits / (n / 10) == pytest.approx(told, abs=3 * np.sqrt(told / (n / 10)))


def test_density_of_false_candidates_by_hand():
    told = false_density([5.0, 6.0, 9.0], [5.5, 5.7, 6.5], 1000, 40)
    assert told == pytest.approx(np.array([3.5, 1.5, 0.5]) / 40_000)


def test_nothing_matches_nothing():
    assert match(PLANTED[:0], paths((1, 1, 0, 0)), [9], 5.0).candidate.size == 0
    assert match(PLANTED, PLANTED[:0], [], 5.0).candidate.tolist() == [-1, -1, -1]
