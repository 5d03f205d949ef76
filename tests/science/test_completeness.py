"""Completeness against selection functions that are known."""

import numpy as np
import pytest
from astropy.table import Table
from scipy.special import erfc, erfcinv
from scipy.stats import binom

from lostlight.science.vet.completeness import jeffreys, measure_curve, recover
from lostlight.vocab import bits

PLANTED = Table(
    {
        "plant_id": ["a", "b", "c", "d"],
        "x_px": [10.0, 50.0, 90.0, 130.0],
        "y_px": [20.0, 20.0, 20.0, 20.0],
        "mag_true": [12.0, 12.0, 12.0, 12.0],
    }
)


def detections(*rows):
    """Detections from (x, y, magnitude, names of the cuts failed)."""
    names = ("x_px", "y_px", "mag_auto", "flags")
    return Table(rows=[(x, y, mag, bits.filters(*cuts)) for x, y, mag, cuts in rows] or None, names=names)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [80, 1500])
def test_the_place_of_a_step_is_found_within_its_error(seed, n):
    mag = np.random.default_rng(seed).uniform(14, 18, n)
    curve = measure_curve(mag, mag < 16.3, 10)
    assert abs(curve.m50_mag - 16.3) < 2 * curve.m50_err_mag
    assert curve.m50_err_mag < 0.2
    assert curve.n_planted.sum() == n


def test_a_slope_with_a_plateau_is_found_within_its_errors():
    middle, width, plateau = 16.3, 0.4, 0.95
    pulls50, pulls90, outside = [], [], 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        mag = rng.uniform(14, 18, 500)
        truth = plateau / 2 * erfc((mag - middle) / (np.sqrt(2) * width))
        curve = measure_curve(mag, rng.random(500) < truth, 8)
        m50, m90 = (middle + np.sqrt(2) * width * erfcinv(2 * fraction / plateau) for fraction in (0.5, 0.9))
        pulls50.append((curve.m50_mag - m50) / curve.m50_err_mag)
        if curve.m90_mag is not None:
            pulls90.append((curve.m90_mag - m90) / curve.m90_err_mag)
        centre = (curve.edges_mag[:-1] + curve.edges_mag[1:]) / 2
        expected = plateau / 2 * erfc((centre - middle) / (np.sqrt(2) * width))
        outside += np.sum((expected < curve.low - 0.02) | (expected > curve.high + 0.02))
    assert np.std(pulls50) < 1.5
    assert abs(np.mean(pulls50)) < 0.7
    assert abs(np.mean(pulls90)) < 1.0
    assert outside < 0.45 * 12 * 8  # one sigma leaves a third outside


def test_a_search_that_finds_little_has_no_depth():
    mag = np.linspace(14, 18, 200)
    curve = measure_curve(mag, np.arange(200) % 5 == 0, 6)
    assert curve.m50_mag is None
    assert curve.m90_mag is None
    nothing = measure_curve([], [], 6)
    assert nothing.m50_mag is None
    assert len(nothing.n_planted) == 0


def test_jeffreys_intervals_cover():
    p, n = 0.3, 40
    counts = np.arange(n + 1)
    low, high = jeffreys(counts, n)
    covered = binom.pmf(counts, n, p)[(low <= p) & (p <= high)].sum()
    assert covered == pytest.approx(0.6827, abs=0.08)
    assert low[0] == 0
    assert high[-1] == 1


def test_what_became_of_each_star_is_told():
    found = detections(
        (10.5, 20.2, 12.1, ()),
        (50.0, 20.0, 12.0, ("SNR", "LOCUS")),
        (90.0, 20.0, 12.0, ("OTHER_PLATE", "FIRST_EPOCH_ONLY")),
        (134.0, 20.0, 12.0, ()),
    )
    got = recover(PLANTED, found, detections((300.0, 20.0, 12.0, ())))
    assert list(got["lost_at"]) == ["", "SNR", "", "not_detected"]
    assert list(got["is_recovered"]) == [True, False, True, False]


def test_a_source_that_was_there_before_does_not_count():
    found = detections((10.5, 20.0, 11.0, ()), (50.0, 20.0, 11.02, ()), (90.0, 20.0, 10.5, ()))
    before = detections((10.5, 20.0, 11.0, ()), (50.5, 20.0, 11.4, ()))
    got = recover(PLANTED, found, before)
    # The first did not change; the second gained a star of 12.4, more than half of one of 12; the third was not there.
    assert list(got["lost_at"]) == ["not_detected", "", "", "not_detected"]


def test_nothing_planted_and_nothing_found():
    empty = detections()
    assert len(recover(PLANTED[:0], detections((1.0, 1.0, 10.0, ())), empty)) == 0
    assert set(recover(PLANTED, empty, empty)["lost_at"]) == {"not_detected"}
