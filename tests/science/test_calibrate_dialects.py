"""Headers of many programs, read into one vocabulary."""

import dataclasses
import math

import pytest
from astropy.io import fits

from lostlight.science.calibrate import names, times
from lostlight.science.calibrate.dialects import normalise
from lostlight.science.calibrate.frame import FIELDS
from lostlight.vocab.columns import FRAMES


def read(cards=None, hdu=0, **more):
    """Normalise a header of 100 x 60 pixels with these cards; values may be (value, comment)."""
    header = fits.Header({"SIMPLE": True, "BITPIX": 16, "NAXIS": 2, "NAXIS1": 100, "NAXIS2": 60})
    for key, value in {**(cards or {}), **more}.items():
        header[key] = value
    return normalise(header, "f", "folder/f.fits", hdu)


def test_the_table_of_frames_has_every_field_of_a_frame():
    assert set(FRAMES) == set(FIELDS)


NINA = {
    "IMAGETYP": "LIGHT", "EXPOSURE": 300.0, "EXPTIME": 300.0, "DATE-LOC": "2024-03-10T22:15:01.512",
    "DATE-OBS": "2024-03-10T13:15:01.512", "XBINNING": 1, "YBINNING": 1, "GAIN": 100, "OFFSET": 50, "EGAIN": 0.256,
    "INSTRUME": "ZWO ASI2600MM Pro", "SET-TEMP": -10.0, "CCD-TEMP": -9.9, "READOUTM": "Default",
    "TELESCOP": "Esprit 100", "FOCALLEN": 550.0, "FWHEEL": "ZWO FilterWheel", "FILTER": "Ha", "ROTATOR": 12.5,
    "ROTATANG": 12.5, "OBJECT": "M 31", "ROWORDER": "TOP-DOWN", "SWCREATE": "N.I.N.A. 3.0.0.9001",
}  # fmt: skip
ASIAIR = {
    "CREATOR": "ZWO ASIAIR Plus", "OFFSET": (21, "camera offset"), "BAYERPAT": "RGGB", "EXPOSURE": 180.0,
    "EXPTIME": 180.0, "CCD-TEMP": 0.1, "IMAGETYP": "Dark", "INSTRUME": "ZWO ASI2600MC Pro", "GAIN": 101,
    "DATE-OBS": "2023-11-18T20:01:02.123456", "XBINNING": 1, "YBINNING": 1, "FOCALLEN": 400,
}  # fmt: skip
SIRIL = {
    "PROGRAM": "Siril 1.2.1", "IMAGETYP": "FLAT", "STACKCNT": 20, "EXPTIME": 2.5, "CVF": 0.8, "GAIN": 120, "OFFSET": 30,
    "ROWORDER": "BOTTOM-UP", "BAYERPAT": "RGGB", "XBAYROFF": 0, "YBAYROFF": 0, "INSTRUME": "QHYCCD QHY268C",
    "CCD-TEMP": -5.0, "DATE-OBS": "2023-01-02T03:04:05.123",
}  # fmt: skip
SHARPCAP = {
    "SWCREATE": "SharpCap v4.0.9478.0, 32 bit", "EXPTIME": 0.05, "GAIN": 250, "BLKLEVEL": 12,
    "INSTRUME": "ZWO ASI178MM",
    "FRAMETYP": "Flat Dark", "CCD-TEMP": 21.3, "XBINNING": 2, "YBINNING": 2, "DATE-OBS": "2022-05-06T21:00:00.1234567",
}  # fmt: skip
IRAF = {
    "IMAGETYP": "zero", "EXPTIME": 0.0, "GAIN": 1.7, "RDNOISE": 4.2, "CCDSUM": "2 3", "BIASSEC": "[91:100,1:60]",
    "TRIMSEC": "[1:90,2:60]", "DETECTOR": "T2KB", "FILTER1": "open", "FILTER2": "V", "DATE-OBS": "21/09/98",
    "UT": "03:04:05.5", "DETTEMP": (170.0, "dewar, kelvin"), "DATAMAX": 60000.0, "DATAMIN": 0.0,
}  # fmt: skip
SBIG = {
    "IMAGETYP": "Bias Frame", "EXPTIME": 0.0, "EGAIN": 2.3, "PEDESTAL": -100, "CCD-TEMP": -20.0, "SET-TEMP": -20.0,
    "INSTRUME": "SBIG STL-11000 3 CCD Camera", "DATE-OBS": "2010-02-03T04:05:06.000", "SWCREATE": "CCDOPS Version 5.58",
    "CALSTAT": "", "DATAMAX": 4012, "DATAMIN": 960,
}  # fmt: skip
INDI = {
    "FRAME": "Light", "EXPTIME": 60.0, "GAIN": 90.0, "OFFSET": 10.0, "INSTRUME": "ZWO CCD ASI294MC Pro",
    "SITELONG": 150.0,
    "DATE-OBS": "2024-06-01T13:30:00.000", "XBINNING": 1, "YBINNING": 1, "BAYERPAT": "RGGB",
}  # fmt: skip


@pytest.mark.parametrize(
    ("cards", "expected"),
    [
        pytest.param(NINA, {
            "imagetyp": "light", "exptime_s": 300, "gain_setting": 100, "offset": 50, "egain_e_adu": 0.256,
            "camera_id": "asi2600mmpro", "optics_id": "esprit100/550mm", "ccd_temp_c": -9.9, "set_temp_c": -10,
            "filter": "Ha", "rotator_deg": 12.5, "readmode": "Default", "roworder": "TOP-DOWN", "object": "M 31",
            "date_obs_utc": "2024-03-10T13:15:01.512", "session": "2024-03-10",
        }, id="nina"),
        pytest.param(ASIAIR, {
            "imagetyp": "dark", "exptime_s": 180, "gain_setting": 101, "offset": 21, "egain_e_adu": None,
            "bayerpat": "RGGB", "camera_id": "asi2600mcpro", "optics_id": "400mm", "session": "2023-11-18",
            "date_obs_utc": "2023-11-18T20:01:02.123",
        }, id="asiair"),
        pytest.param(SIRIL, {
            "imagetyp": "flat", "n_sub": 20, "egain_e_adu": 0.8, "gain_setting": 120, "bayerpat": "GBRG",
            "roworder": "BOTTOM-UP", "camera_id": "qhy268c", "session": "2023-01-01",
        }, id="siril"),
        pytest.param(SHARPCAP, {
            "imagetyp": "flat_dark", "exptime_s": 0.05, "gain_setting": 250, "offset": 12, "xbin": 2, "ybin": 2,
            "egain_e_adu": None, "filter": "", "date_obs_utc": "2022-05-06T21:00:00.123",
        }, id="sharpcap"),
        pytest.param(IRAF, {
            "imagetyp": "bias", "egain_e_adu": 1.7, "gain_setting": None, "rdnoise_e": 4.2, "xbin": 2, "ybin": 3,
            "biassec": "[91:100,1:60]", "trimsec": "[1:90,2:60]", "camera_id": "t2kb", "filter": "V",
            "date_obs_utc": "1998-09-21T03:04:05.500", "session": "1998-09-20", "ccd_temp_c": -103.15,
            "saturate_adu": 60000,
        }, id="iraf"),
        pytest.param(SBIG, {
            "imagetyp": "bias", "egain_e_adu": 2.3, "pedestal_adu": -100, "camera_id": "stl110003",
            "saturate_adu": None, "calstat": "", "gain_setting": None,
        }, id="sbig"),
        pytest.param(INDI, {
            "imagetyp": "light", "gain_setting": 90, "egain_e_adu": None, "camera_id": "asi294mcpro",
            "session": "2024-06-01", "date_obs_utc": "2024-06-01T13:30:00.000",
        }, id="indi"),
    ],
)  # fmt: skip
def test_programs_and_observatories(cards, expected):
    found = dataclasses.asdict(read(cards))
    for name, value in expected.items():
        if value is None:
            assert math.isnan(found[name]), name
        else:
            assert found[name] == pytest.approx(value) if isinstance(value, float) else found[name] == value, name


def test_missing_is_missing():
    frame = read()
    unknown = {name for name, value in dataclasses.asdict(frame).items() if value == "" or value != value}
    assert unknown == set(FIELDS) - {
        "frame_id", "path", "hdu", "naxis1", "naxis2", "bitpix", "xbin", "ybin", "n_sub", "weight",
    }  # fmt: skip
    assert frame.shape == (60, 100)


def test_a_plain_mapping_is_enough():
    assert normalise({"IMAGETYP": "dark", "EXPTIME": "30", "NAXIS1": 5, "NAXIS2": 3}, "f", "f").exptime_s == 30


@pytest.mark.parametrize(
    ("word", "kind", "is_master"),
    [
        ("Light Frame", "light", False), ("LIGHT", "light", False), ("object", "light", False),
        ("Dark Frame", "dark", False), ("Flat Field", "flat", False), ("FLAT,SKY", "flat", False),
        ("dome flat", "flat", False), ("Bias Frame", "bias", False), ("zero", "bias", False),
        ("DARKFLAT", "flat_dark", False), ("Flat Dark", "flat_dark", False), ("flat-darks", "flat_dark", False),
        ("Master Bias", "bias", True), ("masterFlatDark", "flat_dark", True), ("MASTER DARK FRAME", "dark", True),
        ("Tricolor Image", "", False), ("comp", "", False), ("", "", False), ("darkness", "", False),
    ],
)  # fmt: skip
def test_words_for_types(word, kind, is_master):
    assert names.kind_of(word) == (kind, is_master)
    assert read(IMAGETYP=word).imagetyp == kind
    assert read(IMAGETYP=word).tags == ("master" if is_master else "")


def test_the_first_key_that_is_understood_tells_the_type():
    assert read(IMAGETYP="raw", OBSTYPE="BIAS").imagetyp == "bias"
    assert read(IMAGETYP="  ", FRAME="Dark").imagetyp == "dark"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("darks/flat_dark_0001.fits", "flat_dark"), ("M31/night1/M31_001.fits", ""), ("Flats/IMG_01.fits", "flat"),
        ("x/bias_1.fit", "bias"), ("Light_M31_60s.fits", "light"), ("DarkFlats/a.fits", "flat_dark"),
        ("darks/2024/a.fits", "dark"), ("lights/dark_nebula.fits", "dark"), ("dark_or_bias/a.fits", ""),
        ("calib/dark_light.fits", ""), ("night\\flats\\a.fits", "flat"),
    ],
)  # fmt: skip
def test_words_in_paths(path, kind):
    assert names.kind_in_path(path) == kind


@pytest.mark.parametrize(
    ("key", "value", "seconds"),
    [
        ("EXPTIME", 30, 30), ("EXPOSURE", "30.5", 30.5), ("EXP_TIME", 2, 2),
        ("EXPTIME", (1500, "exposure time in ms"), 1.5), ("EXPOSURE", (1500, "[msec] exposure"), 1.5),
        ("EXPOINUS", (2500, "Exposure time in us"), 0.0025), ("EXPMS", 250, 0.25),
    ],
)  # fmt: skip
def test_exposures_in_every_unit(key, value, seconds):
    assert read({key: value}).exptime_s == pytest.approx(seconds)


def test_an_exposure_of_less_than_nothing_is_not_known():
    assert math.isnan(read(EXPTIME=-1).exptime_s)
    assert read(EXPTIME=0).exptime_s == 0


@pytest.mark.parametrize(
    ("cards", "setting", "egain"),
    [
        ({"GAIN": 1.9, "RDNOISE": 5.0}, None, 1.9),
        ({"GAIN": (1.9, "e-/ADU")}, None, 1.9),
        ({"GAIN": (2.1, "electrons per ADU"), "OFFSET": 3}, None, 2.1),
        ({"GAIN": 120}, 120, None),
        ({"GAIN": 120, "RDNOISE": 1.5, "OFFSET": 10}, 120, None),
        ({"GAIN": 120, "READNOIS": 1.5, "SWCREATE": "SharpCap"}, 120, None),
        ({"GAIN": 0, "EGAIN": 1.1}, 0, 1.1),
        ({"GAIN": 0, "RDNOISE": 5.0}, 0, None),
        ({"EGAIN": -1}, None, None),
        ({"ISOSPEED": 800}, 800, None),
    ],
)
def test_gain_is_a_setting_or_electrons_per_count(cards, setting, egain):
    frame = read(cards)
    for found, expected in ((frame.gain_setting, setting), (frame.egain_e_adu, egain)):
        assert math.isnan(found) if expected is None else found == expected


@pytest.mark.parametrize(
    ("key", "value", "celsius"),
    [
        ("CCD-TEMP", -20.25, -20.25), ("CCD-TEMP", 180.2, -92.95), ("DET-TEMP", (263.15, "[K] kelvin"), -10),
        ("CAMTEMP", (-1.0, "Temperature in Kelvin, =-1 if no data"), None), ("CCDTEMP", -999, None),
        ("CCD-TEMP", "n/a", None),
    ],
)  # fmt: skip
def test_temperatures_in_kelvin_and_of_nothing(key, value, celsius):
    found = read({key: value}).ccd_temp_c
    assert math.isnan(found) if celsius is None else found == pytest.approx(celsius)


@pytest.mark.parametrize(
    ("cards", "binning"),
    [
        ({"XBINNING": 2, "YBINNING": 3}, (2, 3)), ({"BINNING": "2x2"}, (2, 2)), ({"CCDSUM": "4 2"}, (4, 2)),
        ({"BINX": 2}, (2, 2)), ({"BINNING": 2}, (2, 2)), ({"XBINNING": 0, "YBINNING": 0}, (1, 1)), ({}, (1, 1)),
    ],
)  # fmt: skip
def test_binning(cards, binning):
    frame = read(cards)
    assert (frame.xbin, frame.ybin) == binning


@pytest.mark.parametrize("spelling", ["ZWO ASI2600MM Pro", "asi2600mm-pro (SN 0A12)", "ZWO  asi2600MM_PRO [3]",
                                      "ZWO CCD ASI2600MM Pro #12"])  # fmt: skip
def test_a_camera_has_one_name(spelling):
    assert read(INSTRUME=spelling).camera_id == "asi2600mmpro"


def test_cameras_of_two_names_stay_two():
    assert names.camera_name("ASI294MC Pro") != names.camera_name("ASI294MM Pro")
    assert names.camera_name("SBIG Camera") == "sbigcamera", "what is nothing but noise is the name"
    assert names.camera_name("") == ""


def test_chips_of_one_instrument_are_cameras_of_their_own():
    assert read(INSTRUME="IMACS", CCDNAME="c3", hdu=1).camera_id == "imacs/c3"
    assert read(INSTRUME="IMACS", EXTNAME="CHIP 2", hdu=2).camera_id == "imacs/chip2"
    assert read(INSTRUME="IMACS", EXTNAME="COMPRESSED_IMAGE", hdu=1).camera_id == "imacs"


@pytest.mark.parametrize(
    ("cards", "pattern"),
    [
        ({"BAYERPAT": "rggb "}, "RGGB"), ({"BAYERPAT": "RGGB", "XBAYROFF": 1}, "GRBG"),
        ({"BAYERPAT": "RGGB", "YBAYROFF": 1}, "GBRG"), ({"BAYERPAT": "RGGB", "ROWORDER": "BOTTOM-UP"}, "GBRG"),
        ({"COLORTYP": "BGGR"}, "BGGR"), ({"COLORTYP": 2, "XBAYROFF": 1, "YBAYROFF": 0}, "GRBG"),
        ({"COLORTYP": 0}, ""), ({"BAYERPAT": "TRUE"}, ""), ({}, ""),
    ],
)  # fmt: skip
def test_colours_as_stored(cards, pattern):
    assert read(cards).bayerpat == pattern


def test_sections_that_are_none_are_not_taken():
    frame = read(BIASSEC="[ 1: 8, 1:60]", TRIMSEC="[0:0,0:0]", DATASEC="[9:100,1:60]")
    assert (frame.biassec, frame.trimsec) == ("[1:8,1:60]", "[9:100,1:60]")
    assert read(BIASSEC="[95:105,1:60]").biassec == ""


@pytest.mark.parametrize(
    ("cards", "letters"),
    [
        ({"CALSTAT": "BDF"}, "BDF"), ({"CALSTAT": "fb"}, "BF"), ({"ZEROCOR": "Zero corrected"}, "B"),
        ({"CALSTAT": "D", "FLATCOR": True}, "DF"), ({"DARKCOR": False}, ""), ({}, ""),
    ],
)  # fmt: skip
def test_what_was_done_already(cards, letters):
    assert read(cards).calstat == letters


@pytest.mark.parametrize(
    ("cards", "utc", "session"),
    [
        # local time with its zone beside universal time
        ({"DATE-OBS": "2017-12-19T18:33:43.317-0700", "UT-OBS": "2017-12-20T01:33:43.317-0000"},
         "2017-12-20T01:33:43.317", "2017-12-19"),
        ({"DATE-OBS": "2017-12-20T09:30:00+1100"}, "2017-12-19T22:30:00.000", "2017-12-19"),
        # one night in Australia, across noon of UTC
        ({"DATE-OBS": "2024-06-01T11:00:00", "SITELONG": "150 30 00"}, "2024-06-01T11:00:00.000", "2024-06-01"),
        ({"DATE-OBS": "2024-06-01T13:00:00", "SITELONG": "+150:30:00"}, "2024-06-01T13:00:00.000", "2024-06-01"),
        ({"DATE-OBS": "2024-06-01T13:00:00"}, "2024-06-01T13:00:00.000", "2024-06-01"),
        ({"DATE-OBS": "2024-06-01T11:59:59"}, "2024-06-01T11:59:59.000", "2024-05-31"),
        ({"DATE-OBS": "2012-02-06T11:45:25", "SITELONG": "-96 27 12"}, "2012-02-06T11:45:25.000", "2012-02-05"),
        ({"DATE-OBS": "2013-07-13", "UT": "00:57:33", "MJD-OBS": 56486.0}, "2013-07-13T00:57:33.000", "2013-07-12"),
        ({"DATE-OBS": "05/11/97", "TIME-OBS": "1:02:03"}, "1997-11-05T01:02:03.000", "1997-11-04"),
        ({"MJD-OBS": 60000.25}, "2023-02-25T06:00:00.000", "2023-02-24"),
        ({"JD": 2460000.75}, "2023-02-25T06:00:00.000", "2023-02-24"),
        ({"DATE-OBS": "2013-07-13"}, "2013-07-13", "2013-07-13"),
        ({"DATE-LOC": "2024-06-01T01:02:03"}, "", "2024-05-31"),
        ({"DATE-OBS": "yesterday", "UT": "late"}, "", ""),
        ({"DATE-OBS": "2024-13-45T11:00:00"}, "", ""),
    ],
)  # fmt: skip
def test_when_it_was_taken(cards, utc, session):
    assert times.exposure_start(cards) == (utc, session)


def test_the_real_headers_are_all_classified(shared_data):
    folder = shared_data / "raw-calib"
    found = {path.name: normalise(fits.getheader(path), path.stem, path.name) for path in folder.glob("*.fit*")}
    kinds = {name: frame.imagetyp for name, frame in found.items()}
    assert kinds == {
        **{f"biastest{number}.fit": "bias" for number in range(1, 6)},
        "a8280271.fits.gz": "light", "aspen_trimmed.fit": "flat", "maximdl_5_23_header.fit": "light",
        "celestron_nightscape_10100_astro_fx_v106.fit": "light",
    }  # fmt: skip
    assert {frame.session for name, frame in found.items() if name.startswith("bias")} == {"2012-02-05"}
    saao = found["a8280271.fits.gz"]
    assert (saao.egain_e_adu, saao.rdnoise_e, saao.trimsec) == (1.9, 5, "[17:528,1:520]")
    assert found["celestron_nightscape_10100_astro_fx_v106.fit"].bayerpat == "GRBG"


def test_a_header_that_says_no_type_gets_none(shared_data):
    for path in (shared_data / "stack-hatp32").glob("*.gz"):
        frame = normalise(fits.getheader(path), path.stem, path.name)
        assert (frame.imagetyp, frame.exptime_s, frame.filter, frame.session) == ("", 60, "Clear", "2017-12-19")
