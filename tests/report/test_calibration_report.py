import base64
import io
import json

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError
from tests.calibration_scene import report

from lostlight.core.calibration_report import CalibrationReport
from lostlight.report import calibration, calibration_pictures, calibration_words
from lostlight.report.calibration_page import html
from lostlight.report.figures import preview
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
    two = {**empty, "lights": [light], "masters": [{"id": "b", "kind": "bias", "inputs": []}] * 2, "warnings": [1]}
    said = "1 light was calibrated with 2 master biases. None of them was flat-fielded. 1 warning."
    assert calibration.sentence(two) == said
    lights = [{"masters": {"bpm": "bad_pixels", "bias": "b", "flat": name}, "inputs": []} for name in ("R", "R", "V")]
    said = "3 lights were calibrated with 2 master biases and 2 masters of the library. 1 warning."
    assert calibration.sentence({**two, "lights": lights}) == said
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
    match = found["matches"][0]
    found["matches"] += [{**match, "target": f"more_{k}", "distance": k / 1000} for k in range(960)]
    lights = [f"more_{k}" for k in range(960)]
    found["groups"] += [{"id": "light_M31_V_60s", "kind": "light", "n_frames": 960, "source": "", "frames": lights}]
    page = html(found, pictures)
    assert "2 of 1,000 have pictures here" in page
    assert page.count('class="pair"') == 2
    assert "<h3>light_M31_V_60s, 960 lights</h3>" in page
    assert page.count(match["chosen"]) < 20 + 3 * 1000  # told once for the group, and in the rows of the lights
    assert ">0.959<" in page  # by the light that it fits worst
    assert "more_959" in page
    assert len(page) < 6e6


def test_a_page_without_lights_flats_maps_or_pictures():
    nothing = calibration.build([], params={}, software={})
    page = html(nothing, {})
    for words in ("No flat was made", "There were no lights", "No map of bad pixels", "Nothing odd was noticed"):
        assert words in page


def test_a_light_that_was_not_made_is_named_with_the_reason(made):
    found = json.loads(json.dumps(made[0]))
    lights = [light["id"] for light in found["lights"]]
    found["groups"].append({"id": "light_M51", "kind": "light", "n_frames": 4, "source": "", "frames": lights})
    found["groups"][-1]["frames"] += ["light_broken", "light_forgotten"]
    found["warnings"].append(warn("CAL223", "light_broken", "needs master_dark: failed: all samples rejected").plain())
    page = html(found, {})
    assert '<span class="odd">not made</span>: needs master_dark: failed: all samples rejected' in page
    assert page.count('<span class="odd">not made</span>') == 2


def test_noise_is_kept_as_jpeg_and_single_pixels_keep_their_colour():
    rng = np.random.default_rng(4)
    noise = rng.normal(120, 30, (201, 303)).clip(0, 255).astype(np.uint8)
    marked = np.repeat((noise // 3)[..., None], 3, axis=2)
    marked[100, 150] = 240, 30, 30
    flat = np.zeros((201, 303, 3), np.uint8)
    flat[::40, ::40] = 0, 200, 255
    for picture, kind in ((noise, "jpeg"), (marked, "jpeg"), (flat, "png")):
        address = calibration_pictures.address(preview.png(picture))
        assert address.startswith(f"data:image/{kind};base64,")
        content = base64.b64decode(address.partition(",")[2])
        assert len(content) <= len(preview.png(picture))
        shown = np.asarray(Image.open(io.BytesIO(content))).astype(int)
        assert np.abs(shown - picture).mean() < 8
        if picture is marked:
            assert shown[100, 150, 0] > shown[100, 150, 1:].max() + 80


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
    assert calibration_words.label("ccd_temp_c") == "temperature of the sensor, °C"
    assert calibration_words.label("level_adu") == "level, adu"
    assert calibration_words.label("version") == "version"


@pytest.mark.parametrize(
    ("scale", "is_scaled"),
    [(None, False), ({"factor": 1.0, "error": 0.0}, False), ({"factor": None, "error": None}, False),
     ({"factor": 1.0, "error": 0.01}, True), ({"factor": 0.5, "error": None}, True)],
)  # fmt: skip
def test_a_matched_dark_has_no_factor_to_tell(scale, is_scaled):
    assert calibration_words.is_scaled(scale) == is_scaled
