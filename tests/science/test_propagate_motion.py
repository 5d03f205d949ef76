"""Stars at another epoch."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Distance, SkyCoord
from astropy.time import Time

from lostlight.science.sky.propagate import propagate
from lostlight.science.sky.separation import separation_arcsec


def test_one_arcsecond_a_year_for_64_years():
    ra, dec = propagate([150.0, 150.0], [20.0, 20.0], [1000.0, 0.0], [0.0, -1000.0], 2016.0, 1952.0)
    assert separation_arcsec(ra, dec, 150.0, 20.0) == pytest.approx([64, 64], abs=1e-3)
    assert (150.0 - ra[0]) * 3600 * np.cos(np.radians(20)) == pytest.approx(64, abs=1e-3)
    assert (dec[1] - 20.0) * 3600 == pytest.approx(64, abs=1e-3)


def test_unknown_motion_leaves_a_star_where_it_is():
    ra, dec = propagate([10.0, 11.0, 12.0], [-5.0] * 3, [np.nan, 900.0, 0.0], [5.0, np.nan, 0.0], 2016.0, 1950.0)
    assert ra == pytest.approx([10.0, 11.0, 12.0], abs=1e-12)
    assert dec == pytest.approx([-5.0] * 3, abs=1e-12)


@pytest.mark.filterwarnings("ignore::erfa.ErfaWarning")
@pytest.mark.parametrize("dec_deg", [0.0, 45.0, -72.0, 89.99])
def test_agrees_with_astropy(dec_deg):
    rng = np.random.default_rng(5)
    ra, dec = rng.uniform(0, 360, 50), np.full(50, dec_deg)
    pm_ra, pm_dec = rng.normal(0, 800, (2, 50))
    stars = SkyCoord(
        ra * u.deg, dec * u.deg, distance=Distance(np.full(50, 1.0) * u.kpc), obstime=Time(2016.0, format="jyear"),
        pm_ra_cosdec=pm_ra * u.mas / u.yr, pm_dec=pm_dec * u.mas / u.yr,
    )  # fmt: skip
    then = stars.apply_space_motion(new_obstime=Time(1951.9, format="jyear"))
    got = propagate(ra, dec, pm_ra, pm_dec, 2016.0, 1951.9)
    assert np.max(separation_arcsec(*got, then.ra.deg, then.dec.deg)) < 0.01


def test_across_zero_and_over_the_pole():
    ra, _ = propagate([0.0001], [0.0], [-10_000.0], [0.0], 2000.0, 2064.0)
    assert 359.8 < ra[0] < 360
    ra, dec = propagate([30.0], [89.999], [0.0], [1000.0], 2000.0, 2064.0)
    assert ra[0] == pytest.approx(210)
    assert dec[0] < 90
    assert separation_arcsec(ra[0], dec[0], 30.0, 89.999) == pytest.approx(64, abs=1e-3)


def test_every_star_from_its_own_epoch():
    ra, _ = propagate([10.0, 10.0], [0.0, 0.0], [1000.0] * 2, [0.0] * 2, [2000.0, 2016.0], 1950.0)
    assert (10.0 - ra) * 3600 == pytest.approx([50, 66], abs=1e-3)
