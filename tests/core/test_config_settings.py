"""Settings from the command line, words that YAML takes for truth values, and own frames."""

import pytest

from lostlight.core import config
from lostlight.core.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("calibrate.dark.mode=scaled", {"calibrate": {"dark": {"mode": "scaled"}}}),
        ("tiles.rings=2", {"tiles": {"rings": 2}}),
        ("calibrate.cosmetic.hot_sigma=null", {"calibrate": {"cosmetic": {"hot_sigma": None}}}),
        ("engine=", {"engine": ""}),
        ("calibrate.output.planes=[SCI, DQ]", {"calibrate": {"output": {"planes": ["SCI", "DQ"]}}}),
    ],
)
def test_a_setting_is_a_configuration_of_one_key(text, expected):
    assert config.parse_setting(text) == expected


@pytest.mark.parametrize("text", ["calibrate.dark.mode", "=4", "a=[1"])
def test_what_is_no_setting_is_refused(text):
    with pytest.raises(ConfigError):
        config.parse_setting(text)


@pytest.mark.parametrize(("value", "word"), [("off", "off"), ("on", "on"), ("auto", "auto")])
def test_a_bare_off_is_the_word(tmp_path, value, word):
    path = tmp_path / "mine.yaml"
    path.write_text(f"calibrate: {{lacosmic: {{enable: {value}}}}}")
    assert config.load([path]).calibrate.lacosmic.enable == word


def test_a_bare_number_is_the_word():
    assert config.check({"calibrate": {"output": {"tiff": 16}}}).calibrate.output.tiff == "16"


def test_own_frames_are_searched_where_they_are():
    settled = config.check({"download": {"source": "frames"}, "calibrate": {"frames": "night"}})
    assert settled.tiles.mode == "frames"
    settled = config.check({"tiles": {"mode": "frames"}, "calibrate": {"frames": "night"}})
    assert settled.download.source == "frames"


def test_own_frames_must_be_named():
    with pytest.raises(ConfigError, match=r"calibrate\.frames is empty"):
        config.check({"download": {"source": "frames"}})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"bias": {"reject": "expression"}}, "bias.expression is empty"),
        ({"output": {"planes": ["DQ"]}}, "must contain SCI"),
        ({"dark": {"combin": "mean"}}, "did you mean 'combine'"),
        ({"flat": {"low": 30}}, "less than or equal to 20"),
    ],
)
def test_parameters_out_of_range_are_named(content, said):
    with pytest.raises(ConfigError, match=said):
        config.check({"calibrate": content})


@pytest.mark.parametrize("mode", ["stack", "grid"])
def test_a_plan_of_lots_is_not_passed_over_where_there_are_no_lots(mode):
    asked = {"mosaic": {"frames": "lights", "plan": "mine.csv", "mode": mode}}
    with pytest.raises(ConfigError, match=rf"mosaic\.plan names 'mine\.csv', but mosaic\.mode = {mode} has no lots"):
        config.check(asked)
    assert config.check({"mosaic": {**asked["mosaic"], "mode": "sds"}}).mosaic.plan == "mine.csv"
