"""Rows of FITS images of every kind, against astropy; and files that must be refused."""

import gzip
import os
import threading

import numpy as np
import pytest
from astropy.io import fits

from lostlight.core.errors import BadImage
from lostlight.io.rows import RowReader

SHAPE = (11, 17)


def pixels(kind):
    rng = np.random.default_rng(1)
    if np.dtype(kind).kind == "f":
        image = rng.normal(0, 1e4, SHAPE).astype(kind)
        image[3, 4], image[5, 6] = np.nan, np.inf
        return image
    info = np.iinfo(kind)
    image = rng.integers(info.min, info.max, SHAPE, dtype=kind, endpoint=True)
    image[0, :2] = info.min, info.max
    return image


def rows(path, y0=2, y1=9, **options):
    with RowReader([path], **options) as read:
        out = np.empty((y1 - y0, read.shape[1]), np.float32)
        read(0, y0, y1, out)
    return out


def expected(path, hdu=0, y0=2, y1=9):
    image = fits.getdata(path, hdu).astype(np.float32)[y0:y1]
    image[~np.isfinite(image)] = np.nan
    return image


@pytest.mark.parametrize("kind", ["u1", "i2", "u2", "i4", "u4", "f4", "f8"])
def test_every_kind_of_pixel(tmp_path, kind):
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(pixels(kind)).writeto(path)
    assert np.array_equal(rows(path), expected(path), equal_nan=True)


@pytest.mark.parametrize(("kind", "cards", "sure"), [("u2", {}, True), ("i2", {"BLANK": 5}, False), ("f4", {}, False)])
def test_integers_without_blank_are_surely_numbers(tmp_path, kind, cards, sure):
    path = tmp_path / "a.fits"
    hdu = fits.PrimaryHDU(np.ones(SHAPE, kind))
    hdu.header.update(cards)
    hdu.writeto(path)
    with RowReader([path]) as read:
        assert read(0, 0, 11, np.empty(SHAPE, np.float32)) is sure


def test_scaled_and_blank(tmp_path):
    path = tmp_path / "a.fits"
    hdu = fits.PrimaryHDU(np.arange(187, dtype="i2").reshape(SHAPE))
    hdu.header.update(BSCALE=0.25, BZERO=-3.5, BLANK=40)
    hdu.writeto(path)
    out = rows(path)
    assert np.isnan(out[0, 6])
    assert np.isnan(out).sum() == 1
    assert out[1, 0] == 51 * 0.25 - 3.5


def test_blank_of_unsigned_pixels(tmp_path):
    path = tmp_path / "a.fits"
    image = np.full(SHAPE, 500, "u2")
    image[4, 4] = 0
    hdu = fits.PrimaryHDU(image)
    hdu.header["BLANK"] = -32768
    hdu.writeto(path)
    out = rows(path)
    assert np.isnan(out[2, 4])
    assert np.nansum(out) == 500 * (out.size - 1)


def test_packed_files(tmp_path):
    image = pixels("u2")
    plain, zipped, tiled = tmp_path / "a.fits", tmp_path / "a.fits.gz", tmp_path / "t.fits"
    fits.PrimaryHDU(image).writeto(plain)
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image)]).writeto(tiled)
    for path in (plain, zipped, tiled):
        assert (rows(path) == image[2:9]).all()


def test_an_extension(tmp_path):
    path = tmp_path / "a.fits"
    first, second = pixels("i2"), pixels("f4")
    fits.HDUList([fits.PrimaryHDU(first), fits.ImageHDU(second)]).writeto(path)
    assert (rows(path) == first[2:9]).all()
    assert np.array_equal(rows(path, hdus=[1]), expected(path, 1), equal_nan=True)


def test_several_threads_read_the_same_file(tmp_path):
    path = tmp_path / "a.fits"
    image = np.arange(200 * 30, dtype="u2").reshape(200, 30)
    fits.PrimaryHDU(image).writeto(path)
    out = np.empty((200, 30), np.float32)
    with RowReader([path]) as read:
        parts = [(y, y + 10) for y in range(0, 200, 10)]
        threads = [threading.Thread(target=read, args=(0, y0, y1, out[y0:y1])) for y0, y1 in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (out == image).all()


def test_truncated_is_refused_with_its_place(tmp_path):
    path = tmp_path / "cut.fits"
    fits.PrimaryHDU(pixels("i4")).writeto(path)
    os.truncate(path, 2880 + 100)
    with pytest.raises(BadImage, match=r"cut\.fits ends after 2980 bytes"):
        RowReader([path])


def test_a_file_that_shrinks_is_noticed(tmp_path):
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(pixels("i4")).writeto(path)
    with RowReader([path]) as read:
        os.truncate(path, 2880 + 100)
        with pytest.raises(BadImage, match="ends after"):
            read(0, 0, 11, np.empty(SHAPE, np.float32))


def test_other_shapes_are_refused(tmp_path):
    for name, shape in (("a", (4, 5)), ("b", (5, 4))):
        fits.PrimaryHDU(np.zeros(shape)).writeto(tmp_path / f"{name}.fits")
    with pytest.raises(BadImage, match=r"b\.fits has 4 x 5 pixels, but a\.fits has 5 x 4"):
        RowReader([tmp_path / "a.fits", tmp_path / "b.fits"])


@pytest.mark.parametrize("content", [b"", b"hello", b"SIMPLE  =                    T" + b" " * 5000, os.urandom(9000)])
def test_what_is_no_fits_is_refused(tmp_path, content):
    path = tmp_path / "a.fits"
    path.write_bytes(content)
    with pytest.raises(BadImage):
        RowReader([path])


@pytest.mark.parametrize("data", [None, np.zeros((2, 3, 4)), np.zeros(5)])
def test_other_than_two_axes_are_refused(tmp_path, data):
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(data).writeto(path)
    with pytest.raises(BadImage):
        RowReader([path])


@pytest.mark.parametrize(
    ("card", "instead"),
    [
        (b"BITPIX  =                   16", b"BITPIX  =                   12"),
        (b"NAXIS1  =                   17", b"NAXIS1  =                 many"),
        (b"NAXIS1  =                   17", b"NAXIS8  =                   17"),
    ],
)
def test_an_unknown_kind_of_pixel_is_refused(tmp_path, card, instead):
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(pixels("i2")).writeto(path)
    content = path.read_bytes()
    assert card in content
    path.write_bytes(content.replace(card, instead))
    with pytest.raises(BadImage) as error:
        rows(path)
    assert "a.fits" in error.value.message


def test_nothing_and_nowhere(tmp_path):
    with pytest.raises(BadImage):
        RowReader([])
    with pytest.raises(BadImage, match=r"none\.fits: No such file"):
        RowReader([tmp_path / "none.fits"])


def test_real_frames(shared_data):
    for name in ("biastest1.fit", "aspen_trimmed.fit", "a8280271.fits.gz"):
        path = shared_data / "raw-calib" / name
        with RowReader([path]) as read:
            image = np.empty(read.shape, np.float32)
            read(0, 0, read.shape[0], image)
        assert np.array_equal(image, fits.getdata(path).astype(np.float32))
