"""Frames as observers and programs leave them behind: odd, damaged, of several kinds, or not where they say."""

import gzip
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from tests.mosaic_run import STEP, copied, edit, make, take, without_sky

from lostlight.core import config as configuration
from lostlight.core.errors import ConfigError

pytestmark = pytest.mark.filterwarnings("ignore:.*header keyword is invalid", "ignore:.*datfix")
LIGHT = "light_0001.fits"
ALL = [f"light_{number:04d}.fits" for number in range(4)]
SMALL = {"layout": (1, 2), "tile_px": (81, 96), "n_per_tile": 2, "n_stars": 90}
"""Two frames of each of two fields."""
ONE_FIELD = {"layout": (1, 1), "tile_px": (121, 150), "n_per_tile": 4}
"""Four frames of one field, with stars enough to register them."""


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Not to be changed."""
    return take(tmp_path_factory.mktemp("night") / "f", **SMALL)


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """Not to be changed."""
    return take(tmp_path_factory.mktemp("field") / "f", **ONE_FIELD)


@pytest.fixture
def frames(night, tmp_path):
    return copied(night, tmp_path / "f")


@pytest.fixture
def unsolved(field, tmp_path):
    """Frames of one field, none of them with a sky solution."""
    frames = copied(field, tmp_path / "f")
    for name in ALL:
        without_sky(frames / name)
    return frames


@pytest.fixture(scope="module")
def good(night, tmp_path_factory):
    """Pixels of the unspoilt mosaic."""
    return make(night, tmp_path_factory.mktemp("good") / "run").plane()


@pytest.fixture(autouse=True, scope="module")
def _without_page():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lostlight.report.mosaic_page.html", lambda *content, **more: "")
        yield


def replaced(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new.ljust(len(old)), 1))


def gzipped(path, n_lost=0):
    content = gzip.compress(path.read_bytes())
    path.with_name(f"{path.name}.gz").write_bytes(content[: len(content) - n_lost])
    path.unlink()


def noise(data, seed=3):
    """Pixels without a star."""
    return np.random.default_rng(seed).normal(300, 5, data.shape).astype(np.float32)


def elsewhere(path, ra_deg, dec_deg=0.0):
    """Move a frame on the sky."""
    header = fits.getheader(path)
    return edit(path, CRVAL1=header["CRVAL1"] + ra_deg, CRVAL2=header["CRVAL2"] + dec_deg)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("not a picture"), "is not a FITS file: it begins with b'not a picture'"),
        (lambda path: path.write_bytes(path.read_bytes()[:9000]), "breaks off at byte 9000"),
        (lambda path: gzipped(path, 2000), "its gzip stream ends after"),
        (lambda path: replaced(path, b"BITPIX  =                  -32", b"BITPIX  =                  -31"), "BITPIX"),
        (
            lambda path: replaced(path, b"BUNIT   = 'adu     '          ", b"BSCALE  =                    0"),
            "BSCALE = 0",
        ),
        (lambda path: replaced(path, b"NAXIS1  =                   96", b"NAXIS1  =                  -96"), "damaged"),
        (lambda path: replaced(path, b"NAXIS1  =                   96", b"NAXIS1  =           1000000000"), "breaks"),
        (lambda path: edit(path, lambda data: np.stack([data] * 4)), "one of 96 x 81 x 4"),
        (lambda path: edit(path, lambda data: np.full_like(data, np.nan)), "no valid pixel"),
        (lambda path: edit(path, lambda data: np.full_like(data, 7)), "constant: no noise at all"),
        (lambda path: edit(path, lambda data: data[:1, :1]), "too few valid pixels"),
        (lambda path: edit(path, IMAGETYP="Dark Frame"), "it is a dark, not a light: calibrate first"),
        (lambda path: edit(path, BAYERPAT="RGGB"), "its pixels are a colour-filter array (RGGB): calibrate first"),
        (lambda path: edit(path, noise), "0 stars are 0.00 times the median"),
        (lambda path: without_sky(edit(path, noise)), "0 stars, and 8 are needed to register a frame"),
    ],
)
def test_a_frame_that_cannot_be_used_is_left_out_with_the_reason(frames, tmp_path, spoil, says):
    spoil(frames / LIGHT)
    outcome = make(frames, tmp_path / "run")
    assert outcome.error is None
    assert outcome.failures == []
    ((name, reason),) = outcome.left_out.items()
    assert name == "light_0001"
    assert says in reason
    assert reason.count("light_0001") <= 1, "the file is named once"
    assert any(says in said for said in outcome.warnings)
    assert outcome.metrics["mosaic"]["n_used"] == 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:9000]),
        lambda path: edit(path, lambda data: np.full_like(data, np.nan)),
        lambda path: edit(path, BAYERPAT="RGGB"),
    ],
)
def test_the_run_ends_at_a_bad_frame_if_asked_to(frames, tmp_path, spoil):
    spoil(frames / LIGHT)
    outcome = make(frames, tmp_path / "run", on_bad_frame="fail")
    assert outcome.error.message.startswith("light_0001.fits")
    assert "mosaic.on_bad_frame: skip" in outcome.error.hint
    assert "mosaic.fits" not in outcome.products


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda folder: shutil.copy(folder / LIGHT, folder / "copy.fits"),
            "more than once: copy.fits = light_0001",
        ),
        (
            lambda folder: edit(folder / LIGHT, lambda data: np.stack([data] * 3)),
            "[(]1[)] .*; colour: light_0001",
        ),
        (lambda folder: [(folder / name).unlink() for name in ALL], "holds no frames"),
        (lambda folder: [(folder / name).rename(folder / f"{name}.txt") for name in ALL], "holds no frames"),
        (
            lambda folder: [(folder / name).write_text(f"{name}?") for name in ALL],
            "none of the 4 frames .* not a FITS file",
        ),
        (lambda folder: [edit(folder / name, IMAGETYP="BIAS") for name in ALL], "none of the 4 frames .* is a bias"),
        (lambda folder: [edit(folder / name, BAYERPAT="GRBG") for name in ALL], "none of the 4 .* array \\(GRBG\\)"),
        (lambda folder: [edit(folder / name, lambda data: data * 0) for name in ALL], "none of 4 frames .* no noise"),
        (lambda folder: [edit(folder / name, lambda data: data[:1, :1]) for name in ALL], "none of 4 .* too few valid"),
        (lambda folder: elsewhere(folder / LIGHT, 180.0, -40.0), "light_0001 and .* lie 180 degrees apart"),
    ],
)
def test_frames_that_cannot_make_a_mosaic_are_an_error(frames, tmp_path, spoil, says):
    spoil(frames)
    outcome = make(frames, tmp_path / "run")
    assert re.search(says, outcome.error.message)
    assert outcome.error.exit_code == 2
    assert outcome.error.hint
    assert "mosaic.fits" not in outcome.products


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"canvas": {"max_mpx": 0.01}}, "0.0 million of at most 0.01|of at most 0.01: light_0"),
        ({"photometry": {"reference": 4}}, "mosaic.photometry.reference = 4, but there are 4 frames"),
        ({"photometry": {"reference": -1}}, "mosaic.photometry.reference = -1"),
        ({"photometry": {"reference": "nobody"}}, "mosaic.photometry.reference = nobody"),
        ({"photometry": {"scope": "tile"}}, "scope"),
        ({"mode": "grid", "photometry": {"scope": "both"}}, "scope"),
        ({"mode": "sds", "plan": "nowhere.csv"}, "mosaic.plan names 'nowhere.csv', which does not exist"),
        ({"plan": "nowhere.csv"}, "mosaic.plan names .nowhere.csv., but mosaic.mode = stack has no lots"),
    ],
)
def test_settings_that_do_not_go_with_the_frames_are_an_error(night, tmp_path, settings, says):
    outcome = make(night, tmp_path / "run", **settings)
    assert outcome.error.exit_code == 2
    assert re.search(says, f"{outcome.error}")
    assert "mosaic.fits" not in outcome.products


@pytest.mark.parametrize("settings", [{"lots": {"min": 9, "target": 3}}, {"combine": {"grow": 2}}])
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ConfigError, match="mosaic"):
        configuration.check({"mosaic": settings})


def test_what_are_no_frames_does_not_matter(frames, tmp_path, good):
    (frames / "folder.fits").mkdir()
    (frames / ".hidden.fits").write_bytes(b"?")
    (frames / "notes.txt").write_text("clouds at two")
    assert np.array_equal(make(frames, tmp_path / "run").plane(), good, equal_nan=True)


def test_a_row_of_a_table_without_its_file_is_left_out(frames, tmp_path, good):
    (frames / "list.csv").write_text("\n".join(["path", *ALL, "gone.fits"]))
    outcome = make(frames / "list.csv", tmp_path / "run")
    assert outcome.left_out == {"gone": "gone.fits is a link to nothing, or not there"}
    assert np.array_equal(outcome.plane(), good, equal_nan=True)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: gzipped(path),
        lambda path: edit(path, lambda data: data[np.newaxis]),
        lambda path: edit(path, lambda data: data.astype(np.float64)),
        lambda path: path.rename(path.with_name("lïght 星 {1} #2 'x'.fits")),
        lambda path: edit(path, DATE_OBS="yesterday", EXPTIME="long", SATURATE=0.0),
    ],
)
def test_frames_of_other_forms_make_the_same_mosaic(frames, tmp_path, good, change):
    change(frames / "light_0003.fits")
    outcome = make(frames, tmp_path / "run")
    assert outcome.left_out == {}
    np.testing.assert_allclose(outcome.plane(), good, rtol=1e-5)


def test_several_frames_in_one_file(frames, tmp_path, good):
    hdus = [fits.ImageHDU(fits.getdata(frames / name), fits.getheader(frames / name)) for name in ALL]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(frames / "all.fits")
    for name in ALL:
        (frames / name).unlink()
    outcome = make(frames, tmp_path / "run")
    assert [frame["id"] for frame in outcome.metrics["mosaic"]["frames"]] == [f"all_hdu{n}" for n in (1, 2, 3, 4)]
    np.testing.assert_allclose(outcome.plane(), good, rtol=1e-5)


def test_one_frame_is_its_own_mosaic(night, tmp_path):
    frames = copied(night, tmp_path / "f")
    for name in ALL[1:]:
        (frames / name).unlink()
    outcome = make(frames, tmp_path / "run", polish={"open_px": 0, "erode_px": 0, "crop": {"noise": None}})
    assert {*np.unique(outcome.plane("COV"))} <= {0, 1}
    sci, wht = outcome.plane(), outcome.plane("WHT")
    known = np.isfinite(sci)
    (frame,) = outcome.metrics["mosaic"]["frames"]
    np.testing.assert_allclose(wht[known], 1 / frame["sigma"][0] ** 2, rtol=1e-5)
    assert frame["gain"] == [1.0]
    raw = fits.getdata(frames / ALL[0])
    assert np.median(sci[known]) == pytest.approx(np.median(raw[4:-4, 4:-4]), abs=0.5)
    assert known.sum() == pytest.approx((81 - 8) * (96 - 8), rel=0.03)


@pytest.mark.parametrize("mode", ["sds", "grid"])
def test_one_frame_is_the_same_in_every_mode(frames, tmp_path, mode):
    for name in ALL[1:]:
        (frames / name).unlink()
    plain, other = make(frames, tmp_path / "stack"), make(frames, tmp_path / mode, mode=mode)
    np.testing.assert_allclose(other.plane(), plain.plane(), rtol=1e-6)


def test_two_frames_leave_out_the_brighter_of_two_that_differ(field, tmp_path):
    frames = copied(field, tmp_path / "f")
    for name in ALL[2:]:
        (frames / name).unlink()

    def streak(data):
        data[60:63] += 300
        return data

    clean = make(frames, tmp_path / "clean").plane()
    edit(frames / LIGHT, streak)
    # its edges look like those of a star
    outcome = make(frames, tmp_path / "run", combine={"grow": 1})
    assert np.nanmax(abs(np.nanmedian(outcome.plane() - clean, axis=1))) < 5
    assert outcome.plane("REJ").max() == 1


def test_fewer_frames_than_a_lot_are_one_lot_and_told(night, tmp_path):
    outcome = make(night, tmp_path / "run", mode="sds")
    assert len(outcome.metrics["mosaic"]["lots"]) == 1
    assert "lot L001 has fewer frames than mosaic.lots.min (4 of 8)" in outcome.warnings


def test_fields_that_do_not_touch_are_both_kept_and_told(frames, tmp_path):
    for name in (ALL[1], ALL[3]):
        elsewhere(frames / name, 0.2)
    outcome = make(frames, tmp_path / "run")
    told = outcome.metrics["mosaic"]
    assert (told["n_used"], told["components"]) == (4, 2)
    assert any(re.match("no sky in common with light_000.: light_000., light_000.;", said) for said in outcome.warnings)
    # the darkest cells of both are brought to one level
    left, right = np.array_split(outcome.plane(), [outcome.plane().shape[1] // 2], axis=1)
    assert abs(np.nanpercentile(left, 20) - np.nanpercentile(right, 20)) < 40


@pytest.mark.parametrize("value", [None, "10 00 06"])
def test_a_sky_solution_without_a_place_is_none(field, tmp_path, value):
    frames = copied(field, tmp_path / "f")
    edit(frames / LIGHT, CRVAL1=value)
    outcome = make(frames, tmp_path / "run")
    assert outcome.left_out == {}
    assert outcome.metrics["mosaic"]["registration"]["n_registered"] == 1


def test_filters_whose_names_look_alike_take_no_place_of_each_other(frames, tmp_path):
    for name, known_as in zip(ALL, ("a/b", "a b", "A-B", "../x"), strict=True):
        edit(frames / name, FILTER=known_as)
    outcome = make(frames, tmp_path / "run")
    assert outcome.failures == []
    assert {name: told["n_used"] for name, told in outcome.metrics.items()} == {
        "mosaic_x": 1, "mosaic_A-B": 1, "mosaic_a-b-2": 1, "mosaic_a-b-3": 1,
    }  # fmt: skip


def test_frames_without_a_sky_solution_are_registered(unsolved, field, tmp_path):
    outcome = make(unsolved, tmp_path / "run", registration={"solve": "off"})
    assert outcome.left_out == {}
    told = outcome.metrics["mosaic"]["registration"]
    assert (told["method"], told["n_registered"]) == ("stars", 4)
    assert told["median_px"] < 0.1
    assert "CTYPE1" not in fits.getheader(outcome.folder / "mosaic.fits")
    solved = make(field, tmp_path / "solved")
    assert np.nanmax(outcome.plane()) == pytest.approx(np.nanmax(solved.plane()), rel=0.1)


def test_a_frame_without_a_sky_solution_takes_that_of_the_others(field, tmp_path):
    frames = copied(field, tmp_path / "f")
    without_sky(frames / LIGHT)
    outcome, solved = make(frames, tmp_path / "run"), make(field, tmp_path / "solved")
    assert outcome.left_out == {}
    told = outcome.metrics["mosaic"]["registration"]
    assert (told["method"], told["n_registered"]) == ("stars and wcs", 1)
    ours, theirs = outcome.plane(), solved.plane()
    assert ours.shape == theirs.shape
    assert np.nanstd(ours - theirs) < 1.5


def test_a_frame_that_cannot_be_registered_harms_no_other(unsolved, tmp_path):
    edit(unsolved / LIGHT, noise)
    outcome = make(unsolved, tmp_path / "run")
    assert outcome.left_out == {"light_0001": "light_0001: 0 stars, and 8 are needed to register a frame"}
    assert outcome.metrics["mosaic"]["n_used"] == 3


def test_frames_without_stars_and_sky_solution_are_an_error(unsolved, tmp_path):
    for number, name in enumerate(ALL):
        edit(unsolved / name, lambda data, number=number: noise(data, number))
    outcome = make(unsolved, tmp_path / "run")
    assert outcome.error.exit_code == 2
    assert outcome.error.message == (
        "no two of 4 frames could be laid over each other; "
        "light_0000: 0 stars, and 8 are needed to register a frame"
    )  # fmt: skip


def test_frames_without_stars_are_placed_by_their_sky_solution(frames, tmp_path):
    for number, name in enumerate(ALL):
        edit(frames / name, lambda data, number=number: noise(data, number))
    outcome = make(frames, tmp_path / "run")
    assert outcome.metrics["mosaic"]["n_used"] == 4
    assert np.nanmedian(outcome.plane()) == pytest.approx(300, abs=1)


def test_a_sky_below_zero_is_no_trouble(frames, tmp_path, good):
    for name in ALL:
        edit(frames / name, lambda data: data - 5000)
    outcome = make(frames, tmp_path / "run")
    np.testing.assert_allclose(outcome.plane() + 5000, good, atol=0.5)


def test_infinite_pixels_are_none(frames, tmp_path):
    def half(data):
        data[:, :40] = np.inf
        return data

    edit(frames / LIGHT, half)
    outcome = make(frames, tmp_path / "run")
    assert outcome.left_out == {}
    assert np.isfinite(outcome.plane()[outcome.plane("COV") > 0]).all()


@pytest.mark.parametrize(
    "knobs",
    [
        {"channels": 3},
        {"scales": (1.0, 1.4)},
        {"centre": (359.999, 10.0)},
        {"centre": (77.0, 89.995), "rotation_deg": 30.0},
        {"nan_border_px": 7},
    ],
)
@pytest.mark.parametrize("mode", ["stack", *(pytest.param(mode, marks=pytest.mark.soak) for mode in ("sds", "grid"))])
def test_frames_of_any_kind_make_a_mosaic_in_every_mode(tmp_path, knobs, mode):
    frames = take(tmp_path / "f", **SMALL | knobs)
    outcome = make(frames, tmp_path / "run", mode=mode, lots={"min": 2, "target": 2}, grid={"tile_px": 77})
    assert outcome.error is None
    told = outcome.metrics["mosaic"]
    assert (told["n_used"], told["components"]) == (4, 1)
    assert max(told["canvas"]["shape"]) < 250
    assert outcome.plane().ndim == (3 if "channels" in knobs else 2)
    assert told["canvas"]["covered_px"] > 0.6 * 81 * 168 * (0.8 if "nan_border_px" in knobs else 1)


def test_a_full_disk_is_an_error_that_says_so(night, tmp_path, monkeypatch):
    def full(*arguments, **more):
        raise OSError(28, "No space left on device", "mosaic.fits")

    monkeypatch.setattr("lostlight.io.mosaic_file.write", full)
    outcome = make(night, tmp_path / "run")
    assert outcome.error.message == "mosaic.fits: No space left on device"
    assert "make room" in outcome.error.hint
    assert not [path for path in (tmp_path / "run" / STEP / ".staging").rglob("*") if path.is_file()]
    assert "mosaic.fits" not in outcome.products


def damaged(path, seed):
    """Damage a file as disks and transfers do: bytes of the header or of the pixels, the end, or cards in disorder."""
    rng = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    kind = ("header", "pixels", "end", "cards")[seed % 4]
    n_cards = content.find(b"END     ") // 80
    if kind == "header":
        for place in rng.integers(0, 80 * n_cards, rng.integers(1, 12)):
            content[place] = rng.integers(32, 127)
    elif kind == "pixels":
        for place in rng.integers(2880, len(content), 30):
            content[place] = rng.integers(0, 256)
    elif kind == "end":
        del content[rng.integers(0, len(content)) :]
    else:
        one, other = (slice(80 * k, 80 * k + 80) for k in rng.integers(0, n_cards, 2))
        content[one], content[other] = content[other], content[one]
        for k in rng.integers(0, n_cards, 3):
            content[80 * k + rng.integers(10, 30)] = rng.integers(43, 58)
    path.write_bytes(bytes(content))


def check_damage(night, folder, seed):
    """Spoil one frame of two; the other makes a mosaic, or the error says why there is none."""
    frames = folder / "f"
    frames.mkdir(parents=True)
    shutil.copy(night / ALL[3], frames / ALL[3])
    damaged(Path(shutil.copy(night / LIGHT, frames / LIGHT)), seed)
    outcome = make(frames, folder / "run", canvas={"max_mpx": 2}, registration={"solve": "off"})
    assert outcome.failures == []
    if outcome.error:
        assert outcome.error.exit_code == 2
        assert "light_0001" in str(outcome.error)
    else:
        assert outcome.metrics["mosaic"]["n_used"] >= 1
        assert set(outcome.left_out) <= {"light_0001"}


@pytest.mark.parametrize("batch", [0, 1, 2, *(pytest.param(batch, marks=pytest.mark.soak) for batch in range(3, 50))])
def test_no_damage_stops_the_others(night, tmp_path, batch):
    for seed in range(12 * batch, 12 * batch + 12):
        check_damage(night, tmp_path / str(seed), seed)
