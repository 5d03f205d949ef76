"""Curves of completeness against sources drawn from curves that are known."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm

from lostlight.core.errors import ConfigError
from lostlight.science.recover import bins
from lostlight.science.recover.curves import FORMS, double_tanh, fit, fit_all, logistic, square

LOGISTIC = (0.93, 24.3, 0.2)


def drawn(curve, values, n=1500, seed=0, low=22.0, high=26.0):
    rng = np.random.default_rng(seed)
    mag = rng.uniform(low, high, n)
    return mag, rng.random(n) < curve(mag, *values)


def test_a18_depth_is_found_within_its_error_and_within_three_hundredths():
    """A18: m50 within 0.03 mag of the truth, with errors that hold."""
    true = brentq(lambda m: logistic(np.array(m), *LOGISTIC) - 0.5, 22, 26)
    fits = [fit(*drawn(logistic, LOGISTIC, 6000, seed)) for seed in range(40)]
    offsets = np.array([each.m50_mag - true for each in fits])
    pulls = offsets / [each.m50_err_mag for each in fits]
    assert np.sqrt(np.mean(offsets**2)) < 0.03
    assert abs(np.mean(offsets)) < 0.01
    assert 0.75 < np.std(pulls) < 1.3
    parameters = np.array([(each.values - LOGISTIC) / each.errors for each in fits])
    assert ((parameters.std(axis=0) > 0.7) & (parameters.std(axis=0) < 1.35)).all()


def test_the_bootstrap_agrees_with_the_curvature():
    made = fit(*drawn(logistic, LOGISTIC), n_bootstrap=80)
    assert made.bootstrap == pytest.approx(made.errors, rel=0.35)


@pytest.mark.parametrize(
    ("curve", "values", "name"),
    [
        (square, (0.9, 0.028, 24.14, 0.155), "square"),
        (double_tanh, (0.95, 24.5, 0.15, 1.6), "double_tanh"),
        (logistic, LOGISTIC, "logistic"),
    ],
)
def test_the_form_that_made_the_sources_fits_them(curve, values, name):
    mag, is_found = drawn(curve, values, 8000, 3)
    made = {each.form: each for each in fit_all(mag, is_found, n_bootstrap=0)}
    true = brentq(lambda m: curve(np.array(m), *values) - 0.5, 22, 26)
    assert made[name].m50_mag == pytest.approx(true, abs=0.03)
    assert made[name].aic - min(each.aic for each in made.values()) < 4.5
    where = np.linspace(22.2, 25.8, 30)
    assert np.abs(made[name].at(where) - curve(where, *values)).max() < 0.05


def test_the_parabola_is_preferred_where_it_is_there():
    mag, is_found = drawn(square, (0.95, 0.04, 24.4, 0.1), 8000, 3)
    assert fit_all(mag, is_found, n_bootstrap=0)[0].form == "square"


def test_forms_by_hand():
    mag = np.array([24.3])
    assert logistic(mag, 0.9, 24.3, 0.2) == pytest.approx(0.45)
    assert double_tanh(mag, 0.8, 24.3, 0.2, 0.9) == pytest.approx(0.2)
    assert square(np.array([22.0]), 0.9, 0.1, 30.0, 0.1) == pytest.approx(0.8)


def test_without_a_fall_there_is_no_curve():
    mag = np.linspace(20, 24, 30)
    assert fit(mag, np.ones(30, bool)) is None
    assert fit(mag, np.zeros(30, bool)) is None
    assert fit_all(mag, np.zeros(30, bool)) == []
    assert fit(mag, np.arange(30) < 4) is None
    assert fit(mag, np.arange(30) < 6) is not None


def test_unknown_magnitudes_are_left_out():
    mag, is_found = drawn(logistic, LOGISTIC)
    with_gaps = np.r_[mag, np.full(50, np.nan)], np.r_[is_found, np.ones(50, bool)]
    assert fit(*with_gaps).values == pytest.approx(fit(mag, is_found).values, rel=1e-6)


def test_a_curve_that_never_reaches_a_half_has_no_depth():
    made = fit(*drawn(logistic, (0.3, 24.3, 0.2)))
    assert np.isnan(made.m50_mag)
    assert made.values[0] == pytest.approx(0.3, abs=0.04)


@pytest.mark.parametrize("form", FORMS)
def test_a_step_in_few_sources_is_placed_no_better_than_they_are_dense(form):
    rng = np.random.default_rng(1)
    offsets, errors = [], []
    for _ in range(40):
        mag = rng.uniform(20.5, 23.5, 40)
        made = fit(mag, mag < 22, form)
        offsets.append(made.m50_mag - 22)
        errors.append(made.m50_err_mag)
    assert np.isfinite(errors).mean() > 0.8
    assert np.nanstd(offsets) < np.nanmedian(errors) * 1.5
    assert 0.02 < np.nanmedian(errors) < 0.2


def test_where_the_parabola_rises_again_the_last_fall_is_the_depth():
    mag, is_found = drawn(square, (1.0, 0.05, 23.0, 0.4), 3000, 2, 18.0, 25.0)
    made = fit(mag, is_found, "square")
    true = brentq(lambda m: square(np.array(m), 1.0, 0.05, 23.0, 0.4) - 0.5, 21, 25)
    assert made.m50_mag == pytest.approx(true, abs=0.1)


def test_an_unknown_form_is_refused():
    with pytest.raises(ConfigError, match="logstic"):
        fit([1.0, 2.0], [True, False], "logstic")


def test_a18_intervals_cover_two_thirds_of_toy_runs():
    """A18: Jeffreys' intervals cover 68 +- 5 % in 500 toy runs."""
    rng = np.random.default_rng(5)
    covered = []
    for _ in range(500):
        fraction = rng.uniform(0.05, 0.95)
        counted = bins.count(rng.random(40) < fraction, (np.full(40, 0.5), [0, 1]))
        covered.append(counted.low[0] <= fraction <= counted.high[0])
    assert np.mean(covered) == pytest.approx(0.68, abs=0.05)


def test_cells_of_magnitude_and_rate_by_hand():
    mag, rate = [22.1, 22.2, 23.4, 23.5, np.nan], [0.3, 3.0, 3.5, 3.0, 1.0]
    counted = bins.count([True, False, True, False, True], (rate, [0, 1, 4]), (mag, [22, 23, 24]))
    assert counted.n_planted.tolist() == [[1, 0], [1, 2]]
    assert counted.n_found.tolist() == [[1, 0], [0, 1]]
    assert (counted.low[0, 1], counted.high[0, 1]) == (0, 1)


def test_edges_hold_all_values():
    edges = bins.even_edges([22.26, 23.74, np.nan], 0.25)
    assert (edges[0], edges[-1]) == (22.25, 23.75)
    assert np.diff(edges) == pytest.approx(0.25)
    assert bins.even_edges([23.75], 0.25)[-1] > 23.75
    assert len(bins.even_edges([np.nan], 0.25)) == 2


def test_the_plan_for_a_precision_is_that_of_the_fits():
    """The number of sources asked for by theory gives the error that was asked for."""
    from lostlight.science.population.relations import sample_size

    error, width, span = 0.03, 0.2, 4.0
    n = sample_size(error, width, span)
    fits = [fit(*drawn(logistic, (0.999, 24.0, width), n, seed)) for seed in range(30)]
    assert np.std([each.m50_mag for each in fits]) == pytest.approx(error, rel=3 * norm.ppf(0.84) / np.sqrt(60))
