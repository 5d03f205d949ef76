"""Times that can be used, times that are doubtful, and times that are none."""

import numpy as np
import pytest
from astropy.io import fits

from lostlight.core.errors import BadDate, ConfigError
from lostlight.science.motion.times import check_times, is_quantised


def test_good_times_pass_in_silence():
    assert check_times([57130.2013, 57130.2451, 57131.1977]) == []


def test_times_of_32_bits_are_told_with_the_error_of_position():
    exact = np.array([57130.2013, 57130.2451, 57131.1977])
    told = check_times(exact.astype(np.float32).astype(float))
    assert len(told) == 1
    assert "337.5 s" in told[0] and "169 s" in told[0] and "0.14 arcsec" in told[0]
    assert "1.4 arcsec" in check_times(exact.astype(np.float32), rate_arcsec_h=30)[0]


@pytest.mark.needs_shared
def test_real_images_of_kbmod_small_have_such_times(shared_data):
    mjd = [fits.getval(file, "MJD") for file in sorted((shared_data / "kbmod-small").glob("0*.fits.gz"))]
    assert is_quantised(mjd)


def test_few_times_and_whole_days_show_nothing():
    assert not is_quantised([57130.25, 57130.5])
    assert not is_quantised([57130.0, 57131.0, 57135.0])


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 2457130.7, 0.0, -5.0])
def test_what_is_no_time_is_refused(wrong):
    with pytest.raises(BadDate, match=r"image 1: .* is no MJD") as refused:
        check_times([57130.2, wrong, 57131.2])
    assert refused.value.facts["epoch"] == 1


def test_times_out_of_order_or_twice_are_refused():
    with pytest.raises(ConfigError, match="image 1 and image 2 are not in order"):
        check_times([57130.2, 57130.4, 57130.3])
    with pytest.raises(ConfigError, match="image 0 and image 1 have the same time") as refused:
        check_times([57130.2, 57130.2, 57130.3])
    assert "once" in refused.value.hint


def test_times_that_32_bits_made_equal_are_told_as_such():
    with pytest.raises(ConfigError, match="image 1 and image 2 have the same time") as refused:
        check_times(np.array([57130.2013, 57130.2451, 57130.2456]).astype(np.float32))
    assert "64 bits" in refused.value.hint


def test_times_are_told_by_name_and_judged_as_they_were_written():
    with pytest.raises(ConfigError, match="left and right have the same time"):
        check_times([57130.2, 57130.2], names=["left", "right"])
    written = np.array([57130.2013, 57130.2451, 57131.1977]).astype(np.float32).astype(float)
    assert check_times(written + 0.001) == []
    assert "337.5 s" in check_times(written + 0.001, written=written)[0]
