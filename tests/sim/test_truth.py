"""The truth of the simulated sky: one sky from every side, with the numbers that were asked for."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord, angular_separation
from hypothesis import given, settings
from hypothesis import strategies as st

from lostlight.sim import population, transients
from lostlight.sim.cells import stream
from lostlight.sim.plates import Layout
from lostlight.sim.sources import KINDS, at_epoch, offset, separation_deg
from lostlight.sim.truth import BRIGHT_LAYER, MOVING_LAYER, Truth, magnitude_on_plate


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth(20, Layout(20))


def _in_cone(found: np.ndarray, ra: float, dec: float, radius: float) -> np.ndarray:
    return found[separation_deg(found["ra_deg"], found["dec_deg"], ra, dec) < radius]


def _fields(sources: np.ndarray, kinds: tuple[str, ...]) -> np.ndarray:
    return sources[np.isin(sources["kind"], [KINDS.index(kind) for kind in kinds])]


@pytest.mark.parametrize(("ra", "dec"), [(150.0, 20.0), (0.02, 1.0), (77.0, 89.95), (200.0, -89.97)])
def test_small_and_large_questions_see_the_same_objects(truth: Truth, ra: float, dec: float) -> None:
    shifted_ra, shifted_dec = offset(ra, dec, 600.0, -500.0)
    small = _in_cone(truth.around(ra, dec, 0.1), ra, dec, 0.1)
    large = _in_cone(Truth(20, Layout(20)).around(float(shifted_ra), float(shifted_dec), 0.35), ra, dec, 0.1)
    assert len(small) > 50
    assert small.tobytes() == large.tobytes()


def test_another_seed_is_another_sky(truth: Truth) -> None:
    other = Truth(21, Layout(21)).around(150, 20, 0.1)
    assert not np.isin(other["ra_deg"], truth.around(150, 20, 0.1)["ra_deg"]).any()


def test_identifiers_are_unique_and_ascending(truth: Truth) -> None:
    assert (np.diff(truth.around(12, 40, 0.4)["truth_id"]) > 0).all()


@pytest.mark.parametrize(("ra", "dec"), [(192.86, 27.13), (150.0, 20.0), (115.0, 25.0)])
def test_star_counts_follow_galactic_latitude(truth: Truth, ra: float, dec: float) -> None:
    stars = _fields(_in_cone(truth.around(ra, dec, 1.0), ra, dec, 1.0), ("star",))
    sin_b = np.sin(SkyCoord(ra, dec, unit="deg").galactic.b.rad)
    at_18 = np.interp(18.0, np.arange(3, population.FAINTEST + 0.01, 0.05), population.star_counts(sin_b))
    # Companions and fast stars come on top of the single stars.
    expected = (at_18 * (1 + population.DOUBLE_FRACTION) + population.FAST_STARS_DEG2) * np.pi
    assert np.sum(stars["mag_r"] < 18) == pytest.approx(expected, rel=0.12)


def test_fast_stars_have_their_tail(truth: Truth) -> None:
    rng = stream(5, "tail")
    fast = population.fast_stars(np.zeros(200_000), np.zeros(200_000), rng)
    speed = np.hypot(fast["pm_ra_mas_yr"], fast["pm_dec_mas_yr"])
    assert speed.min() >= 80
    assert np.mean(speed > 1000) == pytest.approx((80 / 1000) ** 2.8, rel=0.15)
    around = truth.around(150, 20, 1.5)
    area = np.pi * 1.5**2
    mu = np.hypot(around["pm_ra_mas_yr"], around["pm_dec_mas_yr"])
    inside = separation_deg(around["ra_deg"], around["dec_deg"], 150, 20) < 1.5
    assert np.sum(inside & (mu > 80)) / area == pytest.approx(population.FAST_STARS_DEG2, rel=0.35)


def test_every_class_of_vanished_source_has_its_density(truth: Truth) -> None:
    ra, dec, radius = 150.0, 20.0, 3.0
    found = _in_cone(truth.around(ra, dec, radius), ra, dec, radius)
    area = np.pi * radius**2
    for kind, density in transients.DENSITY_DEG2.items():
        n = len(_fields(found, (kind,)))
        assert abs(n - density * area) < 4 * np.sqrt(density * area), kind
    assert len(_fields(found, ("vanished_E",))) == pytest.approx(2 * transients.PAIRS_DEG2 * area, rel=0.5)


def test_multiplets_are_aligned_and_pairs_close(truth: Truth) -> None:
    found = truth.around(150, 20, 2.0)
    aligned = _fields(found, ("vanished_D",))
    groups = np.unique(aligned["group"])
    assert len(groups) > 5
    for group in groups:
        members = aligned[aligned["group"] == group]
        assert len(members) in (3, 4)
        assert len(set(members["home"])) == 1
        x = (members["ra_deg"] - members["ra_deg"].mean()) * np.cos(np.radians(members["dec_deg"])) * 3600
        y = (members["dec_deg"] - members["dec_deg"].mean()) * 3600
        _, spread, _ = np.linalg.svd(np.stack([x - x.mean(), y - y.mean()], axis=1))
        assert spread[1] < 4, "members lie within a few arcsec of a line"
    pairs = _fields(found, ("vanished_E",))
    for group in np.unique(pairs["group"]):
        a, b = pairs[pairs["group"] == group]
        apart = 3600 * float(separation_deg(a["ra_deg"], a["dec_deg"], b["ra_deg"], b["dec_deg"]))
        assert 7.9 < apart < 25.1


def test_who_is_on_which_plate(truth: Truth) -> None:
    found = truth.around(150, 20, 1.0)
    home = int(truth.layout.nearest(150, 20))
    here, elsewhere = magnitude_on_plate(found, home), magnitude_on_plate(found, home + 7)
    kind = np.array(KINDS)[found["kind"]]
    mine = found["home"] == home
    assert np.isnan(here[kind == "vanished_C"]).all()
    assert np.isfinite(elsewhere[kind == "vanished_A"]).all()
    assert np.isfinite(here[(kind == "vanished_B") & mine]).all()
    assert np.isnan(elsewhere[kind == "vanished_B"]).all()
    variable = (kind == "variable") & mine
    assert variable.any()
    assert (elsewhere[variable] - here[variable] > 1.9).all()


def test_asteroids_crowd_on_the_ecliptic_and_some_stand_still(truth: Truth) -> None:
    on = truth.around(150, 12.0, 6, (MOVING_LAYER,))
    off = truth.around(270, 66.56, 6, (MOVING_LAYER,))
    assert len(on) > 5 * len(off)
    rate = np.hypot(on["rate_ra_arcsec_min"], on["rate_dec_arcsec_min"])
    assert np.mean(rate < 0.031) == pytest.approx(0.125, abs=0.07)
    assert np.median(rate) == pytest.approx(0.5, abs=0.1)
    moving = on[rate > 0.2]
    along = SkyCoord(moving["ra_deg"], moving["dec_deg"], unit="deg").barycentrictrueecliptic
    ra, dec = offset(
        moving["ra_deg"], moving["dec_deg"], 600 * moving["rate_ra_arcsec_min"], 600 * moving["rate_dec_arcsec_min"]
    )
    later = SkyCoord(ra, dec, unit="deg").barycentrictrueecliptic
    assert np.mean((later.lon - along.lon).wrap_at("180d").deg < 0) > 0.95, "bodies move westward at opposition"


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 360), st.floats(-90, 90), st.floats(0, 3600), st.floats(0, 2 * np.pi))
def test_offsets_have_their_length_everywhere(ra: float, dec: float, length: float, angle: float) -> None:
    moved = offset(ra, dec, length * np.sin(angle), length * np.cos(angle))
    apart = angular_separation(*np.radians([ra, dec]), *np.radians(moved))
    assert np.degrees(apart) * 3600 == pytest.approx(length, rel=1e-3, abs=1e-6)
    assert 0 <= moved[0] < 360


def test_proper_motion_agrees_with_astropy(truth: Truth) -> None:
    bright = truth.around(30, 80, 3, (BRIGHT_LAYER,))
    ra, dec = at_epoch(bright, 1953.2)
    from astropy import units as u
    from astropy.time import Time

    coordinates = SkyCoord(
        bright["ra_deg"] * u.deg,
        bright["dec_deg"] * u.deg,
        distance=1 * u.kpc,
        pm_ra_cosdec=bright["pm_ra_mas_yr"] * u.mas / u.yr,
        pm_dec=bright["pm_dec_mas_yr"] * u.mas / u.yr,
        obstime=Time("J2000"),
    )
    moved = coordinates.apply_space_motion(Time("J1953.2"))
    apart = angular_separation(moved.ra.rad, moved.dec.rad, np.radians(ra), np.radians(dec))
    assert np.degrees(apart).max() * 3600 < 0.002
