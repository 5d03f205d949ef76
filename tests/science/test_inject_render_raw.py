"""The kernel for graphics cards, compiled for the processor: its images are those of the compiled loops."""

import shutil

import numpy as np
import pytest
from tests.card import Card

from lostlight.core.errors import ConfigError
from lostlight.science.inject import render_raw
from lostlight.science.inject.psf import elliptical, empirical, gaussian, moffat
from lostlight.science.inject.render import render_cases


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    if shutil.which("g++") is None:
        pytest.skip("g++ is absent")
    return Card(tmp_path_factory.mktemp("card"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_card_draws_the_same_bits(card, dtype):
    rng, psfs = np.random.default_rng(6), [gaussian(1.6), moffat(2.7, 2.4), gaussian(4.0)]
    x, y, flux = rng.uniform(-9, 47, (7, 3, 4)), rng.uniform(-9, 40, (7, 3, 4)), rng.uniform(0, 300, (7, 3, 4))
    x[0, 0, 1], y[1, 2, 0], x[2, 1] = np.nan, np.inf, -1e301
    ours = render_cases(psfs, (31, 38), x, y, flux, dtype)
    theirs = card.asnumpy(render_raw.render_cases(psfs, (31, 38), x, y, flux, dtype, cupy=card))
    assert theirs.dtype == dtype
    assert ours.any((2, 3)).sum() > 10
    np.testing.assert_array_equal(theirs, ours)
    assert card.launched[-1] == "draw"


def test_arrays_may_lie_on_the_card(card):
    x = np.full((1, 1, 1), 5.0)
    there = card.asarray(x)
    image = render_raw.render_cases([gaussian(2)], (11, 12), there, there, there, cupy=card)
    assert card.asnumpy(image).sum() == pytest.approx(5, rel=1e-4)
    none = np.empty((0, 1, 1))
    assert render_raw.render_cases([gaussian(2)], (11, 12), none, none, none, cupy=card).shape == (0, 1, 11, 12)


@pytest.mark.parametrize("psf", [elliptical(2.5, 0.7, 10), empirical(gaussian(2).kernel())])
def test_what_a_card_cannot_draw_is_refused(card, psf):
    x = np.zeros((1, 2, 1))
    assert not render_raw.supports(psf)
    with pytest.raises(ConfigError, match="processor"):
        render_raw.render_cases([gaussian(2), psf], (9, 9), x, x, x, cupy=card)
    with pytest.raises(ConfigError):
        render_raw.render_cases([gaussian(2)], (9, 9), x, x, x, cupy=card)
