import numpy as np
import pytest

from lostlight.core.errors import BadMatch
from lostlight.science.match.nearest import Sky
from lostlight.science.match.validate import check_match, nearest_separation
from lostlight.science.sky.separation import TangentPlane, separation_arcsec

CENTRES = [(150.0, 20.0), (0.0, 0.0), (359.99, -61.0), (0.1, 90.0), (200.0, -89.97)]


def sky(rng, n, centre, half_arcsec=600):
    return TangentPlane(*centre).deproject(*rng.uniform(-half_arcsec, half_arcsec, (2, n)))


@pytest.mark.parametrize("centre", CENTRES)
def test_search_agrees_with_every_pair(centre):
    rng = np.random.default_rng(21)
    detections, catalogue = sky(rng, 300, centre), sky(rng, 3000, centre)
    every = separation_arcsec(detections[0][:, None], detections[1][:, None], *catalogue).min(axis=1)
    found = nearest_separation(*detections, *catalogue, 8.0)
    np.testing.assert_allclose(found, np.where(every <= 8, every, np.nan), atol=1e-9)
    assert 0.2 < np.isfinite(found).mean() < 0.9


@pytest.mark.parametrize("centre", CENTRES)
def test_an_honest_match_passes(centre):
    rng = np.random.default_rng(22)
    detections, catalogue = sky(rng, 2000, centre), sky(rng, 5000, centre)
    _, claimed = Sky(*catalogue).nearest(*detections, 5.0)
    worst, n_edge = check_match(claimed, *detections, *catalogue, 5.0)
    every = separation_arcsec(detections[0][:, None], detections[1][:, None], *catalogue).min(axis=1)
    assert worst < 1e-6
    assert n_edge == np.sum(np.abs(every - 5) <= 0.05) > 0


def tampered(kind):
    """Detections on a line, one row 1 arcsec north of each, and one claim changed."""
    ra, dec = np.linspace(10, 11, 20), np.zeros(20)
    catalogue = ra.copy(), dec + 1 / 3600
    claimed = np.full(20, 1.0)
    if kind == "misreported":
        claimed[7] = 1.06
    elif kind == "overlooked":
        claimed[7] = np.nan
    elif kind == "beyond":
        claimed[7], catalogue[1][7] = 5.06, 5.06 / 3600
    elif kind == "not best":
        catalogue = np.r_[catalogue[0], ra[7]], np.r_[catalogue[1], 0.5 / 3600]
    elif kind == "invented":
        catalogue[1][7] = 1.0
    return claimed, ra, dec, *catalogue


@pytest.mark.parametrize("kind", ["misreported", "overlooked", "beyond", "not best", "invented"])
def test_a_wrong_match_is_caught_and_named(kind):
    with pytest.raises(BadMatch, match="row 7") as caught:
        check_match(*tampered(kind), 5.0, name="gaia")
    assert caught.value.facts["n_wrong"] == 1 and "gaia" in str(caught.value)


def test_within_tolerance_is_within_tolerance():
    claimed, ra, dec, cat_ra, cat_dec = tampered("none")
    assert check_match(claimed + 0.04, ra, dec, cat_ra, cat_dec, 5.0)[0] == pytest.approx(0.04, abs=1e-9)
    cat_dec[3], claimed[3] = 4.97 / 3600, np.nan  # at the edge either verdict is right
    assert check_match(claimed, ra, dec, cat_ra, cat_dec, 5.0)[1] == 1


def test_nothing_to_check():
    nothing = np.empty(0)
    assert check_match(nothing, nothing, nothing, [1.0], [2.0], 5.0) == (0.0, 0)
    assert check_match([np.nan], [1.0], [2.0], nothing, nothing, 5.0) == (0.0, 0)


def test_a_crowded_tile_agrees_with_the_matcher():
    rng = np.random.default_rng(23)
    detections, catalogue = sky(rng, 4700, (100.0, 40.0), 1800), sky(rng, 60000, (100.0, 40.0), 1800)
    _, claimed = Sky(*catalogue).nearest(*detections, 5.0)
    assert check_match(claimed, *detections, *catalogue, 5.0)[0] < 1e-4
