"""Planted flaws of a simulated camera are found: hot and cold pixels, cosmic rays, another dark, a wrong flat."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, median_filter

from lostlight.science.calibrate.cosmics import find_cosmics
from lostlight.science.calibrate.dark_scale import optimise
from lostlight.science.calibrate.hot import map_of_flat, map_of_master
from lostlight.science.calibrate.over_correction import correction
from lostlight.sim.camera import Camera
from lostlight.sim.camera_design import Scene
from lostlight.vocab.bits import dq

SHAPE = (384, 512)
GAIN, RDNOISE = 1.5, 5.0


def mean_of(raws):
    return np.mean([raw.data for raw in raws], axis=0, dtype=np.float64).astype(np.float32)


def recall_and_precision(found, true):
    return (found & true).sum() / true.sum(), (found & true).sum() / found.sum()


def test_hot_pixels_of_a_master_dark_are_all_found_and_no_others():
    camera = Camera(41, SHAPE, hot_fraction=3e-3, hot_e_s=(0.3, 100.0), rts_fraction=0, cosmics_s_mpx=0, bad_columns=0)
    master = mean_of([camera.dark(i) for i in range(10)])
    truth_adu = camera.truth.bias_adu + 120 * (camera.truth.dark_e_s() + camera.truth.glow_e_s) / GAIN
    # What stands out is told by the pattern and the noise that a hot pixel has to beat.
    excess = truth_adu - median_filter(truth_adu, 5)
    width = np.hypot(excess[~camera.truth.hot].std(), RDNOISE / GAIN / np.sqrt(10))
    found = map_of_master(master, 6.0, None) & dq("HOT") > 0
    recall, _ = recall_and_precision(found, camera.truth.hot & (excess > 7 * width))
    _, precision = recall_and_precision(found, camera.truth.hot | (excess > 4 * width))
    assert recall >= 0.995
    assert precision >= 0.995


def test_cold_pixels_and_dead_columns_are_found_in_the_flat():
    camera = Camera(42, SHAPE, cold_fraction=1e-3, bad_columns=0)
    bias = camera.truth.bias_adu
    found = map_of_flat((mean_of([camera.flat(i) for i in range(5)]) - bias).astype(np.float32)) & dq("COLD") > 0
    assert recall_and_precision(found, camera.truth.cold) == (1, 1)


@pytest.mark.parametrize("k", [0.3, 0.6, 1.0, 1.5, 1.9])
def test_the_factor_of_a_dark_is_found_to_a_percent(k):
    camera = Camera(43, (512, 700), hot_fraction=3e-3, scene=Scene(n_stars=100))
    bias = camera.truth.bias_adu.astype(np.float32)
    dark = np.median([camera.dark(i).data for i in range(5)], axis=0).astype(np.float32) - bias
    light = camera.light(0, exptime_s=120 * k).data - bias
    dark_noise = np.sqrt(1.435 / 5 * ((RDNOISE / GAIN) ** 2 + np.maximum(dark, 0) / GAIN))
    light_noise = np.sqrt((RDNOISE / GAIN) ** 2 + np.maximum(light, 0) / GAIN)
    scale = optimise(light, dark, light_noise, dark_noise, GAIN)
    assert scale.ok
    assert abs(scale.k - k) / k <= 0.01


@pytest.mark.parametrize(("fwhm_px", "most_stars_lost"), [(3.5, 0.015), (2.5, 0.015), (1.8, 0.025)])
def test_cosmic_rays_are_found_on_one_light_and_stars_are_spared(fwhm_px, most_stars_lost):
    scene = Scene(n_stars=400, fwhm_px=fwhm_px)
    camera = Camera(44, (512, 700), scene=scene, cosmics_s_mpx=2.0, hot_fraction=0, rts_fraction=0, dark_e_s=0.0)
    raw = camera.light(0)
    light = ((raw.data - camera.truth.bias_adu) / camera.truth.flat("R")).astype(np.float32)
    noise = np.sqrt((RDNOISE / GAIN) ** 2 + np.maximum(light, 0) / GAIN)
    bad = camera.truth.cold | (raw.data > 60_000)
    found = find_cosmics(light, noise, np.where(bad, dq("BAD"), 0).astype(np.uint16), "light").hit
    strong = (raw.truth.cosmic_e / GAIN > 5 * noise) & ~bad
    # The search grows what it finds by a pixel, on purpose: what touches a ray is not held against it.
    touched = binary_dilation(raw.truth.cosmic, np.ones((3, 3)))
    cores = star_cores(raw) & ~touched & ~bad
    assert (found & strong).sum() / strong.sum() >= 0.95
    assert (found & touched).sum() / found.sum() >= 0.85
    assert (found & cores).sum() / cores.sum() <= most_stars_lost


def star_cores(raw):
    stars = raw.truth.stars[raw.truth.stars["flux_e"] > 3e3]
    cores = np.zeros(raw.data.shape, bool)
    cores[np.rint(stars["y_px"]).astype(int), np.rint(stars["x_px"]).astype(int)] = True
    return cores


@pytest.mark.parametrize(("error_adu", "is_wrong"), [(0.0, False), (100.0, True), (-100.0, True)])
def test_a_pedestal_left_in_a_light_shows_as_a_flat_that_corrects_wrongly(error_adu, is_wrong):
    camera = Camera(45, (512, 700), scene=Scene(sky_e_s=12.5, gradient=0.05), vignetting=0.4)
    flat = camera.truth.flat("R")
    good = ~camera.truth.cold & ~camera.truth.hot
    raw = camera.light(0)
    dark = camera.truth.bias_adu + 120 * (camera.truth.dark_e_s() + camera.truth.glow_e_s) / GAIN
    light = (raw.data - dark + error_adu) / flat
    found = correction(light, flat, good)
    assert found.is_wrong == is_wrong
    # A level of so much more than the sky shows the flat upside down by its share.
    assert found.slope == pytest.approx(-error_adu / (1000 + error_adu), abs=0.03)
