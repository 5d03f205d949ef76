"""SPREAD_MODEL and PSF flux, against sources of known shape and light."""

import numpy as np
import pytest
from tests.starfield import add_star, first_pass, starfield

from lostlight.science.detect.psf_build import build_psf
from lostlight.science.detect.psf_stars import StarRules, sample_of, select_stars
from lostlight.science.detect.spread import disc_cells, measure_psf


@pytest.fixture(scope="module")
def scene():
    """Image without background, noise, PSF and true positions of its stars."""
    field = starfield(7, widening=0.0, ellipticity=0.0)
    found, sky = first_pass(field.image)
    chosen = select_stars(found, np.zeros(field.image.shape, bool), StarRules(20, 0.3, (2, 10)))
    model = build_psf(sky.subtracted, sky.rms_adu, sample_of(found, chosen), 0, 25).model
    return sky, model, field


def test_stars_have_none_and_errors_tell_how_sure_that_is(scene):
    sky, model, field = scene
    inside = (field.stars["x_px"] > 12) & (field.stars["x_px"] < 354) & (field.stars["y_px"] > 12)
    stars = field.stars[inside & (field.stars["y_px"] < 388) & (field.stars["flux_adu"] < 30_000)]
    got = measure_psf(sky.subtracted, sky.rms_adu, stars["x_px"], stars["y_px"], model)
    pull = got["spread_model"] / got["spread_model_err"]
    assert abs(np.median(pull)) < 0.3
    assert 0.8 < 1.4826 * np.median(np.abs(pull)) < 1.25
    offset = np.hypot(got["x_psf_px"] - stars["x_px"], got["y_psf_px"] - stars["y_px"])
    assert np.quantile(offset, 0.9) < 0.2


def test_flux_is_right_within_its_error(scene):
    _, model, _ = scene
    rng = np.random.default_rng(2)
    image = rng.normal(0, 60, (300, 311)).astype(np.float32)
    x, y = (axis.ravel() + rng.uniform(-0.5, 0.5, 100) for axis in np.meshgrid(*[np.arange(20, 300, 28)] * 2))
    flux = 10 ** rng.uniform(3.6, 5, 100)
    for star in zip(x, y, flux, strict=True):
        add_star(image, *star, 3.0)
    got = measure_psf(image, 60.0, x + 0.3, y - 0.3, model)
    scale = np.median((got["flux_psf_adu"] / flux)[flux > 40_000])  # the model is per aperture flux
    assert scale == pytest.approx(1 / (model.at(0, 0).sum() * model.step_px**2), rel=0.05)
    pull = (got["flux_psf_adu"] / scale - flux) / np.hypot(got["flux_psf_err_adu"] / scale, 0.005 * flux)
    assert abs(np.median(pull)) < 0.3
    assert 0.8 < np.std(pull) < 1.25
    assert 0.8 < np.median(got["chi2_psf"]) < 1.2


def test_wider_is_positive_and_sharper_is_negative(scene):
    sky, model, _ = scene
    image = np.zeros((60, 141), np.float32)
    for x, width in zip((30, 70, 110), (2.4, 3.0, 3.8), strict=True):
        add_star(image, x + 0.3, 30.2, 40_000, width)
    got = measure_psf(image, sky.rms_adu, [30.0, 70.0, 110.0], [30.0, 30.0, 30.0], model)["spread_model"]
    assert got[0] < -0.005
    assert abs(got[1]) < 0.002
    assert got[2] > 0.005


@pytest.mark.parametrize("factor", [0.3, 10])
def test_it_does_not_depend_on_brightness_or_place(scene, factor):
    _, model, _ = scene
    image = np.zeros((57, 61), np.float32)
    add_star(image, 27.7, 30.2, 40_000, 3.6)
    one = measure_psf(image, 60.0, 27.0, 30.0, model)["spread_model"]
    assert measure_psf(image * np.float32(factor), 60.0, 27.0, 30.0, model)["spread_model"] == pytest.approx(
        one, abs=1e-6
    )
    moved = np.roll(image, (3, -5), axis=(0, 1))
    assert measure_psf(moved, 60.0, 22.0, 33.0, model)["spread_model"] == pytest.approx(one, abs=1e-5)


def test_edges_and_missing_pixels_cost_light_not_truth(scene):
    _, model, _ = scene
    image = np.zeros((41, 53), np.float32)
    add_star(image, 3.4, 20.2, 40_000, 3.0)
    add_star(image, 30.1, 20.4, 40_000, 3.0)
    whole = measure_psf(image, 60.0, [30.0], [20.0], model)
    image[23:25, 28:33] = np.nan
    got = measure_psf(image, 60.0, [3.0, 30.0, 52.0], [20.0, 20.0, 40.0], model)
    assert np.all(np.isfinite(got["spread_model"][:2]))
    assert got["flux_psf_adu"][:2] == pytest.approx(whole["flux_psf_adu"][0], rel=0.02)
    empty = measure_psf(np.full((9, 9), np.nan, np.float32), 60.0, [4.0], [4.0], model)
    assert np.isnan(empty["spread_model"][0])
    assert np.isnan(empty["chi2_psf"][0])
    assert len(measure_psf(image, 60.0, [], [], model)["spread_model"]) == 0


def test_noise_of_the_source_lowers_the_weight_of_its_core(scene):
    sky, model, field = scene
    star = field.stars[[int(np.argmax(field.stars["flux_adu"]))]]
    quiet = measure_psf(sky.subtracted, sky.rms_adu, star["x_px"], star["y_px"], model)
    noisy = measure_psf(sky.subtracted, sky.rms_adu, star["x_px"], star["y_px"], model, gain=0.05)
    assert noisy["flux_psf_err_adu"][0] > 2 * quiet["flux_psf_err_adu"][0]
    assert noisy["flux_psf_adu"][0] == pytest.approx(quiet["flux_psf_adu"][0], rel=0.02)


def test_the_disc_holds_its_light_in_cells():
    for scale in (0.2, 0.3, 2.0):
        cells = disc_cells(scale)
        axis = np.arange(len(cells)) - len(cells) // 2
        assert cells.sum() == pytest.approx(1)
        if scale == 2.0:  # the second moment of the disc per axis, 3 scale^2, and that of a cell
            assert (cells * axis**2).sum() == pytest.approx(3 * scale**2 + 1 / 12, rel=0.01)
