"""False alarms with their intervals, pulls with their scatter, and cut-outs along a path."""

import numpy as np
import pytest
from astropy.table import Table
from scipy.stats import poisson
from tests.white_sky import FWHM, THRESHOLD, WhiteSky

from lostlight.science.epochs.grid import Grid
from lostlight.science.recover import alarms, pulls
from lostlight.science.recover.cutouts import cutouts
from lostlight.science.recover.local import recover_planted
from lostlight.science.recover.table import Bar, Seen, recoveries
from lostlight.vocab.columns import COLUMNS
from lostlight.vocab.movers import INJECTED

STEPS = np.array([5.0, 6.0, 7.0])


@pytest.mark.parametrize("n", [0, 1, 4, 120])
def test_intervals_of_counts_are_garwoods(n):
    low, high = alarms.poisson_interval(n)
    tail = (1 - 0.6827) / 2
    assert poisson.cdf(n, high) == pytest.approx(tail, abs=1e-6)
    assert low == 0 if n == 0 else poisson.sf(n - 1, low) == pytest.approx(tail, abs=1e-6)


def test_false_candidates_are_counted_at_every_threshold():
    told = alarms.count([5.2, 6.0, 6.4, 7.5], 6.2, np.array([100.0, 1.0, 0.01]), STEPS, 0.5, 2e9)
    assert told.n == 2
    assert told.counts.tolist() == [4, 3, 1]
    assert (told.per_deg2, told.per_1e9_trials) == (4.0, 1.0)
    assert told.per_deg2_high == pytest.approx(alarms.poisson_interval(2)[1] / 0.5)
    # between two thresholds what noise gives falls exponentially
    assert told.n_expected == pytest.approx(10 ** (-0.4))


def test_pulls_of_right_errors_are_standard():
    rng = np.random.default_rng(0)
    error = rng.uniform(0.5, 3, 4000)
    told = pulls.measure(0.1 * error + error * rng.standard_normal(4000), error)
    assert told.mean == pytest.approx(0.1, abs=4 * told.mean_err)
    assert told.scatter == pytest.approx(1, abs=0.06)
    assert told.n_beyond_3 == pytest.approx(4000 * 0.0029, abs=12)
    assert told.counts.sum() == told.n == 4000


def test_pulls_leave_out_what_is_not_known_and_forgive_outliers():
    told = pulls.measure([1.0, -1.0, np.nan, 3.0, 900.0, 0.0], [1.0, 1.0, 1.0, 0.0, 1.0, np.inf])
    assert told.n == 3
    assert told.n_beyond_3 == 1
    assert told.mean == pytest.approx(0.0)
    assert told.counts[-1] == 1
    assert pulls.measure([], []).n == 0
    assert np.isnan(pulls.measure([np.nan], 1.0).bias)


def test_positions_motions_and_fluxes_of_what_is_found_have_the_errors_they_claim():
    sky, rng = WhiteSky(seed=8), np.random.default_rng(1)
    paths = [sky.draw(rng) for _ in range(60)]
    outcomes = [recover_planted(sky.ground, sky.light(20, *path), *path) for path in paths]
    kinds = {name: COLUMNS[name].dtype for name in INJECTED}
    planted = Table({name: np.zeros(60, "U8" if kind == "str" else kind) for name, kind in kinds.items()})
    planted["snr_stack"], planted["flux_adu"] = 20.0, sky.flux(20)
    x, y = (np.array(each) for each in zip(*paths, strict=True))
    told = pulls.of_table(
        recoveries(planted, outcomes, Seen(sky.days, x, y), Bar(THRESHOLD, 10, FWHM)), sky.ground.since[0]
    )
    assert set(told) == {"x_px", "y_px", "vx_px_day", "vy_px_day", "flux", "flux_faint"}
    assert told.pop("flux_faint").n == 0
    for each in told.values():
        assert each.n == 60
        assert each.scatter == pytest.approx(1, abs=0.42)
        assert abs(each.mean) < 0.6


def test_cut_outs_follow_the_path_and_end_at_the_edge():
    images = [np.arange(35.0 * 41, dtype=np.float32).reshape(35, 41) + 10_000 * t for t in range(3)]
    grid = Grid(None, (40, 50), -4, -3)
    squares = cutouts(images.__getitem__, grid, [None] * 3, np.full(3, 2.0), [24.4, 5.0, np.nan], [13.6, 3.0, 5.0], 2)
    assert squares.shape == (3, 5, 5)
    assert squares[0, 2, 2] == images[0][11, 20] / 2
    assert squares[0, 0, 4] == images[0][9, 22] / 2
    assert squares[1, 2, 2] == images[1][0, 1] / 2
    assert np.isnan(squares[1, :2]).all()
    assert np.isnan(squares[1, :, 0]).all()
    assert np.isnan(squares[2]).all()
