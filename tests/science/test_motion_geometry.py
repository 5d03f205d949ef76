"""Rates, directions and angles of distant bodies, against orbits worked out the long way."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import BarycentricMeanEcliptic, SkyCoord

from lostlight.science.motion.earth import observer_position
from lostlight.science.motion.geometry import (
    EARTH_RATE_ARCSEC_H,
    angle_at_sun,
    aspect,
    ecliptic_pa,
    ecliptic_rate,
    equatorial,
    opposition_rate,
    rate_and_pa,
    rate_components,
    stationary_elongation,
)
from lostlight.science.motion.kepler import KeplerMotion

YEAR = 365.256363
PUBLISHED = {1.3: 60.6, 2.1: 41.7, 2.5: 36.2, 3.3: 28.9, 5.2: 19.8, 10: 11.2, 20: 6.04, 30: 4.17, 44: 2.92, 100: 1.34}


def _circles(r_au, days):
    """Longitude and elongation, degrees, of a body seen from an Earth on a circle; opposition at day 0."""
    earth, body = np.exp(2j * np.pi * days / YEAR), r_au * np.exp(2j * np.pi * days / YEAR / r_au**1.5)
    sight = body - earth
    return np.degrees(np.unwrap(np.angle(sight))), np.degrees(np.abs(np.angle(sight / -earth)))


@pytest.mark.parametrize("r_au", PUBLISHED)
def test_rates_at_opposition_are_those_published(r_au):
    assert opposition_rate(r_au) == pytest.approx(PUBLISHED[r_au], rel=4e-3)
    assert ecliptic_rate(r_au, 180) == pytest.approx(-opposition_rate(r_au), rel=1e-12)


@pytest.mark.parametrize("r_au", [1.3, 2.5, 5.2, 44.0])
def test_rate_at_any_elongation_is_that_of_two_circles(r_au):
    days = np.linspace(0.5, 0.45 * YEAR, 60)
    step = 1e-3
    rate = (_circles(r_au, days + step)[0] - _circles(r_au, days - step)[0]) * 3600 / (48 * step)
    elongation = _circles(r_au, days)[1]
    assert ecliptic_rate(r_au, elongation) == pytest.approx(rate, abs=2e-5 * EARTH_RATE_ARCSEC_H)


@pytest.mark.parametrize("r_au", [1.3, 2.5, 5.2, 30.0, 44.0])
def test_motion_turns_at_the_stationary_elongation(r_au):
    """A7: the rate changes sign there, on two circles as in the closed form."""
    turn = stationary_elongation(r_au)
    assert ecliptic_rate(r_au, turn + 0.1) < 0 < ecliptic_rate(r_au, turn - 0.1)
    days = np.linspace(0, 0.45 * YEAR, 20001)
    longitude, elongation = _circles(r_au, days)
    assert elongation[np.argmin(longitude)] == pytest.approx(turn, abs=0.05)


def _seen(r_au, mjd, offset_deg):
    """Rate in ecliptic longitude, arcsec/h, of circular orbits of no inclination about the real Sun."""
    earth = observer_position(mjd) @ np.linalg.inv(np.stack([equatorial(axis) for axis in np.eye(3)]))
    longitude = np.degrees(np.arctan2(earth[:, 1], earth[:, 0])) + offset_deg
    rates = np.empty(len(mjd))
    for k, (time, anomaly) in enumerate(zip(mjd, longitude, strict=True)):
        zero = np.zeros(1)
        body = KeplerMotion(np.array([r_au]), zero, zero, zero, zero, np.array([anomaly]), time)
        sky = SkyCoord(*(place[0] for place in body.at(time + np.array([-0.01, 0.01]))), unit="deg")
        before, after = sky.transform_to(BarycentricMeanEcliptic(equinox="J2000")).lon.deg
        rates[k] = ((after - before + 180) % 360 - 180) * 3600 / 0.48
    return rates


@pytest.mark.parametrize("r_au", [20.0, 30.0, 39.4, 44.0])
def test_a_circular_orbit_at_opposition_moves_at_the_rate_of_the_formula(r_au):
    """A7: within 0.3 % over a year, within 1.7 % and its square at any season, as the Earth's orbit is an ellipse."""
    ratio = _seen(r_au, 57000 + np.linspace(0, YEAR, 25)[:-1], 0.0) / -opposition_rate(r_au)
    assert ratio.mean() == pytest.approx(1, abs=3e-3)
    assert 0.01 < np.abs(ratio - 1).max() < 0.0215


@pytest.mark.parametrize("r_au", [30.0, 44.0])
def test_real_orbits_turn_at_the_stationary_elongation(r_au):
    """A7: with the real Earth, a few degrees to either side of it."""
    turn = np.degrees(angle_at_sun(r_au, stationary_elongation(r_au)))
    before, after = (_seen(r_au, np.array([57000.0, 57100.0, 57200.0]), -turn + step) for step in (-4.0, 4.0))
    assert (before > 0).all() and (after < 0).all()


@pytest.mark.parametrize(("ra", "dec"), [(200.6, -7.8), (10.0, 4.0), (95.0, 23.0), (270.0, -60.0), (359.9, 89.0)])
def test_direction_of_the_ecliptic_is_that_of_astropy(ra, dec):
    here = SkyCoord(ra, dec, unit="deg").transform_to(BarycentricMeanEcliptic(equinox="J2000"))
    ahead = SkyCoord(here.lon + 1 * u.arcsec, here.lat, frame=here.frame).icrs
    pa = SkyCoord(ra, dec, unit="deg").position_angle(ahead).deg
    # astropy's obliquity is that of 2006, 0.04 arcsec apart
    assert (ecliptic_pa(ra, dec) - pa + 180) % 360 - 180 == pytest.approx(0, abs=2e-3 / np.cos(np.radians(dec)))


def test_direction_of_the_published_field():
    assert ecliptic_pa(200.6, -7.8) == pytest.approx(111.86, abs=0.01)


def test_rates_and_position_angles_are_inverse():
    rate, pa = rate_and_pa([3.0, 0.0, -4.0], [0.0, -2.0, 3.0])
    assert rate == pytest.approx([3, 2, 5])
    assert pa == pytest.approx([90, 180, 306.8699], abs=1e-4)
    assert np.array(rate_components(rate, pa)) == pytest.approx(np.array([[3, 0, -4], [0, -2, 3]]), abs=1e-12)


def test_aspect_of_a_right_triangle():
    """A body at 2 au a quarter turn from the Earth, and one behind it."""
    seen = aspect([[0.0, 2.0, 0.0], [3.0, 0.0, 0.0]], [1.0, 0.0, 0.0])
    assert seen.r_helio_au == pytest.approx([2, 3])
    assert seen.delta_au == pytest.approx([np.sqrt(5), 2])
    assert seen.elong_deg == pytest.approx([np.degrees(np.arctan(2)), 180])
    assert seen.phase_deg == pytest.approx([np.degrees(np.arctan(0.5)), 0], abs=1e-12)
