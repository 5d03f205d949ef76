"""The file of a mosaic: astropy and fitsverify's rules find nothing wrong, and rows come back as they were."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, InverseVariance
from astropy.table import Table
from astropy.wcs import WCS

from lostlight.core.errors import BadImage
from lostlight.io import mosaic_file
from lostlight.io.bintable import Field

SHAPE = 41, 67


def header(unit="adu"):
    return fits.Header(
        {
            "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 12.3456789012, "CRVAL2": -45.0, "CRPIX1": -3.5,
            "CRPIX2": 20.5, "CDELT1": -0.0002777777778, "CDELT2": 0.0002777777778, "PC1_1": 0.8, "PC1_2": -0.6,
            "PC2_1": 0.6, "PC2_2": 0.8, "BUNIT": unit, "PHOTREF": "m31_001", "NCOMBINE": 17, "KERNEL": "cubic",
            "CORRFACT": 0.88, "DATE": "2026-01-01", "BZERO": 32768, "CHECKSUM": "x", "EXTNAME": "OLD",
        }
    )  # fmt: skip


def planes(n_channels=1, seed=3):
    rng = np.random.default_rng(seed)
    sci = rng.normal(0, 9, (n_channels, *SHAPE)).astype(np.float32)
    sci[:, 4, 5] = np.nan
    wht = rng.uniform(0, 2, sci.shape).astype(np.float32)
    cov, rej = rng.integers(0, 65536, (2, *SHAPE)).astype(np.uint16)
    cov[0, :2] = 0, 65535
    return {"SCI": sci, "WHT": wht, "COV": cov, "REJ": rej, "WSUM": 2 * wht}


TABLES = {
    "FRAMES": [
        Field("id", np.array(["m31_001", "é"])),
        Field("gain", np.array([[1.0, 2.0, 3.0], [0.5, 0.25, 0.125]], np.float32), text="of each channel"),
        Field("sigma", np.array([5.0, np.nan]), "adu"),
        Field("n", np.array([3, 4], np.int32)),
        Field("used", np.array([True, False])),
    ],
    "LOTS": [Field("lot", np.array(["L001"])), Field("n", np.array([2], np.int16))],
}


@pytest.mark.parametrize("n_channels", [1, 3])
def test_astropy_reads_it_and_finds_no_fault(tmp_path, n_channels):
    path, given = tmp_path / "m.fits", planes(n_channels)

    mosaic_file.write(path, given, header(), TABLES)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(path, checksum=True) as hdus:
            hdus.verify("exception")
            assert [hdu.name for hdu in hdus] == ["PRIMARY", "WHT", "COV", "REJ", "WSUM", "FRAMES", "LOTS"]
            for name, plane in given.items():
                read = hdus[0 if name == "SCI" else name].data
                assert read.dtype.newbyteorder("=") == plane.dtype
                np.testing.assert_array_equal(read.reshape(plane.shape), plane)
            assert hdus[0].shape == (SHAPE if n_channels == 1 else (3, *SHAPE))
            assert all("CHECKSUM" in hdu.header and "DATASUM" in hdu.header for hdu in hdus)
            cards = hdus[0].header
            assert (cards["PHOTREF"], cards["NCOMBINE"], cards["CORRFACT"]) == ("m31_001", 17, 0.88)
            assert not {"DATE", "BZERO", "EXTNAME"} & set(cards)


def test_every_plane_shows_the_same_sky(tmp_path):
    mosaic_file.write(tmp_path / "m.fits", planes(3), header())

    theirs = WCS(header()).all_pix2world([[3.0, 4.0]], 0)

    with fits.open(tmp_path / "m.fits") as hdus:
        for hdu in hdus:
            np.testing.assert_array_equal(WCS(hdu.header).celestial.all_pix2world([[3.0, 4.0]], 0), theirs)


@pytest.mark.parametrize(("unit", "inverse"), [("adu", "1 / adu2"), ("electron/s", "s2 / electron2"), ("odd", None)])
def test_ccddata_takes_the_weight_as_inverse_variance(tmp_path, unit, inverse):
    given = planes()
    mosaic_file.write(tmp_path / "m.fits", given, header(unit))

    assert fits.getheader(tmp_path / "m.fits", "WHT").get("BUNIT") == inverse
    if inverse:
        ccd = CCDData.read(tmp_path / "m.fits", hdu_uncertainty="WHT")
        assert isinstance(ccd.uncertainty, InverseVariance) and ccd.unit == unit and ccd.wcs is not None
        np.testing.assert_array_equal(ccd.uncertainty.array, given["WHT"][0])


@pytest.mark.parametrize("n_channels", [1, 3])
def test_rows_come_back_as_they_were(tmp_path, n_channels):
    given = planes(n_channels)
    mosaic_file.write(tmp_path / "lot.fits", given, header(), TABLES)

    lot = mosaic_file.open_lot(tmp_path / "lot.fits")

    assert (lot.shape, lot.n_channels, set(lot.planes)) == (SHAPE, n_channels, set(given))
    assert lot.header["CRPIX1"] == -3.5
    for name, plane in given.items():
        plane = plane.reshape(-1, *SHAPE)
        for y0, y1 in ((0, None), (0, 7), (13, 40), (40, 99), (9, 9)):
            rows = lot.rows(name, y0, y1)
            assert rows.dtype == plane.dtype
            np.testing.assert_array_equal(rows, plane[:, y0:y1])


def test_tables_come_back_as_they_were(tmp_path):
    mosaic_file.write(tmp_path / "m.fits", planes(), header(), TABLES)

    frames = mosaic_file.read_table(tmp_path / "m.fits", "FRAMES")

    assert frames.colnames == ["id", "gain", "sigma", "n", "used"] and frames["id"][0] == "m31_001"
    np.testing.assert_array_equal(frames["gain"], TABLES["FRAMES"][1].values)
    assert list(frames["used"]) == [True, False] and str(frames["sigma"].unit) == "adu"
    assert Table.read(tmp_path / "m.fits", hdu="LOTS")["n"][0] == 2
    with pytest.raises(BadImage, match="no table TILES"):
        mosaic_file.read_table(tmp_path / "m.fits", "TILES")


def test_the_same_content_gives_the_same_bytes(tmp_path):
    for name in ("a.fits", "b.fits"):
        mosaic_file.write(tmp_path / name, planes(3), header(), TABLES)

    assert (tmp_path / "a.fits").read_bytes() == (tmp_path / "b.fits").read_bytes()


def test_what_is_no_mosaic_or_not_whole_is_told(tmp_path):
    mosaic_file.write(tmp_path / "m.fits", planes(), header())
    content = (tmp_path / "m.fits").read_bytes()
    (tmp_path / "short.fits").write_bytes(content[:-5000])
    odd = fits.HDUList([fits.PrimaryHDU(np.zeros(SHAPE)), fits.ImageHDU(np.zeros((3, 5)), name="WHT")])
    odd.writeto(tmp_path / "odd.fits")
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(np.zeros(SHAPE, np.int16))]).writeto(tmp_path / "packed.fits")

    with pytest.raises(BadImage, match="breaks off"):
        mosaic_file.open_lot(tmp_path / "short.fits")
    for name, said in (("odd", "WHT has another shape"), ("packed", "COMPRESSED_IMAGE is packed")):
        with pytest.raises(BadImage, match=rf"{name}\.fits is no mosaic: {said}"):
            mosaic_file.open_lot(tmp_path / f"{name}.fits")


def test_planes_in_files_are_written_without_a_copy_in_memory(tmp_path):
    code = """
import resource, sys
import numpy as np
from pathlib import Path
from astropy.io import fits
from lostlight.io import mosaic_file as m
folder = Path(sys.argv[1])
shape = 3, 2003, 4001  # 96 MB each
planes = {name: m.scratch(shape, np.float32, folder) for name in ("SCI", "WHT")}
planes["COV"] = m.scratch(shape[1:], np.uint16, folder, small=0)
m.write(folder / "tiny.fits", {"SCI": np.zeros((3, 5))}, fits.Header())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for plane in planes.values():
    for y0 in range(0, 2003, 100):
        plane[..., y0 : y0 + 100, :] = y0
        m.release(plane)
m.write(folder / "big.fits", planes, fits.Header())
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
lot = m.open_lot(folder / "big.fits")
print(float(lot.rows("SCI", 2002)[2, 0, 4000]), int(lot.rows("COV", 150, 151)[0, 0, 7]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )

    grown_mb, last, cov = done.stdout.split()
    assert float(last) == 2000 and int(cov) == 100
    assert int(grown_mb) < 60  # of 208
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.fits", "big.fits"] or len(list(tmp_path.iterdir())) == 2
