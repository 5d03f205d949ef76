"""WorkUnits: written and read again, whole or in shards."""

import shutil
import warnings

import numpy as np
import pytest
from astropy.io import fits
from tests.epoch_scene import SHAPE, science

from lostlight.core.errors import BadImage
from lostlight.io import epoch_files, stack_store, workunit
from lostlight.io.epoch_header import wcs_of
from lostlight.io.workunit import WorkImage
from lostlight.vocab.bits import stack

SKY = """CTYPE1  = 'RA---TAN'
CTYPE2  = 'DEC--TAN'
CRVAL1  = 10.5
CRVAL2  = -3.25
CDELT1  = -0.0001
CDELT2  = 0.0001
NAXIS1  = 23"""
PSF = np.outer([1, 2, 1], [1, 2, 1]) / 16.0


def images(n=3):
    is_bad = np.zeros(SHAPE, bool)
    is_bad[4, 5] = True
    for number in range(n):
        yield WorkImage(
            science(number), np.full(SHAPE, 4, np.float32), is_bad, PSF, 59000.125 + number, SKY if number else ""
        )


@pytest.fixture
def unit(tmp_path):
    workunit.write(tmp_path / "unit.fits", images(), 3)
    return tmp_path / "unit.fits"


def test_what_is_written_is_read_again(unit):
    """A20: an exported WorkUnit reads back, with a standard header and checksums that hold."""
    files = epoch_files.listed(unit)
    assert [(file.id, file.layout) for file in files] == [(f"unit-{number}", "workunit") for number in range(3)]
    for file, image in zip(files, images(), strict=True):
        got = epoch_files.read(file)
        np.testing.assert_array_equal(got.science, image.science)
        np.testing.assert_array_equal(got.variance, image.variance)
        np.testing.assert_array_equal(got.bad > 0, image.is_bad)
        np.testing.assert_array_equal(got.psf, PSF)
        assert got.exposure.mid() == image.mjd_mid
        assert bool(got.wcs) == bool(image.wcs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(unit, checksum=True) as hdus:
            hdus.verify("exception")
            assert hdus[0].header["NUMIMG"] == hdus[0].header["NCON"] == 3
            assert hdus["KBMOD_CONFIG"].data["num_obs"][0] == "3"
            assert [hdus[f"SCI_{number}"].header["IND_0"] for number in range(3)] == [0, 1, 2]


def test_a_stack_is_exported_and_read_again(tmp_path):
    """A20: a store to a WorkUnit, its sky taken off, and back."""
    variance = np.full(SHAPE, 4, np.float32)
    variance[0, 0] = np.nan
    bad = np.zeros(SHAPE, np.uint32)
    bad[1, 2], bad[3, 4] = stack("SATURATED"), stack("STAR")
    with stack_store.writing(tmp_path / "s.zarr.zip", (3, *SHAPE)) as store:
        for number in range(3):
            numbers = {"mjd_mid": 59000.125 + number, "sigma_adu": 3.0}
            noise = variance if number else None
            store.put(number, science(number), bad, variance=noise, numbers=numbers, record={"id": "a", "wcs": SKY})
    stored = stack_store.open_store(tmp_path / "s.zarr.zip")
    images = workunit.images_of(stored, [PSF] * 3, lambda number: np.full(SHAPE, number, np.float32))
    workunit.write(tmp_path / "unit.fits", images, 3)
    for number, file in enumerate(epoch_files.listed(tmp_path / "unit.fits")):
        image = epoch_files.read(file)
        np.testing.assert_array_equal(image.science, science(number) - np.float32(number))
        assert image.variance[0, 0] == 9
        assert image.variance[5, 5] == (4 if number else 9)
        assert np.argwhere(image.bad).tolist() == [[1, 2]]
        assert image.exposure.mid() == 59000.125 + number
        np.testing.assert_allclose(wcs_of(image.wcs).wcs.crval, (10.5, -3.25))


def test_equal_images_give_equal_bytes(unit, tmp_path):
    workunit.write(tmp_path / "again.fits", images(), 3)
    assert (tmp_path / "again.fits").read_bytes() == unit.read_bytes()


def test_nothing_half_written_is_left(tmp_path):
    def breaking():
        yield from images(2)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        workunit.write(tmp_path / "unit.fits", breaking(), 3)
    assert list(tmp_path.iterdir()) == []


def sharded(unit):
    """Split a WorkUnit as kbmod does: a file of tables, and one for each image."""
    with fits.open(unit) as hdus:
        for number in range(3):
            parts = [hdus[f"{name}_{number}"].copy() for name in ("SCI", "VAR", "MSK", "PSF")]
            fits.HDUList([fits.PrimaryHDU(), *parts]).writeto(unit.with_name(f"{number}_shards.fits"))
        fits.HDUList([hdus[0].copy(), hdus["KBMOD_CONFIG"].copy()]).writeto(unit.with_name("shards.fits"))
    unit.unlink()
    return unit.with_name("shards.fits")


def test_shards_are_one_workunit(unit):
    path = sharded(unit)
    for source in (path, path.parent):
        files = epoch_files.listed(source)
        assert [file.paths["science"].name for file in files] == [f"{number}_shards.fits" for number in range(3)]
    np.testing.assert_array_equal(epoch_files.read(files[2]).science, science(2))
    (path.parent / "1_shards.fits").unlink()
    with pytest.raises(BadImage, match=r"lacks its shard 1_shards\.fits"):
        epoch_files.listed(path)


def test_an_image_that_is_not_there_is_refused(unit):
    with pytest.raises(BadImage, match="holds no image SCI_7"):
        workunit.read_image(unit, 7)


def test_the_sky_of_the_table_serves_where_the_image_has_none(tmp_path, shared_data):
    """The sky is taken from the JSON of IMG_META, and nonsense there is no sky."""
    shutil.copy(shared_data / "kbmod-small" / "shifted_wcs_diff_dimms_tiled.fits.gz", tmp_path / "a.fits.gz")
    with fits.open(tmp_path / "a.fits.gz") as hdus:
        science_hdu = fits.ImageHDU(hdus["SCI_1"].data, fits.Header({"MJD": 60415.0}), name="SCI_0")
        whole = [hdus[0].copy(), hdus["IMG_META"].copy(), science_hdu]
        whole[0].header["NUMIMG"] = 1
        fits.HDUList(whole).writeto(tmp_path / "b.fits")
        whole[1].data["_WCSSTR_per_image_wcs"][0] = "nothing"
        fits.HDUList(whole).writeto(tmp_path / "c.fits")
    (image,) = (epoch_files.read(file) for file in epoch_files.listed(tmp_path / "b.fits"))
    assert "CRVAL1  =                 45.0" in image.wcs
    assert epoch_files.read(epoch_files.listed(tmp_path / "c.fits")[0]).wcs == ""
