"""Sections of a frame, the overscan they hold, and the header once they are trimmed."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import skycoord_to_pixel

from lostlight.core.errors import LostlightError
from lostlight.science.calibrate import overscan, sections


def test_columns_come_first_and_count_from_one():
    section = sections.read("[  17: 528,   1: 520]", (520, 536))
    assert section.shape == (520, 512)
    assert sections.parse("[17:528,3:4]") == (slice(2, 4), slice(16, 528))
    assert str(section) == "[17:528,1:520]"
    assert str(sections.read("[3:3,5:5]", (5, 3))) == "[3:3,5:5]"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1:10]", "not of the form"),
        ("1:10,1:10", "not of the form"),
        ("[1:10,*]", "not of the form"),
        ("", "not of the form"),
        ("[10:1,1:5]", "runs backwards"),
        ("[0:10,1:5]", "begins before 1"),
        ("[1:11,1:5]", "leaves the frame, which has 10 columns and 5 rows"),
        ("[1:10,1:6]", "leaves the frame"),
    ],
)
def test_what_is_no_section_of_the_frame_is_refused(text, said):
    with pytest.raises(LostlightError, match=f"CAL109: light_3 BIASSEC: section .*{said}"):
        sections.read(text, (5, 10), "light_3 BIASSEC")


def celestial(nx=60, ny=40):
    return fits.Header({
        "NAXIS": 2, "NAXIS1": nx, "NAXIS2": ny, "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0,
        "CRVAL2": 20.0, "CRPIX1": 30.0, "CRPIX2": 20.0, "CD1_1": -2e-4, "CD1_2": 1e-5, "CD2_1": 1e-5, "CD2_2": 2e-4,
        "TRIMSEC": "[6:60,4:40]", "BIASSEC": "[1:4,1:40]", "DATASEC": "[6:60,4:40]",
    })  # fmt: skip


def test_the_sky_stays_where_it_was():
    header = celestial()
    trimmed = sections.shifted(header, 3, 5)
    star = SkyCoord(150.001, 20.002, unit="deg")
    before = np.array(skycoord_to_pixel(star, WCS(header)))
    after = np.array(skycoord_to_pixel(star, WCS(trimmed)))
    np.testing.assert_allclose(before - after, [5, 3], atol=1e-9)
    assert (trimmed["LTV1"], trimmed["LTV2"]) == (-5, -3)
    assert not {"TRIMSEC", "BIASSEC", "DATASEC"} & set(trimmed)
    assert header["CRPIX1"] == 30, "the header given is not changed"


def test_trimming_twice_is_trimming_once_by_the_sum():
    header = celestial()
    header["CRPIX1A"] = 7.0
    twice = sections.shifted(sections.shifted(header, 1, 2), 2, 3)
    once = sections.shifted(header, 3, 5)
    assert twice == once
    assert once["CRPIX1A"] == 2


def test_nothing_trimmed_moves_nothing():
    assert sections.shifted(celestial(), 0, 0)["CRPIX1"] == 30
    assert "LTV1" not in sections.shifted(celestial(), 0, 0)


@pytest.mark.parametrize("order", ["TOP-DOWN", "BOTTOM-UP"])
@pytest.mark.parametrize("ny", [8, 9])
@pytest.mark.parametrize(("y0", "x0"), [(0, 0), (0, 1), (1, 0), (3, 2), (2, 5)])
def test_a_colour_stays_with_its_pixel(order, ny, y0, x0):
    """The picture is painted from its top left corner, stored in either order, and its stored array is cut."""
    nx, (x_off, y_off), cell = 10, (1, 0), np.array([["R", "G"], ["g", "B"]])
    picture = np.array([[cell[(y + y_off) % 2, (x + x_off) % 2] for x in range(nx)] for y in range(ny)])
    stored = picture if order == "TOP-DOWN" else picture[::-1]
    header = fits.Header({"NAXIS2": ny, "BAYERPAT": "RGGB", "ROWORDER": order, "XBAYROFF": x_off, "YBAYROFF": y_off})
    trimmed = sections.shifted(header, y0, x0)
    assert trimmed["BAYERPAT"] == "".join(stored[y0 : y0 + 2, x0 : x0 + 2].ravel()).upper()
    assert not {"ROWORDER", "XBAYROFF", "YBAYROFF"} & set(trimmed)


# --- overscan


def strip(ny=301, nx=9, noise=3.0, seed=5, slope=0.0):
    rng = np.random.default_rng(seed)
    return 500 + slope * np.arange(ny)[:, None] + rng.normal(0, noise, (ny, nx))


@pytest.mark.parametrize("how", ["median", "mean3s", "row_median", "poly1", "poly2", "poly3"])
def test_the_level_and_its_noise_are_found(how):
    correction, level, rms = overscan.level(strip(), how)
    assert level == pytest.approx(500, abs=0.3)
    assert rms == pytest.approx(3, abs=0.15)
    assert correction.shape == (() if how in ("median", "mean3s") else (301, 1))
    assert np.abs(correction - 500).max() < 1.5


@pytest.mark.parametrize("how", ["row_median", "poly1", "poly2", "poly3"])
@pytest.mark.parametrize("above", [False, True])
def test_a_level_that_drifts_is_followed(how, above):
    pixels = strip(slope=0.05)
    correction, _, rms = overscan.level(pixels.T if above else pixels, how, above)
    assert correction.shape == ((1, 301) if above else (301, 1))
    np.testing.assert_allclose(correction.ravel(), 500 + 0.05 * np.arange(301), atol=1.6)
    assert rms == pytest.approx(3, abs=0.2)
    assert overscan.level(pixels, "median")[2] > 4


@pytest.mark.parametrize("how", ["median", "mean3s", "row_median", "poly1"])
def test_cosmic_rays_and_missing_pixels_do_not_matter(how):
    pixels = strip(slope=0.0 if how in ("median", "mean3s") else 0.02)
    clean = np.broadcast_to(overscan.level(pixels, how)[0], (301, 1))
    pixels[40, 3] += 30000
    pixels[100:103] = 20000
    pixels[200] = np.nan
    spoilt = np.broadcast_to(overscan.level(pixels, how)[0], (301, 1))
    np.testing.assert_allclose(spoilt, clean, atol=0.6)


@pytest.mark.parametrize("step", [1, 16])
@pytest.mark.parametrize("how", ["median", "row_median", "poly1"])
def test_a_level_between_whole_counts_is_found(how, step):
    for level in np.arange(1000, 1000 + step, 0.23 * step):
        pixels = np.rint(np.random.default_rng(3).normal(level, 3.3 * step, (301, 24)) / step) * step
        pixels[7, 3] = np.nan
        found = overscan.level(pixels, how)[0]
        assert np.mean(found) == pytest.approx(level, abs=0.2 * step)  # a plain median is up to half a step beside it


def test_a_short_strip_takes_the_degree_it_can():
    correction, _, _ = overscan.level(np.array([[10.0], [12.0], [np.nan]]), "poly3")
    np.testing.assert_allclose(correction.ravel(), [10, 12, 14], atol=1e-9)


def test_a_constant_strip_is_its_own_level():
    for how in ("median", "mean3s", "row_median", "poly3"):
        correction, level, rms = overscan.level(np.full((5, 2), 77.0), how)
        np.testing.assert_allclose(correction, 77, atol=1e-9)
        assert level == pytest.approx(77)
        assert rms == pytest.approx(0, abs=1e-9)


def test_a_strip_lies_beside_or_above_by_its_shape():
    shape = (520, 536)
    assert not overscan.lies_above(sections.read("[4:13,1:520]"), shape)
    assert not overscan.lies_above(sections.read("[4:13,100:200]"), shape)
    assert overscan.lies_above(sections.read("[1:536,515:520]"), shape)


def test_nothing_valid_or_an_unknown_way_is_refused():
    with pytest.raises(LostlightError, match="CAL108"):
        overscan.level(np.full((3, 2), np.nan), "median")
    with pytest.raises(LostlightError, match=r"CAL109.*'spline'"):
        overscan.level(strip(), "spline")


def test_the_overscan_of_a_real_frame(shared_data):
    with fits.open(shared_data / "raw-calib" / "a8280271.fits.gz") as hdus:
        data, header = hdus[0].data, hdus[0].header
    section = sections.read(header["BIASSEC"], data.shape)
    _, level, rms = overscan.level(data[section.slices], "mean3s", overscan.lies_above(section, data.shape))
    assert level == pytest.approx(214.04, abs=0.005)
    assert rms == pytest.approx(3.03, abs=0.005)
    assert data[sections.parse(header["TRIMSEC"], data.shape)].shape == (520, 512)
