"""A bias without frames."""

import math

import pytest

from lostlight.core.errors import ConfigError
from lostlight.science.calibrate import synthetic


def level(header, constant_adu=None, keyword="", factor=1.0):
    return synthetic.level(header, constant_adu=constant_adu, keyword=keyword, factor=factor, where="light_1")


def test_level_is_a_constant_or_a_multiple_of_a_key():
    assert level({"OFFSET": 10}, keyword="OFFSET", factor=64) == 640
    assert level({"OFFSET": 10}, constant_adu=2048.0, keyword="OFFSET") == 2048
    assert level({}, constant_adu=0.0) == 0


@pytest.mark.parametrize("value", [None, "ten", math.nan, math.inf, True])
def test_a_key_that_is_no_number_is_refused(value):
    with pytest.raises(ConfigError, match=r"CAL109: light_1.*OFFSET"):
        level({"OFFSET": value}, keyword="OFFSET")


def test_a_bias_from_nothing_is_refused():
    with pytest.raises(ConfigError, match="CAL109"):
        level({})
