"""Distances to the edge and to the centre of the plate."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.fits import Header
from scipy.ndimage import distance_transform_edt

from lostlight.science.plate.geometry import edge_distance, plate_centre_deg, plate_radius_deg
from lostlight.vocab import bits


def test_edge_distance_is_the_distance_transform():
    rng = np.random.default_rng(3)
    mask = np.zeros((83, 131), np.int32)
    mask[:, :9] = bits.mask("EDGE")
    mask[40:55, 60:90] = bits.mask("BLANK")
    mask[10:20, 100:110] = bits.mask("BRIGHT_STAR")
    y, x = rng.integers(0, 83, 400), rng.integers(0, 131, 400)
    outside = (mask & bits.mask("EDGE", "BLANK")) != 0
    border = np.minimum.reduce([x + 0.5, 130.5 - x, y + 0.5, 82.5 - y])
    wanted = np.minimum(distance_transform_edt(~outside)[y, x], np.where(outside[y, x], 0, border))
    assert np.allclose(edge_distance(mask, x, y), wanted, atol=1e-4)


def test_without_margins_the_border_counts():
    assert edge_distance(np.zeros((50, 70), int), [10, 35.5], [20, 2]).tolist() == [10.5, 2.5]


def test_outside_the_image_is_no_distance():
    assert edge_distance(np.zeros((50, 70), int), [-4.0], [20.0]) == 0


def test_plate_radius(shared_data):
    header = fits.getheader(shared_data / "dss1-m67" / "M6707HH.fits.gz")
    ra0, dec0 = plate_centre_deg(header)
    wanted = SkyCoord(ra0, dec0, unit="deg").separation(SkyCoord(132.8, 11.8, unit="deg")).deg
    assert plate_radius_deg(header, 132.8, 11.8) == pytest.approx(wanted, rel=1e-6)


def test_south_and_missing_centres():
    south = {"PLTRAH": 1, "PLTRAM": 0, "PLTRAS": 0.0, "PLTDECSN": "-", "PLTDECD": 0, "PLTDECM": 30, "PLTDECS": 0.0}
    assert plate_centre_deg(Header(list(south.items()))) == (15.0, -0.5)
    assert plate_centre_deg(Header([("PLATERA", 3.5), ("PLATEDEC", -2.0)])) == (3.5, -2.0)
    assert np.isnan(plate_radius_deg(Header(), [1.0, 2.0], [3.0, 4.0])).all()
