"""Raw frames as files: every form of FITS, and every way a file can be damaged."""

import gzip
import warnings

import numpy as np
import pytest
from astropy.io import fits

from lostlight.core.errors import BadImage
from lostlight.io import frame_files
from lostlight.io.fits import write_image

SHAPE = (11, 17)


@pytest.fixture
def counts():
    """Counts of a camera of 16 bits, the extremes among them."""
    counts = np.random.default_rng(3).integers(300, 60000, SHAPE).astype(np.uint16)
    counts[0, 0], counts[10, 16] = 0, 65535
    return counts


def plain(path, counts, **cards):
    fits.PrimaryHDU(counts, fits.Header(cards)).writeto(path)
    return path


def test_pixels_are_scaled_and_float(tmp_path, counts):
    path = plain(tmp_path / "a.fits", counts, EXPTIME=30.0)
    data, header = frame_files.read_frame(path)
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data, counts)
    assert header["EXPTIME"] == 30
    assert [(hdu, cards["NAXIS1"]) for hdu, cards in frame_files.headers(path)] == [(0, 17)]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "uint32", "float32", "float64"])
def test_every_type_of_pixel_is_read(tmp_path, counts, dtype):
    stored = (counts // 256).astype(dtype)
    np.testing.assert_array_equal(frame_files.read_frame(plain(tmp_path / "a.fit", stored))[0], stored)


def test_blank_and_what_is_not_finite_is_nan(tmp_path, counts):
    path = tmp_path / "a.fits"
    hdu = fits.PrimaryHDU((counts // 2).astype(np.int16))
    hdu.header["BLANK"] = int(hdu.data[4, 5])
    hdu.writeto(path)
    data, _ = frame_files.read_frame(path)
    assert np.isnan(data[4, 5])
    np.testing.assert_array_equal(np.isnan(data), (counts // 2) == counts[4, 5] // 2)
    floats = counts.astype(np.float32)
    floats[1, 2] = np.inf
    assert np.isnan(frame_files.read_frame(plain(tmp_path / "b.fits", floats))[0][1, 2])


def test_gzip_and_tiles_change_nothing(tmp_path, counts):
    packed = tmp_path / "a.fits.gz"
    packed.write_bytes(gzip.compress(plain(tmp_path / "a.fits", counts).read_bytes()))
    tiled = tmp_path / "a.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(counts, fits.Header({"EXPTIME": 5.0}))]).writeto(tiled)
    assert [hdu for hdu, _ in frame_files.headers(packed)] == [0]
    np.testing.assert_array_equal(frame_files.read_frame(packed)[0], counts)
    ((hdu, header),) = frame_files.headers(tiled)
    assert (hdu, header["NAXIS1"], header["NAXIS2"], header["EXPTIME"]) == (1, 17, 11, 5)
    np.testing.assert_array_equal(frame_files.read_frame(tiled, 1)[0], counts)


def mosaic(path, counts):
    """Two chips under a primary header that speaks for both, with a mask and a table that are no frames."""
    primary = fits.PrimaryHDU()
    primary.header.update({"IMAGETYP": "bias", "EXPTIME": 0.0, "GAIN": 2.0})
    second = fits.ImageHDU(counts + 0.5, fits.Header({"GAIN": 3.0}), name="CHIP2")
    fits.HDUList([
        primary, fits.ImageHDU(counts, name="CHIP1"), second, fits.ImageHDU(counts, name="MASK"),
        fits.BinTableHDU.from_columns([fits.Column("a", "J", array=[1])]), fits.ImageHDU(counts[0], name="SPECTRUM"),
    ]).writeto(path)  # fmt: skip
    return path


def test_each_chip_is_a_frame_and_inherits_the_primary_header(tmp_path, counts):
    path = mosaic(tmp_path / "m.fits", counts)
    found = frame_files.headers(path)
    assert [hdu for hdu, _ in found] == [1, 2]
    assert [header["GAIN"] for _, header in found] == [2, 3]
    assert all(header["IMAGETYP"] == "bias" and header["NAXIS"] == 2 for _, header in found)
    np.testing.assert_array_equal(frame_files.read_frame(path, 2)[0], (counts + 0.5).astype(np.float32))
    for hdu in (0, 3, 9):
        with pytest.raises(BadImage, match=f"CAL111: HDU {hdu} of m.fits holds no two-dimensional image"):
            frame_files.read_frame(path, hdu)


def test_an_axis_of_one_pixel_is_none(tmp_path, counts):
    path = plain(tmp_path / "a.fits", counts[None])
    assert frame_files.read_frame(path)[0].shape == SHAPE
    colour = plain(tmp_path / "c.fits", np.stack([counts] * 3))
    with pytest.raises(BadImage, match="holds no two-dimensional image"):
        frame_files.headers(colour)


@pytest.mark.parametrize("value", [b"O'clock ' 'b", b"'unterminated", b"1.2.3 (", b"\x01\x02"])
def test_a_card_that_cannot_be_read_costs_itself_alone(tmp_path, counts, value):
    path = plain(tmp_path / "a.fits", counts, EXPTIME=30.0, WEATHER=1)
    spoilt = (b"WEATHER = " + value).ljust(30)
    path.write_bytes(path.read_bytes().replace(b"WEATHER =                    1", spoilt))
    ((_, header),) = frame_files.headers(path)
    assert (header["EXPTIME"], header["NAXIS1"]) == (30, 17)
    write_image(tmp_path / "b.fits", counts, header)
    assert fits.getheader(tmp_path / "b.fits")["EXPTIME"] == 30


@pytest.mark.parametrize("kept", [2880 + 100, 2880 + 11 * 17 * 2 - 1])
def test_a_truncated_file_says_where_it_breaks_off(tmp_path, counts, kept):
    path = plain(tmp_path / "a.fits", counts)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadImage, match=rf"CAL111: a\.fits breaks off at byte {kept}: HDU 0 needs 3254") as raised:
        frame_files.headers(path)
    assert raised.value.facts == {"code": "CAL111", "offset": kept, "needed": 3254}


def test_an_extension_whose_header_breaks_off_is_not_passed_over(tmp_path, counts):
    path = mosaic(tmp_path / "m.fits", counts)
    with fits.open(path) as hdus:
        begins = hdus[2].fileinfo()["hdrLoc"]
    path.write_bytes(path.read_bytes()[: begins + 1000])
    with pytest.raises(BadImage, match=rf"CAL111: m\.fits breaks off at byte {begins + 1000}, in the header of HDU 2"):
        frame_files.headers(path)


def test_what_follows_the_last_hdu_is_not_looked_at(tmp_path, counts):
    path = plain(tmp_path / "a.fits", counts)
    path.write_bytes(path.read_bytes() + b"left over" * 500)
    assert len(frame_files.headers(path)) == 1


def test_gzip_is_known_by_its_content(tmp_path, counts):
    path = plain(tmp_path / "a.fits", counts)
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert len(frame_files.headers(path)) == 1
    np.testing.assert_array_equal(frame_files.read_frame(path)[0], counts)


def test_letters_beyond_ascii_do_no_harm(tmp_path, counts):
    path = plain(tmp_path / "a.fits", counts, SITE="Chateau", EXPTIME=2.0)
    path.write_bytes(path.read_bytes().replace(b"Chateau", "Château".encode("latin-1")))
    ((_, header),) = frame_files.headers(path)
    assert header["EXPTIME"] == 2


def test_missing_padding_is_not_a_fault(tmp_path, counts):
    path = plain(tmp_path / "a.fits", counts)
    path.write_bytes(path.read_bytes()[: 2880 + 11 * 17 * 2])
    assert len(frame_files.headers(path)) == 1


def test_a_header_that_breaks_off_is_told(tmp_path, counts):
    path = plain(tmp_path / "a.fits", counts)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(BadImage, match=r"CAL111: a\.fits breaks off at byte 700: its header has no end"):
        frame_files.headers(path)


def test_a_truncated_gzip_says_after_how_many_bytes(tmp_path, counts):
    packed = tmp_path / "a.fits.gz"
    content = plain(tmp_path / "a.fits", counts).read_bytes()
    packed.write_bytes(gzip.compress(content)[:-12])
    with pytest.raises(
        BadImage, match=r"CAL111: a\.fits\.gz breaks off: its gzip stream ends after \d+ bytes"
    ) as raised:
        frame_files.headers(packed)
    assert 0 < raised.value.facts["offset"] <= len(content)
    packed.write_bytes(gzip.compress(content[:3000]))
    with pytest.raises(BadImage, match=r"breaks off at byte 3000: HDU 0 needs 3254"):
        frame_files.headers(packed)
    spoilt = bytearray(gzip.compress(content))
    spoilt[-6] ^= 255
    packed.write_bytes(spoilt)
    with pytest.raises(BadImage, match=r"CAL111: a\.fits\.gz is damaged after"):
        frame_files.headers(packed)


def test_gzip_in_pieces_is_one_file(tmp_path, counts):
    packed = tmp_path / "a.fits.gz"
    content = plain(tmp_path / "a.fits", counts).read_bytes()
    packed.write_bytes(gzip.compress(content[:3000]) + gzip.compress(content[3000:]))
    np.testing.assert_array_equal(frame_files.read_frame(packed)[0], counts)


def test_a_truncated_tile_is_noticed(tmp_path, counts):
    path = tmp_path / "a.fits.fz"
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(counts)]).writeto(path)
    whole = path.read_bytes().rstrip(b"\0")
    path.write_bytes(whole[:-20])
    with pytest.raises(BadImage, match=r"CAL111: a\.fits\.fz breaks off at byte"):
        frame_files.headers(path)


def test_a_header_whose_first_card_is_wrong_is_told(tmp_path, counts):
    path = tmp_path / "frame.fits"
    fits.PrimaryHDU(counts).writeto(path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"T / conforms", b"T 5 conforms", 1))
    with pytest.raises(BadImage, match=r"frame\.fits is damaged: the header of HDU 0 cannot be read"):
        frame_files.headers(path)


def test_what_is_no_frame_is_told_in_clear_words(tmp_path):
    empty, page, folder, link = (tmp_path / name for name in ("empty.fits", "page.fits", "folder.fits", "link.fits"))
    empty.touch()
    page.write_text("<html>404 not found</html>")
    folder.mkdir()
    link.symlink_to(tmp_path / "gone.fits")
    said = {empty: "is empty", page: "is not a FITS file: it begins with b'<html>", folder: "is a folder",
            link: "is a link to nothing"}  # fmt: skip
    for path, words in said.items():
        with pytest.raises(BadImage, match=f"CAL111: {path.name} {words}"):
            frame_files.headers(path)


def test_the_real_biases_are_scaled_as_their_headers_say(shared_data):
    """Their BZERO of 32768 stands beside floats that were scaled already: it is applied."""
    stack = [frame_files.read_frame(path)[0] for path in sorted((shared_data / "raw-calib").glob("biastest*.fit"))]
    assert len(stack) == 5
    assert all(35700 < np.median(data) < 36000 for data in stack)
    pairs = [np.std(a.astype(float) - b) / np.sqrt(2) for i, a in enumerate(stack) for b in stack[i + 1 :]]
    assert np.mean(pairs) == pytest.approx(20.18, abs=0.05)


def test_every_real_frame_is_whole_and_readable(shared_data):
    paths = [*(shared_data / "raw-calib").glob("*.fit*"), *(shared_data / "stack-hatp32").glob("*.gz")]
    assert len(paths) == 20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for path in paths:
            ((hdu, header),) = frame_files.headers(path)
            assert (header["NAXIS2"], header["NAXIS1"]) == frame_files.read_frame(path, hdu)[0].shape
