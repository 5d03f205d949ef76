"""Headers of simulated frames read as those of the programs they imitate."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from lostlight.sim.camera import Camera
from lostlight.sim.camera_header import DIALECTS

TYPES = {
    "plain": ("BIAS", "DARK", "FLAT", "FLAT DARK", "LIGHT"),
    "nina": ("BIAS", "DARK", "FLAT", "DARKFLAT", "LIGHT"),
    "maxim": ("Bias Frame", "Dark Frame", "Flat Field", "Dark Frame", "Light Frame"),
    "asiair": ("Bias", "Dark", "Flat", "Dark", "Light"),
    "sharpcap": ("Bias", "Dark", "Flat", "Flat Dark", "Light"),
    "siril": ("BIAS", "DARK", "FLAT", "FLATDARK", "LIGHT"),
    "iraf": ("zero", "dark", "flat", "dark", "object"),
}
KINDS = ("bias", "dark", "flat", "flat_dark", "light")
GAIN_KEY = {"iraf": "GAIN", "siril": "CVF"}


def headers(dialect, **switches):
    camera = Camera(1, (24, 40), dialect=dialect, **switches)
    return {kind: getattr(camera, kind)(3).header for kind in KINDS}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_types_are_called_as_the_program_calls_them(dialect):
    found = headers(dialect)
    key = "FRAMETYP" if dialect == "sharpcap" else "IMAGETYP"
    assert tuple(found[kind][key] for kind in KINDS) == TYPES[dialect]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_exposures_and_filters_are_told_and_the_gain_where_the_program_knows_it(dialect):
    found = headers(dialect, gain_e_adu=1.9)
    assert [found[kind]["EXPTIME"] for kind in KINDS] == [0, 120, 2, 2, 120]
    assert found["flat"]["FILTER"] == found["light"]["FILTER"] == "R"
    assert "FILTER" not in found["dark"]
    if dialect != "sharpcap":
        assert found["bias"][GAIN_KEY.get(dialect, "EGAIN")] == 1.9


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_night_goes_on_frame_by_frame(dialect):
    camera = Camera(1, (24, 40), dialect=dialect)
    starts = []
    for raw in [camera.bias(0), camera.bias(1), camera.light(0), camera.light(1), camera.dark(0)]:
        day, clock = raw.header["DATE-OBS"], raw.header.get("UT")
        starts.append(datetime.fromisoformat(f"{day}T{clock}" if clock else day))
    assert starts == sorted(starts)
    assert starts[3] - starts[2] > timedelta(seconds=120)
    assert starts[-1] - starts[0] < timedelta(hours=18)


def test_series_of_one_kind_do_not_overlap():
    camera = Camera(1, (24, 40))
    starts = {
        datetime.fromisoformat(raw.header["DATE-OBS"])
        for i in range(5)
        for raw in [camera.dark(i, 60.0), camera.dark(i, 120.0), *(camera.light(i, band) for band in "BGRVL")]
    }
    assert len(starts) == 35


def test_the_thermometer_wavers_about_what_is_set():
    camera = Camera(1, (24, 40))
    readings = [camera.dark(i, temp_c=-5.0).header["CCD-TEMP"] for i in range(3)]
    assert readings == [-5.1, -5.0, -4.9]
    assert camera.dark(0, temp_c=-5.0).header["SET-TEMP"] == -5


def test_the_sections_are_those_of_the_blind_and_the_lit_columns():
    found = headers("iraf", overscan_px=7)["flat"]
    assert (found["BIASSEC"], found["TRIMSEC"]) == ("[2:7,1:24]", "[8:47,1:24]")
    assert "TRIMSEC" not in headers("iraf")["flat"]


def test_only_lights_point_at_the_sky_and_the_strip_moves_the_middle():
    plain, strip = (headers("plain", overscan_px=n)["light"] for n in (0, 7))
    assert strip["CRPIX1"] - plain["CRPIX1"] == pytest.approx(7)
    assert strip["CRPIX2"] == plain["CRPIX2"]
    matrix = np.array([[plain[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)])
    assert np.linalg.det(matrix) == pytest.approx(-((2.5 / 3600) ** 2))
    assert "CRVAL1" not in headers("plain")["dark"]


def test_a_mono_camera_names_no_pattern():
    assert "BAYERPAT" not in headers("nina")["light"]
    assert headers("nina", cfa="GRBG")["light"]["BAYERPAT"] == "GRBG"
