import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, match_coordinates_sky
from hypothesis import given, settings
from hypothesis import strategies as st

from lostlight.core.errors import BadCatalogue
from lostlight.science.match.chance import chance_fraction
from lostlight.science.match.nearest import Sky
from lostlight.science.sky import separation


def field(rng, n, ra_deg, dec_deg, width_deg=0.5):
    """Even positions in a square on the sky, also across right ascension 0 and over a pole."""
    plane = separation.TangentPlane(ra_deg, dec_deg)
    return plane.deproject(*(rng.uniform(-width_deg, width_deg, (2, n)) * 1800))


CENTRES = [(150.0, 20.0), (0.0, -5.0), (359.99, 60.0), (77.0, 90.0), (12.0, -89.9)]


@pytest.mark.parametrize("centre", CENTRES)
def test_agrees_with_astropy_on_crowded_skies(centre):
    rng = np.random.default_rng(7)
    detections, catalogue = field(rng, 700, *centre), field(rng, 9000, *centre)
    index, angle = Sky(*catalogue).nearest(*detections, 5.0)
    theirs, their_angle, _ = match_coordinates_sky(SkyCoord(*detections, unit="deg"), SkyCoord(*catalogue, unit="deg"))
    within = their_angle <= 5 * u.arcsec
    assert 100 < within.sum() < 690
    assert np.array_equal(index >= 0, within)
    assert np.array_equal(index[within], theirs[within])
    np.testing.assert_allclose(angle[within], their_angle[within].arcsec, atol=1e-7)
    assert np.all(np.isnan(angle[~within]))


def test_two_detections_may_share_a_row():
    """A symmetric best match would leave the second one without, and call it vanished."""
    index, _ = Sky([10.0], [0.0]).nearest([10.0, 10.0], [0.5 / 3600, -1 / 3600], 5.0)
    assert list(index) == [0, 0]


def test_the_radius_is_inclusive_and_twins_give_the_first_row():
    sky = Sky([10.0, 20.0, 20.0, 20.0], [0.0, 1.0, 1.0, 1.0])
    assert list(sky.nearest([10.0], [5 / 3600], 5.0 + 1e-9)[0]) == [0]
    assert list(sky.nearest([10.0], [5.001 / 3600], 5.0)[0]) == [-1]
    assert list(sky.nearest([20.0], [1.0], 5.0)[0]) == [1]


def test_nothing_matches_nothing():
    index, angle = Sky([], []).nearest([1.0], [2.0], 5.0)
    assert list(index) == [-1] and np.isnan(angle[0])
    assert len(Sky([1.0], [2.0]).nearest([], [], 5.0)[0]) == 0
    assert len(Sky([1.0], [2.0]).pairs([], [], 5.0)[0]) == 0


@pytest.mark.parametrize("bad", [(np.nan, 0.0), (10.0, np.inf), (10.0, 90.001), (720.0, 0.0)])
def test_what_is_no_position_is_named(bad):
    with pytest.raises(BadCatalogue, match="own: row 1") as caught:
        Sky([10.0, bad[0]], [0.0, bad[1]], "own")
    assert caught.value.facts["row"] == 1


def test_masked_positions_are_no_positions():
    with pytest.raises(BadCatalogue, match="row 0"):
        Sky(np.ma.masked_array([1.0], [True]), [0.0])


@given(st.floats(0, 360), st.floats(-90, 90), st.floats(0, 360), st.floats(0, 3.1))
@settings(max_examples=200, deadline=None)
def test_chord_and_vincenty_agree(ra, dec, angle, log_arcsec):
    length = 10**log_arcsec
    radial, east, north = separation.tangent_frame(ra, dec)
    step = np.cos(np.radians(angle)) * east + np.sin(np.radians(angle)) * north
    theta = length / separation.ARCSEC_PER_RADIAN
    ra2, dec2 = separation.positions_deg(np.cos(theta) * radial + np.sin(theta) * step)
    chord = np.linalg.norm(separation.unit_vectors(ra, dec) - separation.unit_vectors(ra2, dec2))
    assert separation.chord_to_arcsec(chord) == pytest.approx(length, abs=1e-6)
    assert separation.separation_arcsec(ra, dec, ra2, dec2) == pytest.approx(length, abs=1e-6)


def test_pairs_are_all_pairs():
    rng = np.random.default_rng(3)
    a, b = field(rng, 60, 0.0, 89.99, 0.02), field(rng, 80, 0.0, 89.99, 0.02)
    one, two, angle = Sky(*b).pairs(*a, 20.0)
    every = separation.separation_arcsec(a[0][:, None], a[1][:, None], b[0], b[1])
    assert {*zip(one.tolist(), two.tolist(), strict=True)} == {
        *zip(*(k.tolist() for k in np.nonzero(every <= 20)), strict=True)
    }
    np.testing.assert_allclose(angle, every[one, two], atol=1e-7)


@pytest.mark.parametrize("centre", [(0.0, 45.0), (30.0, 89.9)])
def test_chance_matches_follow_the_density(centre):
    """A random position has a row within r with probability 1 - exp(-density pi r^2)."""
    rng = np.random.default_rng(11)
    catalogue = field(rng, 20000, *centre, width_deg=1.2)
    detections = field(rng, 3000, *centre)
    expected = 1 - np.exp(-20000 / (1.2 * 3600) ** 2 * np.pi * 25)
    assert chance_fraction(*detections, Sky(*catalogue), 5.0) == pytest.approx(expected, abs=0.01)


def test_true_matches_are_not_chance_matches():
    rng = np.random.default_rng(12)
    stars = field(rng, 150, 10.0, 10.0)
    assert chance_fraction(*stars, Sky(*stars), 5.0) < 0.01


def test_polygon_across_zero_and_around_the_pole():
    assert list(separation.inside_polygon([0.4, 359.6, 180, 2.0], [0, 0, 0, 0], [359, 1, 1, 359], [-1, -1, 1, 1])) == [
        True, True, False, False,
    ]  # fmt: skip
    around_pole = separation.inside_polygon([0, 123, 0], [90, 89.5, 88.0], [0, 90, 180, 270], [89, 89, 89, 89])
    assert list(around_pole) == [True, True, False]
    assert separation.inside_polygon([5.0], [0.0], [0, 0, 10, 10], [-5, 5, 5, -5])[0], "either way round"
