"""The width of a point is that of the stars, whatever else there is on the image."""

from functools import cache

import numpy as np
import pytest
from tests.epoch_field import measured, star_field

from lostlight.science.epochs.psf_fit import STAR_TYPE

SEEDS = range(3)


@cache
def plain_width(seed):
    return measured(star_field(seed, 60, shape=(389, 400))).psf.fwhm_px


def errors(n, seeds=SEEDS, **knobs):
    found = [measured(star_field(seed, n, **knobs)).psf for seed in seeds]
    assert {psf.source for psf in found} == {"stars"}
    return np.array([psf.fwhm_px / knobs.get("fwhm", 3.5) - 1 for psf in found])


@pytest.mark.parametrize(
    "knobs",
    [{}, {"fwhm": 1.6, "beta": 3.5}, {"beta": 4.8}, {"fwhm": 5.0, "beta": 2.5}, {"elongation": 1.05}],
    ids=["usual", "sharp", "steep", "wide", "long"],
)
def test_width_of_many_stars(knobs):
    """A14: with at least 20 stars bias and scatter of the width are at most 1 %."""
    off = errors(50, shape=(351, 370), **knobs)
    assert abs(off.mean()) <= 0.01
    assert off.std() <= 0.01


def test_width_of_few_stars():
    """A14: with about five stars the width is right to 3 %."""
    scenes = [measured(star_field(seed, 9)).psf for seed in range(6)]
    some = [psf for psf in scenes if psf.source == "stars"]
    assert len(some) >= 4
    assert {psf.n_stars for psf in some} & {3, 4, 5, 6}
    assert all(abs(psf.fwhm_px / 3.5 - 1) <= 0.03 for psf in some)
    assert all(("LOW_N" in psf.flags) == (psf.n_stars < 5) for psf in some)


@pytest.mark.parametrize(
    "knobs",
    [{"cosmics": 40}, {"hot": 1}, {"hot": 30}, {"saturated": 6}, {"galaxies": 25}],
    ids=["cosmic rays", "a hot pixel", "hot pixels", "saturated stars", "galaxies"],
)
def test_what_does_not_change_it(knobs):
    """A14: cosmic rays, hot pixels, saturated stars and galaxies change the width by at most 1 %."""
    for seed in (0, 1):
        spoilt = measured(star_field(seed, 60, shape=(389, 400), **knobs)).psf.fwhm_px
        assert spoilt == pytest.approx(plain_width(seed), rel=0.01)


@pytest.mark.parametrize("knobs", [{}, {"cosmics": 60, "hot": 20}], ids=["nothing", "only flaws"])
def test_without_stars_the_width_is_the_one_given(knobs):
    """A14: an image without stars has the fallback, and says so."""
    image = star_field(1, 0, **knobs)
    psf = measured(image, fallback_fwhm_px=3.1).psf
    assert (psf.source, psf.flags, psf.fwhm_px) == ("fallback", ("FALLBACK",), 3.1)
    assert np.isnan(psf.rms)
    assert measured(image).psf.fwhm_px == 2.5
    assert measured(image, model="gaussian").psf.psf.record()["model"] == "gaussian"


def test_the_exponent_and_the_profile():
    psf = measured(star_field(2, 80, beta=2.6)).psf
    assert psf.beta == pytest.approx(2.6, rel=0.06)
    assert psf.psf.fwhm_px == psf.fwhm_px
    assert psf.psf.record()["beta"] == psf.beta
    assert psf.rms == pytest.approx(1, abs=0.15)


def test_the_list_of_stars():
    psf = measured(star_field(2, 60)).psf
    assert psf.stars.dtype == STAR_TYPE
    assert psf.stars["is_used"].sum() == psf.n_stars
    assert (np.diff(psf.stars["flux_adu"][:5]) < 0).any()
    assert 0 < psf.fwhm_error_px < 0.02 * psf.fwhm_px


def test_a_gaussian_where_that_is_wished():
    image = star_field(3, 60, fwhm=3.0, beta=60.0)
    psf = measured(image, model="gaussian").psf
    assert np.isnan(psf.beta)
    assert psf.psf.record()["model"] == "gaussian"
    assert psf.fwhm_px == pytest.approx(3.0, rel=0.01)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("knobs", "most"),
    [({}, 0.01), ({"cosmics": 60}, 0.01), ({"galaxies": 40}, 0.01), ({"hot": 30}, 0.01), ({"saturated": 6}, 0.01)],
)
def test_width_over_many_scenes(knobs, most):
    """A14 in full: twenty scenes of 80 stars with each kind of flaw."""
    off = errors(80, range(20), **knobs)
    assert abs(off.mean()) <= most
    assert off.std() <= most
