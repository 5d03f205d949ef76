"""Files of images of stacks: real ones of three makers, and everything that can be wrong with them."""

import contextlib
import gzip
import json
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from tests.epoch_scene import SHAPE, SIGMA, four_hdus, science

from lostlight.core.errors import BadDate, BadImage, ConfigError, LostlightError, NoWCS
from lostlight.io import epoch_files, planes, stack_store
from lostlight.io.epoch_header import wcs_of
from lostlight.io.planes import StoredPlanes
from lostlight.vocab.bits import dq, stack


def folder_of(tmp_path, n=3):
    for number in range(n):
        four_hdus(
            tmp_path / f"f{number}.fits", [science(number), np.zeros(SHAPE), np.full(SHAPE, 4.0)], mjd=59000 + number
        )
    return tmp_path


def test_kbmod_files_load_with_no_pixel_masked_and_their_noise(shared_data):
    """A12: the small files have a mask of zeros in HDU 2 and a variance of 4.0 in HDU 3."""
    images = [epoch_files.read(file) for file in epoch_files.listed(shared_data / "kbmod-small")]
    assert [image.id for image in images] == [f"{number:06d}" for number in range(10)]
    assert np.all(np.diff([image.exposure.mid() for image in images]) > 0)
    for image in images:
        assert not image.bad.any()
        assert np.sqrt(np.median(image.variance)) == 2.0
        assert 1.4826 * np.median(abs(image.science - np.median(image.science))) == pytest.approx(2.0, abs=0.1)
    sky = wcs_of(images[0].wcs)
    east = np.subtract(sky.all_world2pix(200.614997 + 10 / 3600 / np.cos(np.radians(-7.788789)), -7.788789, 0),
                       sky.all_world2pix(200.614997, -7.788789, 0))  # fmt: skip
    np.testing.assert_allclose(east, (-0.07, 37.96), atol=0.02)


def test_a_workunit_is_read_with_its_psf_and_the_sky_of_each_image(shared_data):
    source = shared_data / "kbmod-small" / "shifted_wcs_diff_dimms_tiled.fits.gz"
    images = [epoch_files.read(file) for file in epoch_files.listed(source)]
    with fits.open(source) as hdus:
        told = [json.loads(row[0]) for row in hdus["IMG_META"].data]
        psf = hdus["PSF_2"].data
        assert [image.exposure.mid() for image in images] == [hdus[f"SCI_{k}"].header["MJD"] for k in range(4)]
    for image, cards in zip(images, told, strict=True):
        assert image.science.shape == (50, 60)
        assert not image.bad.any()
        assert np.median(image.variance) == 4
        assert wcs_of(image.wcs).wcs.crval.tolist() == [cards["CRVAL1"], cards["CRVAL2"]]
    np.testing.assert_array_equal(images[2].psf, psf)


def test_decam_triples_load_with_their_distortion_weights_and_masks(shared_data):
    for folder in sorted((shared_data / "decam-testcase6/images/decam/CP/V4.8.2a").iterdir()):
        for file in epoch_files.listed(folder):
            image = epoch_files.read(file)
            with fits.open(file.paths["science"]) as hdus, fits.open(file.paths["mask"]) as masks:
                header, codes = hdus[0].header + hdus[1].header, masks[1].data
                y, x = np.mgrid[:100:7, :100:9].astype(float)
                truth = WCS(hdus[1].header).all_pix2world(x, y, 0)
            np.testing.assert_array_equal(wcs_of(image.wcs).all_pix2world(x, y, 0), truth)
            assert image.bad[codes > 0].all()
            assert np.mean(image.bad > 0) < 0.25
            assert image.exposure.mid() == pytest.approx((header["MJD-OBS"] + header["MJD-END"]) / 2, abs=1e-6)
            assert 3.5 < image.gain_e_adu < 4.5
            # photons of the sky and the noise of reading, in adu
            read_noise = header["RDNOISEA"]
            level = header["SKYSUB"] if header["SKYSUB"] > 0 else np.median(image.science)
            expected = (level * image.gain_e_adu + read_noise**2) ** 0.5 / image.gain_e_adu
            assert np.sqrt(np.nanmedian(image.variance)) == pytest.approx(expected, rel=0.12)


def test_calibrated_frames_bring_noise_quality_and_gain(tmp_path):
    quality = np.zeros(SHAPE, np.uint16)
    quality[1, 2], quality[3, 4], quality[5, 6] = dq("SATURATED"), dq("BAD"), dq("GLOW")
    header = fits.Header(
        {"EXPTIME": 60.0, "DATE-OBS": "2024-03-01T05:00:00.000", "EGAIN": 1.7, "FILTER": "R", "BUNIT": "adu"}
    )
    content = StoredPlanes(science(), np.full(SHAPE, SIGMA, np.float32), quality)
    for name, compress in (("a.fits", "none"), ("b.fits", "gzip2")):
        planes.write(tmp_path / name, content, header, compress=compress)
        image = epoch_files.read(epoch_files.EpochFile("a", {"science": tmp_path / name}))
        np.testing.assert_array_equal(image.science, content.data)
        np.testing.assert_allclose(np.unique(image.variance), SIGMA**2)
        assert np.argwhere(image.bad).tolist() == [[1, 2], [3, 4]]
        assert (image.gain_e_adu, image.filter) == (1.7, "R")
        assert image.exposure.mid() == pytest.approx(60370 + (5 + 1 / 120) / 24)
        assert image.warnings == ()
        assert epoch_files.filter_of(epoch_files.EpochFile("a", {"science": tmp_path / name})) == "R"


def test_plain_images_are_read_and_what_is_no_number_is_bad(tmp_path):
    """A12: NaN in is NaN out, and masked."""
    image = science()
    image[2, 3], image[4, 5], image[6, 7] = np.nan, np.inf, 70000
    header = fits.Header({"MJD-OBS": 59000.0, "EXPTIME": 30.0, "SATURATE": 60000.0})
    fits.PrimaryHDU(image, header).writeto(tmp_path / "a.fits")
    (file,) = epoch_files.listed(tmp_path)
    got = epoch_files.read(file)
    assert np.argwhere(got.bad == stack("BAD")).tolist() == [[2, 3], [4, 5]]
    assert np.argwhere(got.bad == stack("SATURATED")).tolist() == [[6, 7]]
    assert np.argwhere(np.isnan(got.science)).tolist() == [[2, 3], [4, 5]]
    assert got.variance is None
    assert got.wcs == ""


def test_pixels_without_weight_are_bad(tmp_path):
    variance = np.full(SHAPE, 4, np.float32)
    variance[0, :3] = 0, -1, np.nan
    four_hdus(tmp_path / "a.fits", [science(), variance], ["SCI", "VAR"])
    image = epoch_files.read(epoch_files.listed(tmp_path)[0])
    assert (image.bad[0, :4] > 0).tolist() == [True, True, True, False]


def test_what_is_missing_or_passed_over_is_said(tmp_path):
    four_hdus(tmp_path / "a.fits", [science(), np.ones(SHAPE, np.int16), np.zeros(SHAPE)], ["SCI", "MASK", "ERR"])
    image = epoch_files.read(epoch_files.listed(tmp_path)[0])
    assert not image.bad.any()
    assert image.variance is None
    assert [said.split(": ")[0] for said in image.warnings] == ["a.fits"] * 3
    assert [word in "".join(image.warnings) for word in ("its mask", "its sigma", "how long")] == [True] * 3


def test_fewer_images_than_asked_for_are_refused_with_both_counts(tmp_path):
    folder_of(tmp_path)
    assert [image.id for image in epoch_files.listed(tmp_path, 2)] == ["f0", "f1"]
    with pytest.raises(ConfigError, match=r"5 images are asked for, but .* holds 3"):
        epoch_files.listed(tmp_path, 5)


@pytest.mark.parametrize("what", ["nothing", "empty folder", "no frames"])
def test_where_there_are_no_images_it_says_so(tmp_path, what):
    source = tmp_path / "nothing" if what == "nothing" else tmp_path
    if what == "no frames":
        (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ConfigError, match=r"does not exist|holds no image"):
        epoch_files.listed(source)


def test_a_table_lists_images_of_several_folders(tmp_path):
    for name in ("n1", "n2"):
        (tmp_path / name).mkdir()
        folder_of(tmp_path / name, 2)
    (tmp_path / "list.csv").write_text("path\nn2/f1.fits\nn1/f0.fits\n")
    assert [image.paths["science"].parent.name for image in epoch_files.listed(tmp_path / "list.csv")] == ["n1", "n2"]


def damaged(path, how):
    content = path.read_bytes()
    packed = gzip.compress(content)
    path.unlink()
    written = {
        "truncated": ("a.fits", content[:6000]),
        "empty": ("a.fits", b""),
        "text": ("a.fits", b"not an image at all"),
        "gzip that breaks off": ("a.fits.gz", packed[: len(packed) // 2]),
        "gzip that hardly begins": ("a.fits.gz", packed[:20]),
        "gzip with an error": ("a.fits.gz", packed[:800] + b"\0\1\2\3" + packed[804:]),
    }
    name, content = written[how]
    (path.parent / name).write_bytes(content)


@pytest.mark.parametrize(
    "how", ["truncated", "empty", "text", "gzip that breaks off", "gzip that hardly begins", "gzip with an error"]
)
def test_damaged_files_are_refused_by_name(tmp_path, how):
    damaged(four_hdus(tmp_path / "a.fits", [science(), np.zeros(SHAPE), np.full(SHAPE, 4.0)]), how)
    (file,) = epoch_files.listed(tmp_path)
    with pytest.raises(BadImage, match=r"a\.fits"):
        epoch_files.read(file)


def test_compressed_pixels_that_are_damaged_are_refused(tmp_path, shared_data):
    source = shared_data / "kbmod-small" / "shifted_wcs_diff_dimms_tiled.fits.gz"
    content = bytearray(gzip.decompress(source.read_bytes()))
    with fits.open(source, disable_image_compression=True) as hdus:
        place = hdus["SCI_1"].fileinfo()
        end = place["datLoc"] + hdus["SCI_1"].size
    content[end - 1500 : end - 600] = bytes(900)
    (tmp_path / "a.fits").write_bytes(content)
    with pytest.raises(BadImage, match=r"a\.fits is damaged"):
        epoch_files.read(epoch_files.listed(tmp_path)[1])


@pytest.mark.parametrize("seed", range(40))
def test_a_file_hit_anywhere_is_read_or_refused_and_no_bug(tmp_path, seed):
    rng = np.random.default_rng(seed)
    path = four_hdus(
        tmp_path / "a.fits", [science(), np.zeros(SHAPE, np.int16), np.full(SHAPE, 4.0)], ["SCI", "MASK", "VAR"]
    )
    content = bytearray(path.read_bytes())
    for _ in range(5):
        content[rng.integers(len(content))] = rng.choice(list(b"0123456789 '=-TFE/\0"))
    path.write_bytes(content[: rng.choice([len(content), rng.integers(len(content))])])
    with contextlib.suppress(LostlightError):
        epoch_files.read(epoch_files.listed(path)[0])


def test_images_without_a_good_pixel_a_time_or_a_sky_that_can_be_are_refused(tmp_path):
    four_hdus(tmp_path / "nan.fits", [np.full(SHAPE, np.nan, np.float32)])
    fits.PrimaryHDU(science()).writeto(tmp_path / "no_time.fits")
    cards = {"MJD": 59000.0, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 1.0, "CD1_1": 0.0, "CD2_2": 0.0}
    fits.PrimaryHDU(science(), fits.Header(cards)).writeto(tmp_path / "no_sky.fits")
    files = {image.id: image for image in epoch_files.listed(tmp_path)}
    for name, error in (("nan", BadImage), ("no_time", BadDate), ("no_sky", NoWCS)):
        with pytest.raises(error, match=name):
            epoch_files.read(files[name])


def test_a_part_of_a_set_of_three_without_its_image_is_refused(tmp_path):
    fits.PrimaryHDU(science()).writeto(tmp_path / "c4d_1_oow_r.fits")
    with pytest.raises(BadImage, match=r"c4d_1_oow_r\.fits has no image beside it"):
        epoch_files.listed(tmp_path)


def test_images_of_a_store_are_read_again(tmp_path):
    images = [epoch_files.read(file) for file in epoch_files.listed(folder_of(tmp_path))]
    path = tmp_path / "s.zarr.zip"
    with stack_store.writing(path, (3, *SHAPE)) as store:
        for number, image in enumerate(images):
            numbers = {"mjd_mid": image.exposure.mid(), "exptime_s": 0.0}
            record = {"id": image.id, "filter": "r"}
            store.put(number, image.science, image.bad, variance=image.variance, numbers=numbers, record=record)
    files = epoch_files.listed(path)
    assert [epoch_files.filter_of(file) for file in files] == ["r"] * 3
    again = [epoch_files.read(file) for file in files]
    for one, other in zip(images, again, strict=True):
        assert (one.id, one.exposure.mid()) == (other.id, other.exposure.mid())
        for name in ("science", "variance", "bad"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_several_workunits_in_a_folder_are_several_stacks(tmp_path, shared_data):
    source = shared_data / "kbmod-small" / "shifted_wcs_diff_dimms_tiled.fits.gz"
    shutil.copy(source, tmp_path / "a.fits.gz")
    assert len(epoch_files.listed(tmp_path)) == 4
    shutil.copy(source, tmp_path / "b.fits.gz")
    with pytest.raises(ConfigError, match="holds 2 WorkUnits"):
        epoch_files.listed(tmp_path)
