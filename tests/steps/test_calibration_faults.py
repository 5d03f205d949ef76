"""Frames as observers and programs leave them behind: odd, damaged, of two cameras, in other units."""

import gzip
import re
import shutil

import numpy as np
import pytest
from astropy.io import fits
from tests.raw_night import KINDS, calibrate, copied, edit, edit_all, take


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    return take(tmp_path_factory.mktemp("night") / "f", n_light=1)


@pytest.fixture
def frames(night, tmp_path):
    return copied(night, tmp_path / "f")


@pytest.fixture(scope="module")
def good(night, tmp_path_factory):
    """Pixels of the light of the unspoilt night."""
    return light(calibrate(night, tmp_path_factory.mktemp("good") / "run"))


@pytest.fixture(autouse=True)
def _without_page(monkeypatch):
    monkeypatch.setattr("lostlight.report.calibration_page.html", lambda content, pictures: "")


def light(outcome, name="light_R_60s_000"):
    return fits.getdata(outcome.run / "11_calibrate/products" / f"{name}.fits")


def broken(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new.ljust(len(old)), 1))


LIGHT = "light/light_R_60s_000.fits"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("not a picture"), "is not a FITS file: it begins with b'not a picture'"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "breaks off at byte 5000"),
        (lambda path: path.write_bytes(gzip.compress(path.read_bytes())[:-99]), "its gzip stream ends after"),
        (
            lambda path: broken(path, b"BITPIX  =                   16", b"BITPIX  =                   17"),
            "BITPIX = 17",
        ),
        (lambda path: broken(path, b"BZERO   =                32768", b"BZERO   = 'zero'"), "BZERO = 'zero'"),
        (lambda path: broken(path, b"BSCALE  =                    1", b"BSCALE  =                    0"), "BSCALE = 0"),
        (lambda path: broken(path, b"NAXIS1  =                   61", b"NAXIS1  =                  -61"), "CAL111"),
        (lambda path: broken(path, b"NAXIS1  =                   61", b"NAXIS1  =           1000000000"), "breaks off"),
        (lambda path: edit(path, lambda data: np.stack([data, data])), "holds no two-dimensional image"),
    ],
)
def test_a_file_that_is_no_frame_is_named_with_the_reason(frames, tmp_path, spoil, says):
    spoil(frames / LIGHT)
    outcome = calibrate(frames, tmp_path / "run")
    assert re.match(r"CAL111: light_R_60s_000\.fits", outcome.error.message)
    assert says in outcome.error.message
    assert "skip" in outcome.error.hint


def test_what_are_no_frames_does_not_matter(frames, tmp_path, good):
    (frames / "folder.fits").mkdir()
    (frames / ".hidden.fits").write_bytes(b"?")
    (frames / "notes.txt").write_text("clouds at two")
    assert np.array_equal(light(calibrate(frames, tmp_path / "run")), good)


def test_names_with_spaces_and_letters_of_any_script(frames, tmp_path, good):
    (frames / LIGHT).rename(frames / "light/lïcht 星 {1} #2 'x'.fits")
    outcome = calibrate(frames, tmp_path / "run")
    (name,) = (each["id"] for each in outcome.report["lights"])
    assert np.array_equal(light(outcome, name), good)


def test_a_third_axis_of_one_and_packed_files(frames, tmp_path, good):
    edit(frames / LIGHT, lambda data: data[np.newaxis])
    for path in (frames / "dark").glob("*.fits"):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert np.array_equal(light(calibrate(frames, tmp_path / "run")), good)


@pytest.mark.parametrize("kind", ["bias", "dark", "flat"])
def test_a_master_of_one_frame_is_not_made_unless_asked_for(frames, tmp_path, kind):
    for path in sorted((frames / kind).glob("*.fits"))[1:]:
        path.unlink()
    outcome = calibrate(frames, tmp_path / "run")
    if kind == "bias":  # the flats have their overscan, the light its dark
        assert any(re.match("CAL223 plan: bias/bias_000.fits: alone in", said) for said in outcome.warnings)
    else:
        assert re.match(f"CAL105: no {kind} fits", outcome.error.message)
        assert "min_frames: 1" in outcome.error.message
    allowed = calibrate(frames, tmp_path / "allowed", **{kind: {"min_frames": 1}})
    assert allowed.error is None
    assert not allowed.failures


def test_without_lights_masters_are_made(frames, tmp_path):
    shutil.rmtree(frames / "light")
    outcome = calibrate(frames, tmp_path / "run")
    assert len([name for name in outcome.products if name.endswith(".master.fits")]) == 3


def test_lights_alone_lose_their_overscan(frames, tmp_path):
    for kind in ("bias", "dark", "flat"):
        shutil.rmtree(frames / kind)
    outcome = calibrate(frames, tmp_path / "run")
    assert not outcome.failures
    raw = fits.getdata(frames / LIGHT).astype(float)
    assert np.median(light(outcome)) == pytest.approx(np.median(raw[:, 8:]) - np.median(raw[:, 1:8]), abs=1.5)
    assert len([said for said in outcome.warnings if said.startswith("CAL227")]) == 3


def test_overscan_is_pedestal_enough_for_flats_and_lights(frames, tmp_path):
    for kind in ("bias", "dark"):
        shutil.rmtree(frames / kind)
    outcome = calibrate(frames, tmp_path / "run")
    assert not outcome.failures
    assert outcome.unit("light_R_60s_000").status == "ok"


def test_masters_of_another_camera_are_not_there(frames, tmp_path, good):
    other = shutil.copy(frames / LIGHT, frames / "light/other.fits")
    edit(other, INSTRUME="Quite Another 5000")
    outcome = calibrate(frames, tmp_path / "run")
    assert np.array_equal(light(outcome), good)
    told = {each["id"]: each["masters"] for each in outcome.report["lights"]}
    assert {"dark", "flat"} <= told["light_R_60s_000"].keys()
    assert not {"dark", "flat", "bias"} & told["other"].keys()
    missing = [said for said in outcome.warnings if said.startswith("CAL227")]
    assert len(missing) == 3
    assert all("no light of camera" in said for said in missing)


def test_two_whole_cameras_in_one_folder(frames, tmp_path, good):
    take(frames / "second", seed=8, shape=(33, 40), n_light=1, gain_e_adu=0.5)
    for path in (frames / "second").rglob("*.fits"):
        edit(path, INSTRUME="Quite Another 5000")
        path.rename(path.with_name(f"second_{path.name}"))
    outcome = calibrate(frames, tmp_path / "run")
    assert not outcome.failures
    assert np.array_equal(light(outcome), good)
    assert light(outcome, "second_light_R_60s_000").shape == (33, 40)


def test_a_camera_whose_name_is_misspelt_is_an_error_that_says_so(frames, tmp_path):
    edit(frames / LIGHT, INSTRUME="Simulatd camera")
    outcome = calibrate(frames, tmp_path / "run")
    assert "(the same, misspelt?)" in outcome.error.message


@pytest.mark.parametrize(
    ("flats", "lights", "fits_"), [("Ha", "HA", True), ("H-alpha", "h_alpha", True), ("R", "r", False)]
)
def test_filters_are_told_apart_by_their_case_only_where_they_are_bands(frames, tmp_path, flats, lights, fits_):
    edit_all(frames, "flat", FILTER=flats)
    edit_all(frames, "light", FILTER=lights)
    outcome = calibrate(frames, tmp_path / "run")
    assert (outcome.error is None) == fits_
    if not fits_:
        assert "filter R is not r" in outcome.error.message


@pytest.mark.parametrize("value", [None, "long", -60.0])
def test_without_exposure_no_dark_is_matched(frames, tmp_path, value):
    edit_all(frames, "light", EXPTIME=value)
    assert "exposure unknown of the frame" in calibrate(frames, tmp_path / "run").error.message


def test_pixels_of_any_kind_of_number_give_the_same(frames, tmp_path, good):
    for number, kind in enumerate((np.int32, np.float32, np.float64)):
        copy = copied(frames, tmp_path / f"as_{number}")
        edit_all(copy, change=lambda data, n, kind=kind: data.astype(kind))
        np.testing.assert_allclose(light(calibrate(copy, tmp_path / f"run_{number}")), good, rtol=1e-4, atol=0.02)


def test_counts_without_bzero_that_begin_below_zero(frames, tmp_path, good):
    edit_all(frames, change=lambda data, n: (data.astype(np.int32) - 32768).astype(np.int16), SATURATE=None)
    np.testing.assert_allclose(light(calibrate(frames, tmp_path / "run")), good, rtol=1e-4, atol=0.02)


def test_frames_between_zero_and_one_are_calibrated_in_their_own_unit(frames, tmp_path, good):
    edit_all(frames, change=lambda data, n: (data / 65535).astype(np.float32), EGAIN=None, RDNOISE=None, SATURATE=None)
    outcome = calibrate(frames, tmp_path / "run", camera={"saturate_adu": 1})
    assert not outcome.failures
    assert np.median(light(outcome)) * 65535 == pytest.approx(np.median(good), rel=0.01)


def test_lights_between_zero_and_one_and_darks_in_counts_do_not_go_together(frames, tmp_path):
    edit_all(frames, BIASSEC=None, TRIMSEC=None)
    edit_all(frames, "light", change=lambda data, n: (data / 65535).astype(np.float32))
    outcome = calibrate(frames, tmp_path / "run")
    assert re.match(
        r"CAL104: light_R_60s_000 lies between 0\.0\d+ and .*, master_dark.* about 1\d{3}", str(outcome.error)
    )
    assert outcome.error.exit_code == 2


def test_hot_pixels_do_not_saturate_a_flat(frames, tmp_path):
    rng = np.random.default_rng(0)
    places = 4 * rng.permutation(10)[:8], 10 + 5 * rng.permutation(10)[:8]

    def hot(data, number):
        data[places] = 65535
        return data

    edit_all(frames, "flat", change=hot)
    outcome = calibrate(frames, tmp_path / "run")
    assert not outcome.failures


def test_missing_or_impossible_numbers_of_the_camera(frames, tmp_path, good):
    edit_all(frames, EGAIN=-1.5, RDNOISE=-5.0, SATURATE=0, XBINNING="two", CRPIX1="x", XBAYROFF="y")
    outcome = calibrate(frames, tmp_path / "run")
    assert not outcome.failures
    assert {said.split(":")[0] for said in outcome.warnings} >= {"CAL218 EGAIN", "CAL218 RDNOISE"}
    assert np.median(light(outcome)) == pytest.approx(np.median(good), rel=0.01)


@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (41, 2), (2, 61), (9, 8)])
def test_frames_that_are_hardly_any(frames, tmp_path, shape):
    edit_all(frames, TRIMSEC=None, BIASSEC=None, change=lambda data, n: data[: shape[0], 8 : 8 + shape[1]])
    outcome = calibrate(frames, tmp_path / "run")
    assert all(said.startswith("CAL108") for said in outcome.failures)


def test_sections_that_are_none_are_told_once(frames, tmp_path):
    edit_all(frames, TRIMSEC="[1:99,1:41]")
    outcome = calibrate(frames, tmp_path / "run")
    told = [said for said in outcome.warnings if "TRIMSEC" in said]
    assert told == [
        "CAL218 bias/bias_000.fits: TRIMSEC = '[1:99,1:41]' is no section of 61 x 41 pixels, nor of 9 more frames"
    ]


def test_a_constant_frame_is_warned_of(frames, tmp_path):
    edit_all(frames, *KINDS[:1], change=lambda data, n: np.full_like(data, 1000))
    outcome = calibrate(frames, tmp_path / "run", bias={"overscan": "off"})
    assert "CAL206 bias_000: all of its pixels are 1000: was it read out?" in outcome.warnings
