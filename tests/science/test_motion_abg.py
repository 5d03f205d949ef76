"""Orbits of six numbers, against those of two bodies."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import get_body_barycentric
from astropy.time import Time

from lostlight.science.motion.abg import AbgMotion
from lostlight.science.motion.kepler import LIGHT_DAYS_PER_AU, KeplerMotion
from lostlight.science.motion.linear import LinearMotion
from lostlight.science.motion.rates import rates_at
from lostlight.science.sky.separation import positions_deg, separation_arcsec

START = 57130.2


def _elements(n, seed, a=(38.0, 42.0), ecc=(0.0, 0.05)):
    rng = np.random.default_rng(seed)
    return rng.uniform(*a, n), rng.uniform(*ecc, n), rng.uniform(0, 40, n), *rng.uniform(0, 360, (3, n))


@pytest.mark.parametrize("observer", ["geocentre", "W84"])
def test_a_week_at_forty_au_agrees_with_two_bodies(observer):
    """A8: within 0.05 arcsec over 7 days at 40 au, all elongations; in fact within 1e-5."""
    elements, mjd = _elements(500, 1), START + np.linspace(-3.5, 7, 22)
    ours = AbgMotion.from_elements(*elements, START, observer).at(mjd)
    theirs = KeplerMotion(*elements, START, observer).at(mjd)
    assert separation_arcsec(*ours, *theirs).max() < 1e-5


def test_a_straight_line_does_not():
    """What A8 would not notice if paths were straight."""
    elements, mjd = _elements(200, 1), START + np.linspace(0, 7, 8)
    body = KeplerMotion(*elements, START)
    line = LinearMotion(*body.at(START), START, *rates_at(body, START))
    assert np.median(separation_arcsec(*line.at(mjd), *body.at(mjd)).max(axis=1)) > 5


@pytest.mark.parametrize(
    ("a", "ecc", "days", "within"),
    [((12.0, 20.0), (0.0, 0.3), 14, 2e-3), ((5.1, 5.3), (0.0, 0.1), 7, 1e-3), ((2.1, 3.3), (0.0, 0.3), 3, 0.02)],
)
def test_nearer_bodies_hold_for_a_shorter_time(a, ecc, days, within):
    elements, mjd = _elements(300, 2, a, ecc), START + np.linspace(-days, days, 9)
    ours = AbgMotion.from_elements(*elements, START, "X05").at(mjd)
    assert separation_arcsec(*ours, *KeplerMotion(*elements, START, "X05").at(mjd)).max() < within


def test_at_the_reference_time_bodies_are_where_they_were_seen():
    motion = AbgMotion.from_elements(*_elements(50, 3), START, "W84")
    ra, dec = motion.at(START)
    assert separation_arcsec(ra, dec, motion.ra_deg, motion.dec_deg).max() < 1e-9
    assert (np.abs(1 / motion.gamma - 40) < 6).all()


def test_topocentric_parallax_has_the_published_size():
    """8.79 arcsec over the distance in au, for a site on the equator; at 40 au 0.22."""
    elements, mjd = _elements(100, 4, (39.9, 40.1), (0.0, 0.001)), START + np.linspace(0, 1, 97)
    centre, site = (
        AbgMotion.from_state(*KeplerMotion(*elements, START).seen(START), START, place).at(mjd)
        for place in ("geocentre", "0,0,0")
    )
    swing = separation_arcsec(*centre, *site).max()
    assert swing == pytest.approx(8.79 / 39, rel=0.06)


def test_bound_and_unbound_bodies_are_told_apart():
    _, _, *rest = _elements(2, 5)
    shape = np.array([40.0, -10.0]), np.array([0.1, 4.0])
    rest[-1] = np.array([10.0, 5.0])
    assert AbgMotion.from_elements(*shape, *rest, START).is_bound.tolist() == [True, False]


def test_blocks_of_sources_leave_no_seam(monkeypatch):
    motion = AbgMotion.from_elements(*_elements(23, 6), START)
    mjd = START + np.arange(6).reshape(3, 2)
    whole = motion.at(mjd)
    monkeypatch.setattr("lostlight.science.motion.abg._AT_ONCE", 5)
    assert whole[0].shape == (23, 3, 2)
    assert np.array_equal(whole, motion.at(mjd))


def test_right_ascension_zero_is_crossed():
    motion = AbgMotion(*(np.array([v]) for v in (0.0001, -80.0, 1e-6, -3e-4, 1e-4, 0.0)), START)
    ra, dec = motion.at(START + np.array([0, 1.0, 2.0]))
    assert ra[0, 0] == pytest.approx(0.0001, abs=1e-9)
    assert (ra[0, 1:] > 350).all() and (ra < 360).all() and (np.abs(dec + 80) < 0.2).all()


def _planet(name, mjd):
    """From the Sun, au, by astropy's ephemeris."""
    time = Time(mjd, format="mjd", scale="utc")
    return (get_body_barycentric(name, time) - get_body_barycentric("sun", time)).xyz.to_value(u.au).T


@pytest.mark.parametrize("name", ["uranus", "neptune"])
def test_planets_go_where_an_ephemeris_says(name):
    """A8: a real body at 20 and at 30 au, with all that disturbs it, for a week."""
    mjd = START + np.linspace(0, 7, 8)
    delay = np.zeros(8)
    for _ in range(3):
        sight = _planet(name, mjd - delay) + _planet("earth", mjd) * -1
        delay = np.linalg.norm(sight, axis=-1) * LIGHT_DAYS_PER_AU
    left, step = START - delay[0], 0.5
    velocity = (_planet(name, left + step) - _planet(name, left - step)) / (2 * step)
    found = AbgMotion.from_state(_planet(name, left)[None], velocity[None], START).at(mjd)
    assert separation_arcsec(found[0][0], found[1][0], *positions_deg(sight)).max() < 0.05
    assert separation_arcsec(found[0][0, 0], found[1][0, 0], found[0][0, -1], found[1][0, -1]) > 500
