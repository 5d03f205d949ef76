"""TIFF in and out, and the raw files of cameras."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile

from lostlight.core.errors import BadImage, ToolMissing
from lostlight.io import frame_files, raw_camera, tiff

SHAPE = (11, 17)


@pytest.fixture
def light():
    light = np.random.default_rng(2).normal(500, 20, SHAPE).astype(np.float32)
    light[2, 3], light[4, 5], light[6, 7] = -12.4, 70000, np.nan
    return light


def test_floats_are_kept_as_they_are(tmp_path, light):
    tiff.write(tmp_path / "a.tif", light, 32)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), light)


def test_counts_are_rounded_and_the_offset_is_written_down(tmp_path, light):
    tiff.write(tmp_path / "a.tif", light, 16)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        stored, said = file.asarray(), file.pages[0].description
    assert stored.dtype == np.uint16
    assert said == "OFFSET=-13"
    back = stored + float(said.removeprefix("OFFSET="))
    ordinary = np.isfinite(light) & (light < 60000)
    assert np.abs(back - light)[ordinary].max() <= 0.5
    assert stored[4, 5] == 65535
    assert stored[6, 7] == 0


def test_positive_counts_need_no_offset(tmp_path, light):
    tiff.write(tmp_path / "a.tif", np.abs(light), 16)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].description == "OFFSET=0"
        np.testing.assert_array_equal(file.asarray()[0], np.rint(light[0]))


@pytest.mark.parametrize("bits", [16, 32])
def test_colour_planes_become_the_last_axis(tmp_path, light, bits):
    colour = np.stack([np.abs(light), np.abs(light) + 1, np.abs(light) + 2])
    tiff.write(tmp_path / "a.tif", colour, bits)
    stored = tifffile.imread(tmp_path / "a.tif")
    assert stored.shape == (*SHAPE, 3)
    assert stored[0, 0, 2] - stored[0, 0, 0] == pytest.approx(2, abs=1e-3)
    with pytest.raises(BadImage, match=r"CAL111: a\.tif cannot be used: shape"):
        frame_files.headers(tmp_path / "a.tif")


def test_the_same_light_gives_the_same_bytes(tmp_path, light):
    for name in ("a.tif", "b.tif"):
        tiff.write(tmp_path / name, light, 16)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32"])
def test_a_frame_is_read_with_what_its_tags_say(tmp_path, dtype):
    counts = np.random.default_rng(4).integers(0, 200, SHAPE).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tiff", counts, software="Grabber 2", extratags=[(272, 2, 0, "Cam 5", True)])
    ((hdu, header),) = frame_files.headers(tmp_path / "a.tiff")
    data, _ = frame_files.read_frame(tmp_path / "a.tiff")
    np.testing.assert_array_equal(data, counts)
    assert data.dtype == np.float32
    assert (hdu, header["NAXIS1"], header["NAXIS2"], header["INSTRUME"], header["SWCREATE"]) == (
        0, 17, 11, "Cam 5", "Grabber 2",
    )  # fmt: skip


def test_damaged_files_are_told(tmp_path, light):
    path = tmp_path / "a.tif"
    tiff.write(path, light, 32)
    size = path.stat().st_size
    path.write_bytes(path.read_bytes()[: size - 40])
    with pytest.raises(BadImage, match=rf"CAL111: a\.tif cannot be used: it breaks off at byte {size - 40} of"):
        frame_files.headers(path)
    with pytest.raises(BadImage, match="CAL111"):
        frame_files.read_frame(path)
    path.write_bytes(b"II*\0 nonsense")
    with pytest.raises(BadImage, match=r"CAL111: a\.tif"):
        frame_files.headers(path)
    path.write_text("no picture")
    with pytest.raises(BadImage, match=r"CAL111: a\.tif"):
        frame_files.read_frame(path)


# --- raw files of cameras; LibRaw itself is not at hand everywhere, so its place is taken by a stand-in


class StandIn:
    """What rawpy gives for a file: a mosaic of 6 x 4 pixels, whose visible part begins at an odd row."""

    raw_image_visible = np.arange(24, dtype=np.uint16).reshape(4, 6)
    raw_pattern = np.array([[0, 1], [3, 2]])
    raw_colors_visible = np.array([[3, 2, 3, 2, 3, 2], [0, 1, 0, 1, 0, 1]] * 2)
    color_desc = b"RGBG"
    white_level = 16383

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class LibRawError(Exception):
    """As rawpy names it."""


@pytest.fixture
def rawpy(monkeypatch):
    module = SimpleNamespace(imread=lambda _: StandIn(), LibRawError=LibRawError)
    monkeypatch.setitem(sys.modules, "rawpy", module)
    return module


def photograph(path):
    """A TIFF with the tags of a photograph, as raw files are inside."""
    tifffile.imwrite(path, np.zeros((2, 2), np.uint16), extratags=[
        (272, 2, 0, "EOS 60D", True), (33434, 5, 1, (1, 250), True), (34855, 3, 1, 800, True),
    ])  # fmt: skip
    return path


def test_a_raw_file_gives_its_mosaic_and_the_pattern_of_the_visible_part(tmp_path, rawpy):
    path = photograph(tmp_path / "img.cr2")
    data, header = frame_files.read_frame(path)
    np.testing.assert_array_equal(data, StandIn.raw_image_visible)
    assert data.dtype == np.float32
    assert header["BAYERPAT"] == "GBRG"
    assert header["SATURATE"] == 16383
    assert header["INSTRUME"] == "EOS 60D"
    assert header["EXPTIME"] == pytest.approx(0.004)
    assert header["ISOSPEED"] == 800
    assert frame_files.headers(path)[0][1]["NAXIS2"] == 4


def test_a_mosaic_comes_back_through_libraw_itself(tmp_path):
    pytest.importorskip("rawpy")
    mosaic = np.random.default_rng(1).integers(500, 15000, (32, 48)).astype(np.uint16)
    unit = (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1)
    tifffile.imwrite(tmp_path / "a.dng", mosaic, photometric=32803, software=False, metadata=None, extratags=[
        (50706, 1, 4, (1, 4, 0, 0), True), (33421, 3, 2, (2, 2), True), (33422, 1, 4, (1, 2, 0, 1), True),
        (50708, 2, 0, "Cam 7", True), (272, 2, 0, "Cam 7", True), (50717, 4, 1, 16383, True),
        (50721, 10, 9, unit, True), (33434, 5, 1, (1, 250), True), (34855, 3, 1, 800, True),
    ])  # fmt: skip
    data, header = raw_camera.read(tmp_path / "a.dng")
    np.testing.assert_array_equal(data, mosaic)
    assert (header["BAYERPAT"], header["SATURATE"], header["ISOSPEED"]) == ("GBRG", 16383, 800)


def test_raw_files_that_cannot_be_used_are_told(tmp_path, rawpy, monkeypatch):
    path = tmp_path / "img.nef"
    path.write_bytes(b"not TIFF inside")
    assert "EXPTIME" not in raw_camera.read_header(path)
    monkeypatch.setattr(StandIn, "other", SimpleNamespace(shutter_speed=2.0, iso_speed=0.0), raising=False)
    assert raw_camera.read_header(path)["EXPTIME"] == 2
    assert "ISOSPEED" not in raw_camera.read_header(path)

    def fails(_):
        raise LibRawError("data corrupted")

    monkeypatch.setattr(rawpy, "imread", fails)
    with pytest.raises(BadImage, match=r"CAL111: img\.nef cannot be used: data corrupted"):
        raw_camera.read(path)
    monkeypatch.setattr(rawpy, "imread", lambda _: StandIn())
    monkeypatch.setattr(StandIn, "raw_pattern", np.zeros((6, 6)))
    with pytest.raises(BadImage, match="not in cells of 2 x 2"):
        raw_camera.read(path)
    monkeypatch.setattr(StandIn, "raw_pattern", None)
    monkeypatch.setattr(StandIn, "raw_image_visible", np.zeros((4, 6, 3), np.uint16))
    with pytest.raises(BadImage, match="colours are made already"):
        raw_camera.read(path)


def test_without_rawpy_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rawpy", None)
    (tmp_path / "img.cr2").write_bytes(b"x")
    with pytest.raises(ToolMissing, match=r"img\.cr2 is a raw file") as raised:
        frame_files.headers(tmp_path / "img.cr2")
    assert "pip install lostlight[raw]" in raised.value.hint
