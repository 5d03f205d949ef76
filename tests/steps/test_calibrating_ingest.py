"""From a folder or table to the frames of calibration."""

import json
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from lostlight.core.errors import BadImage, ConfigError
from lostlight.core.params.calibrate import CalibrateParams
from lostlight.io import tables
from lostlight.sim import camera_header
from lostlight.sim.camera_frames import write_frames
from lostlight.steps.calibrating.ingest import ingest
from lostlight.vocab.columns import FRAMES

FULL = {"INSTRUME": "Cam 9", "EXPTIME": 30.0, "CCD-TEMP": -10.0, "EGAIN": 1.5, "RDNOISE": 5.0, "FILTER": "R",
        "DATE-OBS": "2024-03-10T22:00:00"}  # fmt: skip


def frame(path, kind="bias", seed=0, **cards):
    path.parent.mkdir(parents=True, exist_ok=True)
    data = np.random.default_rng(seed).integers(900, 1100, (11, 17)).astype(np.uint16)
    header = fits.Header({**FULL, **({"IMAGETYP": kind} if kind else {}), **cards})
    fits.PrimaryHDU(data, header).writeto(path)
    return path


def take(source, **knobs):
    return ingest(CalibrateParams(frames=str(source), **knobs))


def test_frames_come_in_the_order_of_their_paths_with_what_is_known(tmp_path):
    frame(tmp_path / "night" / "l1.fits", "Light Frame", 1)
    frame(tmp_path / "b2.fits", "Bias Frame", 2)
    frame(tmp_path / "b1.fits", "zero", 3)
    found = take(tmp_path)
    assert [(each.frame_id, each.imagetyp, each.path) for each in found.frames] == [
        ("b1", "bias", "b1.fits"), ("b2", "bias", "b2.fits"), ("l1", "light", "night/l1.fits"),
    ]  # fmt: skip
    assert found.paths["l1"] == tmp_path / "night" / "l1.fits"
    assert (found.skipped, found.warnings) == ((), [])
    assert found.frames == take(tmp_path).frames


def test_a_table_overrides_headers_and_the_camera_overrides_both(tmp_path):
    frame(tmp_path / "raw" / "a.fits", "", 1)
    frame(tmp_path / "raw" / "b.fits", "light", 2)
    table = tmp_path / "frames.csv"
    table.write_text(
        "path,imagetyp,exptime_s,xbin,weight,egain_e_adu\nraw/b.fits,Flat Dark,2.5,2,0.5,\nraw/a.fits,dark,,,,7\n"
    )
    found = take(table, camera={"rdnoise_e": 3.3, "saturate_adu": 50000})
    a, b = found.frames
    assert (a.frame_id, a.imagetyp, a.exptime_s, a.egain_e_adu) == ("a", "dark", 30, 7)
    assert (b.imagetyp, b.exptime_s, b.xbin, b.weight, b.egain_e_adu) == ("flat_dark", 2.5, 2, 0.5, 1.5)
    assert {each.rdnoise_e for each in found.frames} == {3.3}
    assert {each.saturate_adu for each in found.frames} == {50000}
    assert found.paths["b"] == tmp_path / "raw" / "b.fits"


@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("exptime", "3", r"CAL109.*column 'exptime'.*\n.*did you mean exptime_s"),
        ("colour_of_socks", "red", r"CAL109.*column 'colour_of_socks'"),
        ("exptime_s", "long", r"CAL109.*a\.fits: exptime_s is 'long'"),
        ("xbin", "2.5", r"CAL109.*xbin is '2\.5'"),
        ("exptime_s", "inf", "CAL109"),
        ("imagetyp", "selfie", r"CAL102: a\.fits: imagetyp 'selfie'"),
    ],
)
def test_a_table_that_makes_no_sense_is_refused(tmp_path, column, cell, said):
    frame(tmp_path / "a.fits")
    (tmp_path / "frames.csv").write_text(f"path,{column}\na.fits,{cell}\n")
    with pytest.raises(ConfigError, match=said):
        take(tmp_path / "frames.csv")


def mosaic(path):
    rng = np.random.default_rng(8)
    chips = [fits.ImageHDU(rng.integers(0, 99, (11, 17)).astype(np.int16), name=f"CHIP{n}") for n in (1, 2)]
    fits.HDUList([fits.PrimaryHDU(header=fits.Header({**FULL, "IMAGETYP": "bias"})), *chips]).writeto(path)


def test_each_chip_of_a_mosaic_is_a_frame_and_a_table_picks_one(tmp_path):
    mosaic(tmp_path / "m.fits")
    found = take(tmp_path)
    assert [(each.frame_id, each.hdu, each.camera_id) for each in found.frames] == [
        ("m_hdu1", 1, "9/chip1"), ("m_hdu2", 2, "9/chip2"),
    ]  # fmt: skip
    assert found.paths["m_hdu1"] == found.paths["m_hdu2"]


def test_a_table_picks_a_chip_that_must_be_there(tmp_path):
    mosaic(tmp_path / "m.fits")
    (tmp_path / "frames.csv").write_text("path,hdu\nm.fits,2\n")
    (one,) = take(tmp_path / "frames.csv").frames
    assert (one.frame_id, one.hdu) == ("m_hdu2", 2)
    (tmp_path / "frames.csv").write_text("path,hdu\nm.fits,5\n")
    with pytest.raises(BadImage, match=r"CAL111: m\.fits holds no frame in HDU 5"):
        take(tmp_path / "frames.csv")


def test_names_that_clash_get_a_piece_of_a_hash(tmp_path):
    for number, path in enumerate(("n1/a.fits", "n2/a.fits", "n2/A.fits", "b.fits", "plan.fits", "with space ä.fits")):
        frame(tmp_path / path, seed=number)
    found = take(tmp_path)
    ids = {each.path: each.frame_id for each in found.frames}
    assert len(set(map(str.casefold, ids.values()))) == 6
    assert ids["b.fits"] == "b"
    assert ids["n1/a.fits"].startswith("a_")
    assert ids["plan.fits"].startswith("plan_")
    assert ids["with space ä.fits"] == "with_space_ä"
    shutil.rmtree(tmp_path / "n1")
    assert {each.path: each.frame_id for each in take(tmp_path).frames}["n2/a.fits"] == ids["n2/a.fits"]


def test_the_second_copy_of_a_file_is_left_out(tmp_path):
    first = frame(tmp_path / "a.fits", seed=1)
    shutil.copy(first, tmp_path / "b.fits")
    (tmp_path / "c.fits").symlink_to(first)
    frame(tmp_path / "d.fits", seed=2)
    found = take(tmp_path)
    assert [each.path for each in found.frames] == ["a.fits", "d.fits"]
    assert found.skipped == (
        ("b.fits", "CAL223", "the same file as a.fits"), ("c.fits", "CAL223", "the same file as a.fits"),
    )  # fmt: skip
    assert [warning.code for warning in found.warnings] == ["CAL223", "CAL223"]
    assert all(len(each.sha256) == 64 for each in found.frames)


def test_a_damaged_frame_stops_the_run_or_is_recorded(tmp_path):
    frame(tmp_path / "a.fits")
    bad = frame(tmp_path / "sub" / "b.fits", seed=1)
    bad.write_bytes(bad.read_bytes()[:3000])
    (tmp_path / "empty.fits").touch()
    (tmp_path / "gone.fits").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadImage, match=r"CAL111: empty\.fits is empty"):
        take(tmp_path)
    found = take(tmp_path, on_bad_frame="skip")
    assert [each.path for each in found.frames] == ["a.fits"]
    assert {(path, code) for path, code, _ in found.skipped} == {
        ("empty.fits", "CAL111"), ("gone.fits", "CAL111"), ("sub/b.fits", "CAL111"),
    }  # fmt: skip
    assert "b.fits breaks off at byte 3000: HDU 0 needs 3254 bytes" in {reason for _, _, reason in found.skipped}
    assert {warning.code for warning in found.warnings} == {"CAL223"}


def test_where_nothing_is_left_it_says_why(tmp_path):
    (tmp_path / "empty.fits").touch()
    with pytest.raises(ConfigError, match=r"CAL101: none of the files.*empty\.fits: empty\.fits is empty"):
        take(tmp_path, on_bad_frame="skip")
    with pytest.raises(ConfigError, match="CAL101"):
        take(tmp_path / "nowhere")


def test_frames_of_unknown_type_are_an_error_unless_the_folder_may_tell(tmp_path):
    frame(tmp_path / "flats" / "x1.fits", "", 1)
    frame(tmp_path / "x2.fits", "Tricolor Image", 2)
    with pytest.raises(ConfigError, match=r"CAL102: 2 of 2 frames.*IMAGETYP is missing; x2.fits: IMAGETYP = 'Tricolor"):
        take(tmp_path)
    with pytest.raises(ConfigError, match="CAL102: 1 of 2"):
        take(tmp_path, infer_type=True)
    found = take(tmp_path, infer_type=True, on_bad_frame="skip")
    assert [(each.path, each.imagetyp) for each in found.frames] == [("flats/x1.fits", "flat")]
    assert found.skipped == (("x2.fits", "CAL102", "unknown type of frame: IMAGETYP = 'Tricolor Image'"),)
    guessed = next(warning for warning in found.warnings if warning.code == "CAL218")
    assert guessed.said == "IMAGETYP is missing: taken for a flat by its folder or name"


def test_the_folder_that_is_named_tells_the_type_too(tmp_path):
    frame(tmp_path / "darks" / "x1.fits", "")
    assert take(tmp_path / "darks", infer_type=True).frames[0].imagetyp == "dark"


@pytest.mark.parametrize(
    ("cards", "kind"),
    [
        ({"RA": 31.3, "EXPTIME": 60.0}, "light"),
        ({"OBJECT": "HATP-32", "EXPTIME": 60.0}, "light"),
        ({"OBJECT": "zero", "RA": 31.3, "EXPTIME": 0.0}, "bias"),
        ({"RA": 31.3, "EXPTIME": 0.0}, ""),
        ({"EXPTIME": 60.0}, ""),
        ({"RA": 31.3, "EXPTIME": 60.0, "IMAGETYP": "focus run"}, ""),
    ],
)
def test_a_frame_exposed_at_the_sky_is_a_light(tmp_path, cards, kind):
    frame(tmp_path / "n" / "b1.fits", "bias", 1)
    frame(tmp_path / "n" / "n0017.fits", "", 2, **cards)
    found = take(tmp_path / "n", infer_type=True, on_bad_frame="skip")
    assert [each.imagetyp for each in found.frames if each.frame_id == "n0017"] == [kind] * bool(kind)
    if kind == "light":
        assert any("taken for a light by its pointing and exposure" in warning.said for warning in found.warnings)


def test_real_lights_without_a_type_are_told_by_their_pointing(shared_data):
    found = take(shared_data / "stack-hatp32", infer_type=True, on_bad_frame="skip")
    assert len(found.frames) > 5 and {each.imagetyp for each in found.frames} == {"light"}


def test_what_a_header_says_is_never_guessed_over(tmp_path):
    frame(tmp_path / "darks" / "x1.fits", "light")
    assert take(tmp_path, infer_type=True).frames[0].imagetyp == "light"


def test_missing_keys_that_matter_are_told_once(tmp_path):
    for number in range(5):
        frame(tmp_path / f"d{number}.fits", "dark", number, **{"CCD-TEMP": -10.0 if number else None})
        path = frame(tmp_path / f"f{number}.fits", "flat", 10 + number)
        fits.delval(path, "EGAIN")
        fits.delval(path, "CCD-TEMP")
    told = {warning.where: (warning.code, warning.value, warning.said) for warning in take(tmp_path).warnings}
    assert told == {
        "CCD-TEMP": ("CAL218", 1, "CCD-TEMP is missing in 1 of 5 frames that need it: d0"),
        "EGAIN": ("CAL218", 5, "EGAIN is missing in 5 of 10 frames that need it: f0, f1, f2, …"),
    }


def test_a_camera_without_filters_needs_no_filter(tmp_path):
    for number in range(2):
        fits.delval(frame(tmp_path / f"l{number}.fits", "light", number), "FILTER")
    assert take(tmp_path).warnings == []
    frame(tmp_path / "l3.fits", "light", 3)
    assert [warning.where for warning in take(tmp_path).warnings] == ["FILTER"]


def test_sections_that_are_none_are_told(tmp_path):
    frame(tmp_path / "a.fits", BIASSEC="[15:18,1:11]", TRIMSEC="[1:14,1:11]")
    (warning,) = take(tmp_path).warnings
    assert (warning.code, warning.said) == ("CAL218", "BIASSEC = '[15:18,1:11]' is no section of 17 x 11 pixels")


def test_a_simulated_camera_is_taken_from_the_environment(tmp_path, monkeypatch):
    frame(tmp_path / "a.fits")
    monkeypatch.setenv("LOSTLIGHT_FRAMES", json.dumps({"camera:4": str(tmp_path)}))
    assert len(take("camera:4").frames) == 1


def test_real_frames_of_five_cameras(shared_data):
    found = take(shared_data / "raw-calib")
    assert len(found.frames) == 9
    assert {each.camera_id for each in found.frames} == {
        "alta",
        "aspencg16m",
        "apogeeusbnet",
        "nightscape10100",
        "ste3",
    }
    assert found.skipped == ()


def test_real_lights_without_a_type_come_with_a_table(shared_data, tmp_path):
    folder = shared_data / "stack-hatp32"
    with pytest.raises(ConfigError, match="CAL102: 11 of 11"):
        take(folder)
    rows = "".join(f"{path},light\n" for path in sorted(folder.glob("*.gz")))
    (tmp_path / "frames.csv").write_text(f"path,imagetyp\n{rows}")
    found = take(tmp_path / "frames.csv")
    assert len(found.frames) == 11
    assert {each.session for each in found.frames} == {"2017-12-19"}
    assert all(found.paths[each.frame_id].is_file() for each in found.frames)


def test_the_table_of_frames_that_is_written_can_be_read_again(tmp_path):
    """Who wants to correct what headers say edits a copy of the table, laid beside the frames."""
    mosaic(tmp_path / "m.fits")
    frame(tmp_path / "night" / "f.fits", "Flat Dark", 1, BAYERPAT="RGGB", BIASSEC="[1:4,1:11]")
    found = take(tmp_path)
    columns = {name: [getattr(each, name) for each in found.frames] for name in FRAMES}
    tables.write(Table(columns), tmp_path / "plan.frames.csv", FRAMES)
    again = take(tmp_path / "plan.frames.csv")
    assert [repr(each) for each in again.frames] == [repr(each) for each in found.frames]


@pytest.mark.parametrize("dialect", camera_header.DIALECTS)
def test_frames_of_the_simulated_camera_are_what_they_were_taken_as(tmp_path, dialect):
    small = {"shape": (40, 56), "overscan_px": 8, "n_bias": 2, "n_dark": 1, "n_flat": 1, "n_flat_dark": 1, "n_light": 1}
    roll = write_frames(tmp_path, 9, dialect=dialect, cfa="GRBG" if dialect == "asiair" else "", **small)
    found = take(tmp_path)
    assert {each.path for each in found.frames} == set(roll.shots)
    for each in found.frames:
        shot = roll.shots[each.path]
        # these have no word for the dark of a flat: its exposure tells
        wordless = dialect in ("iraf", "maxim", "asiair")
        kind = "dark" if wordless and shot.kind == "flat_dark" else shot.kind
        assert (each.imagetyp, each.exptime_s) == (kind, shot.exptime_s)
        assert each.egain_e_adu in (roll.camera.design.gain_e_adu, pytest.approx(np.nan, nan_ok=True))
        assert each.filter == shot.filter
        assert each.shape == (40, 64)
        assert (each.biassec[-8:], each.trimsec) == (":8,1:40]", "[9:64,1:40]")
    told = {each.egain_e_adu == roll.camera.design.gain_e_adu for each in found.frames}
    assert told == {dialect != "sharpcap"}
