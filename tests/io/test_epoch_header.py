"""Headers of images of stacks: time, exposure, gain, zero point, filter and sky, of many dialects."""

import math

import numpy as np
import pytest
from astropy.io.fits import Header
from astropy.time import Time
from astropy.wcs import WCS

from lostlight.core.errors import BadDate, NoWCS
from lostlight.io import epoch_header, frame_files

TAN = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 9.0, "CRPIX2": 4.0, "CRVAL1": 359.99, "CRVAL2": -7.8,
       "CD1_1": 0.0, "CD1_2": 7.3e-5, "CD2_1": -7.3e-5, "CD2_2": 0.0}  # fmt: skip


def exposure(**cards):
    return epoch_header.exposure(Header(cards), "a.fits")


@pytest.mark.parametrize(
    ("cards", "mid", "time_ref"),
    [
        ({"MJD-OBS": 59000.25, "EXPTIME": 86.4}, 59000.2505, "start"),
        ({"DATE-OBS": "2020-05-31T06:00:00", "EXPTIME": 86.4}, 59000.2505, "start"),
        ({"DATE-OBS": "2020-05-31 06:00:00.000Z", "EXPOSURE": 86.4}, 59000.2505, "start"),
        ({"DATE-OBS": "2020-05-31T08:00:00+02:00", "EXPTIME": 86.4}, 59000.2505, "start"),
        ({"DATE-OBS": "2020-05-31", "UT": "06:00:00", "EXPTIME": 86.4}, 59000.2505, "start"),
        ({"DATE-END": "2020-05-31T06:00:00", "EXPTIME": 86.4}, 59000.2495, "end"),
        ({"MJD-OBS": 59000.25, "MJD-END": 59000.251}, 59000.2505, "start"),
        ({"MJD-AVG": 59000.25, "MJD-OBS": 59000.2, "EXPTIME": 86.4}, 59000.25, "mid"),
        ({"MJD": 59000.25}, 59000.25, "mid"),
        ({"JD": 2459000.75, "EXPTIME": 0.0}, 59000.25, "start"),
    ],
)
def test_the_middle_of_an_exposure_is_told_by_whichever_card_there_is(cards, mid, time_ref):
    read = exposure(**cards)
    assert read.mid() == pytest.approx(mid, abs=1e-9)
    assert read.time_ref == time_ref


def test_a_user_may_say_what_the_time_is():
    read = exposure(**{"MJD-OBS": 59000.25, "EXPTIME": 86.4})
    assert [read.mid(said) for said in ("start", "mid", "end")] == pytest.approx([59000.2505, 59000.25, 59000.2495])


def test_a_rounded_day_count_yields_to_the_date_and_local_time_to_the_day_count(shared_data):
    """A real camera counts days to three decimals, beside a date with its zone."""
    path = shared_data / "stack-hatp32" / "HATP-32171220013343.FITS.gz"
    header = frame_files.headers(path)[0][1]
    assert header["MJD-OBS"] == 58107.065
    read = epoch_header.exposure(header, path.name)
    assert read.mid() == pytest.approx(Time("2017-12-20T01:34:13.317").mjd, abs=1e-7)
    local = exposure(**{"DATE-OBS": "2020-05-30T23:00:00", "MJD-OBS": 59000.25, "EXPTIME": 0.0})
    assert local.mjd == 59000.25


@pytest.mark.parametrize("scale", ["TAI", "TDB", "TT"])
def test_other_time_scales_are_brought_to_utc(scale):
    there = getattr(Time(59000.25, format="mjd", scale="utc"), scale.lower()).mjd
    assert abs(there - 59000.25) > 3e-4  # some 37 s
    assert exposure(**{"MJD-OBS": there, "TIMESYS": scale}).mjd == pytest.approx(59000.25, abs=1e-9)


@pytest.mark.parametrize("cards", [{}, {"DATE-OBS": "31/05/20"}, {"MJD": 3.0}, {"DATE-OBS": "2020-13-31T06:00:00"}])
def test_a_header_without_a_time_is_refused(cards):
    with pytest.raises(BadDate, match=r"a\.fits"):
        exposure(**cards)


@pytest.mark.parametrize(
    ("cards", "gain"),
    [
        ({"EGAIN": 1.9, "GAIN": 120}, 1.9),
        ({"GAIN": 1.7}, 1.7),
        ({"GAIN": 120, "OFFSET": 10}, math.nan),
        ({"GAINA": 3.9, "GAINB": 4.1, "GAIN": 2.0}, 4.0),
        ({"BUNIT": "electron", "EGAIN": 1.9}, 1.0),
        ({"BUNIT": "adu"}, math.nan),
        ({"BUNIT": "adu/s", "GAIN": 1.5, "EXPTIME": 40.0}, 60.0),
        ({"BUNIT": "electron s-1", "GAIN": 1.5, "EXPTIME": 40.0}, 40.0),
        ({"BUNIT": "e-/s"}, math.nan),
        ({"GAIN": "unknown"}, math.nan),
    ],
)
def test_gain_is_electrons_per_adu_and_never_a_setting(cards, gain):
    np.testing.assert_equal(epoch_header.gain_e_adu(Header(cards)), gain)


def test_zero_point_filter_and_saturation():
    header = Header({"MAGZERO": 30.4, "FILTER": "z DECam SDSS c0004 9260.0 1520.0", "SATURATA": 46e3, "SATURATB": 45e3})
    assert epoch_header.zero_mag(header) == 30.4
    assert epoch_header.filter_name(header) == "z"
    assert epoch_header.saturation_adu(header) == 45e3
    assert math.isnan(epoch_header.zero_mag(Header({"MAGZPT": -99.0})))
    assert epoch_header.filter_name(Header()) == ""
    assert epoch_header.saturation_adu(Header()) == math.inf


def test_the_sky_solution_survives_as_text_with_its_distortion():
    sip = {
        **TAN,
        "CTYPE1": "RA---TAN-SIP",
        "CTYPE2": "DEC--TAN-SIP",
        "A_ORDER": 2,
        "B_ORDER": 2,
        "A_2_0": 1e-4,
        "B_1_1": 2e-4,
    }
    header = Header({"OBJECT": "x", **sip, "COMMENT": "y"})
    text = epoch_header.wcs_text(header, "a")
    assert "OBJECT" not in text
    x, y = np.random.default_rng(1).uniform(-50, 80, (2, 30))
    ours, whole = epoch_header.wcs_of(text), WCS(header)
    np.testing.assert_array_equal(ours.all_pix2world(x, y, 0), whole.all_pix2world(x, y, 0))
    assert np.hypot(*(np.array(ours.all_pix2world(40, 40, 0)) - WCS(Header(TAN)).all_pix2world(40, 40, 0))) > 1e-6


def test_what_is_no_sky_is_none_and_nonsense_is_refused():
    linear = {"CTYPE1": "LINEAR", "CTYPE2": "LINEAR", "CRVAL1": 1.0, "CRVAL2": 1.0}
    assert epoch_header.wcs_text(Header(linear), "a") == epoch_header.wcs_text(Header(), "a") == ""
    assert epoch_header.wcs_of("") is None
    for wrong in ({"CD1_2": 0.0}, {"CTYPE2": "GLAT-TAN"}):
        with pytest.raises(NoWCS, match=r"a\.fits: its sky solution"):
            epoch_header.wcs_text(Header({**TAN, **wrong}), "a.fits")
