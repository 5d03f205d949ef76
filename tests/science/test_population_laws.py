"""Distributions by their quantiles, against those of SciPy."""

import numpy as np
import pytest
from scipy import stats

from lostlight.science.population.laws import (
    Exponential,
    Flat,
    LogNormal,
    Maxwell,
    Mixture,
    Normal,
    Rayleigh,
    choose,
    cumulative,
    mean,
)

U = np.linspace(0.001, 0.999, 333)


@pytest.mark.parametrize(
    ("law", "peer"),
    [
        (Flat(3, 7), stats.uniform(3, 4)),
        (Flat(2, 50, log=True), stats.loguniform(2, 50)),
        (Normal(5, 2), stats.norm(5, 2)),
        (Normal(5, 2, 4, 10), stats.truncnorm(-0.5, 2.5, 5, 2)),
        (Rayleigh(0.1), stats.rayleigh(0, 0.1)),
        (Maxwell(26), stats.maxwell(0, 26 / np.sqrt(2))),
        (Exponential(0.2, 1.2), stats.truncexpon(6, 0, 0.2)),
        (LogNormal(7, 0.5), stats.lognorm(0.5, 0, 7)),
    ],
)
def test_quantiles(law, peer):
    assert law.at(U) == pytest.approx(peer.ppf(U), rel=1e-9)
    assert mean(law) == pytest.approx(peer.mean(), rel=2e-3)
    values = peer.ppf([0.2, 0.7])
    assert cumulative(law, values) == pytest.approx([0.2, 0.7], abs=1e-4)


def test_rayleigh_that_is_cut_off_is_the_lower_part_of_the_whole():
    whole = stats.rayleigh(0, 0.04)
    assert Rayleigh(0.04, 0.1).at(U) == pytest.approx(whole.ppf(U * whole.cdf(0.1)))


def test_narrowed_ranges():
    law = Flat(1, 100, log=True)
    assert law.within(0.5, low=10) == pytest.approx(10**1.5)
    assert law.within([0.0, 1.0], low=4, high=9) == pytest.approx([4, 9])
    assert law.share(low=10) == pytest.approx(0.5)
    assert law.share(low=200) == 0
    assert Flat(0, 4).share(1, 2) == pytest.approx(0.25)
    assert Flat(0, 4).share(high=-1) == 0


def test_mixture_holds_its_parts_in_their_shares():
    law = Mixture(((3.0, Flat(0, 1)), (1.0, Flat(10, 11))))
    values = law.at(np.random.default_rng(1).random(40_000))
    assert np.mean(values > 5) == pytest.approx(0.25, abs=0.01)
    assert stats.kstest(values[values > 5], stats.uniform(10, 1).cdf).pvalue > 1e-3
    assert cumulative(law, [0.5, 5.0, 10.5]) == pytest.approx([0.375, 0.75, 0.875], abs=1e-3)


def test_choice_leaves_a_number_that_is_uniform_again():
    which, rest = choose([0.0, 2.0, 1.0, 0.0], np.random.default_rng(2).random(30_000))
    assert set(which) == {1, 2}
    assert np.mean(which == 1) == pytest.approx(2 / 3, abs=0.01)
    assert stats.kstest(rest[which == 2], "uniform").pvalue > 1e-3
    assert choose([0.0, 1.0, 0.0], [0.0, 1.0])[0].tolist() == [1, 1]
