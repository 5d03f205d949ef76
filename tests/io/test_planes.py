"""Planes written and read back, by this project and by astropy."""

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty

from lostlight.core.errors import BadImage
from lostlight.io import planes
from lostlight.science.calibrate.planes import Planes
from lostlight.vocab import bits

SHAPE = (37, 53)


@pytest.fixture
def content():
    """Planes of a master with a value of every kind."""
    rng = np.random.default_rng(11)
    data = rng.normal(1000, 5, SHAPE).astype(np.float32)
    data[3, 4] = np.nan
    return Planes(
        data,
        rng.uniform(1, 2, SHAPE).astype(np.float32),
        rng.integers(0, 8192, SHAPE).astype(np.uint16),
        {
            "NUSED": rng.integers(0, 40000, SHAPE).astype(np.uint16),
            "REJLOW": rng.integers(0, 256, SHAPE).astype(np.uint8),
            "REJHIGH": rng.integers(0, 256, SHAPE).astype(np.uint8),
        },
    )


@pytest.fixture
def header():
    """What a header of a light may hold that must not survive."""
    return fits.Header({"BUNIT": "adu", "EXPTIME": 60.0, "DATE": "2020-01-01", "BZERO": 32768, "EXTNAME": "RAW"})


@pytest.mark.parametrize("compress", ["none", "gzip2"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_was_written_is_read(tmp_path, content, header, compress, dtype):
    planes.write(tmp_path / "m.fits", content, header, dtype=dtype, compress=compress)
    found, cards = planes.read(tmp_path / "m.fits")
    assert found.data.dtype == dtype
    np.testing.assert_array_equal(found.data, content.data)
    np.testing.assert_array_equal(found.uncert, content.uncert)
    np.testing.assert_array_equal(found.dq, content.dq)
    assert found.dq.dtype == np.uint16
    assert list(found.extra) == list(content.extra)
    for name, plane in content.extra.items():
        np.testing.assert_array_equal(found.extra[name], plane)
        assert found.extra[name].dtype == plane.dtype
    assert cards["EXPTIME"] == 60
    assert "DATE" not in cards
    assert "BZERO" not in cards


def test_other_programs_read_it(tmp_path, content, header):
    planes.write(tmp_path / "m.fits", content, header)
    found = CCDData.read(tmp_path / "m.fits", hdu_flags="DQ")
    assert found.unit == units.adu
    assert isinstance(found.uncertainty, StdDevUncertainty)
    np.testing.assert_array_equal(found.data, content.data)
    np.testing.assert_array_equal(found.uncertainty.array, content.uncert)
    np.testing.assert_array_equal(found.flags, content.dq)
    unusable = sum(bit.value for bit in bits.DQ if bit.name in ("BAD", "SATURATED", "COSMIC", "NO_FLAT", "NO_DATA"))
    np.testing.assert_array_equal(found.mask, (content.dq & unusable) > 0)


def test_what_counts_as_unusable_is_up_to_the_caller(tmp_path, content):
    planes.write(tmp_path / "m.fits", content, do_not_use=bits.dq("HOT"))
    np.testing.assert_array_equal(fits.getdata(tmp_path / "m.fits", "MASK"), (content.dq & 2) > 0)


def test_bits_are_named_in_the_header(tmp_path, content):
    planes.write(tmp_path / "m.fits", content)
    cards = fits.getheader(tmp_path / "m.fits", "DQ")
    assert cards["DQB00"] == "BAD"
    assert cards["DQB12"] == "GLOW"


def test_checksums_hold_and_the_bytes_are_the_same_again(tmp_path, content, header):
    for name in ("a.fits", "b.fits"):
        planes.write(tmp_path / name, content, header, compress="rice")
    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()
    planes.write(tmp_path / "c.fits", content, header)
    with fits.open(tmp_path / "c.fits", checksum=True) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == ["UNCERT", "MASK", "DQ", "NUSED", "REJLOW", "REJHIGH"]
        assert all("DATASUM" in hdu.header and "DATE" not in hdu.header for hdu in hdus)


def test_rice_loses_less_than_a_sixteenth_of_the_noise_and_no_bits(tmp_path, content, header):
    planes.write(tmp_path / "m.fits", content, header, compress="rice")
    found, _ = planes.read(tmp_path / "m.fits")
    lost = found.data - content.data
    assert np.nanmax(np.abs(lost)) < 5 / 16
    assert np.isnan(found.data[3, 4])
    np.testing.assert_array_equal(found.dq, content.dq)
    assert CCDData.read(tmp_path / "m.fits", hdu="SCI", hdu_flags="DQ").unit == units.adu


@pytest.mark.parametrize(
    ("kept", "names"),
    [
        (("SCI",), []),
        (("SCI", "UNCERT"), ["UNCERT", "NUSED", "REJLOW", "REJHIGH"]),
        (("SCI", "DQ"), ["MASK", "DQ", "NUSED", "REJLOW", "REJHIGH"]),
    ],
)
def test_only_the_planes_asked_for_are_kept(tmp_path, content, kept, names):
    planes.write(tmp_path / "m.fits", content, planes=kept)
    with fits.open(tmp_path / "m.fits") as hdus:
        assert [hdu.name for hdu in hdus[1:]] == names


def test_a_colour_image_keeps_its_three_planes(tmp_path, content):
    colour = Planes(np.stack([content.data, content.data + 1, content.data + 2]), None, content.dq)
    planes.write(tmp_path / "c.fits", colour)
    found, _ = planes.read(tmp_path / "c.fits")
    np.testing.assert_array_equal(found.data, colour.data)
    assert found.uncert is None


def test_a_flat_has_no_unit_and_is_read_all_the_same(tmp_path, content):
    planes.write(tmp_path / "f.fits", content, fits.Header({"BUNIT": ""}))
    assert CCDData.read(tmp_path / "f.fits").unit == units.dimensionless_unscaled


def test_a_damaged_file_is_told(tmp_path, content):
    path = tmp_path / "m.fits"
    planes.write(path, content)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(BadImage, match=r"CAL111: m\.fits"):
        planes.read(path)
    fits.PrimaryHDU().writeto(path, overwrite=True)
    with pytest.raises(BadImage, match="holds no image"):
        planes.read(path)
