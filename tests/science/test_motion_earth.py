"""Where the observer is: against astropy's own transformations, JPL's Sun, and the Earth itself."""

import socket

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import EarthLocation, get_body_barycentric
from astropy.time import Time
from astropy.utils import iers

from lostlight.core.errors import ConfigError
from lostlight.science.motion.earth import observer_position, site_m
from lostlight.science.motion.geometry import OBLIQUITY_DEG, equatorial
from lostlight.science.motion.observatories import PARALLAX
from lostlight.science.sky.separation import positions_deg, separation_arcsec

KM = 149_597_870.7
PARANAL = "-70.40420,-24.62714,2635.43"


def test_geocentre_is_that_of_astropy():
    mjd = np.linspace(47000, 61000, 15).reshape(3, 5)
    time = Time(mjd, format="mjd", scale="utc")
    earth, sun = (get_body_barycentric(body, time).xyz.to_value(u.au) for body in ("earth", "sun"))
    assert observer_position(mjd, centre="barycentre") == pytest.approx(np.moveaxis(earth, 0, -1), abs=1e-8)
    assert observer_position(mjd) == pytest.approx(np.moveaxis(earth - sun, 0, -1), abs=1e-8)


def test_topocentre_is_that_of_astropy_to_a_hundred_metres():
    mjd = 59000 + np.linspace(0, 400, 37)
    longitude, latitude, height = (float(part) for part in PARANAL.split(","))
    place = EarthLocation.from_geodetic(longitude * u.deg, latitude * u.deg, height * u.m)
    with iers.conf.set_temp("auto_download", False):
        theirs = place.get_gcrs_posvel(Time(mjd, format="mjd", scale="utc"))[0].xyz.to_value(u.km).T
    ours = (observer_position(mjd, PARANAL) - observer_position(mjd)) * KM
    assert np.abs(ours - theirs).max() < 0.1


def test_sun_is_where_horizons_sees_it():
    # JPL, DE441: astrometric place of the Sun from the geocentre, 2023-Jun-21 12:00 UT
    ra, dec = positions_deg(-observer_position(60116.5))
    assert separation_arcsec(ra, dec, 89.52285, 23.43572) < 0.05


@pytest.mark.parametrize("code", sorted(PARALLAX))
def test_observatories_lie_on_the_ground(code):
    place = EarthLocation.from_geocentric(*(value * u.m for value in site_m(code)))
    assert -50 < place.height.to_value(u.m) < 5800


@pytest.mark.parametrize(
    ("code", "longitude", "latitude", "height"),
    [
        ("W84", -70.8063, -30.1690, 2207),
        ("X05", -70.7494, -30.2446, 2663),
        ("T09", -155.4761, 19.8255, 4139),
        ("i41", -116.8598, 33.3563, 1706),
        ("F51", -156.2559, 20.7072, 3055),
        ("950", -17.882, 28.760, 2327),
    ],
)
def test_observatories_are_where_maps_show_them(code, longitude, latitude, height):
    place = EarthLocation.from_geocentric(*(value * u.m for value in site_m(code)))
    assert place.lon.deg == pytest.approx(longitude, abs=0.01)
    assert place.lat.deg == pytest.approx(latitude, abs=0.01)
    assert place.height.to_value(u.m) == pytest.approx(height, abs=150)


@pytest.mark.filterwarnings("ignore::erfa.ErfaWarning")
def test_dates_without_tables_of_the_turning_earth_are_served():
    far = observer_position([36934.0, 66000.25], "W84") - observer_position([36934.0, 66000.25])
    assert np.linalg.norm(far, axis=-1) * KM == pytest.approx(6375, abs=5)


@pytest.mark.parametrize("name", ["geocentre", "geocenter", "500", " 500 "])
def test_geocentre_has_many_names(name):
    assert site_m(name) is None


@pytest.mark.parametrize("name", ["", "Atlantis", "1,2", "1,2,3,4", "0,91,0", "400,0,0", "0,0,1e6", "nan,0,0"])
def test_unknown_sites_are_refused_with_those_that_are_known(name):
    with pytest.raises(ConfigError, match="no site that is known") as refused:
        observer_position(60000.0, name)
    assert "W84" in refused.value.hint


def test_nothing_is_fetched(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    observer_position(60001.0, "X05")


def test_ecliptic_is_the_plane_of_the_earth():
    year = observer_position(51544.5 + np.arange(0, 365, 5))
    pole = equatorial([0, 0, 1])
    assert np.degrees(np.abs(year @ pole)).max() < 0.001
    assert pole[2] == pytest.approx(np.cos(np.radians(OBLIQUITY_DEG)))
