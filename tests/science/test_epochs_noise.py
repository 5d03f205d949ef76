"""The noise of an image is measured under its sources, and a variance plane is believed only if it is true."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lostlight.core.errors import BadImage
from lostlight.science.epochs.noise import correlation, noise_of, scatter

SHAPE = (131, 157)


@pytest.fixture
def sky():
    """White noise of 5 adu, with a source and a few bad pixels."""
    light = np.random.default_rng(1).normal(0.7, 5, SHAPE).astype(np.float32)
    sources, bad = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    sources[20:60, 30:90] = True
    light[sources] += 400
    bad[100:103] = True
    light[bad] = -9999
    return {"light": light, "rms_map": np.full(SHAPE, 5.3, np.float32), "bad": bad, "sources": sources}


def test_sigma_is_that_of_the_sky(sky):
    noise = noise_of(**sky)
    assert noise.sigma_adu == pytest.approx(5, rel=0.02)
    assert np.sqrt(noise.variance[50, 50]) == pytest.approx(5, rel=0.02)
    assert np.isnan(noise.variance[sky["bad"]]).all()
    assert not noise.from_plane
    assert noise.note == ""
    assert abs(noise.lag_x) < 0.03
    assert abs(noise.lag_y) < 0.03


def test_noise_follows_the_map(sky):
    rise = np.linspace(1, 2, SHAPE[1], dtype=np.float32)
    light = np.where(sky["sources"] | sky["bad"], sky["light"], sky["light"] * rise)
    noise = noise_of(light, 2 * np.broadcast_to(rise, SHAPE), sky["bad"], sky["sources"])
    np.testing.assert_allclose(np.sqrt(noise.variance[5]), 5 * rise, rtol=0.03)


@pytest.mark.parametrize("claimed", [4.2, 5.0, 5.9])
def test_a_true_variance_plane_is_taken(sky, claimed):
    plane = np.full(SHAPE, claimed**2, np.float32)
    noise = noise_of(**sky, variance=plane)
    assert noise.from_plane
    assert noise.variance[5, 5] == np.float32(claimed**2)
    assert noise.sigma_adu == pytest.approx(5, rel=0.02)


@pytest.mark.parametrize(
    ("plane", "said"),
    [(0.0, "not positive at 100%"), (-1.0, "not positive"), (np.nan, "not positive"), (49.0, "says 7 adu, the sky")],
)
def test_a_false_one_is_not(sky, plane, said):
    noise = noise_of(**sky, variance=np.full(SHAPE, plane, np.float32))
    assert not noise.from_plane
    assert said in noise.note
    assert np.sqrt(noise.variance[5, 5]) == pytest.approx(5, rel=0.02)


def test_neighbours_that_share_their_noise():
    """Smoothed white noise of width s has a correlation exp(-1 / 4 s^2) with its neighbours."""
    smooth = gaussian_filter(np.random.default_rng(2).standard_normal((400, 411)), (0, 0.8), truncate=6)
    along_x, along_y = correlation(smooth.astype(np.float32), np.ones(smooth.shape, bool))
    assert along_x == pytest.approx(np.exp(-1 / (4 * 0.8**2)), abs=0.03)
    assert along_y == pytest.approx(0, abs=0.01)


def test_haloes_and_slopes_are_no_correlation():
    y, x = np.indices((200, 211))
    halo = 8 * np.exp(-np.hypot(x - 90, y - 80) / 40)
    noise = np.random.default_rng(5).standard_normal(halo.shape)
    assert correlation((noise + halo).astype(np.float32), np.ones(halo.shape, bool)) == pytest.approx((0, 0), abs=0.05)


def test_scatter_knows_where_the_middle_is():
    """An offset changes nothing, and outliers hardly anything."""
    values = np.random.default_rng(3).normal(0, 2, 20_001)
    assert scatter(values + 7) == pytest.approx(2, rel=0.02)
    values[:400] = 1e6
    assert scatter(values) == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("step", [0.01, 1.0, 2.0, 4.0])
def test_whole_counts_scatter_as_what_they_were_made_of(step):
    """Rounding to steps adds a twelfth of their square."""
    values = step * np.round(np.random.default_rng(3).normal(0.3, 2, 40_001) / step)
    values[:100] = 500
    assert scatter(values) == pytest.approx(np.sqrt(4 + step**2 / 12), rel=0.1)


def test_an_image_full_of_sources_is_measured_on_them(sky):
    noise = noise_of(sky["light"], sky["rms_map"], sky["bad"], np.ones(SHAPE, bool))
    assert noise.sigma_adu > 0


def test_images_without_noise(sky):
    with pytest.raises(BadImage, match="only 0 pixels"):
        noise_of(sky["light"], sky["rms_map"], np.ones(SHAPE, bool), sky["sources"])
    with pytest.raises(BadImage, match="nearly all pixels of the image are equal"):
        noise_of(np.ones(SHAPE, np.float32), sky["rms_map"], sky["bad"], sky["sources"])


def test_without_pairs_there_is_no_correlation():
    good = (np.indices((9, 11)).sum(axis=0) % 2) == 0
    assert correlation(np.random.default_rng(4).standard_normal((9, 11)), good) == (0.0, 0.0)
