"""Frames fall into the groups that an observer would make, in whatever order they come."""

import math
import random
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.night import frame, several, whole_night

from lostlight.science.calibrate.frame import NAN
from lostlight.science.calibrate.groups import exposures_agree, grouped, temperature, trimmed_shape, typical


def members(groups):
    return {frozenset(group.frames) for group in groups}


@pytest.mark.parametrize(
    ("kind", "key", "first", "second"),
    [
        ("bias", "gain_setting", 0.0, 100.0),
        ("bias", "offset", 10.0, 50.0),
        ("bias", "readmode", "high gain", "low noise"),
        ("bias", "camera_id", "asi1600mmpro", "asi294mm"),
        ("bias", "xbin", 1, 2),
        ("bias", "naxis1", 19, 9),
        ("bias", "gain_setting", NAN, 100.0),
        ("bias", "calstat", "", "B"),
        ("dark", "exptime_s", 60.0, 62.0),
        ("dark", "ccd_temp_c", -10.0, -15.0),
        ("dark", "ccd_temp_c", NAN, -15.0),
        ("flat", "filter", "R", "r"),
        ("flat", "session", "2026-11-19", "2026-11-20"),
        ("flat", "optics_id", "esprit100/550mm", "rasa/620mm"),
        ("flat", "rotator_deg", 10.0, 190.0),
        ("light", "object", "M31", "M33"),
    ],
)
def test_what_tells_frames_apart_splits_them(kind, key, first, second):
    known = {"exptime_s": 60.0} | {key: first}
    frames = [*several(kind, 3, "a", **known), *several(kind, 2, "b", **(known | {key: second}))]

    groups = grouped(frames)

    assert members(groups) == {frozenset({"a_001", "a_002", "a_003"}), frozenset({"b_001", "b_002"})}
    assert len({group.id.casefold() for group in groups}) == 2


@pytest.mark.parametrize(
    ("kind", "key", "first", "second"),
    [
        ("bias", "ccd_temp_c", -10.0, 15.0),  # a bias has no exposure in which temperature would tell
        ("bias", "session", "2026-11-19", "2026-11-20"),
        ("dark", "session", "2026-11-19", "2026-11-20"),
        ("dark", "exptime_s", 300.0, 303.0),
        ("dark", "exptime_s", 0.05, 0.12),  # within a tenth of a second
        ("dark", "ccd_temp_c", -10.9, -9.1),
        ("flat", "exptime_s", 1.0, 8.0),  # twilight gets darker
        ("flat", "rotator_deg", 359.9, 0.2),
        ("bias", "gain_setting", NAN, NAN),
    ],
)
def test_what_does_not_matter_keeps_them_together(kind, key, first, second):
    known = {"exptime_s": 60.0} | {key: first}
    frames = [*several(kind, 3, "a", **known), *several(kind, 2, "b", **(known | {key: second}))]

    assert len(grouped(frames)) == 1


def test_temperatures_have_no_fixed_edges():
    # around -10.5, where a bin of one degree would end, and around +0.5
    frames = [frame(f"d{i}", "dark", exptime_s=60.0, ccd_temp_c=t) for i, t in enumerate((-10.9, -10.4, 0.2, 0.9))]

    assert members(grouped(frames)) == {frozenset({"d0", "d1"}), frozenset({"d2", "d3"})}


def test_a_drifting_camera_makes_groups_no_wider_than_twice_the_bin():
    frames = [frame(f"d{i:03d}", "dark", exptime_s=60.0, ccd_temp_c=10 + 0.1 * i) for i in range(151)]

    groups = grouped(frames, temp_bin_c=1.0)

    temperatures = {each.frame_id: each.ccd_temp_c for each in frames}
    for group in groups:
        inside = [temperatures[frame_id] for frame_id in group.frames]
        assert max(inside) - min(inside) <= 2.0 + 1e-6
    assert 8 <= len(groups) <= 15  # 15 degrees cannot be covered by fewer than 8, nor should they be shattered


def test_masters_stay_alone():
    frames = [*several("dark", 3, exptime_s=60.0), *several("dark", 2, "old", exptime_s=60.0, tags="master", n_sub=40)]

    groups = grouped(frames)

    assert sorted((group.source, group.n_frames) for group in groups) == [
        ("frames", 3), ("supplied", 40), ("supplied", 40)
    ]  # fmt: skip


def test_ids_say_what_a_master_is():
    ids = {group.id for group in grouped(whole_night())}

    assert ids == {
        "master_bias_g100_o50", "master_dark_300s_-10C_g100", "master_flat_dark_2s_-10C_g100",
        "master_flat_R_2026-11-20", "master_flat_B_2026-11-20", "light_M31_R_300s", "light_M31_B_300s",
    }  # fmt: skip


def test_ids_name_further_keys_only_where_they_differ():
    frames = [*several("bias", 2, "a", readmode="fast"), *several("bias", 2, "b", readmode="slow")]

    assert [group.id for group in grouped(frames)] == ["master_bias_g100_o50_fast", "master_bias_g100_o50_slow"]


def test_ids_are_names_of_files():
    frames = [frame(f"f{i}", "flat", filter=name) for i, name in enumerate(["H α/λ", "../..", "r", "R", "?", ""])]

    ids = [group.id for group in grouped(frames)]

    assert len({each.casefold() for each in ids}) == len(frames)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]*", each) for each in ids)


def test_a_group_is_described_by_the_middle_of_its_frames():
    frames = [
        frame("a", "dark", exptime_s=299.0, ccd_temp_c=-10.4, date_obs_utc="2026-11-01T00:00:00", egain_e_adu=NAN),
        frame("b", "dark", exptime_s=300.0, ccd_temp_c=-9.9, date_obs_utc="2026-11-09T00:00:00", egain_e_adu=0.25),
        frame("c", "dark", exptime_s=301.0, ccd_temp_c=NAN, set_temp_c=-10.0, date_obs_utc="2026-11-03T00:00:00"),
    ]

    like = typical(frames)

    assert like.exptime_s == 300.0
    assert like.ccd_temp_c == pytest.approx(-10.1)
    assert like.date_obs_utc == "2026-11-03T00:00:00"
    assert like.egain_e_adu == 0.25
    assert math.isnan(typical([frame("a", "dark", ccd_temp_c=NAN)]).ccd_temp_c)


def test_temperature_and_shape_of_a_frame():
    assert temperature(frame("a", "dark", ccd_temp_c=NAN, set_temp_c=-5.0)) == -5.0
    assert trimmed_shape(frame("a", "dark", trimsec="[3:18,2:12]")) == (11, 16)
    assert trimmed_shape(frame("a", "dark")) == (13, 19)


@pytest.mark.parametrize(
    ("first", "second", "agree"), [(300, 305.9, True), (300, 306.2, False), (0.01, 0.1, True), (1, 1.2, False)]
)
def test_exposures_agree_within_two_percent_or_a_tenth_of_a_second(first, second, agree):
    assert exposures_agree(first, second) is agree
    assert exposures_agree(second, first) is agree


VALUES = st.fixed_dictionaries(
    {
        "imagetyp": st.sampled_from(["bias", "dark", "flat", "flat_dark", "light"]),
        "exptime_s": st.sampled_from([0.0, 0.05, 1.0, 60.0, 60.9, 61.8, 62.7, 300.0, NAN]),
        "ccd_temp_c": st.one_of(st.just(NAN), st.integers(-150, 150).map(lambda tenths: tenths / 10)),
        "gain_setting": st.sampled_from([0.0, 100.0, NAN]),
        "filter": st.sampled_from(["R", "r", "", "H/a"]),
        "rotator_deg": st.sampled_from([0.0, 0.4, 0.8, 359.7, 180.0, NAN]),
        "session": st.sampled_from(["", "2026-11-20", "2026-11-21"]),
        "tags": st.sampled_from(["", "", "", "master"]),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=25), st.randoms(use_true_random=False))
def test_every_frame_is_in_one_group_whatever_the_order(values, shuffler: random.Random):
    frames = [replace(frame(f"f{i:02d}", "bias"), **known) for i, known in enumerate(values)]
    shuffled = shuffler.sample(frames, len(frames))

    groups = grouped(frames)

    assert grouped(shuffled) == groups
    assert sorted(each for group in groups for each in group.frames) == [each.frame_id for each in frames]
    assert len({group.id.casefold() for group in groups}) == len(groups)
