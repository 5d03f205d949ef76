"""The plan does what an observer would do, and says why; what it cannot do it refuses."""

from dataclasses import replace

import pytest
from tests.night import frame, several, whole_night

from lostlight.core.errors import ConfigError
from lostlight.science.calibrate.distance import MatchRules
from lostlight.science.calibrate.frame import NAN
from lostlight.science.calibrate.plan import make_plan
from lostlight.science.calibrate.plan_model import PlanSettings
from lostlight.science.calibrate.plan_text import table
from lostlight.science.calibrate.shelf import group_of
from lostlight.vocab.plan import SYNTHETIC

SETTINGS = PlanSettings()
SCALED = PlanSettings(dark_mode="scaled")

BIAS = several("bias", 7, exptime_s=0.0)
DARKS = several("dark", 6, exptime_s=300.0)
FLATS = several("flat", 5, exptime_s=2.0, filter="R")
FLAT_DARKS = several("flat_dark", 5, exptime_s=2.0)
LIGHTS = several("light", 3, exptime_s=300.0, filter="R")


def taken(plan, row_id):
    row = next(row for row in plan.rows if row.id == row_id)
    return {role: value for role in ("bias", "dark", "flat", "flat_dark") if (value := getattr(row, role))}


def codes(plan):
    return {warning.code for warning in plan.warnings}


def changed(frames, **known):
    return [replace(each, **known) for each in frames]


def refused(frames, settings=SETTINGS, library=()):
    with pytest.raises(ConfigError) as caught:
        make_plan(frames, settings, library)
    return caught.value


def test_a_whole_night():
    plan = make_plan(whole_night(), SETTINGS)

    assert taken(plan, "m31_r_001") == {"dark": "master_dark_300s_-10C_g100", "flat": "master_flat_R_2026-11-20"}
    assert taken(plan, "m31_b_003") == {"dark": "master_dark_300s_-10C_g100", "flat": "master_flat_B_2026-11-20"}
    assert taken(plan, "master_flat_R_2026-11-20") == {"flat_dark": "master_flat_dark_2s_-10C_g100"}
    assert taken(plan, "master_dark_300s_-10C_g100") == {}
    assert not plan.warnings
    assert [row.kind for row in plan.rows[:5]] == [
        "master_bias", "master_dark", "master_flat_dark", "master_flat", "master_flat"
    ]  # fmt: skip
    assert len(plan.rows) == len(whole_night()) + 5


def test_the_order_of_frames_does_not_matter():
    assert make_plan(whole_night()[::-1], SETTINGS) == make_plan(whole_night(), SETTINGS)


def test_a_scaled_dark_loses_its_bias_and_the_light_too():
    plan = make_plan([*BIAS, *changed(DARKS, exptime_s=60.0), *FLATS, *LIGHTS], SCALED)

    assert taken(plan, "light_001") == {
        "bias": "master_bias_g100_o50", "dark": "master_dark_60s_-10C_g100", "flat": "master_flat_R_2026-11-20"
    }  # fmt: skip
    assert taken(plan, "master_dark_60s_-10C_g100") == {"bias": "master_bias_g100_o50"}
    assert taken(plan, "master_flat_R_2026-11-20") == {"bias": "master_bias_g100_o50"}


def test_a_scaled_dark_without_bias_is_refused():
    error = refused([*DARKS, *LIGHTS], SCALED)

    assert error.facts["code"] == "CAL105" and "needs a bias" in error.message


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([*FLAT_DARKS, *changed(DARKS, exptime_s=2.0), *BIAS], {"flat_dark": "master_flat_dark_2s_-10C_g100"}),
        ([*changed(DARKS, exptime_s=2.0), *BIAS], {"dark": "master_dark_2s_-10C_g100"}),
        ([*changed(DARKS, exptime_s=300.0), *BIAS], {"bias": "master_bias_g100_o50"}),
    ],
)
def test_a_flat_takes_the_best_pedestal_there_is(sources, expected):
    plan = make_plan([*sources, *FLATS], SETTINGS)

    assert taken(plan, "master_flat_R_2026-11-20") == expected


def test_a_flat_takes_the_pedestal_that_was_asked_for():
    plan = make_plan([*FLAT_DARKS, *BIAS, *FLATS], PlanSettings(pedestal_from="bias"))

    assert taken(plan, "master_flat_R_2026-11-20") == {"bias": "master_bias_g100_o50"}


def test_flat_darks_that_do_not_fit_are_passed_over_and_told():
    plan = make_plan([*changed(FLAT_DARKS, exptime_s=9.0), *BIAS, *FLATS], SETTINGS)

    assert taken(plan, "master_flat_R_2026-11-20") == {"bias": "master_bias_g100_o50"}
    (told,) = [each for each in plan.warnings if each.code == "CAL201"]
    assert "exposure 9 s is not 2 s" in told.said


def test_a_flat_without_pedestal_is_refused():
    error = refused([*changed(BIAS, gain_setting=0.0), *FLATS])

    assert error.facts["code"] == "CAL107"
    assert "gain 0 is not 100" in error.message


@pytest.mark.parametrize(
    "flats",
    [
        changed(FLATS, biassec="[1:2,1:13]", trimsec="[3:19,1:13]"),
        changed(FLATS, calstat="B"),
        changed(FLATS[:1], tags="master"),
    ],
)
def test_a_flat_whose_pedestal_is_gone_needs_none(flats):
    assert make_plan(flats, SETTINGS).groups[0].kind == "flat"


def test_overscan_that_is_off_is_no_pedestal():
    flats = changed(FLATS, biassec="[1:2,1:13]", trimsec="[3:19,1:13]")

    assert refused(flats, PlanSettings(overscan=frozenset())).facts["code"] == "CAL107"


def test_a_flat_takes_a_scaled_dark_with_its_bias():
    plan = make_plan([*BIAS, *changed(DARKS, exptime_s=2.0), *FLATS], SCALED)

    assert taken(plan, "master_flat_R_2026-11-20") == {
        "dark": "master_dark_2s_-10C_g100", "bias": "master_bias_g100_o50"
    }  # fmt: skip


def test_what_is_missing_altogether_is_skipped_with_one_warning():
    plan = make_plan([*BIAS, *FLATS, *LIGHTS], SETTINGS)

    assert taken(plan, "light_002") == {"bias": "master_bias_g100_o50", "flat": "master_flat_R_2026-11-20"}
    assert [(each.code, each.where) for each in plan.warnings] == [("CAL227", "dark")]


def test_lights_alone_make_a_plan_of_warnings():
    plan = make_plan(LIGHTS, SETTINGS)

    assert taken(plan, "light_001") == {}
    assert [each.where for each in plan.warnings] == ["dark", "bias", "flat"]


def test_darks_of_flats_count_as_flat_darks():
    plan = make_plan([*BIAS, *changed(DARKS, exptime_s=2.0), *FLATS, *LIGHTS], SETTINGS)

    assert taken(plan, "light_001") == {"bias": "master_bias_g100_o50", "flat": "master_flat_R_2026-11-20"}
    assert "CAL227" in codes(plan)


def test_what_is_there_and_fits_nowhere_is_refused_with_reasons():
    lights = [*LIGHTS, *several("light", 2, "ha", exptime_s=300.0, filter="Ha")]

    error = refused([*BIAS, *changed(DARKS, exptime_s=60.0), *FLATS, *lights])

    assert error.facts == {"code": "CAL105", "n_lights": 5}
    assert "no dark fits light_R_300s (3 lights, such as light_001)" in error.message
    assert "exposure 60 s is not 300 s" in error.message
    assert "no flat fits light_Ha_300s (2 lights, such as ha_001)" in error.message
    assert "filter R is not Ha" in error.message
    assert "calibrate.dark.mode: scaled" in error.hint


def test_a_bias_that_does_not_fit_is_told_before_its_consequences():
    error = refused([*changed(BIAS, gain_setting=0.0), *FLAT_DARKS, *FLATS, *LIGHTS])

    assert error.facts["code"] == "CAL105" and "gain 0 is not 100" in error.message


def test_the_nearest_is_taken_and_the_others_are_kept_with_reasons():
    darks = [
        *changed(DARKS, ccd_temp_c=-10.8),
        *several("dark", 6, "near", exptime_s=300.0, ccd_temp_c=-13.5),
        *several("dark", 6, "far", exptime_s=300.0, ccd_temp_c=5.0),
        *(frame(f"other_{i}_{j}", "dark", exptime_s=10.0 + 9 * i) for i in range(6) for j in range(5)),
    ]

    plan = make_plan([*darks, *changed(LIGHTS, ccd_temp_c=-12.0)], SETTINGS)

    match = next(match for match in plan.matches if match.role == "dark")
    assert (match.chosen, match.candidate.terms["temperature"]) == ("master_dark_300s_-11C_g100", pytest.approx(1.2))
    assert len(match.candidates) == 5
    assert match.candidates[1].id == "master_dark_300s_-14C_g100" and not match.candidates[1].rejected
    assert "17.0 C warmer" in next(each.rejected for each in match.candidates if each.id == "master_dark_300s_5C_g100")


def test_each_light_takes_the_flats_of_its_night():
    flats = [*FLATS, *several("flat", 5, "next", exptime_s=2.0, filter="R", session="2026-11-21")]
    lights = [*LIGHTS, *several("light", 2, "late", exptime_s=300.0, filter="R", session="2026-11-21")]

    plan = make_plan([*BIAS, *flats, *lights], SETTINGS)

    assert taken(plan, "light_001")["flat"] == "master_flat_R_2026-11-20"
    assert taken(plan, "late_001")["flat"] == "master_flat_R_2026-11-21"


def test_a_light_that_keeps_its_pedestal_is_not_divided_by_a_flat():
    flats = changed(FLATS[:1], tags="master")

    error = refused([*flats, *LIGHTS])

    assert error.facts["code"] == "CAL107" and "light_001" in error.message
    overscanned = [*flats, *changed(LIGHTS, biassec="[1:2,1:13]")]
    assert make_plan(overscanned, SETTINGS)
    assert refused(overscanned, PlanSettings(stages=("bias", "flat"))).facts["code"] == "CAL107"
    assert make_plan([*flats, *changed(LIGHTS, calstat="B")], SETTINGS)
    assert make_plan([*flats, *LIGHTS], PlanSettings(stages=("flat",)))


@pytest.mark.parametrize(
    ("calstat", "masters"),
    [("B", BIAS), ("BD", DARKS), ("B", DARKS), ("D", [*BIAS, *DARKS]), ("F", [*BIAS, *FLATS])],
)
def test_what_was_done_already_is_not_done_again(calstat, masters):
    assert refused([*masters, *changed(LIGHTS, calstat=calstat)]).facts["code"] == "CAL106"


def test_a_stack_of_lights_is_not_calibrated():
    assert refused([*BIAS, *changed(LIGHTS, tags="master")]).facts["code"] == "CAL106"


def test_a_step_left_out_of_the_order_takes_no_master():
    plan = make_plan([*BIAS, *DARKS, *changed(LIGHTS, calstat="D")], PlanSettings(stages=("trim", "bias")))

    assert taken(plan, "light_001") == {"bias": "master_bias_g100_o50"}


def test_a_dark_that_lost_its_bias_asks_for_one():
    darks = [replace(DARKS[0], calstat="B", tags="master", n_sub=30)]

    plan = make_plan([*BIAS, *darks, *LIGHTS], SETTINGS)

    assert taken(plan, "light_001") == {"dark": "master_dark_300s_-10C_g100", "bias": "master_bias_g100_o50"}
    assert taken(plan, "master_dark_300s_-10C_g100") == {}


def test_one_frame_makes_no_master_unless_allowed():
    frames = [*BIAS, DARKS[0], *LIGHTS]

    assert "made of one frame (calibrate.dark.min_frames: 1 allows it)" in refused(frames).message
    allowed = PlanSettings(min_frames={"bias": 5, "dark": 1, "flat": 5, "flat_dark": 5})
    assert taken(make_plan(frames, allowed), "light_001") == {"dark": "master_dark_300s_-10C_g100"}


def test_one_frame_is_refused_where_only_masters_are_made():
    error = refused([*BIAS, DARKS[0]])

    assert error.facts["code"] == "CAL101" and "master_dark_300s_-10C_g100" in error.message


def test_a_single_frame_that_nobody_needs_is_left_out():
    flats = [*FLATS, frame("luminance", "flat", exptime_s=2.0, filter="L")]

    plan = make_plan([*BIAS, *flats, *LIGHTS], SETTINGS)

    assert plan.rows[-1].id == "luminance" and plan.rows[-1].group == ""
    assert {group.id for group in plan.groups if group.kind == "flat"} == {"master_flat_R_2026-11-20"}
    (told,) = [each for each in plan.warnings if each.code == "CAL223"]
    assert told.said == "flat/luminance.fits: " + plan.rows[-1].reason


def test_few_frames_are_told():
    plan = make_plan([*BIAS[:3], *LIGHTS], SETTINGS)

    (told,) = [each for each in plan.warnings if each.code == "CAL204"]
    assert (told.where, told.value, told.threshold) == ("master_bias_g100_o50", 3, 5)


def test_a_level_without_frames_stands_in_for_a_bias():
    plan = make_plan([*FLATS, *LIGHTS], PlanSettings(has_synthetic_bias=True))

    assert taken(plan, "light_001") == {"bias": SYNTHETIC, "flat": "master_flat_R_2026-11-20"}
    assert taken(plan, "master_flat_R_2026-11-20") == {"bias": SYNTHETIC}


def test_masters_alone():
    plan = make_plan([*BIAS, *DARKS, *FLATS, *FLAT_DARKS], SETTINGS)

    assert {row.kind for row in plan.rows} >= {"master_bias", "master_dark", "master_flat", "master_flat_dark"}
    assert not plan.warnings


@pytest.mark.parametrize(
    ("masters", "lights", "rules", "code", "said"),
    [
        (DARKS, {"ccd_temp_c": -13.5}, MatchRules(temp_tolerance_c=5), "CAL202", "3.5"),
        (DARKS, {"exptime_s": 309.0}, MatchRules(exp_tolerance=0.05), "CAL201", "300 s for 309 s"),
        (BIAS, {"date_obs_utc": "2027-11-01T00:00:00"}, MatchRules(), "CAL203", "345 days apart"),
        (
            [*BIAS, *changed(FLATS, session="2026-10-25")],
            {},
            MatchRules(),
            "CAL203",
            "fits barely: distance 3.7 (age 3.7)",
        ),
    ],
)
def test_what_fits_barely_is_told_once_for_each_kind_of_light(masters, lights, rules, code, said):
    plan = make_plan([*masters, *changed(LIGHTS, **lights)], PlanSettings(rules=rules))

    told = [each for each in plan.warnings if each.code == code]
    assert len(told) == 1 and said in told[0].said and told[0].where.startswith("light_R")


def test_keys_that_some_frames_miss_are_told():
    frames = [*BIAS, *changed(DARKS, ccd_temp_c=NAN), *LIGHTS[:2], replace(LIGHTS[2], gain_setting=NAN)]

    told = {each.where: each.said for each in make_plan(frames, SETTINGS).warnings if each.code == "CAL218"}

    assert told == {
        "temperature": "6 of 9 frames do not say it (dark; dark/dark_001.fits first)",
        "gain": "1 of 16 frames do not say it (light; light/light_003.fits first)",
    }


def test_keys_that_no_frame_says_are_no_news_unless_darks_need_them():
    frames = changed([*BIAS, *DARKS, *LIGHTS], gain_setting=NAN, offset=NAN, ccd_temp_c=NAN, camera_id="")

    assert [(each.code, each.where) for each in make_plan(frames, SETTINGS).warnings] == [
        ("CAL227", "flat"),
        ("CAL218", "temperature"),
    ]


@pytest.mark.parametrize("colder", [(0, 1, 2), (2, 1, 0)])
def test_the_worst_of_the_lights_is_told(colder):
    lights = [frame(f"l{i}", "light", exptime_s=300.0, ccd_temp_c=-12.5 - by) for i, by in enumerate(colder)]

    plan = make_plan([*DARKS, *lights], PlanSettings(rules=MatchRules(temp_tolerance_c=5)))

    assert [each.value for each in plan.warnings if each.code == "CAL202"] == [4.5]


def test_another_binning_is_told():
    binned = several("bias", 5, "binned", xbin=2, ybin=2, naxis1=9, naxis2=6)

    plan = make_plan([*BIAS, *binned, *LIGHTS], SETTINGS)

    (told,) = [each for each in plan.warnings if each.code == "CAL219"]
    assert "bin2x2" in told.where and "binned 2x2" in told.said


def shelf(**known):
    values = {"imagetyp": "dark", "exptime_s": 300.0, "gain_setting": 100.0, "naxis1": 19, "naxis2": 13, "n_sub": 40}
    return group_of("ab12cd34", {**values, "not_a_key": 1, **known})


def test_the_library_is_suggested_or_used_only_where_frames_make_nothing_that_fits():
    frames, library = [*BIAS, *LIGHTS], [shelf()]

    suggested = make_plan(frames, SETTINGS, library)
    used = make_plan(frames, PlanSettings(reuse="use"), library)
    off = make_plan(frames, PlanSettings(reuse="off"), library)
    enough = make_plan([*frames, *DARKS], PlanSettings(reuse="use"), library)

    assert "CAL224" in codes(suggested) and taken(suggested, "light_001") == {"bias": "master_bias_g100_o50"}
    assert taken(used, "light_001") == {"dark": "library_ab12cd34"} and "CAL224" not in codes(used)
    assert [row.reason for row in used.rows if row.id == "library_ab12cd34"] == ["of the library"]
    assert "CAL224" not in codes(off) and taken(off, "light_001") == {"bias": "master_bias_g100_o50"}
    assert taken(enough, "light_001") == {"dark": "master_dark_300s_-10C_g100"}


def test_the_library_is_named_where_nothing_fits():
    error = refused([*BIAS, *changed(DARKS, exptime_s=60.0), *LIGHTS], SETTINGS, [shelf()])

    assert "calibrate.reuse: use, library_ab12cd34 fits" in error.hint


def test_a_dark_of_the_library_that_holds_its_bias_is_not_scaled():
    frames = [*BIAS, *changed(LIGHTS, exptime_s=100.0)]
    use = replace(SCALED, reuse="use")

    assert taken(make_plan(frames, use, [shelf()]), "light_001") == {"bias": "master_bias_g100_o50"}
    assert taken(make_plan(frames, use, [shelf(calstat="B")]), "light_001") == {
        "bias": "master_bias_g100_o50", "dark": "library_ab12cd34"
    }  # fmt: skip


def test_no_frames_and_unknown_frames_are_refused():
    assert refused([]).facts["code"] == "CAL101"
    error = refused([replace(LIGHTS[0], imagetyp="")])
    assert error.facts["code"] == "CAL102" and "light/light_001.fits" in error.message


def test_the_table_tells_a_thousand_lights_in_a_line():
    lights = several("light", 1000, exptime_s=300.0, filter="R", object="M31")

    text = table(make_plan([*BIAS, *DARKS, *FLATS, *FLAT_DARKS[:3], *lights], SETTINGS))

    (line,) = [line for line in text.splitlines() if line.startswith("light_")]
    assert line.split() == [
        "light_M31_R_300s", "1000", "-", "master_dark_300s_-10C_g100", "master_flat_R_2026-11-20", "0.0"
    ]  # fmt: skip
    assert "CAL204 master_flat_dark_2s_-10C_g100: 3 frames, 5 are asked for" in text
    assert next(line for line in text.splitlines() if line.startswith("master_bias")).split()[-1] == "nobody"


def test_the_table_of_lights_alone_has_no_masters():
    text = table(make_plan(LIGHTS, SETTINGS))

    assert text.startswith("lights") and "\n  CAL227 flat: " in text


def test_the_table_tells_how_far_the_lights_of_a_line_are():
    lights = [frame(f"l{i}", "light", exptime_s=300.0, ccd_temp_c=-10.0 + i) for i in range(3)]

    text = table(make_plan([*DARKS, *lights], SETTINGS))

    assert "0.0 to 2.0" in text
