"""The PSF built in process, against stars of known width."""

import numpy as np
import pytest
from tests.starfield import add_star, first_pass, fwhm_at, starfield

from lostlight.core.errors import TooFewSources
from lostlight.science.detect.psf_build import build_psf
from lostlight.science.detect.psf_model import shape_at
from lostlight.science.detect.psf_quality import Limits, faults
from lostlight.science.detect.psf_stars import StarRules, sample_of, select_stars

RULES = StarRules(min_snr=20, max_ellipticity=0.3, fwhm_range_px=(2, 10))


def build(field, image=None, degree=2, mask=None, size=25, **options):
    image = field.image if image is None else image
    found, sky = first_pass(image)
    chosen = select_stars(found, np.zeros(image.shape, bool) if mask is None else mask, RULES)
    built = build_psf(sky.subtracted, sky.rms_map_adu, sample_of(found, chosen), degree, size, **options)
    return built, found, chosen


@pytest.fixture(scope="module")
def field():
    return starfield(1)


@pytest.fixture(scope="module")
def built(field):
    return build(field)[0]


def test_the_width_follows_the_stars_over_the_image(field, built):
    ny, nx = field.image.shape
    x, y = np.array([0.1, 0.5, 0.9, 0.1]) * nx, np.array([0.1, 0.5, 0.9, 0.9]) * ny
    fwhm, ellipticity = shape_at(built.model, x, y)
    # A pixel widens a star: its variance of 1/12 px^2 adds to that of the core.
    truth = np.sqrt(fwhm_at(x, y, field.image.shape) ** 2 + 2.35482**2 / 12)
    assert fwhm == pytest.approx(truth, rel=0.04)
    assert fwhm[0] > fwhm[1]
    assert ellipticity.min() > 0.01
    assert ellipticity.max() < 0.05
    assert 0.8 < built.model.chi2 < 1.2
    assert built.model.n_accepted > 100


def test_the_same_stars_give_the_same_model(field, built):
    again = build(field)[0]
    assert np.array_equal(again.model.basis, built.model.basis)


def test_a_rich_field_is_thinned_evenly(field, built):
    thin, found, chosen = build(field, max_stars=70)
    assert thin.model.n_loaded == chosen.sum() > 100
    assert 50 < thin.model.n_accepted <= 70
    assert np.isfinite(thin.chi2).sum() <= 70
    flux = np.asarray(found["flux_aper_adu"][chosen])
    assert np.median(flux[thin.is_used]) == pytest.approx(np.median(flux), rel=0.15)
    x, y = np.array([180.0]), np.array([200.0])
    assert shape_at(thin.model, x, y)[0] == pytest.approx(shape_at(built.model, x, y)[0], rel=0.03)


def test_what_is_not_a_star_is_left_out(field, built):
    image = field.image.astype(float)
    rng = np.random.default_rng(5)
    for _ in range(12):  # galaxies of the size of stars plus 15 %, and bright
        add_star(image, rng.uniform(20, 340), rng.uniform(20, 380), 60_000, 3.5, beta=1.6)
    spoiled = build(field, image.astype(np.float32))[0]
    x, y = np.array([180.0]), np.array([200.0])
    assert shape_at(spoiled.model, x, y)[0] == pytest.approx(shape_at(built.model, x, y)[0], rel=0.03)


def test_selection_heeds_flags_masks_shape_and_neighbours(field):
    found, _ = first_pass(field.image)
    clear = select_stars(found, np.zeros(field.image.shape, bool), RULES)
    assert clear.sum() > 100
    masked = np.zeros(field.image.shape, bool)
    masked[:200] = True
    assert not np.any(select_stars(found, masked, RULES) & (found["y_px"] < 199))
    for column, value in (("extraction_flags", 4), ("elongation", 3.0), ("snr_win", 5.0), ("flux_radius_px", 9.0)):
        altered = found.copy()
        altered[column][clear] = value
        assert not select_stars(altered, np.zeros(field.image.shape, bool), RULES)[clear].any(), column
    crowded = found.copy()
    first, second = np.flatnonzero(clear)[:2]
    crowded["x_px"][second], crowded["y_px"][second] = crowded["x_px"][first] + 4, crowded["y_px"][first]
    crowded["flux_aper_adu"][second] = crowded["flux_aper_adu"][first]
    assert not select_stars(crowded, np.zeros(field.image.shape, bool), RULES)[[first, second]].any()


def test_too_few_stars_are_refused_with_numbers():
    field = starfield(2, shape=(151, 167), n_stars=6)
    with pytest.raises(TooFewSources) as error:
        build(field, degree=2)
    assert error.value.facts["needed"] == 8
    assert build(field, degree=0)[0].model.n_accepted >= 4


def test_faults_name_value_and_limit(built):
    shape = (401, 367)
    assert faults(built.model, shape, Limits(30, (0.5, 2), (2, 10))) == []
    assert "fewer than 500" in faults(built.model, shape, Limits(500, (0.5, 2), (2, 10)))[0]
    assert "chi-square" in faults(built.model, shape, Limits(30, (1.5, 2), (2, 10)))[0]
    assert "FWHM" in faults(built.model, shape, Limits(30, (0.5, 2), (4, 10)))[0]
