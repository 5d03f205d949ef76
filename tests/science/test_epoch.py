"""Dates as headers really write them."""

import math

import pytest
from astropy.io import fits
from astropy.io.fits import Header
from astropy.time import Time

from lostlight.core.errors import BadDate
from lostlight.science.sky.epoch import parse_date, plate_epoch

pytestmark = pytest.mark.filterwarnings("ignore:.*dubious year")  # astropy on UTC before 1960
PLATE = {"PLTLABEL": "E678", "EXPOSURE": 50.0}


def epoch(**cards):
    return plate_epoch(Header([(key.replace("_", "-"), value) for key, value in cards.items()]))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("29/11/51", "1951-11-29T00:00:00"),
        ("9/1/1953", "1953-01-09T00:00:00"),
        ("1953-01-10T04:65:00", "1953-01-10T05:05:00"),
        ("1953-01-10T23:75:00", "1953-01-11T00:15:00"),
        ("1953-01-10", "1953-01-10T00:00:00"),
        ("1953/01/10 04:05", "1953-01-10T04:05:00"),
        ("2017-12-19T18:33:43.317-0700", "2017-12-20T01:33:43.317"),
        ("2017-12-19T18:33:43Z", "2017-12-19T18:33:43"),
        ("2017-12-20T07:00:00+05:30", "2017-12-20T01:30:00"),
        ("1952-02-29T12:00:00", "1952-02-29T12:00:00"),
    ],
)
def test_dates(text, meant):
    assert parse_date(text)[0] == pytest.approx(Time(meant).mjd, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    ["", "unknown", "1953-13-10", "1953-02-29", "31/02/53", "0000-00-00", "1953-01-10T04:65:00 PST",
     "1953-01-10T4h", "3021-01-01", "1953-01-10T77:00:00", "1953"],
)  # fmt: skip
def test_nonsense_is_refused(text):
    with pytest.raises(BadDate) as caught:
        epoch(DATE_OBS=text, **PLATE)
    assert repr(text) in str(caught.value)


def test_no_date_at_all():
    with pytest.raises(BadDate, match="no DATE-OBS"):
        epoch(EXPTIME=60.0)


def test_plates_count_minutes_and_keep_their_date():
    found = epoch(DATE_OBS="1953-01-10T04:65:00", **PLATE)
    assert found.mjd == pytest.approx(Time("1953-01-10T05:05:00").mjd, abs=1e-6)
    assert found.year == pytest.approx(Time(found.mjd, format="mjd").jyear, abs=1e-5)
    assert found.half_exposure_min == 25


def test_frames_count_seconds_from_the_start():
    found = epoch(DATE_OBS="2020-01-01T00:00:00", EXPTIME=120.0, EXPOSURE=120.0)
    assert found.half_exposure_min == 1
    assert found.mjd == pytest.approx(Time("2020-01-01T00:01:00").mjd, abs=1e-7)


def test_unknown_exposure_is_not_zero():
    assert math.isnan(epoch(DATE_OBS="2020-01-01").half_exposure_min)


def test_a_bare_local_time_gives_way_to_the_day_count():
    found = epoch(DATE_OBS="2017-12-19T18:33:43", MJD_OBS=58107.065, EXPTIME=60.0)
    assert found.source == "MJD-OBS"
    found = epoch(DATE_OBS="2017-12-20T01:33:43", MJD_OBS=58107.065, EXPTIME=60.0)
    assert found.source == "DATE-OBS"  # they agree, and the text is finer


def test_real_headers(shared_data):
    wanted = {
        "dss1-m67/M6707HH.fits.gz": ("1951-11-29T12:07:00", 25),
        "stack-hatp32/HATP-32171220013343.FITS.gz": ("2017-12-20T01:34:13.317", 0.5),
        "raw-calib/a8280271.fits.gz": ("2013-07-13T00:58:48.02", 1.25),
        "raw-calib/aspen_trimmed.fit": ("2017-04-12T03:28:40.5", 1 / 120),
    }
    for name, (date, half_min) in wanted.items():
        found = plate_epoch(fits.getheader(shared_data / name))
        assert found.mjd == pytest.approx(Time(date).mjd, abs=1e-5), name
        assert found.half_exposure_min == pytest.approx(half_min, abs=1e-3), name
