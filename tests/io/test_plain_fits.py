"""Images written in one pass are what astropy would have written, checksums included, and a full disk is told."""

import resource
import signal
import warnings

import numpy as np
import pytest
from astropy.io import fits

from lostlight.io import plain_fits

SHAPE = (7, 13)


def _hdus(dtype):
    rng = np.random.default_rng(5)
    pixels = [rng.integers(0, 250, (*lead, *SHAPE)).astype(dtype) for lead in ((), (3,))]
    return [fits.PrimaryHDU(pixels[0], fits.Header({"OBJECT": "M 67"})), fits.ImageHDU(pixels[1], name="DQ")]


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8", "uint16", "int16", "int32", "uint32"])
def test_astropy_reads_it_and_finds_the_checksums_right(tmp_path, dtype):
    given = _hdus(dtype)
    plain_fits.write(tmp_path / "a.fits", given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(tmp_path / "a.fits", checksum=True) as found:
            found.verify("exception")
            assert [hdu.name for hdu in found] == ["PRIMARY", "DQ"]
            for hdu, one in zip(found, given, strict=True):
                assert hdu.verify_checksum() == hdu.verify_datasum() == 1
                np.testing.assert_array_equal(hdu.data, one.data)
                assert hdu.data.dtype.name == dtype


def test_it_is_what_astropy_writes(tmp_path):
    plain_fits.write(tmp_path / "a.fits", _hdus("float32"))
    theirs = fits.HDUList(_hdus("float32"))
    for hdu in theirs:
        hdu.add_checksum(when="checksum")
    theirs.writeto(tmp_path / "b.fits")
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


def test_every_sum_can_be_written(tmp_path):
    rng = np.random.default_rng(7)
    for number in range(60):
        path = tmp_path / f"{number}.fits"
        plain_fits.write(path, [fits.PrimaryHDU(rng.integers(0, 256, (1, number + 1)).astype(np.uint8))])
        with fits.open(path, checksum=True) as found:
            assert found[0].verify_checksum() == found[0].verify_datasum() == 1


def test_a_header_alone_is_whole(tmp_path):
    plain_fits.write(tmp_path / "a.fits", [fits.PrimaryHDU()])
    with fits.open(tmp_path / "a.fits", checksum=True) as found:
        assert found[0].verify_checksum() == 1


def test_a_full_disk_leaves_nothing(tmp_path):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            plain_fits.write(tmp_path / "a.fits", [fits.PrimaryHDU(np.ones((200, 200)))])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
