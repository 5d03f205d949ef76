"""Times within exposures: how many, where, and what a trail of them is worth."""

import numpy as np
import pytest

from lostlight.science.inject.nodes import exposure_nodes, n_nodes


def test_nodes_lie_about_the_middle_and_share_the_exposure():
    mid, exptime = np.array([59000.25, 59000.5, 59003.0]), np.array([30.0, 120.0, 0.0])
    mjd, weights = exposure_nodes(mid, exptime, 5)
    assert mjd.shape == (3, 5)
    assert weights.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_allclose(mjd @ weights, mid, rtol=1e-15)
    half = exptime[:, None] / 86400 / 2
    assert (abs(mjd - mid[:, None]) <= half).all()
    assert (np.diff(mjd[:2], axis=1) > 0).all()


def test_polynomials_are_integrated_exactly():
    """Five nodes integrate the ninth power of time."""
    mjd, weights = exposure_nodes([0.5], [86400.0], 5)
    assert mjd[0] ** 9 @ weights == pytest.approx(1 / 10, rel=1e-12)


@pytest.mark.parametrize(
    ("length", "needed"), [(0, 1), (0.04, 1), (0.5, 2), (0.9, 3), (1.9, 4), (3.8, 6), (7.5, 12), (15, 24), (30, 32)]
)
def test_there_are_as_many_as_a_trail_needs(length, needed):
    """Needed is what was measured for 1e-4 of the peak, by lengths in standard deviations."""
    assert needed <= n_nodes(length * 1.3, 1.3) <= 2 * needed


def test_a_trail_that_is_not_known_is_none():
    assert n_nodes(np.nan, 1.0) == n_nodes(np.inf, 1.0) == 1
