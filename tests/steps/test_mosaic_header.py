"""The header of a mosaic: what it takes over from frames, and its times."""

from datetime import datetime, timedelta

import pytest
from astropy.io.fits import Header

from lostlight.steps.mosaicking.header import cards, saturation, times

USED = {
    "short": {"exptime_s": 60.0, "time": "2024-03-10T20:00:00", "filter": "R"},
    "long": {"exptime_s": 300.0, "time": "2024-03-10T21:00:00", "filter": "R"},
}
MIDDLE = datetime(2024, 3, 10, 20, 31, 30)  # halfway between 20:00:30 and 21:02:30


@pytest.mark.parametrize(("reference", "exposure"), [(60.0, 60.0), (300.0, 300.0), (None, 180.0)])
def test_the_exposure_is_that_of_the_level_and_is_about_the_middle(reference, exposure):
    cards = {key: value for key, (value, _) in times(USED, reference).items()}
    assert cards["EXPTIME"] == exposure and cards["TEXPTIME"] == 360
    assert datetime.fromisoformat(cards["DATE-OBS"]) + timedelta(seconds=exposure / 2) == MIDDLE
    assert cards["DATE-BEG"] == "2024-03-10T20:00:00.000" and cards["DATE-END"] == "2024-03-10T21:00:00.000"
    assert cards["FILTER"] == "R"


def test_what_no_frame_tells_is_not_told():
    assert times({"a": {}, "b": {}}) == {} and "DATE-OBS" not in times({"a": {"exptime_s": 3.0}}, 3.0)


def test_the_zero_point_of_the_reference_holds_for_the_mosaic_and_its_seeing_does_not():
    header = Header([("MAGZP", 19.9355), ("OBJECT", "M 17"), ("SEEING", 1.1), ("TELESCOP", "")])
    assert cards(header) == {"MAGZP": 19.9355, "OBJECT": "M 17"}


def test_saturation_is_the_lowest_once_the_frames_are_levelled():
    used = {"a": {"saturate_adu": 60000}, "b": {"saturate_adu": 50000.0}, "c": {"saturate_adu": None}}
    levels = {
        "a": {"gain": [0.5, 0.6], "sky": [[100.0, 3.0, 3.0], [200.0, 0.0, 0.0]]},
        "b": {"gain": [1.0, 1.0], "sky": [[-50.0], [0.0]]},
        "c": {"gain": [0.1, 0.1], "sky": [[0.0], [0.0]]},
    }
    assert saturation(used, levels)["SATURATE"][0] == 29900
    assert saturation({"c": used["c"]}, levels) == {}
