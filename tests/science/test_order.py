"""The order of steps of a light: what is done, what is skipped and why, what is refused."""

import pytest

from lostlight.core.errors import LostlightError
from lostlight.science.calibrate.order import STANDARD, MasterState, Stage, check_order

ALL = STANDARD
WITHOUT_BIAS = MasterState(calstat="B", biassub=True)


def done(*arguments, **keywords):
    return [stage.name for stage in check_order(*arguments, **keywords) if stage.done]


def test_a_matched_dark_takes_the_bias_along():
    stages = {stage.name: stage for stage in check_order(STANDARD, ALL)}
    assert [name for name, stage in stages.items() if not stage.done] == ["bias"]
    assert "contains the bias" in stages["bias"].why
    assert str(stages["bias"]) == "bias skipped: the matched dark contains the bias and takes it off"
    assert str(stages["dark"]) == "dark"


def test_a_scaled_dark_comes_after_the_bias():
    assert done(STANDARD, ALL, masters={"dark": WITHOUT_BIAS}, dark_mode="scaled") == list(STANDARD)


def test_a_dark_that_lost_its_bias_needs_the_bias_even_if_it_matches():
    assert "bias" in done(STANDARD, ALL, masters={"dark": WITHOUT_BIAS})


@pytest.mark.parametrize("order", [("overscan", "bias", "flat"), ("bias", "flat")])
def test_a_dark_left_out_does_not_keep_the_bias_away(order):
    assert done(order, ALL) == list(order)


def test_what_is_skipped_says_why():
    stages = check_order(("bias", "flat", "cosmetic"), {"bias", "flat"})
    why = {stage.name: stage.why for stage in stages if not stage.done}
    assert why["cosmetic"] == "there is nothing to do it with"
    assert why["dark"] == "left out of light.order"
    assert {stage.name for stage in stages} == set(STANDARD)
    missing = check_order(STANDARD, {"overscan", "flat"})
    assert [stage.why for stage in missing if stage.name in ("bias", "dark")] == ["no master fits"] * 2


@pytest.mark.parametrize(
    ("order", "first", "then"),
    [
        (("dark", "bias"), "bias", "dark"),
        (("bias", "flat", "dark"), "dark", "flat"),
        (("bias", "cosmetic", "flat"), "flat", "cosmetic"),
        (("bias", "lacosmic", "flat"), "flat", "lacosmic"),
        (("trim", "overscan", "bias"), "overscan", "trim"),
        (("bias", "trim"), "trim", "bias"),
        (("flat", "bias"), "bias", "flat"),
        (("dark", "overscan"), "overscan", "dark"),
    ],
)
def test_a_wrong_order_is_refused(order, first, then):
    with pytest.raises(LostlightError, match=rf"CAL109.*has {then} before {first}, but"):
        check_order(order, ALL, masters={"dark": WITHOUT_BIAS}, dark_mode="scaled")


def test_cosmetic_and_cosmic_rays_may_change_places():
    order = ("bias", "flat", "lacosmic", "cosmetic")
    assert done(order, ALL) == list(order)


def test_what_is_not_done_is_in_nobodys_way():
    assert done(("flat", "dark", "bias"), {"bias"}) == ["bias"]


@pytest.mark.parametrize(
    ("calstat", "masters", "mode", "said"),
    [
        ("B", {"dark": WITHOUT_BIAS}, "scaled", "the light had its bias applied already"),
        ("D", {}, "matched", "the light had its dark applied already"),
        ("BDF", {}, "matched", "already"),
        ("bd", {}, "matched", "already"),
        ("", {"bias": MasterState("B")}, "off", "master bias had a bias"),
        ("", {"bias": MasterState(biassub=True), "dark": WITHOUT_BIAS}, "scaled", "master bias had a bias"),
        ("", {"dark": MasterState("BD")}, "matched", "master dark had a dark"),
        ("", {"flat": MasterState("BF")}, "matched", "master flat had a flat"),
        ("", {}, "scaled", "still contains its bias"),
        ("", {"dark": MasterState()}, "rate", "still contains its bias"),
    ],
)
def test_nothing_is_done_twice(calstat, masters, mode, said):
    order = STANDARD if mode != "off" else ("bias", "flat")
    with pytest.raises(LostlightError, match=f"CAL106.*{said}"):
        check_order(order, ALL, calstat, masters, mode)


def test_a_light_without_bias_may_not_meet_a_dark_with_one():
    with pytest.raises(LostlightError, match=r"CAL106.*dark contains a bias, which the light has lost"):
        check_order(("dark",), ALL, "B")


def test_a_light_that_met_a_dark_may_not_meet_a_bias():
    with pytest.raises(LostlightError, match=r"CAL106.*a dark took the bias off"):
        check_order(("bias",), ALL, "D")


def test_a_divided_light_gets_nothing_subtracted():
    with pytest.raises(LostlightError, match=r"CAL109.*too late for its bias"):
        check_order(("bias",), ALL, "F")


def test_the_rest_of_a_half_made_light_can_be_done():
    assert done(("flat", "cosmetic"), ALL, "BD") == ["flat", "cosmetic"]
    assert done(("flat",), ALL, "D") == ["flat"]


def test_a_step_named_twice_is_refused():
    with pytest.raises(LostlightError, match=r"CAL106.*bias more than once"):
        check_order(("bias", "dark", "bias"), ALL)


def test_an_unknown_step_is_refused():
    with pytest.raises(LostlightError, match=r"CAL109.*sharpen"):
        check_order(("bias", "sharpen"), ALL)


def test_a_light_with_its_pedestal_is_not_divided():
    with pytest.raises(LostlightError, match=r"CAL107.*light"):
        check_order(STANDARD, {"flat", "trim"})
    with pytest.raises(LostlightError, match="CAL107"):
        check_order(STANDARD, {"flat", "dark"}, masters={"dark": WITHOUT_BIAS})
    for enough in ("overscan", "bias", "dark"):
        assert "flat" in done(STANDARD, {"flat", enough})


@pytest.mark.parametrize(
    "state", [MasterState("B"), MasterState("D"), MasterState(biassub=True), MasterState(overscan=True)]
)
def test_a_flat_with_its_pedestal_divides_nothing(state):
    assert "flat" in done(STANDARD, {"bias", "flat"}, masters={"flat": state})
    with pytest.raises(LostlightError, match=r"CAL107.*master flat"):
        check_order(STANDARD, {"bias", "flat"}, masters={"flat": MasterState()})


def test_no_steps_are_a_light_as_it_is():
    assert check_order((), ALL) == [Stage(name, False, "left out of light.order") for name in STANDARD]
