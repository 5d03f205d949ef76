"""A plan that a person edited is followed to the letter, or refused with file, line and value."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.night import frame, several, whole_night

from lostlight.core.errors import ConfigError
from lostlight.io import plan_file
from lostlight.science.calibrate.plan import make_plan
from lostlight.science.calibrate.plan_edit import replan
from lostlight.science.calibrate.plan_model import PlanSettings
from lostlight.science.calibrate.shelf import group_of
from lostlight.vocab.plan import SYNTHETIC

SETTINGS = PlanSettings()
DARK, BIAS = "master_dark_300s_-10C_g100", "master_bias_g100_o50"
FLAT_R, FLAT_B = "master_flat_R_2026-11-20", "master_flat_B_2026-11-20"
FLAT_DARK = "master_flat_dark_2s_-10C_g100"


class Sheet:
    """A plan in a spreadsheet."""

    def __init__(self, tmp_path, frames=None, settings=SETTINGS, library=()):
        self.frames, self.settings, self.library = frames or whole_night(), settings, library
        self.path = tmp_path / "mine.csv"
        self.plan = make_plan(self.frames, settings, library)
        plan_file.write(self.path, self.plan.rows)

    def edit(self, row_id, **cells):
        rows = plan_file.read(self.path)
        assert row_id in {row.id for row in rows}
        self.keep([replace(row, **cells) if row.id == row_id else row for row in rows])
        return self

    def drop(self, *row_ids):
        self.keep([row for row in plan_file.read(self.path) if row.id not in row_ids])
        return self

    def keep(self, rows):
        plan_file.write(self.path, rows)

    def read(self):
        return replan(self.frames, plan_file.read(self.path), self.settings, self.library, self.path.name)

    def refused(self):
        with pytest.raises(ConfigError) as caught:
            self.read()
        return caught.value


def row_of(plan, row_id):
    return next(row for row in plan.rows if row.id == row_id)


LIBRARY = (
    group_of(
        "ab12cd34",
        {"imagetyp": "flat", "gain_setting": 0.0, "naxis1": 19, "naxis2": 13, "filter": "R", "camera_id": "other"},
    ),
)


@pytest.mark.parametrize(
    ("frames", "settings"),
    [
        (whole_night(), SETTINGS),
        (whole_night(), PlanSettings(dark_mode="scaled")),
        (whole_night(), PlanSettings(pedestal_from="bias", stages=("bias", "flat"))),
        ([each for each in whole_night() if each.imagetyp in ("bias", "light")], SETTINGS),
        ([each for each in whole_night() if each.imagetyp != "light"], SETTINGS),
        (several("light", 3, exptime_s=10.0), PlanSettings(has_synthetic_bias=True)),
        ([*whole_night(), frame("old", "bias", tags="master", n_sub=50)], SETTINGS),
        ([*whole_night(), *several("flat_dark", 3, "far", exptime_s=9.0)], SETTINGS),
    ],
)
def test_a_plan_that_nobody_edited_is_the_same(tmp_path, frames, settings):
    sheet = Sheet(tmp_path, frames, settings)

    assert sheet.read() == sheet.plan


def test_a_frame_that_was_left_out_stays_out(tmp_path):
    sheet = Sheet(tmp_path, [*whole_night(), frame("alone", "dark", exptime_s=7.0)])

    plan = sheet.read()

    assert (plan.groups, plan.rows, plan.warnings) == (sheet.plan.groups, sheet.plan.rows, sheet.plan.warnings)
    assert [warning.code for warning in plan.warnings] == ["CAL223"]


def test_the_order_of_rows_does_not_matter(tmp_path):
    sheet = Sheet(tmp_path)
    sheet.keep(plan_file.read(sheet.path)[::-1])

    assert sheet.read() == sheet.plan


KNOWN = {
    "imagetyp": st.sampled_from(["bias", "bias", "dark", "flat", "flat_dark", "light", "light"]),
    "exptime_s": st.sampled_from([2.0, 2.0, 300.0]),
    "ccd_temp_c": st.sampled_from([-10.0, -10.4, -9.0, float("nan")]),
    "filter": st.sampled_from(["R", "R", "B"]),
    "biassec": st.sampled_from(["", "", "[1:2,1:13]"]),
    "tags": st.sampled_from(["", "", "", "master"]),
    "calstat": st.sampled_from(["", "", "", "", "B", "F"]),
    "rotator_deg": st.sampled_from([0.0, float("nan")]),
}


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.fixed_dictionaries(KNOWN), min_size=1, max_size=20),
    st.sampled_from(["matched", "scaled"]),
    st.sampled_from([1, 5]),
)
def test_whatever_the_night_its_plan_is_read_as_it_was_written(tmp_path_factory, nights, mode, least):
    options = PlanSettings(dark_mode=mode, min_frames=dict.fromkeys(["bias", "dark", "flat", "flat_dark"], least))
    frames = [replace(frame(f"f{i:02d}", "bias"), **known) for i, known in enumerate(nights)]
    try:
        sheet = Sheet(tmp_path_factory.mktemp("plan"), frames, options)
    except ConfigError as error:
        assert error.facts["code"] in ("CAL101", "CAL105", "CAL106", "CAL107")
        assume(False)

    plan = sheet.read()

    assert (plan.groups, plan.rows) == (sheet.plan.groups, sheet.plan.rows)
    # frames that were left out are no candidates any more, and no longer among the reasons
    assert plan == sheet.plan or "CAL223" in {warning.code for warning in plan.warnings}


def test_a_library_that_is_used_comes_back(tmp_path):
    library = [group_of("ab12cd34", {"imagetyp": "dark", "exptime_s": 300.0, "naxis1": 19, "naxis2": 13})]
    frames = [each for each in whole_night() if each.imagetyp != "dark"]
    sheet = Sheet(tmp_path, frames, PlanSettings(reuse="use"), library)

    assert row_of(sheet.plan, "m31_r_001").dark == "library_ab12cd34"
    assert sheet.read() == sheet.plan


def test_a_library_that_is_gone_is_told(tmp_path):
    library = [group_of("ab12cd34", {"imagetyp": "dark", "exptime_s": 300.0, "naxis1": 19, "naxis2": 13})]
    frames = [each for each in whole_night() if each.imagetyp != "dark"]
    sheet = Sheet(tmp_path, frames, PlanSettings(reuse="use"), library)
    sheet.library = ()

    assert "'library_ab12cd34': calibrate.library has no such master" in sheet.refused().message


def test_a_frame_is_moved_to_another_group(tmp_path):
    plan = Sheet(tmp_path).edit("flat_r_001", group=FLAT_B).read()

    groups = {group.id: group.frames for group in plan.groups}
    assert groups[FLAT_B] == ("flat_b_001", "flat_b_002", "flat_b_003", "flat_b_004", "flat_b_005", "flat_r_001")
    assert "flat_r_001" not in groups[FLAT_R]


@pytest.mark.parametrize("how", ["empty", "gone"])
def test_a_frame_is_left_out(tmp_path, how):
    sheet = Sheet(tmp_path)
    plan = (sheet.edit("bias_004", group="") if how == "empty" else sheet.drop("bias_004")).read()

    assert "bias_004" not in plan.groups[0].frames and len(plan.groups[0].frames) == 6
    (told,) = [each for each in plan.warnings if each.code == "CAL223"]
    assert "bias/bias_004.fits" in told.said
    assert row_of(plan, "bias_004").group == ""


def test_a_light_is_left_out(tmp_path):
    plan = Sheet(tmp_path).drop("m31_b_001", "m31_b_002", "m31_b_003").read()

    assert {group.id for group in plan.groups if group.kind == "light"} == {"light_M31_R_300s"}


def test_the_kind_of_a_row_overrules_the_header(tmp_path):
    plan = Sheet(tmp_path).edit("dark_001", kind="flat_dark", group=FLAT_DARK).read()

    assert "dark_001" in next(group for group in plan.groups if group.id == FLAT_DARK).frames


def test_another_master_is_taken_and_its_doubts_are_told(tmp_path):
    plan = Sheet(tmp_path).edit("m31_b_001", flat=FLAT_R).read()

    row = row_of(plan, "m31_b_001")
    assert row.flat == FLAT_R
    assert "filter R is not B" in row.reason


def test_an_empty_cell_means_none(tmp_path):
    plan = Sheet(tmp_path).edit("m31_b_001", flat="", dark="", bias=BIAS).read()

    row = row_of(plan, "m31_b_001")
    assert (row.bias, row.dark, row.flat) == (BIAS, "", "")


def test_a_flat_of_another_gain_may_be_taken_by_hand(tmp_path):
    plan = Sheet(tmp_path, library=LIBRARY).edit("m31_r_001", flat="library_ab12cd34").read()

    assert row_of(plan, "m31_r_001").flat == "library_ab12cd34"
    assert row_of(plan, "library_ab12cd34").kind == "master_flat"


def test_a_matched_dark_may_lose_its_bias_by_hand(tmp_path):
    sheet = Sheet(tmp_path).edit(DARK, bias=BIAS)
    for row in sheet.plan.rows:
        if row.kind == "light":
            sheet.edit(row.id, bias=BIAS)

    plan = sheet.read()

    assert (row_of(plan, DARK).bias, row_of(plan, "m31_r_001").bias) == (BIAS, BIAS)


def test_a_new_group_is_made_by_a_row_of_its_own(tmp_path):
    sheet = Sheet(tmp_path)
    master = next(row for row in sheet.plan.rows if row.id == BIAS)
    sheet.keep([replace(master, id="master_bias_second"), *plan_file.read(sheet.path)])
    for number in (1, 2, 3):
        sheet.edit(f"bias_{number:03d}", group="master_bias_second")

    plan = sheet.read()

    assert [len(group.frames) for group in plan.groups if group.kind == "bias"] == [4, 3]


@pytest.mark.parametrize(
    ("row_id", "cells", "said", "hint"),
    [
        ("m31_r_001", {"dark": "master_drak_300s"}, "dark 'master_drak_300s': no dark master has this id", DARK),
        ("m31_r_001", {"dark": FLAT_R}, f"dark '{FLAT_R}': it is a master_flat", DARK),
        ("m31_r_001", {"flat_dark": FLAT_DARK}, "a light takes no flat_dark", ""),
        ("m31_r_001", {"bias": SYNTHETIC}, "no bias master has this id", BIAS),
        (BIAS, {"dark": DARK}, "a master_bias takes no dark", ""),
        ("bias_001", {"group": "master_bais"}, "no row of kind master_bias has this id", BIAS),
        ("bias_001", {"group": DARK}, "a bias cannot go into a master_dark", ""),
        ("bias_001", {"path": "elsewhere/bias_001.fits"}, "frame bias_001 is bias/bias_001.fits", ""),
        ("bias_001", {"id": "bias_01"}, "id 'bias_01': no such frame", "bias_001"),
        (BIAS, {"id": "master_bias_old"}, "no frame goes into it", ""),
    ],
)
def test_a_wrong_name_is_refused_with_its_line(tmp_path, row_id, cells, said, hint):
    sheet = Sheet(tmp_path).edit(row_id, **cells)
    if "no frame" in said:
        for number in range(1, 8):
            sheet.edit(f"bias_{number:03d}", group="")
    lines = sheet.path.read_text().splitlines()
    line = next(n for n, text in enumerate(lines, start=1) if text.split(",")[1] == cells.get("id", row_id))

    error = sheet.refused()

    assert error.message.startswith(f"mine.csv, line {line}: ")
    assert said in error.message and hint in error.hint


@pytest.mark.parametrize(
    ("row_id", "cells", "code"),
    [
        ("m31_r_001", {"bias": BIAS}, "CAL106"),  # the dark holds it
        (FLAT_R, {"bias": BIAS}, "CAL106"),  # the flat dark holds it
    ],
)
def test_a_bias_that_a_dark_holds_is_not_subtracted_again(tmp_path, row_id, cells, code):
    error = Sheet(tmp_path).edit(row_id, **cells).refused()

    assert error.facts["code"] == code
    assert f"bias {BIAS} would be subtracted twice" in error.message


def test_a_step_that_is_left_out_takes_no_master(tmp_path):
    sheet = Sheet(tmp_path)
    sheet.settings = PlanSettings(stages=("bias", "dark"))

    assert "calibrate.light.order leaves flat out" in sheet.refused().message


@pytest.mark.parametrize(
    ("odd", "code", "said"),
    [
        ({"naxis1": 21}, "CAL103", "bias_002 is 19x13 binned 1x1, bias_001 of"),
        ({"xbin": 2, "ybin": 2}, "CAL103", "binned 2x2"),
        ({"gain_setting": 0.0}, "CAL104", "gain 100, bias_001 of master_bias_g100_o50 has 0"),
        ({"offset": 10.0}, "CAL104", "has offset"),
    ],
)
def test_frames_that_cannot_be_combined_are_refused(tmp_path, odd, code, said):
    frames = whole_night()
    sheet = Sheet(tmp_path, frames)
    sheet.frames = [replace(each, **odd) if each.frame_id == "bias_001" else each for each in frames]

    error = sheet.refused()

    assert error.facts["code"] == code and said in error.message


def test_a_dark_of_another_gain_is_refused(tmp_path):
    frames = [*whole_night(), *several("dark", 5, "low", exptime_s=300.0, gain_setting=0.0)]
    error = Sheet(tmp_path, frames).edit("m31_r_001", dark="master_dark_300s_-10C_g0").refused()

    assert error.facts["code"] == "CAL104"


def test_a_master_cannot_be_combined(tmp_path):
    frames = [*whole_night(), frame("old", "bias", tags="master", n_sub=50)]

    error = Sheet(tmp_path, frames).edit("old", group=BIAS).drop(f"{BIAS}_2").refused()

    assert "old is a master already" in error.message


def test_a_master_of_one_frame_is_refused(tmp_path):
    sheet = Sheet(tmp_path, [*whole_night(), *several("dark", 2, "short", exptime_s=60.0)])
    sheet.edit("short_002", group="").edit("m31_r_001", dark="master_dark_60s_-10C_g100")

    error = sheet.refused()

    assert error.facts["code"] == "CAL105" and "made of one frame" in error.message


def test_a_name_that_is_no_name_of_a_file_is_refused(tmp_path):
    sheet = Sheet(tmp_path).edit(BIAS, id="../bias")
    for number in range(1, 8):
        sheet.edit(f"bias_{number:03d}", group="../bias")

    assert "letters, digits" in sheet.refused().message


def test_a_scaled_dark_without_bias_is_refused(tmp_path):
    error = Sheet(tmp_path, settings=PlanSettings(dark_mode="scaled")).edit(DARK, bias="").refused()

    assert error.facts["code"] == "CAL105" and "needs a bias" in error.message
