"""Great circles at constant rates."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from lostlight.science.motion.linear import LinearMotion
from lostlight.science.sky.separation import separation_arcsec


@pytest.mark.parametrize("dec_deg", [-7.8, 0.0, 45.0, -85.0, 89.99])
def test_goes_where_astropy_goes(dec_deg):
    rng = np.random.default_rng(3)
    ra, east, north = rng.uniform(0, 360, 7), rng.normal(0, 40, 7), rng.normal(0, 40, 7)
    motion = LinearMotion(ra, np.full(7, dec_deg), 60000.0, east, north)
    found = motion.at([59999.5, 60002.0])
    start = SkyCoord(ra, dec_deg, unit="deg")
    for column, days in enumerate((-0.5, 2.0)):
        angle = np.arctan2(east, north) * u.rad
        there = start.directional_offset_by(angle, np.hypot(east, north) * days * 24 * u.arcsec)
        assert separation_arcsec(found[0][:, column], found[1][:, column], there.ra.deg, there.dec.deg).max() < 1e-6


def test_still_sources_stay():
    ra, dec = LinearMotion(np.array([12.5]), np.array([-30.0]), 60000.0, np.zeros(1), np.zeros(1)).at(
        [59000.0, 61000.0]
    )
    assert ra == pytest.approx(np.array([[12.5, 12.5]]), abs=1e-12)
    assert dec == pytest.approx(np.array([[-30.0, -30.0]]), abs=1e-12)


def test_shapes_of_times_are_kept_and_right_ascension_wraps():
    motion = LinearMotion(np.array([359.9999, 0.0001]), np.zeros(2), 60000.0, np.array([1.0, -1.0]), np.zeros(2))
    ra, _ = motion.at(60000 + np.arange(6).reshape(3, 2) / 24)
    assert ra.shape == (2, 3, 2)
    assert motion.at(60000.0)[0].shape == (2,)
    assert ra[0, 0, 1] == pytest.approx(0.0001777778, abs=1e-9)
    assert ra[1, 0, 1] == pytest.approx(359.9998222222, abs=1e-9)
