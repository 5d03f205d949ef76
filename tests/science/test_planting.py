"""Artificial stars against real ones of the same plate."""

import numpy as np
import pytest
from tests.starfield import first_pass, starfield

from lostlight.core.errors import TooFewSources
from lostlight.science.detect.psf_build import build_psf
from lostlight.science.detect.psf_stars import StarRules, sample_of, select_stars
from lostlight.science.detect.spread import measure_psf
from lostlight.science.vet import planting
from lostlight.science.vet.response import Response, fit_response

PLATE = Response(headroom_adu=11_000.0, half=3.0, contrast=1.8)
NOISE_ADU = 60.0


def rng(seed=0):
    return np.random.default_rng(seed)


def measured(log_flux, develop, headroom_adu):
    """An image that answers light as `develop` does, and what was measured on it."""
    field = starfield(
        4, shape=(523, 607), n_stars=330, widening=0.05, log_flux=log_flux, rms_adu=NOISE_ADU, develop=develop
    )
    found, sky = first_pass(field.image, saturation_adu=13_500)
    chosen = select_stars(found, np.zeros(field.image.shape, bool), StarRules(20, 0.3, (2, 10)))
    psf = build_psf(sky.subtracted, sky.rms_map_adu, sample_of(found, chosen), 1, 25).model
    clear = (found["extraction_flags"] == 0) & (found["snr_win"] > 30)
    flux, peak = (np.asarray(found[name][clear], float) for name in ("flux_aper_adu", "flux_max_adu"))
    response, psf_flux_adu = fit_response(flux, peak, psf, headroom_adu)
    return planting.Tile(field.image, sky.level_adu, sky.rms_map_adu, psf, psf_flux_adu, response)


@pytest.fixture(scope="module")
def tile():
    """A photographic plate."""
    return measured((0.3, 2.0), PLATE.density, PLATE.headroom_adu)


def test_an_electronic_detector_answers_in_proportion():
    camera = measured((3.6, 5.0), lambda light: light, 9000.0)
    density = np.array([200.0, 1000.0, 4000.0, 8000.0])
    light = camera.response.light(density)
    assert density / light == pytest.approx(np.full(4, (density / light).mean()), rel=0.12)


def test_density_and_light_are_each_others_inverse():
    light = np.geomspace(0.01, 100, 30)
    assert PLATE.light(PLATE.density(light)) == pytest.approx(light, rel=1e-6)
    assert PLATE.density(0) == pytest.approx(0)
    assert PLATE.density(1e9) == pytest.approx(PLATE.headroom_adu, rel=1e-3)
    assert PLATE.light(-500.0) == 0


def test_the_response_of_the_plate_is_found(tile):
    light = np.array([0.1, 0.3, 1.0, 3.0, 8.0])
    # The scale of light is free, so curves are compared at equal density in the middle.
    got, truth = tile.response, PLATE
    unit = got.light(truth.density(1.0))
    assert got.density(unit * light) == pytest.approx(truth.density(light), rel=0.2)
    assert got.contrast > 1.2


def test_artificial_stars_look_like_real_ones_of_their_brightness(tile):
    x, y = planting.draw_positions(rng(1), 150, np.zeros(tile.image.shape, bool), 22)
    stars, light = planting.draw_stars(rng(2), tile, x, y, (15, 200))
    twin = planting.plant(rng(3), tile, stars, light)
    real, _ = first_pass(tile.image, saturation_adu=13_500)
    both, sky = first_pass(twin, saturation_adu=13_500)
    spread = measure_psf(sky.subtracted, sky.rms_adu, both["x_px"], both["y_px"], tile.psf)["spread_model"]
    distance = np.hypot(both["x_px"] - stars.x_px[:, None], both["y_px"] - stars.y_px[:, None]).min(axis=0)
    artificial, clean = distance < 1.5, both["extraction_flags"] == 0
    assert np.count_nonzero(artificial) > 100
    assert len(real) > 200
    for low, high in ((20, 50), (50, 100), (100, 180)):
        inside = clean & (both["snr_win"] > low) & (both["snr_win"] < high)
        ours, theirs = inside & artificial, inside & ~artificial
        assert min(ours.sum(), theirs.sum()) > 8
        assert np.median(both["fwhm_px"][ours]) == pytest.approx(np.median(both["fwhm_px"][theirs]), rel=0.06)
        assert np.median(spread[ours]) == pytest.approx(np.median(spread[theirs]), abs=0.003)


def test_signal_to_noise_and_flux_are_what_is_measured(tile):
    x, y = planting.draw_positions(rng(5), 60, np.zeros(tile.image.shape, bool), 40)
    empty = planting.Tile(
        rng(6).normal(3800, NOISE_ADU, tile.image.shape).astype(np.float32), np.full(tile.image.shape, 3800.0),
        np.full(tile.image.shape, NOISE_ADU), tile.psf, tile.psf_flux_adu, tile.response,
    )  # fmt: skip
    stars, light = planting.draw_stars(rng(7), empty, x, y, (10, 150))
    assert stars.snr.min() > 8
    assert stars.snr.max() < 180
    twin = planting.plant(rng(8), empty, stars, light)
    found, _ = first_pass(twin)
    number = np.hypot(found["x_px"] - x[:, None], found["y_px"] - y[:, None]).argmin(axis=1)
    bright = stars.snr > 25
    assert np.median(found["flux_auto_adu"][number[bright]] / stars.flux_adu[bright]) == pytest.approx(1, abs=0.06)
    assert np.median(found["snr_win"][number[bright]] / stars.snr[bright]) == pytest.approx(1, abs=0.12)


def test_nothing_changes_away_from_the_stars_and_nothing_exceeds_the_shoulder(tile):
    x, y = np.array([300.0, 301.4]), np.array([200.0, 260.2])
    stars, light = planting.draw_stars(rng(1), tile, x, y, (100, 150))
    twin = planting.plant(rng(2), tile, stars, 50 * light)
    changed = np.argwhere(twin != tile.image)
    assert np.abs(changed - [230, 300]).max() < 45
    assert twin.max() < tile.level_adu.max() + PLATE.headroom_adu + 20 * NOISE_ADU
    assert twin.dtype == np.float32


def test_grain_of_the_added_density_is_selwyns():
    shape = (220, 240)
    level, sky_rms = 4000.0, 50.0
    noise = planting._grain(rng(1), shape, 0.8) * sky_rms
    blur = planting.grain_blur(noise, np.full(shape, sky_rms))
    assert blur == pytest.approx(0.8, rel=0.15)
    assert np.std(noise) == pytest.approx(sky_rms, rel=0.05)
    response = Response(10_000.0)
    flat = planting.Tile(
        np.full(shape, level, np.float32), np.full(shape, level), np.full(shape, sky_rms), None, 1, response
    )
    light = np.full((1, 101, 101), response.light(4000.0))
    stars = planting.Stars(np.array([110.0]), np.array([110.0]), np.array([1.0]), np.array([1.0]))
    twin = planting.plant(rng(2), flat, stars, light)[70:150, 70:150]
    assert twin.mean() == pytest.approx(8000, rel=0.01)
    # Twice the density has twice the variance; the flat sky of this test brings none of its own.
    assert twin.std() == pytest.approx(sky_rms, rel=0.1)


def test_positions_are_even_apart_and_off_the_mask():
    masked = np.zeros((401, 523), bool)
    masked[:, 260:] = True
    masked[100:140] = True
    x, y = planting.draw_positions(rng(3), 150, masked, 14)
    assert not masked[np.rint(y).astype(int), np.rint(x).astype(int)].any()
    distance = np.hypot(x - x[:, None], y - y[:, None]) + 1e9 * np.eye(len(x))
    assert distance.min() >= 14
    assert np.mean(y > 270) == pytest.approx(118 / 337, abs=0.12)
    assert np.array_equal(planting.draw_positions(rng(3), 150, masked, 14)[0], x)


def test_there_is_room_for_what_room_is_promised_for():
    masked = np.zeros((301, 299), bool)
    n = planting.room_for(masked, 12)
    assert 100 < n < 0.25 * 301 * 299 / (np.pi * 36)
    assert len(planting.draw_positions(rng(1), n, masked, 12)[0]) == n
    with pytest.raises(TooFewSources, match="room for"):
        planting.draw_positions(rng(1), 6 * n, masked, 12)


def test_few_stars_give_a_soft_shoulder_alone(tile):
    response, _ = fit_response(np.array([1e4, 2e4]), np.array([2e3, 4e3]), tile.psf, 9000.0)
    assert response == Response(9000.0)
    faint, bright = response.density(0.01), response.density(0.02)
    assert bright == pytest.approx(2 * faint, rel=0.01)
