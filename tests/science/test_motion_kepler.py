"""Orbits of two bodies, against integration of the law of gravity and against the planets."""

import numpy as np
import pytest
from astropy import constants
from astropy import units as u
from astropy.coordinates import get_body_barycentric
from astropy.time import Time
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from lostlight.core.errors import ConfigError
from lostlight.science.motion.earth import observer_position
from lostlight.science.motion.kepler import GM_SUN, LIGHT_DAYS_PER_AU, KeplerMotion, solve_kepler
from lostlight.science.sky.separation import positions_deg, separation_arcsec

J2000 = 51544.5
SHAPES = [(2.7, 0.1), (1.4, 0.75), (44.0, 0.04), (5.2, 0.0), (120.0, 0.7), (1.1, 0.99), (-1.3, 1.2), (-0.6, 3.4)]


def _orbit(a, ecc, anomaly=20.0, mjd=60000.0, observer="geocentre"):
    return KeplerMotion(*(np.array([v]) for v in (a, ecc, 17.0, 200.0, 75.0, anomaly)), mjd, observer)


def _integrated(position, velocity, days):
    """The law of gravity, step by step."""

    def slope(_, state):
        return [*state[3:], *(-GM_SUN * state[:3] / np.linalg.norm(state[:3]) ** 3)]

    way = solve_ivp(
        slope, (0, days), [*position, *velocity], method="DOP853", rtol=1e-13, atol=1e-15, dense_output=True
    )
    return way.sol


@pytest.mark.parametrize(("a", "ecc"), SHAPES)
@pytest.mark.parametrize("days", [-40.0, 300.0])
def test_orbits_obey_gravity(a, ecc, days):
    orbit = _orbit(a, ecc)
    position, velocity = (value[0] for value in orbit.state(orbit.mjd_ref))
    there = _integrated(position, velocity, days)(days)
    found = orbit.state(orbit.mjd_ref + days)
    assert found[0][0] == pytest.approx(there[:3], abs=1e-9 * max(1, abs(a)))
    assert found[1][0] == pytest.approx(there[3:], abs=1e-10)


@pytest.mark.parametrize(("a", "ecc"), SHAPES)
def test_bodies_are_seen_where_their_light_comes_from(a, ecc):
    orbit, mjd = _orbit(a, ecc, observer="W84"), 60003.25
    observer = observer_position(mjd, "W84")
    position, velocity = (value[0] for value in orbit.state(mjd))
    back = _integrated(position, velocity, -1.5)
    delay = brentq(lambda t: np.linalg.norm(back(-t)[:3] - observer) * LIGHT_DAYS_PER_AU - t, 0, 1.5, xtol=1e-14)
    expected = positions_deg(back(-delay)[:3] - observer)
    ra, dec = orbit.at(mjd)
    assert separation_arcsec(ra[0], dec[0], *expected) < 1e-3
    bare = positions_deg(position - observer)
    assert separation_arcsec(*bare, *expected) > 0.5, "light time must matter for this test to show anything"


def test_light_and_gravity_are_those_of_nature():
    assert LIGHT_DAYS_PER_AU * constants.c.to_value("au / day") == pytest.approx(1, rel=1e-12)
    assert GM_SUN / constants.GM_sun.to_value("au3 / day2") == pytest.approx(1, rel=1e-7)


def test_a_year_later_the_earth_is_back():
    orbit = _orbit(1.0, 0.0167)
    start, _ = orbit.state(60000.0)
    assert orbit.state(60000 + 365.2568983)[0] == pytest.approx(start, abs=1e-8)


@pytest.mark.parametrize(
    ("planet", "elements", "within_au"),
    [
        ("earth", (1.00000261, 0.01671123, 0.0, 0.0, 102.93768193, 100.46457166 - 102.93768193), 5e-5),
        ("mars", (1.52371034, 0.09339410, 1.84969142, 49.55953891, 286.4968315, 19.3901975), 1e-4),
        ("jupiter", (5.20288700, 0.04838624, 1.30439695, 100.47390909, -85.74542926, 19.66796068), 0.012),
    ],
)
def test_planets_are_where_they_are(planet, elements, within_au):
    """Mean elements of Standish (JPL) for J2000, against astropy's ephemeris: axes, angles and their signs."""
    time = Time(J2000, format="mjd", scale="utc")
    there = get_body_barycentric(planet, time).xyz.to_value(u.au) - get_body_barycentric("sun", time).xyz.to_value(u.au)
    orbit = KeplerMotion(*(np.array([value]) for value in elements), J2000)
    assert np.linalg.norm(orbit.state(J2000)[0][0] - there) < within_au


def test_equation_of_kepler_is_solved_everywhere():
    rng = np.random.default_rng(4)
    ecc = np.concatenate([rng.uniform(0, 1, 4000), 1 - rng.uniform(0, 1e-6, 500), rng.uniform(1.0001, 6, 2000)])
    mean = rng.uniform(-60, 60, len(ecc))
    mean[::50] *= 1e-6
    found = solve_kepler(mean, ecc)
    closed = ecc < 1
    assert np.abs(found - ecc * np.sin(found) - mean)[closed].max() < 1e-12
    assert np.abs(ecc * np.sinh(np.where(closed, 0, found)) - found - mean)[~closed].max() < 1e-11


def test_many_orbits_at_many_times_keep_their_shapes():
    orbits = KeplerMotion(*np.array(SHAPES).T, *np.full((4, len(SHAPES)), 10.0), 60000.0)
    assert orbits.state(60000.0)[0].shape == (8, 3)
    ra, dec = orbits.at(60000 + np.arange(6).reshape(2, 3))
    assert ra.shape == dec.shape == (8, 2, 3)
    for k, (a, ecc) in enumerate(SHAPES):
        alone = KeplerMotion(*(np.array([v]) for v in (a, ecc, 10.0, 10.0, 10.0, 10.0)), 60000.0).at(60004.0)
        assert (ra[k, 1, 1], dec[k, 1, 1]) == pytest.approx((alone[0][0], alone[1][0]), abs=1e-11)


@pytest.mark.parametrize(("a", "ecc"), [(2.0, 1.0), (-2.0, 0.5), (2.0, 1.5), (2.0, -0.1), (np.nan, 0.1), (2.0, np.nan)])
def test_impossible_orbits_are_refused(a, ecc):
    with pytest.raises(ConfigError, match=r"orbit 1: .* is no orbit"):
        KeplerMotion(np.array([2.0, a]), np.array([0.1, ecc]), *np.zeros((4, 2)), 60000.0)
