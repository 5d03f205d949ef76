"""Pixels to sky: the plate solution against its own formula, and what happens to half a solution."""

import json
import subprocess
import sys
import tarfile
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.fits import Header
from tests.plate_scene import header as tangent_header

from lostlight.core.errors import NoWCS
from lostlight.science.plate.wcs import has_plate_solution, pix_to_sky, pixel_scale_arcsec, sky_to_pix, sky_wcs


def by_formula(header, x_px, y_px):
    """The plate solution as the Digitized Sky Survey documents it, zero-based pixels to degrees."""
    x = (header["PPO3"] - header["XPIXELSZ"] * (header["CNPIX1"] + x_px + 0.5)) / 1000
    y = (header["YPIXELSZ"] * (header["CNPIX2"] + y_px + 0.5) - header["PPO6"]) / 1000

    def poly(c, u, v):
        r2 = u**2 + v**2
        return (
            c[1] * u + c[2] * v + c[3] + c[4] * u**2 + c[5] * u * v + c[6] * v**2 + c[7] * r2
            + c[8] * u**3 + c[9] * u**2 * v + c[10] * u * v**2 + c[11] * v**3 + c[12] * u * r2 + c[13] * u * r2**2
        )  # fmt: skip

    a, b = ([0.0] + [header[f"AMD{axis}{k}"] for k in range(1, 14)] for axis in "XY")
    xi, eta = np.radians(poly(a, x, y) / 3600), np.radians(poly(b, y, x) / 3600)
    ra0 = np.radians(15 * (header["PLTRAH"] + header["PLTRAM"] / 60 + header["PLTRAS"] / 3600))
    sign = -1 if header["PLTDECSN"].strip() == "-" else 1
    dec0 = sign * np.radians(header["PLTDECD"] + header["PLTDECM"] / 60 + header["PLTDECS"] / 3600)
    north = np.cos(dec0) - eta * np.sin(dec0)
    ra = ra0 + np.arctan2(xi, north)
    dec = np.arctan2(np.sin(dec0) + eta * np.cos(dec0), np.hypot(xi, north))
    return np.degrees(ra) % 360, np.degrees(dec)


def arcsec(ra, dec, ra2, dec2):
    return 3600 * np.hypot((np.mod(ra - ra2 + 180, 360) - 180) * np.cos(np.radians(dec)), dec - dec2)


@pytest.fixture(scope="module")
def m67(shared_data):
    return fits.getheader(shared_data / "dss1-m67" / "M6707HH.fits.gz")


def test_the_real_plate(m67):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ra, dec = pix_to_sky(sky_wcs(m67), 529, 529)
    assert arcsec(ra, dec, 132.83395, 11.81182) < 0.05
    assert pixel_scale_arcsec(m67) == pytest.approx(1.7004, abs=2e-4)


def test_the_real_solution_is_the_documented_polynomial(m67):
    x, y = np.random.default_rng(1).uniform(0, 1058, (2, 50))
    assert arcsec(*pix_to_sky(sky_wcs(m67), x, y), *by_formula(m67, x, y)).max() < 1e-6


def test_whole_plates_of_both_scans(shared_data):
    with tarfile.open(shared_data / "poss1-plates" / "plate_headers_dev.tar.gz") as archive:
        for member in archive.getmembers()[::40]:
            header = Header(list(json.load(archive.extractfile(member))["header"].items()))
            x, y = np.random.default_rng(2).uniform(0, header["NAXIS1"] - 1, (2, 20))
            wcs = sky_wcs(header)
            ra, dec = pix_to_sky(wcs, x, y)
            assert arcsec(ra, dec, *by_formula(header, x, y)).max() < 1e-5, member.name
            assert np.abs(np.subtract(sky_to_pix(wcs, ra, dec), (x, y))).max() < 0.02, member.name


def test_plate_solution_wins_over_the_tangent_plane(shared_data):
    header = fits.getheader(shared_data / "dss2-not-poss1" / "m51_dss1.fits.gz")
    ra, dec = pix_to_sky(sky_wcs(header), 5, 880)
    assert arcsec(ra, dec, *by_formula(header, 5, 880)) < 1e-6


@pytest.mark.parametrize("lost", ["AMDX2", "PLTDECSN", "CNPIX1", "PPO6", "AMDY13"])
def test_half_a_solution_is_dropped_for_the_tangent_plane(shared_data, lost):
    header = fits.getheader(shared_data / "dss2-not-poss1" / "m51_dss1.fits.gz")
    del header[lost]
    assert not has_plate_solution(header)
    ra, dec = pix_to_sky(sky_wcs(header), header["CRPIX1"] - 1, header["CRPIX2"] - 1)
    assert arcsec(ra, dec, header["CRVAL1"], header["CRVAL2"]) < 1e-6


def test_pixel_size_without_coefficients_does_not_stop_wcslib():
    header = tangent_header((100, 121))
    header["XPIXELSZ"], header["YPIXELSZ"] = 25.28, 25.28
    assert arcsec(*pix_to_sky(sky_wcs(header), 60, 49.5), 150, 20) < 1e-6


def test_half_a_solution_alone_is_no_solution(m67):
    header = m67.copy()
    del header["AMDX1"]
    with pytest.raises(NoWCS, match="AMDX1"):
        sky_wcs(header)


@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"CTYPE1": "LINEAR", "CTYPE2": "LINEAR"},
        {"CTYPE1": "RA---TAN"},
        {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN"},
    ],
)
def test_no_sky(cards):
    header = Header([("NAXIS", 2), ("NAXIS1", 90), ("NAXIS2", 80), *cards.items()])
    with pytest.raises(NoWCS):
        sky_wcs(header)


def test_singular_matrix_is_no_sky():
    header = tangent_header((80, 90))
    header["CD1_1"] = 0.0
    with pytest.raises(NoWCS):
        sky_wcs(header)


def test_galactic_maps_give_icrs(shared_data):
    header = fits.getheader(shared_data / "spitzer-glimpse" / "spitzer_example_image.fits.gz")
    wcs = sky_wcs(header)
    ra, dec = pix_to_sky(wcs, 10, 20)
    assert 270 < ra < 280
    assert -20 < dec < 0
    assert np.allclose(sky_to_pix(wcs, ra, dec), (10, 20), atol=1e-6)


@pytest.mark.parametrize("scale", [1.0099, 1.7004, 5.21])
@pytest.mark.parametrize("dec", [-89.9, 0.0, 84.8])
def test_scale_holds_everywhere(scale, dec):
    assert pixel_scale_arcsec(tangent_header((301, 243), scale, 0.01, dec)) == pytest.approx(scale, rel=1e-5)


def test_right_ascension_wraps():
    wcs = sky_wcs(tangent_header((301, 243), 1.7, 0.0, 10.0))
    ra, _ = pix_to_sky(wcs, [0, 242], 150)
    assert 0 < ra[0] < 1
    assert 359 < ra[1] < 360


@pytest.mark.parametrize("value", [None, "20 31 08"])
def test_a_projection_without_a_place_is_refused(value):
    header = tangent_header((80, 90))
    header.remove("CRVAL2")
    if value:
        header["CRVAL2"] = value
    with pytest.raises(NoWCS, match=f"no place: CRVAL2 = {value!r}"):
        sky_wcs(header)


@pytest.mark.parametrize("cards", [{"RADESYS": "ICRX"}, {"CTYPE1": "XXLN-TAN", "CTYPE2": "XXLT-TAN"}])
def test_a_system_of_coordinates_that_is_none_is_refused(cards):
    header = tangent_header((80, 90))
    header.update(cards)
    with pytest.raises(NoWCS, match=next(iter(cards.values()))):
        sky_wcs(header)


def test_many_malformed_cards_do_no_harm():
    header = tangent_header((80, 90))
    header.update({f"{kind}{i}-{j}": 0.0 for kind in ("PC", "CD", "PV", "PS") for i in (1, 2) for j in (1, 2)})
    reading = (
        "from astropy.io.fits import Header; from lostlight.science.plate.wcs import sky_wcs; import sys\n"
        "header = Header.fromstring(sys.stdin.read(), sep='\\n'); [sky_wcs(header) for _ in range(50)]"
    )
    ended = subprocess.run(
        [sys.executable, "-c", reading], input=header.tostring(sep="\n"), text=True, capture_output=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
