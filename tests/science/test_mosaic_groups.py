"""Lots: every frame in exactly one, none too small, alike in all that matters, the same for any order of frames."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lostlight.core.errors import ConfigError
from lostlight.science.mosaic.groups import GroupFrame, GroupRules, check_lots, plan_groups

RULES = GroupRules()


def square(ra, dec, side=0.5, turn_deg=0.0):
    """Outline of a square field, corners and middles of edges, small enough for a flat sky."""
    t = np.linspace(0, 2 * np.pi, 9)[:-1] + np.pi / 4
    radius = np.where(np.arange(8) % 2, side / 2, side / np.sqrt(2))
    t = t + np.radians(turn_deg)
    return np.stack([(ra + radius * np.cos(t) / np.cos(np.radians(dec))) % 360, dec + radius * np.sin(t)], axis=1)


def frames(n, prefix="f", **facts):
    return [GroupFrame(f"{prefix}{k:03d}", time=2459000.5 + k / 1000, **facts) for k in range(n)]


def sizes(lots):
    return list(Counter(lots.values()).values())


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 400), st.integers(1, 12), st.integers(0, 60))
def test_lots_are_of_one_size_and_none_is_too_small(n, fewest, more):
    rules = GroupRules(min=fewest, target=fewest + more)

    lots = plan_groups(frames(n), rules)

    assert len(lots) == n
    got = sizes(lots)
    assert max(got) - min(got) <= 1
    assert min(got) >= min(fewest, n)
    wanted = max(1, min(round(n / rules.target), n // fewest))
    assert abs(len(got) - wanted) <= 1


@pytest.mark.parametrize(("n", "expected"), [(3, [3]), (40, [40]), (59, [59]), (61, [31, 30]), (139, [47, 46, 46])])
def test_a_few_by_hand(n, expected):
    assert sizes(plan_groups(frames(n), RULES)) == expected


def test_lots_hold_runs_in_time_whatever_the_order_of_the_frames():
    some = frames(100)
    rng = np.random.default_rng(1)

    lots = plan_groups([some[k] for k in rng.permutation(100)], RULES)

    assert lots == plan_groups(some, RULES)
    assert list(lots) == [frame.id for frame in some] and list(lots.values()) == sorted(lots.values())
    assert set(lots.values()) == {"L001", "L002"}


def test_what_differs_in_filter_exposure_gain_or_night_is_kept_apart():
    some = [
        *frames(9, "a", filter="R", exptime_s=60.0, gain=100, night="2026-01-01"),
        *frames(9, "b", filter="R", exptime_s=60.0, gain=100, night="2026-01-02"),
        *frames(9, "c", filter="R", exptime_s=60.0, gain=200, night="2026-01-01"),
        *frames(9, "d", filter="R", exptime_s=30.0, gain=100, night="2026-01-01"),
        *frames(9, "e", filter="B", exptime_s=60.0, gain=100, night="2026-01-01"),
        *frames(2, "f", filter="B"),
    ]

    lots = plan_groups(some, RULES)

    assert sorted(sizes(lots)) == [2, 9, 9, 9, 9, 9]
    assert all(len({name[0] for name in lots if lots[name] == lot}) == 1 for lot in lots.values())
    assert lots["e000"] == "L001"  # sorted by filter first


def test_what_is_not_known_is_alike():
    unknown = [GroupFrame(f"n{k}", exptime_s=float("nan"), gain=None) for k in range(9)]
    unknown += [GroupFrame(f"o{k}", exptime_s=None, gain=float("nan")) for k in range(9)]

    lots = plan_groups([*frames(9, exptime_s=0.5), *unknown], RULES)

    assert sizes(lots) == [9, 18] and next(iter(lots)) == "f000"


def test_times_of_any_kind_and_none_at_all():
    some = [
        GroupFrame("z", time=2459000.5),
        GroupFrame("y", time="2026-01-01T00:00:00"),
        GroupFrame("x"),
        GroupFrame("w", time="2025-01-01T00:00:00"),
    ]

    assert list(plan_groups(some, RULES)) == ["z", "w", "y", "x"]


def test_a_lot_that_covers_all_is_closed_early():
    panels = [square(10 + 0.4 * k, 0) for k in range(4)]
    # three rounds over four panels, and then the first alone for long
    places = [*range(4)] * 3 + [0] * 50
    some = [GroupFrame(f"f{k:03d}", time=k, outline=panels[place]) for k, place in enumerate(places)]

    lots = plan_groups(some, GroupRules(min=8, target=70))

    # eight cover all four panels; the other four of the rounds and 50 of the first do too, and are closed at eight,
    # but what then is left covers a panel only
    assert sizes(lots) == [8, 8, 46]


@pytest.mark.parametrize(("coverage", "expected"), [(0.70, [8, 12]), (0.80, [20]), (1.0, [20])])
def test_the_fraction_is_that_of_the_union_of_outlines(coverage, expected):
    # squares side by side without overlap: eight frames cover 3/4 of the four, whatever lies between on the canvas
    panels = [square(10 + 5 * k, 50, turn_deg=30) for k in range(4)]
    places = [0, 1, 2] * 4 + [3] * 8
    some = [GroupFrame(f"f{k:03d}", time=k, outline=panels[place]) for k, place in enumerate(places)]

    lots = plan_groups(some, GroupRules(min=8, target=20, coverage=coverage))

    assert sizes(lots) == expected


def test_the_union_is_that_of_a_filter():
    wide, narrow = square(0, 0, 4), square(0, 0, 1)
    red = [GroupFrame(f"r{k:02d}", "R", time=k, outline=wide) for k in range(20)]
    blue = [GroupFrame(f"b{k:02d}", "B", time=k, outline=narrow) for k in range(20)]

    lots = plan_groups([*red, *blue], GroupRules(min=10, target=20))

    assert sizes(lots) == [10, 10, 10, 10]


def test_without_outlines_no_lot_is_closed_early():
    some = [GroupFrame(f"f{k:02d}", time=k, outline=None if k == 5 else square(0, 0)) for k in range(40)]

    assert sizes(plan_groups(some, RULES)) == [40]


def test_ra_0_and_the_pole_are_places_like_others():
    def planned(ra, dec, turn):
        panels = [square(ra, dec, turn_deg=turn), square(ra + 0.4 / np.cos(np.radians(dec)), dec, turn_deg=turn)]
        some = [GroupFrame(f"f{k:03d}", time=k, outline=panels[k % 2]) for k in range(30)]
        return plan_groups(some, GroupRules(min=8, target=40))

    assert planned(359.9, 0, 0) == planned(100, 0, 0) == planned(200, 89, 45)
    assert sizes(planned(359.9, 0, 0)) == [8, 8, 14]


def test_fields_that_a_telescope_was_pointed_at_are_kept_apart():
    rng = np.random.default_rng(7)
    some = []
    for k in range(90):
        field = k % 3
        # each drifts by more than half a frame during the night, in steps of a few pixels
        ra = 30 + 0.45 * field + rng.normal(0, 0.004)
        some.append(GroupFrame(f"f{k:03d}", time=k, outline=square(ra, 20 + 0.003 * k, turn_deg=k / 10)))

    lots = plan_groups(some, GroupRules(min=8, target=30, coverage=1, by="pointing"))

    assert sizes(lots) == [30, 30, 30]
    assert all(len({int(name[1:]) % 3 for name in lots if lots[name] == lot}) == 1 for lot in lots.values())
    mixed = plan_groups(some, GroupRules(min=8, target=30, coverage=1))
    assert len({int(name[1:]) % 3 for name in mixed if mixed[name] == "L001"}) == 3


def test_pointings_of_frames_without_outline_are_one():
    some = [*frames(10), *[GroupFrame("placed", outline=square(0, 0))]]

    assert sorted(sizes(plan_groups(some, GroupRules(min=1, by="pointing")))) == [1, 10]
    assert sizes(plan_groups(frames(10), GroupRules(by="pointing"))) == [10]


def test_many_lots_are_numbered_so_that_they_sort():
    lots = plan_groups(frames(1200), GroupRules(min=1, target=1))

    assert list(lots.values()) == sorted(lots.values()) and lots["f000"] == "L0001"


def test_one_id_twice_is_refused():
    with pytest.raises(ConfigError, match="two frames have the id f001"):
        plan_groups([*frames(3), GroupFrame("f001")], RULES)


def test_an_edited_plan_must_not_mix_filters():
    some = [GroupFrame("a", "R"), GroupFrame("b", "R"), GroupFrame("c", "B")]

    check_lots(some, {"a": "x", "b": "y", "c": ""})
    with pytest.raises(ConfigError, match="x holds frames of two filters: a of R and c of B"):
        check_lots(some, {"a": "x", "b": "y", "c": "x"})
