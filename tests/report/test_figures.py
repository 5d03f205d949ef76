import base64
import io

import numpy as np
import pytest
from astropy.wcs import WCS
from matplotlib import image as mpl_image
from tests.small_run import SCALE_ARCSEC, header

from lostlight.report.figures import histograms, sky, stamps
from lostlight.report.tally import Histogram, Tally


def _decode(png):
    return mpl_image.imread(io.BytesIO(base64.b64decode(png.split(",")[1])), format="png")[..., 0]


@pytest.fixture
def plate():
    """One star on a flat plate, and the header it has."""
    head = header(150.0, 20.0)
    yy, xx = np.indices((181, 203))
    data = np.random.default_rng(1).normal(3900, 150, (181, 203)) + 6000 * np.exp(
        -((xx - 60.3) ** 2 + (yy - 120.8) ** 2) / 4
    )
    return stamps.Plate(data.astype(np.float32), head, WCS)


def _row(plate, x, y):
    ra, dec = plate.wcs.all_pix2world([[x, y]], 0)[0]
    return {
        "src_id": "t:1",
        "x_px": x,
        "y_px": y,
        "ra_deg": ra,
        "dec_deg": dec,
        "mag_auto": 1.0,
        "snr_win": 9.0,
        "fwhm_px": 3.0,
        "reason": "",
    }


def test_a_stamp_shows_the_star_in_its_middle_and_the_catalogue_on_top_of_it(plate):
    row = _row(plate, 60.3, 120.8)
    known = np.array([[row["ra_deg"], row["dec_deg"]], [row["ra_deg"], row["dec_deg"] + 20 / 3600]])
    found = stamps.stamp(plate, row, known, 1.5, 5.0)
    grey = _decode(found.image)
    darkest = np.unravel_index(np.argmin(grey), grey.shape)
    assert np.abs(np.array(darkest) - grey.shape[0] // 2).max() <= 1
    (x, y), (x_north, y_north) = found.references
    middle = 500 + (np.array([60.3, -120.8]) - [60, -121]) * 1000 / len(grey)
    np.testing.assert_allclose([x, y], middle, atol=0.5)
    # North is 4 degrees from up, and 20 arcsec long.
    towards = np.array([x_north - x, y_north - y]) / (20 / SCALE_ARCSEC * 1000 / len(grey))
    np.testing.assert_allclose(towards, found.north, atol=0.01)
    assert found.north[1] < -0.99 and found.east[0] < -0.99
    assert found.bar == pytest.approx(30 / SCALE_ARCSEC * 1000 / len(grey), rel=1e-3)


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (202.0, 180.0), (-0.4, 90.0), (100.0, 180.4)])
def test_a_stamp_at_the_edge_is_grey_beyond_the_plate(plate, x, y):
    found = stamps.stamp(plate, _row(plate, x, y), np.empty((0, 2)), 2.0, 5.0)
    grey = _decode(found.image)
    assert grey.shape[0] == grey.shape[1]
    assert (np.round(grey * 255) == 200).mean() > 0.3


def test_a_constant_or_blank_stamp_is_a_picture_too():
    for cutout in (np.full((9, 9), 4000, np.float32), np.full((9, 9), np.nan, np.float32)):
        assert _decode(stamps.png(stamps.stretch(cutout))).shape == (9, 9)


def test_chance_level_is_that_of_random_catalogues():
    """Nearest neighbours among random points follow the curve that the fraction within the radius fixes."""
    rng = np.random.default_rng(8)
    n, density = 40_000, 3e-3  # sources, rows per square arcsec
    nearest = np.sqrt(-np.log(rng.random(n)) / (np.pi * density))
    tally = Tally()
    tally.add_chance(n, float((nearest < 5).mean()), 5.0)
    tally.separations.add(nearest)
    expected, found = tally.chance[:100], tally.separations.counts[:100]
    assert np.abs(found - expected).sum() / expected.sum() < 0.08
    assert abs(found.sum() / expected.sum() - 1) < 0.02


def test_median_of_a_histogram_is_that_of_the_values():
    values = np.random.default_rng(2).normal(3, 0.3, 5000)
    histogram = Histogram(0, 20, 200)
    histogram.add(np.r_[values, np.nan, np.inf, -5])
    assert histogram.median() == pytest.approx(np.median(values), abs=0.06)
    assert histogram.counts.sum() == 5000


def test_charts_are_the_same_bytes_and_follow_the_page_into_the_dark():
    histogram = Histogram(-10, 40, 500)
    histogram.add(np.random.default_rng(3).normal(17, 1, 999))
    one, two = (histograms.measure("mag_auto", histogram, np.array([16.0, np.nan])) for _ in range(2))
    assert one == two
    assert "var(--ok)" in one and "#04" not in one and "aria-label=" in one
    assert "999 detections, 1 candidates" in one


def test_the_sky_survives_poles_and_the_wrap_of_right_ascension():
    ids = [f"t{number}" for number in range(6)]
    ra, dec = np.array([359.9, 0.1, 180, 10, 200, 359.99]), np.array([0.0, 0.1, 89.9, -89.9, 89.95, -0.3])
    corners = np.stack([np.stack([ra + d, dec + d], axis=-1) for d in (-0.1, 0, 0.1, 0.05)], axis=1)
    coverage = sky.Coverage(ids, ra, dec, corners, np.array(["done"] * 3 + ["failed"] * 3))
    assert "3 done, 3 failed" in sky.whole(coverage)
    zoom = sky.zoom(coverage, np.array([[359.95, 0.05]]))
    assert "3 tiles around RA" in zoom and "1 candidates" in zoom
    empty = sky.Coverage([], ra[:0], dec[:0], corners[:0], np.array([], str))
    assert "0 tiles" in sky.whole(empty) and "0 tiles" in sky.zoom(empty, np.empty((0, 2)))
