"""The schema of calibration is all that a form needs, and says what the program itself accepts."""

import json

import jsonschema
import pytest

from lostlight.core import config
from lostlight.core.errors import ConfigError
from lostlight.core.params import PipelineConfig

SCHEMA = PipelineConfig.model_json_schema()
VALID = jsonschema.Draft202012Validator(SCHEMA)
DEFAULTS = json.loads(PipelineConfig().model_dump_json())["calibrate"]


def leaves(name="CalibrateParams", place=()):
    """Give every key that holds a value: its place, and what the schema says of it."""
    for key, said in SCHEMA["$defs"][name]["properties"].items():
        if "$ref" in said:
            assert said["description"]
            yield from leaves(said["$ref"].rpartition("/")[2], (*place, key))
        else:
            yield (*place, key), said


LEAVES = dict(leaves())


def nested(place, value):
    for key in reversed(place):
        value = {key: value}
    return {"calibrate": value}


def default(place):
    value = DEFAULTS
    for key in place:
        value = value[key]
    return value


def kinds(said):
    return said.get("anyOf", [said])


def test_every_key_can_be_asked_for_in_a_form():
    assert len(LEAVES) > 120
    for place, said in LEAVES.items():
        assert said["x-level"] in ("basic", "advanced"), place
        assert said["title"] and said["description"], place
        assert said["default"] == default(place), place
        assert all("enum" in kind or "type" in kind for kind in kinds(said)), place


def test_a_beginner_is_shown_few_keys():
    basic = {".".join(place) for place, said in LEAVES.items() if said["x-level"] == "basic"}
    stacks = {f"{kind}.{key}" for kind in ("bias", "dark", "flat_dark", "flat") for key in ("combine", "reject")}
    others = {"frames", "infer_type", "on_bad_frame", "dark.mode", "cosmetic.method", "light.unit"}
    assert basic == stacks | others


@pytest.mark.parametrize("place", LEAVES, ids=".".join)
def test_what_the_schema_allows_is_what_the_program_accepts(place):
    """At the ends of every range and for every word; beyond them both refuse."""
    good, bad = [], [{"no": "value"}]
    for kind in kinds(LEAVES[place]):
        good += [word for word in kind.get("enum", ()) if word != "expression"]
        good += [kind[end] for end in ("minimum", "maximum") if end in kind]
        bad += [kind[end] + step for end, step in (("minimum", -1), ("maximum", 1)) if end in kind]
        bad += [kind[end] for end in ("exclusiveMinimum", "exclusiveMaximum") if end in kind]
        bad += ["no such word"] * ("enum" in kind)
    for value in (default(place), *good):
        assert default_of(config.check(nested(place, value)), place) == value
        assert VALID.is_valid(nested(place, value)), value
    for value in bad:
        with pytest.raises(ConfigError, match=place[-1]):
            config.check(nested(place, value))
        assert not VALID.is_valid(nested(place, value)), value


def default_of(settings, place):
    value = json.loads(settings.calibrate.model_dump_json())
    for key in place:
        value = value[key]
    return value
