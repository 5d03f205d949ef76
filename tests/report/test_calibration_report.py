import json

import pytest
from pydantic import ValidationError
from tests.calibration_scene import report

from lostlight.core.calibration_report import CalibrationReport
from lostlight.report import calibration, calibration_words
from lostlight.report.calibration_page import html
from lostlight.science.calibrate.trouble import warn


@pytest.fixture(scope="module")
def made():
    return report()


def test_the_report_is_plain_data_by_its_schema(made, project):
    found = made[0]
    text = json.dumps(found, allow_nan=False)
    schema = json.loads((project / "workflow" / "schemas" / "calibration_report.schema.json").read_text())
    assert set(schema["properties"]) == set(found)
    assert found["schema"] == "calibration/1"
    assert str(project) not in text
    content = {key: value for key, value in found.items() if key not in ("schema", "report_id")}
    assert CalibrationReport(**content).dump() == found
    with pytest.raises(ValidationError):
        CalibrationReport(**content, clock="now")


def test_the_same_units_in_any_order_give_the_same_report(made):
    found = made[0]
    units = [*found["lights"], *found["bad_pixels"], *found["masters"]]
    settings = {key: found[key] for key in ("groups", "matches", "params", "software")}
    settings["outputs"] = [(each["path"], each["sha256"]) for each in found["outputs"]]
    settings["warnings"] = [warn("CAL218", "light_001", "no EGAIN in the header").plain()]
    assert calibration.build(units, **settings) == calibration.build(units[::-1], **settings) == found
    assert calibration.build(units[1:], **settings)["report_id"] != found["report_id"]


def test_what_was_planted_is_in_the_report(made):
    found = made[0]
    codes = {(warning["code"], warning["where"]) for warning in found["warnings"]}
    assert ("CAL205", "bias_003") in codes
    assert ("CAL217", "light_001") in codes
    assert ("CAL217", "light_000") not in codes
    flat = next(unit for unit in found["masters"] if unit["kind"] == "flat")["flat"]
    assert len(flat["dust"]) == 3
    bias = found["masters"][0]
    assert bias["uncertainty"]["ratio"] < 0.5
    assert 0 < bias["rejected_low"] < bias["rejected_high"] < 0.01


def test_the_headline_counts_what_there_is(made):
    numbers = calibration.headline(made[0])
    assert numbers["n_lights"] == numbers["n_masters"] == 3
    assert numbers["n_frames"] == 24
    assert numbers["n_hot"] > 0
    assert calibration.sentence(made[0]).startswith(
        "3 lights were calibrated with one master bias, one master dark and one master flat."
    )


def test_a_sentence_for_every_run():
    empty = {"lights": [], "masters": [], "bad_pixels": [], "warnings": []}
    assert calibration.sentence(empty) == "0 lights were calibrated with no masters. Nothing odd was noticed."
    light = {"masters": {}, "inputs": []}
    two = {**empty, "lights": [light], "masters": [{"kind": "bias", "inputs": []}] * 2, "warnings": [1]}
    said = "1 light was calibrated with 2 master biases. None of them was flat-fielded. 1 warning."
    assert calibration.sentence(two) == said
    mixed = {**empty, "lights": [light, {**light, "masters": {"flat": "f"}}]}
    assert "1 of them had no flat." in calibration.sentence(mixed)


def test_the_page_tells_everything_and_needs_nothing(made):
    page = html(*made)
    for word in ("bias_003", "CAL217", "exposure 120 s instead of 300 s", "quality bits", "Glossary"):
        assert word in page
    assert made[0]["report_id"] in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert html(*made) == page


def test_a_page_of_a_thousand_lights_stays_small_and_says_what_it_leaves_out():
    found, pictures = report(n_lights=40, n_pictured=2)
    proto = found["lights"][5]
    found["lights"] += [{**proto, "id": f"more_{k}"} for k in range(960)]
    page = html(found, pictures)
    assert "The first 2 of 1,000 have pictures here" in page
    assert page.count('class="pair"') == 2
    assert "more_959" in page
    assert len(page) < 6e6


def test_a_page_without_lights_flats_maps_or_pictures():
    nothing = calibration.build([], params={}, software={})
    page = html(nothing, {})
    for words in ("No flat was made", "There were no lights", "No map of bad pixels", "Nothing odd was noticed"):
        assert words in page


def test_hostile_names_are_escaped(made):
    found = json.loads(json.dumps(made[0]))
    found["lights"][0]["id"] = '<script>alert("x")</script>'
    found["warnings"][0]["said"] = "<b>bold</b>"
    page = html(found, {})
    assert "<script>alert" not in page
    assert "<b>bold</b>" not in page


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "—"), (3.0, "3"), (1234567.0, "1,234,567"), (1234.56, "1,234.6"), (0.012345, "0.01235"), (1e12, "1e+12")],
)
def test_numbers_are_written_for_people(value, text):
    assert calibration_words.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "—"), (0, "0 %"), (0.5, "50 %"), (0.021, "2.1 %"), (2e-5, "0.002 %")]
)
def test_fractions_are_written_in_percent(value, text):
    assert calibration_words.percent(value) == text


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"combine": "median", "reject": "none"}, "Median of 2 frames; nothing rejected."),
        ({"combine": "aawa"}, "Auto-adaptive weighted average of 2 frames."),
        ({"combine": "mean", "reject": "minmax", "nlow": 1, "nhigh": 2, "weights": "noise"},
         "Mean of 2 frames; the 1 lowest and 2 highest samples dropped; weights by inverse variance."),
        ({"combine": "mean", "reject": "percentile"}, "Mean of 2 frames; percentile rejection."),
    ],
)  # fmt: skip
def test_how_a_master_was_made_is_said_in_words(settings, text):
    assert calibration_words.method({"method": settings, "inputs": [1, 2]}) == text


def test_names_of_facts_carry_their_unit():
    assert calibration_words.label("ccd_temp_c") == "ccd temp, °C"
    assert calibration_words.label("version") == "version"
