"""Which master fits: what must be equal, how far the rest is, and the reasons in words."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.night import frame

from lostlight.science.calibrate.distance import MatchRules, days_apart, levenshtein, rank
from lostlight.science.calibrate.frame import NAN
from lostlight.science.calibrate.groups import Group

RULES = MatchRules()


def master(kind, name="m", n=10, noise=NAN, **known):
    return Group(name, kind, tuple(f"{name}{i}" for i in range(n)), frame(name, kind, **known), "frames", noise)


def only(light, group, role, **options):
    (candidate,) = rank(light, [group], role, RULES, **options)
    return candidate


LIGHT = frame(
    "l", "light", exptime_s=300.0, filter="R", rotator_deg=90.0, readmode="High Gain", optics_id="Esprit 100", bitpix=16
)
SAME = {
    "exptime_s": 300.0, "filter": "R", "rotator_deg": 90.0, "readmode": "high gain", "optics_id": "esprit-100"
}  # fmt: skip


@pytest.mark.parametrize("role", ["bias", "dark", "flat", "flat_dark"])
def test_a_master_like_the_light_is_exact(role):
    candidate = only(LIGHT, master(role, **SAME), role)

    assert (candidate.distance, candidate.rejected, candidate.words) == (0.0, "", "exact")


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"gain_setting": 0.0}, "gain 0 is not 100"),
        ({"offset": 10.0}, "offset 10 is not 50"),
        ({"xbin": 2, "ybin": 2}, "binning 2x2 is not 1x1"),
        ({"naxis1": 20}, "20x13 pixels are not 19x13"),
        ({"readmode": "low noise"}, "readout mode low noise is not high gain"),
        ({"bitpix": 8}, "bit depth 8 is not 16"),
        ({"camera_id": "asi294mm"}, "camera 'asi294mm' is not 'asi1600mmpro'"),
    ],
)
def test_what_must_be_equal_for_every_kind(known, said):
    for role in ("bias", "dark", "flat"):
        assert only(LIGHT, master(role, **(SAME | known)), role).rejected == said


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"filter": "V"}, "filter V is not R"),
        ({"filter": ""}, "filter R is said by the frame alone"),
        ({"optics_id": "RASA"}, "optics rasa is not esprit 100"),
        ({"rotator_deg": 91.0}, "rotator at 91 deg is not at 90"),
    ],
)
def test_what_must_be_equal_for_flats_alone(known, said):
    assert only(LIGHT, master("flat", **(SAME | known)), "flat").rejected == said
    assert only(LIGHT, master("dark", **(SAME | known)), "dark").rejected == ""


def test_a_master_of_floats_and_without_overscan_fits_raw_frames():
    light = frame("l", "light", naxis1=25, naxis2=13, trimsec="[5:23,1:13]", bitpix=16)

    assert only(light, master("bias", tags="master", bitpix=-32), "bias").rejected == ""


def test_a_camera_misspelt_is_suggested_and_never_matched():
    assert only(LIGHT, master("bias", **SAME, camera_id="asi16OOmmpro"), "bias").rejected == (
        "camera 'asi16OOmmpro' is not 'asi1600mmpro' (the same, misspelt?)"
    )
    assert not only(LIGHT, master("bias", **SAME, camera_id="ZWO ASI1600MM-Pro"), "bias").rejected
    chips = frame("l", "light", camera_id="mosaic/1"), master("bias", camera_id="mosaic/2")
    assert "misspelt" not in only(*chips, "bias").rejected


@pytest.mark.parametrize(
    ("first", "second", "edits"), [("kitten", "sitting", 3), ("", "abc", 3), ("flaw", "lawn", 2), ("same", "same", 0)]
)
def test_levenshtein(first, second, edits):
    assert levenshtein(first, second) == levenshtein(second, first) == edits


def test_the_distance_of_a_matched_dark_is_that_of_the_formula():
    dark = master("dark", **(SAME | {"exptime_s": 303.0}), ccd_temp_c=-8.5, date_obs_utc="2026-08-22T22:00:00")

    candidate = only(LIGHT, dark, "dark")

    # 1.5 C; 1 % is half of a step of 2 %; 90 days are half of a unit
    assert candidate.terms == pytest.approx({"temperature": 1.5, "exposure": 0.5025, "age": 0.5}, abs=1e-3)
    assert candidate.distance == pytest.approx(math.sqrt(1.5**2 + 0.5025**2 + 0.5**2), abs=1e-3)
    assert not candidate.rejected


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"ccd_temp_c": -7.9}, "2.1 C warmer, dark.temp_tolerance_c is 2"),
        ({"ccd_temp_c": -12.5}, "2.5 C colder, dark.temp_tolerance_c is 2"),
        ({"exptime_s": 60.0}, "exposure 60 s is not 300 s"),
        ({"exptime_s": NAN}, "exposure unknown"),
    ],
)
def test_a_matched_dark_has_its_tolerances(known, said):
    assert only(LIGHT, master("dark", **(SAME | known)), "dark").rejected.startswith(said)


def test_short_exposures_agree_within_a_tenth_of_a_second():
    light = frame("l", "light", exptime_s=0.2)

    assert not only(light, master("dark", exptime_s=0.28), "dark").rejected
    assert only(light, master("dark", exptime_s=0.35), "dark").rejected


def test_a_scaled_dark_may_differ_and_the_nearer_is_preferred():
    darks = [
        master("dark", "a", **(SAME | {"exptime_s": 60.0})),
        master("dark", "b", **(SAME | {"exptime_s": 600.0})),
        master("dark", "c", **(SAME | {"exptime_s": 300.0}), ccd_temp_c=2.0),
    ]

    ranked = rank(LIGHT, darks, "dark", RULES, is_scaled=True)

    # twice the exposure is one doubling, 12 C are two, a fifth of the exposure is 2.3
    assert [(each.id, round(each.distance, 2), each.rejected) for each in ranked] == [
        ("b", 1.0, ""), ("c", 2.0, ""), ("a", 2.32, "")
    ]  # fmt: skip


def test_what_only_one_of_the_two_says_costs_distance():
    known = only(LIGHT, master("bias", **(SAME | {"gain_setting": NAN, "camera_id": ""})), "bias")
    silent = only(
        frame("l", "light", gain_setting=NAN), master("bias", gain_setting=NAN), "bias"
    )  # nothing says they differ

    assert known.terms == {"gain unknown": 1.0, "camera unknown": 1.0, "age": 0.0}
    assert silent.distance == 0 and not silent.rejected


def test_flats_age_by_nights():
    dusk = master("flat", "dusk", **SAME, date_obs_utc="2026-11-20T16:00:00", session="2026-11-20")
    dawn = master("flat", "dawn", **SAME, date_obs_utc="2026-11-21T06:00:00", session="2026-11-20")
    week = master("flat", "week", **SAME, date_obs_utc="2026-12-04T16:00:00", session="2026-12-04")
    late = master("flat", "late", **SAME, date_obs_utc="2027-02-04T16:00:00", session="2027-02-04")

    ranked = {each.id: each for each in rank(LIGHT, [dusk, dawn, week, late], "flat", RULES)}

    assert ranked["dusk"].distance == ranked["dawn"].distance == 0
    assert ranked["week"].distance == 2
    assert ranked["late"].rejected == "distance 10.9 is more than match.usable 6 (age 10.9)"


def test_days_are_unknown_where_a_date_is():
    assert days_apart(LIGHT, frame("m", "bias", date_obs_utc="", session=""), "bias") is None
    assert days_apart(LIGHT, frame("m", "bias", date_obs_utc="yesterday", session=""), "bias") is None
    assert days_apart(LIGHT, frame("m", "bias", date_obs_utc="2026-11-21T10:00:00.125"), "bias") == 0.5


def test_ties_go_to_the_newer_then_to_more_frames_then_to_less_noise():
    bias = {"date_obs_utc": "2026-11-20T20:00:00"}
    newer = {"date_obs_utc": "2026-11-21T00:00:00"}  # as far from the light, and later

    ranked = rank(
        LIGHT,
        [
            master("bias", "old", **bias),
            master("bias", "noisy", n=30, noise=3.0, **newer),
            master("bias", "quiet", n=30, noise=2.0, **newer),
            master("bias", "few", n=20, noise=1.0, **newer),
        ],
        "bias",
        MatchRules(days=1e9),
    )

    assert [each.id for each in ranked] == ["quiet", "noisy", "few", "old"]


def test_what_cannot_be_used_comes_last_and_says_why():
    ranked = rank(
        LIGHT, [master("bias", "a"), master("bias", "b")], "bias", RULES, unfit=lambda g: "broken" * (g.id == "a")
    )

    assert [(each.id, each.rejected) for each in ranked] == [("b", ""), ("a", "broken")]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "exptime_s": st.sampled_from([60.0, 300.0, 301.0, NAN]),
                "ccd_temp_c": st.sampled_from([-10.0, -9.0, -5.0, NAN]),
                "gain_setting": st.sampled_from([0.0, 100.0, NAN]),
                "date_obs_utc": st.sampled_from(["", "2026-11-20T22:00:00", "2026-10-01T00:00:00"]),
            }
        ),
        max_size=8,
    ),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_the_order_of_candidates_does_not_matter(known, is_scaled, shuffler: random.Random):
    darks = [master("dark", f"m{i}", **values) for i, values in enumerate(known)]

    ranked = rank(LIGHT, darks, "dark", RULES, is_scaled=is_scaled)

    assert rank(LIGHT, shuffler.sample(darks, len(darks)), "dark", RULES, is_scaled=is_scaled) == ranked
    assert {each.id for each in ranked} == {each.id for each in darks}
    accepted = [not each.rejected for each in ranked]
    assert accepted == sorted(accepted, reverse=True)
    assert all(math.isfinite(each.distance) for each in ranked)
