"""Where the plates are simulated, nothing is asked of the real sky."""

from lostlight.core import config


def test_the_simulated_sky_answers_for_every_service():
    settled = config.check({"download": {"source": "sky", "sky_seed": 7}, "filter": {"vsx_url": "http://mirror"}})
    assert settled.download.url == settled.masks.url == settled.reference.url == settled.filter.skybot_url == "sky:7"
    assert settled.filter.vsx_url == "http://mirror"


def test_real_plates_are_matched_with_the_real_sky():
    settled = config.check({"download": {"source": "stsci"}})
    assert settled.reference.url == settled.masks.url == settled.filter.vsx_url == ""
