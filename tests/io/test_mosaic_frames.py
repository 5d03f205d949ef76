"""Frames of a mosaic: the rows that astropy reads, from every kind of file, and a word on each that is damaged."""

import gzip
import os
import resource
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from astropy.io import fits

from lostlight.core.errors import BadImage, ConfigError
from lostlight.io import mosaic_frames, planes
from lostlight.io.planes import StoredPlanes
from lostlight.vocab.bits import dq

SHAPE = 37, 53


def image(seed=1, shape=SHAPE, dtype=np.float32):
    values = np.random.default_rng(seed).normal(100, 30, shape)
    return values.astype(dtype)


def written(path, data, header=None, **kwargs):
    fits.PrimaryHDU(data, header).writeto(path, **kwargs)
    return path


def same(ours, theirs):
    np.testing.assert_array_equal(ours, np.asarray(theirs, np.float32))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.int64, np.float32, np.float64])
def test_rows_are_those_of_astropy_whatever_the_pixels(tmp_path, dtype):
    path = written(tmp_path / "a.fits", image(dtype=dtype))

    frame = mosaic_frames.open_frame(path)

    assert (frame.shape, frame.n_channels, frame.hdu) == (SHAPE, 1, 0)
    same(frame.rows(), fits.getdata(path)[np.newaxis])
    same(frame.rows(11, 30), fits.getdata(path)[np.newaxis, 11:30])
    assert frame.rows(30, 99).shape == (1, 7, 53) and frame.rows(5, 5).shape == (1, 0, 53)
    assert frame.rows().dtype == np.float32


def test_scaled_and_blank_pixels(tmp_path):
    raw = np.arange(SHAPE[0] * SHAPE[1], dtype=np.int16).reshape(SHAPE)
    hdu = fits.PrimaryHDU(raw)
    hdu.header["BSCALE"], hdu.header["BZERO"], hdu.header["BLANK"] = 0.5, -3.0, 60
    hdu.writeto(tmp_path / "a.fits")

    (rows,) = mosaic_frames.open_frame(tmp_path / "a.fits").rows(1, 3)

    expected = raw[1:3] * 0.5 - 3
    assert np.isnan(rows[0, 7]) and np.isnan(rows).sum() == 1
    np.testing.assert_array_equal(rows[~np.isnan(rows)], expected[raw[1:3] != 60])


def test_what_is_not_finite_is_nan(tmp_path):
    data = image()
    data[3, 4], data[5, 6], data[7, 8] = np.nan, np.inf, -np.inf

    for name in ("a.fits", "a.fits.gz"):
        rows = mosaic_frames.open_frame(written(tmp_path / name, data)).rows()
        assert np.isnan(rows).sum() == 3 and not np.isinf(rows).any()


def test_colours_are_three_planes(tmp_path):
    data = image(shape=(3, *SHAPE), dtype=np.int16)
    path = written(tmp_path / "rgb.fits", data)

    frame = mosaic_frames.open_frame(path)

    assert frame.n_channels == 3 and frame.header["NAXIS3"] == 3
    same(frame.rows(20, 25), data[:, 20:25])
    one = mosaic_frames.open_frame(written(tmp_path / "one.fits", data[:1]))
    assert one.n_channels == 1
    same(one.rows(), data[:1])


@pytest.mark.parametrize("shape", [(37, 53, 3), (37, 53, 4)])
def test_colours_in_another_order_are_refused_with_a_word(tmp_path, shape):
    path = written(tmp_path / "odd.fits", image(shape=shape))

    with pytest.raises(BadImage, match=f"{shape[2]} x 53 x 37.*as three planes, with NAXIS3 = 3"):
        mosaic_frames.open_frame(path)


@pytest.mark.parametrize("shape", [(5, 37, 53), (2, 3, 37, 53)])
def test_cubes_are_no_frames(tmp_path, shape):
    path = written(tmp_path / "cube.fits", image(shape=shape))

    with pytest.raises(BadImage, match="53 x 37 x"):
        mosaic_frames.headers(path)


@pytest.mark.parametrize("kind", ["gzip", "disguised", "RICE_1", "GZIP_2", "HCOMPRESS_1"])
def test_packed_files_are_unpacked_to_a_file_that_goes_with_the_frame(tmp_path, kind):
    data = image(dtype=np.int16)
    path = tmp_path / "a.fits"
    if kind in ("gzip", "disguised"):
        written(path, data)
        packed = gzip.compress(path.read_bytes())
        path = tmp_path / ("b.fits.gz" if kind == "gzip" else "b.fits")
        path.write_bytes(packed)
    else:
        fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(data, compression_type=kind)]).writeto(path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()

    frame = mosaic_frames.open_frame(path, folder=scratch)

    same(frame.rows(4, 31), data[np.newaxis, 4:31])
    assert frame.header["NAXIS1"] == SHAPE[1]
    assert len(list(scratch.iterdir())) == 1
    rows = frame.rows  # what is kept of a frame keeps its file
    del frame
    same(rows(4, 31), data[np.newaxis, 4:31])
    del rows
    assert not list(scratch.iterdir())


@pytest.mark.parametrize("compress", ["none", "gzip2"])
@pytest.mark.parametrize("shape", [SHAPE, (3, *SHAPE)])
def test_what_step_11_forbids_is_nan(tmp_path, compress, shape):
    data, bits = image(shape=shape), np.zeros(SHAPE, np.uint16)
    bits[2, 3], bits[4, 5], bits[6, 7], bits[8, 9] = dq("SATURATED"), dq("HOT"), dq("BAD") | dq("HOT"), 1 << 15
    planes.write(tmp_path / "a.fits", StoredPlanes(data, image(2, shape), bits), compress=compress)

    rows = mosaic_frames.open_frame(tmp_path / "a.fits").rows(1, 20)

    channels = rows.shape[0]
    assert sorted(zip(*np.nonzero(np.isnan(rows[-1])), strict=True)) == [(1, 3), (5, 7)]
    assert np.isnan(rows).sum() == 2 * channels
    theirs = data.reshape(channels, *SHAPE)[:, 1:20]
    np.testing.assert_array_equal(rows[~np.isnan(rows)], theirs[~np.isnan(rows)])


def test_the_mask_knows_that_hot_pixels_were_not_repaired(tmp_path):
    bits = np.zeros(SHAPE, np.uint16)
    bits[4, 5] = dq("HOT")
    planes.write(tmp_path / "a.fits", StoredPlanes(image(), None, bits), do_not_use=dq("HOT"))
    with fits.open(tmp_path / "a.fits") as hdus:
        del hdus["MASK"]
        hdus.writeto(tmp_path / "b.fits")

    assert np.isnan(mosaic_frames.open_frame(tmp_path / "a.fits").rows()).sum() == 1
    assert np.isnan(mosaic_frames.open_frame(tmp_path / "b.fits").rows()).sum() == 0


def test_planes_of_others_are_neither_frames_nor_marks(tmp_path):
    bits = np.full(SHAPE, 3, np.int16)
    named = [fits.ImageHDU(bits, name=name) for name in ("DQ", "MASK", "WHT", "weight", "IVAR")]
    fits.HDUList([fits.PrimaryHDU(image()), *named[:4]]).writeto(tmp_path / "a.fits")

    assert [hdu for hdu, _ in mosaic_frames.headers(tmp_path / "a.fits")] == [0]
    assert not np.isnan(mosaic_frames.open_frame(tmp_path / "a.fits").rows()).any()


def test_marks_of_another_shape_are_refused(tmp_path):
    planes.write(tmp_path / "a.fits", StoredPlanes(image(), None, np.zeros((9, 11), np.uint16)))

    with pytest.raises(BadImage, match="MASK has another shape"):
        mosaic_frames.open_frame(tmp_path / "a.fits")


def test_images_in_extensions_are_read_where_they_lie(tmp_path):
    first, second = image(1), image(2, (21, 33), np.int16)
    primary = fits.PrimaryHDU()
    primary.header["OBJECT"] = "M 31"
    fits.HDUList([primary, fits.ImageHDU(first, name="A"), fits.ImageHDU(second, name="B")]).writeto(
        tmp_path / "a.fits"
    )

    assert [hdu for hdu, _ in mosaic_frames.headers(tmp_path / "a.fits")] == [1, 2]
    frame = mosaic_frames.open_frame(tmp_path / "a.fits")
    assert frame.hdu == 1 and frame.header["OBJECT"] == "M 31"
    same(frame.rows(), first[np.newaxis])
    other = mosaic_frames.open_frame(tmp_path / "a.fits", 2)
    same(other.rows(3, 9), second[np.newaxis, 3:9])
    with pytest.raises(BadImage, match=r"HDU 3 of a\.fits holds no image"):
        mosaic_frames.open_frame(tmp_path / "a.fits", 3)


def test_tiff_frames(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    data = image(dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", data)

    frame = mosaic_frames.open_frame(tmp_path / "a.tif", folder=tmp_path)

    same(frame.rows(2, 5), data[np.newaxis, 2:5])


def broken_files(folder):
    whole = written(folder / "whole.fits", image()).read_bytes()
    float32 = b"BITPIX  =                  -32"
    yield "empty", b"", "is empty"
    yield "text", b"no picture at all\n" * 400, "not a FITS file"
    yield "short", whole[:5000], "breaks off at byte 5000"
    yield "header", whole[:2000], "breaks off"
    yield (
        "bitpix",
        whole.replace(float32, b"BITPIX  =                   17"),
        "damaged",
    )
    yield "bscale", whole.replace(b"EXTEND  =                    T", b"BSCALE  =                  0.0"), "BSCALE = 0.0"
    yield (
        "axis",
        whole.replace(b"NAXIS2  =                   37", b"NAXIS2  =                  -37"),
        "damaged",
    )
    yield "gz", gzip.compress(whole)[:3000], "breaks off"
    yield "gzbits", gzip.compress(whole)[:2000] + b"\0" * 4000, "damaged|breaks off"


def test_damaged_files_are_told(tmp_path):
    for name, content, said in broken_files(tmp_path):
        path = tmp_path / f"{name}.fits"
        path.write_bytes(content)
        with pytest.raises(BadImage, match=said) as caught:
            mosaic_frames.open_frame(path)
        assert caught.value.message.startswith(path.name) and "mosaic.on_bad_frame" in caught.value.hint
    with pytest.raises(BadImage, match="not there"):
        mosaic_frames.open_frame(tmp_path / "none.fits")


def test_a_file_that_shrinks_or_goes_while_it_is_read_is_told(tmp_path):
    path = written(tmp_path / "a.fits", image())
    frame = mosaic_frames.open_frame(path)

    os.truncate(path, 4000)
    with pytest.raises(BadImage, match="ends after 4000 bytes"):
        frame.rows()
    path.unlink()
    with pytest.raises(BadImage, match="No such file"):
        frame.rows()


def test_threads_read_at_the_same_time(tmp_path):
    data = image(shape=(3, 301, 53))
    frame = mosaic_frames.open_frame(written(tmp_path / "a.fits", data))

    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda y0: frame.rows(y0, y0 + 7), range(0, 301, 7)))

    same(np.concatenate(parts, axis=1), data)


@pytest.fixture
def few_files():
    """Let the process hold a hundred files open, and no more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    yield 100
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_more_frames_are_open_than_the_system_allows_files(tmp_path, few_files):
    data = image(shape=(3, 5))
    plain, packed = written(tmp_path / "a.fits", data), written(tmp_path / "b.fits.gz", data)

    frames = [mosaic_frames.open_frame(path, folder=tmp_path) for path in [plain, packed] * few_files]

    for frame in frames[::19]:
        same(frame.rows(), data[np.newaxis])


def test_ids_are_the_names_and_tell_files_apart(tmp_path):
    for name in (
        "b.fits",
        "a.fit.gz",
        "n1/c 1.fits",
        "n2/c 1.fits",
        "n2/d.fits",
        "d.fit",
        "d.fts",
        "n2.d.fits",
        ".x.fits",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()

    found = {path.relative_to(tmp_path).as_posix(): name for name, path in mosaic_frames.listed(str(tmp_path))}

    assert found["b.fits"] == "b" and found["a.fit.gz"] == "a"
    assert found["n1/c 1.fits"] == "n1_c_1" and found["n2/c 1.fits"] == "n2_c_1"
    assert len(found) == 8 and len({name.casefold() for name in found.values()}) == 8
    assert set(found.values()) == {"a", "b", "n1_c_1", "n2_c_1", "n2_d", "d", "d_2", "n2.d"}


def test_ids_do_not_hang_on_the_order_of_a_table(tmp_path):
    for name in ("one.fits", "two.fits"):
        (tmp_path / name).touch()
    (tmp_path / "t.csv").write_text("path,filter\ntwo.fits,R\none.fits,B\n")

    assert mosaic_frames.listed(str(tmp_path / "t.csv")) == [
        ("two", tmp_path / "two.fits"),
        ("one", tmp_path / "one.fits"),
    ]
    (tmp_path / "t.csv").write_text("path\none.fts\none.fits\n")
    assert mosaic_frames.listed(str(tmp_path / "t.csv")) == [
        ("one_2", tmp_path / "one.fts"),
        ("one", tmp_path / "one.fits"),
    ]


def test_a_folder_of_nothing_is_told(tmp_path):
    (tmp_path / "notes.txt").touch()

    for source in (tmp_path, tmp_path / "none", tmp_path / "notes.txt"):
        with pytest.raises(ConfigError) as caught:
            mosaic_frames.listed(str(source))
        assert "mosaic.frames" in str(caught.value) and "calibrate" not in str(caught.value)


def test_files_of_the_same_content_are_found(tmp_path):
    a, b = written(tmp_path / "a.fits", image(1)), written(tmp_path / "b.fits", image(2))
    long = image(3, (301, 303))
    c = written(tmp_path / "c.fits", long)
    long[-1, -1] += 1  # another only at its very end
    d = written(tmp_path / "d.fits", long)
    again, third = shutil.copy(a, tmp_path / "again.fits"), shutil.copy(a, tmp_path / "third.fits")
    link = tmp_path / "link.fits"
    link.symlink_to(b)
    empty = [tmp_path / "e1.fits", tmp_path / "e2.fits", tmp_path / "none.fits"]
    empty[0].touch()
    empty[1].touch()

    found = mosaic_frames.duplicates([a, b, c, d, again, third, link, *empty])

    assert sorted(sorted(path.name for path in some) for some in found) == [
        ["a.fits", "again.fits", "third.fits"],
        ["b.fits", "link.fits"],
    ]
    assert mosaic_frames.duplicates([a, b, c, d]) == []


def test_the_real_tiles_of_m17(shared_data):
    path = sorted((shared_data / "mosaic-2mass-m17").glob("aK_*"))[0]

    frame = mosaic_frames.open_frame(path)

    same(frame.rows(100, 200), fits.getdata(path)[np.newaxis, 100:200])
    assert frame.shape == (1024, 512) and frame.header["MAGZP"] > 10


def test_planes_without_a_name_are_known_by_their_lack_of_a_sky(shared_data):
    path = shared_data / "kbmod-small" / "000000.fits.gz"  # science, mask and variance

    assert [hdu for hdu, _ in mosaic_frames.headers(path)] == [1]
    same(mosaic_frames.open_frame(path).rows(), fits.getdata(path, 1)[np.newaxis])


def test_a_real_frame_of_decam_with_its_distortion(shared_data):
    path = next((shared_data / "decam-testcase6" / "images").rglob("*ooi*.fits*"))

    found = mosaic_frames.headers(path)
    frame = mosaic_frames.open_frame(path, found[0][0])

    assert "TPV" in frame.header["CTYPE1"]
    with fits.open(path) as hdus:
        same(frame.rows(), hdus[frame.hdu].data[np.newaxis])


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    path = written(tmp_path / "a.fits.gz", image())
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    soft = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            mosaic_frames.open_frame(path, folder=scratch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)
    assert not list(scratch.iterdir())
