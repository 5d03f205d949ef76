"""The sky of an image is found under stars and slopes, and sources keep their light."""

import numpy as np
import pytest
import sep
from tests.epoch_field import SIGMA, star_field

from lostlight.core.errors import BadImage
from lostlight.science.epochs.background import cell_side, level, sky_mesh
from lostlight.sim.mosaics_light import add_stars


def slope(shape):
    y, x = np.indices(shape)
    return 40 * x / shape[1] + 10 * np.sin(3 * y / shape[0])


def none_bad(image):
    return np.zeros(image.shape, bool)


@pytest.mark.parametrize("shape", [(512, 487), (257, 321)])
@pytest.mark.parametrize("seed", [1, 2])
def test_what_is_left_of_a_slope(shape, seed):
    """A15: residual of the sky at most 0.15 sigma on a slope of 40 adu with stars."""
    n = round(80 * shape[0] * shape[1] / 512**2)
    image = (star_field(seed, n, shape=shape) + slope(shape)).astype(np.float32)
    sky = sky_mesh(image, none_bad(image))
    rest = sky.level_map - slope(shape) - 200
    assert np.sqrt(np.mean(rest**2)) <= 0.15 * SIGMA
    assert np.median(sky.rms_mesh) == pytest.approx(SIGMA, rel=0.04)


@pytest.mark.parametrize("mesh_px", [64, 32])
def test_a_point_keeps_its_flux(mesh_px):
    """A15: a point of signal to noise 20 loses at most 0.5 % of its flux to the sky."""
    fwhm, changes = 2.5, []
    image = star_field(3, 40, shape=(257, 321), fwhm=fwhm)
    before = sky_mesh(image, none_bad(image), mesh_px).level_map
    rng = np.random.default_rng(4)
    for _ in range(12):
        profile = np.zeros(image.shape)
        add_stars(profile, *rng.uniform([[20], [20]], [[300], [236]]), np.ones(1), (fwhm, fwhm), 3.0)
        flux = 20 * SIGMA / np.sqrt(np.sum(profile**2))
        after = sky_mesh((image + flux * profile).astype(np.float32), none_bad(image), mesh_px).level_map
        changes.append(np.sum(profile * (before - after)) / np.sum(profile**2) / flux)
    assert abs(np.mean(changes)) <= 0.005
    assert np.max(np.abs(changes)) <= 0.01


def test_few_photons_leave_no_offset():
    """The mode of Poisson noise lies below its mean; a search that adds up pixels would take that for light."""
    levels = []
    for seed in range(6):
        image = (np.random.default_rng(seed).poisson(30, (257, 321)) / 0.5).astype(np.float32)
        levels.append(sky_mesh(image, none_bad(image)).level_map.mean())
    assert np.mean(levels) == pytest.approx(60, abs=0.003 * np.sqrt(30) / 0.5)


def test_the_mask_of_a_bright_star_covers_its_wings():
    """Beyond it there is less than the noise of a pixel; that of a faint one stays small."""
    light = np.zeros((181, 203))
    add_stars(light, np.array([60.2, 150.0]), np.array([90.4, 60.0]), np.array([2e6, 3e3]), (3.0, 3.0), 3.0)
    image = (light + np.random.default_rng(1).normal(200, SIGMA, light.shape)).astype(np.float32)
    sources = sky_mesh(image, none_bad(image)).sources
    assert light[~sources].max() < SIGMA
    assert 60 < sources[40:80, 130:170].sum() < 250


def test_the_smooth_image_is_the_one_of_the_library():
    """Within the outermost nodes it is SEP's own spline."""
    image = (star_field(5, 20, shape=(256, 320)) + slope((256, 320))).astype(np.float32)
    theirs = sep.Background(image, bw=64, bh=64, fw=3, fh=3).back()
    middles = np.ix_(np.arange(4) * 64 + 31, np.arange(5) * 64 + 31)
    ours = level((theirs[middles] + theirs[middles[0] + 1, middles[1] + 1]) / 2, image.shape)
    inner = np.s_[32:224, 32:288]
    np.testing.assert_allclose(ours[inner], theirs[inner], atol=0.2)


def test_a_mesh_is_a_plane_where_its_values_are():
    plane = level(np.array([[1.0, 3.0], [2.0, 4.0], [3.0, 5.0]], np.float32), (30, 20))
    y, x = np.indices((30, 20))
    np.testing.assert_allclose(plane, 1 + (y - 4.5) / 10 + 2 * (x - 4.5) / 10, atol=1e-5)


@pytest.mark.parametrize(
    ("n", "side"), [(64, 64), (70, 70), (90, 45), (128, 64), (256, 64), (320, 64), (321, 65), (1, 1)]
)
def test_cells_fill_an_axis(n, side):
    assert cell_side(n, 64) == side


def test_no_mesh_takes_nothing_off():
    image = star_field(6, 10, shape=(97, 101)) - 200
    sky = sky_mesh(image, none_bad(image), 0)
    assert not sky.level_map.any()
    assert sky.sources.any()
    assert sky.rms_mesh.item() == pytest.approx(SIGMA, rel=0.08)


def test_bad_pixels_say_nothing():
    image = star_field(7, 20, shape=(150, 131))
    bad = none_bad(image)
    bad[40:70, 30:90] = True
    spoilt = image.copy()
    spoilt[bad] = 9e4
    spoilt[100, 100] = np.nan
    clean = sky_mesh(image, bad).level_map
    assert np.abs(sky_mesh(spoilt, bad).level_map - clean).max() < 0.1 * SIGMA


def test_an_image_full_of_sources_has_a_sky_still():
    y, x = np.indices((70, 75))
    image = (1000 + 500 * np.sin(x / 2) * np.sin(y / 2) + np.random.default_rng(1).normal(0, 1, x.shape)).astype("f4")
    assert np.isfinite(sky_mesh(image, none_bad(image), detect_sigma=1.0).level_map).all()


def test_images_without_a_sky():
    with pytest.raises(BadImage, match="no pixel of the image is good"):
        sky_mesh(np.ones((20, 21), np.float32), np.ones((20, 21), bool))
    with pytest.raises(BadImage, match="no noise: its pixels are 7 adu"):
        sky_mesh(np.full((80, 91), 7, np.float32), np.zeros((80, 91), bool))
