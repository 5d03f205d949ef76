"""Stars, widths and noise of single frames against what was planted."""

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.stats import norm

from lostlight.science.mosaic.frame import noise, profile, shapes, star_mask, stars
from lostlight.science.mosaic.frame.measure import Measured, measure
from lostlight.sim.mosaics import Scene
from lostlight.sim.mosaics_design import MosaicDesign
from lostlight.sim.mosaics_light import add_stars

SHAPE = 307, 411


def sparse(fwhm, *, beta=None, sigma=5.0, seed=1, axes=(1.0, 1.0)):
    """Stars on a lattice, each at its own place between the pixels; (1, ny, nx) and x, y, flux."""
    rng = np.random.default_rng(seed)
    y, x = (v.ravel() + rng.uniform(-5, 5, v.size) for v in np.mgrid[30:280:45, 30:390:45])
    flux = 10 ** rng.uniform(3.7, 4.9, x.size)
    image = np.zeros(SHAPE)
    add_stars(image, x, y, flux, (fwhm * axes[0], fwhm * axes[1]), beta)
    image += 300 + rng.normal(0, sigma, SHAPE)
    return image[None].astype(np.float32), x, y, flux


def matched(found, x, y):
    return cKDTree(np.stack([x, y], axis=1)).query(np.stack([found.x, found.y], axis=1))


@pytest.mark.parametrize("fwhm", [1.8, 2.6, 4.3, 8.0])
def test_width_place_and_flux_of_gaussian_stars(fwhm):
    data, x, y, flux = sparse(fwhm)
    found = measure(data)
    distance, which = matched(found.stars, x, y)
    assert found.n_stars >= 0.5 * len(x)
    assert distance.max() < 0.5
    assert np.median(distance) < 0.05
    assert found.fwhm_px == pytest.approx(fwhm, rel=0.03)
    assert found.elongation < 1.08
    assert np.median(found.stars.flux / flux[which]) == pytest.approx(1, abs=0.015)
    assert found.sigma[0] == pytest.approx(5, rel=0.03)
    assert found.status == ""


@pytest.mark.parametrize("beta", [2.5, 4.0])
@pytest.mark.parametrize("fwhm", [2.2, 4.3])
def test_wings_do_not_widen_the_half_maximum(fwhm, beta):
    assert measure(sparse(fwhm, beta=beta)[0]).fwhm_px == pytest.approx(fwhm, rel=0.04)


def test_trailed_stars_are_stars_and_elongated():
    found = measure(sparse(3.0, axes=(1.0, 2.0))[0])
    assert found.n_stars > 20
    assert found.elongation == pytest.approx(2.0, rel=0.05)
    assert found.fwhm_px == pytest.approx(3.0 * np.sqrt(2), rel=0.04)


def test_the_profile_of_too_few_or_of_nothing_is_gaussian():
    light = np.zeros(SHAPE, np.float32)
    assert profile.half_light_factor(light, np.empty((0, 7))) == 1
    beside = np.tile([-500.0, -500.0, 4, 4, 0, 100, 1], (9, 1))
    assert profile.half_light_factor(light, beside) == 1


def test_hot_pixels_and_cosmic_rays_are_no_stars():
    design = MosaicDesign(layout=(1, 1), tile_px=(500, 633), n_stars=200, nebula=0, cosmics=200, hot_px=500)
    scene = Scene(3, design)
    found = measure(scene.frames[0].data[None], 60_000.0)
    x, y = scene.truth.frames[0].star_pixels()
    distance, _ = matched(found.stars, x, y)
    assert found.n_stars > 20
    assert np.count_nonzero(distance > 1.5) <= 1
    assert found.fwhm_px == pytest.approx(scene.truth.frames[0].fwhm_px, rel=0.04)


def test_saturated_stars_are_found_in_any_channel():
    data, x, y, _ = sparse(2.6)
    colours = np.concatenate([data, data, data])
    colours[2, round(y[7]) - 1 : round(y[7]) + 2, round(x[7]) - 1 : round(x[7]) + 2] = 50_000
    for limit, there in ((None, True), (60_000.0, False)):
        distance = np.hypot(*(measure(colours, limit).stars.x - x[7], measure(colours, limit).stars.y - y[7]))
        assert (distance.min() < 2) == there or limit is None
    assert measure(colours, 60_000.0).n_stars >= 0.5 * len(x)
    assert len(measure(colours).sigma) == 3


def test_noise_of_a_nebula_slope_and_of_whole_counts():
    rng = np.random.default_rng(2)
    ramp = np.linspace(0, 4000, 500)[:, None] + np.linspace(0, 3000, 400)
    for sigma in (0.8, 1.1, 3.0):
        fine = ramp + rng.normal(0, sigma, ramp.shape)
        assert noise.pixel_noise(fine[None].astype(np.float32))[0] == pytest.approx(sigma, rel=0.02)
        whole = np.rint(100 + rng.normal(0, sigma, ramp.shape))
        digitised = np.sqrt(sigma**2 + 1 / 12)
        assert noise.pixel_noise(whole[None].astype(np.float32))[0] == pytest.approx(digitised, rel=0.06)


def test_noise_leaves_out_stars_unless_they_are_everywhere():
    rng = np.random.default_rng(2)
    plane = rng.normal(0, 2, (300, 200)).astype(np.float32)
    plane[:, :90] *= 10
    starry = np.zeros(plane.shape, bool)
    starry[:, :90] = True
    assert noise.pixel_noise(plane[None], starry)[0] == pytest.approx(2, rel=0.03)
    assert noise.pixel_noise(plane[None], np.ones_like(starry))[0] > 3


def test_more_than_half_of_the_pixels_alike():
    plane = np.zeros((50, 60), np.float32)
    plane[:10] = np.random.default_rng(1).normal(0, 3, (10, 60))
    assert noise.pixel_noise(plane[None])[0] > 0


def test_grouped_median():
    assert np.isnan(noise.grouped_median(np.empty(0)))
    assert noise.grouped_median(np.array([1.0, 2.0, 4.0])) == 2
    assert noise.grouped_median(np.array([3.0, 3.0, 3.0])) == 3
    draws = np.rint(norm.rvs(size=20_000, random_state=3) + 0.3)
    assert noise.grouped_median(draws) == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (np.full((1, 31, 40), np.nan), "no valid pixel"),
        (np.full((3, 31, 40), 7.0), "constant"),
        (np.zeros((1, 1, 1)), "too few"),
        (np.where(np.arange(1200).reshape(1, 30, 40) == 77, 5.0, np.nan), "too few"),
    ],
)
def test_frames_with_nothing_on_them(data, status):
    found = measure(data.astype(np.float32))
    assert (found.n_stars, len(found.stars)) == (0, 0)
    assert np.isnan(found.fwhm_px)
    assert found.status.startswith(status)
    assert not (found.sigma > 0).any()


def test_blank_pixels_and_borders_do_not_matter():
    data, x, y, _ = sparse(2.6)
    data[:, :, :20] = np.nan
    data[:, 100:103] = np.nan
    found = measure(data)
    distance, _ = matched(found.stars, x, y)
    assert found.n_stars > 15
    assert distance.max() < 0.5
    assert found.fwhm_px == pytest.approx(2.6, rel=0.03)


def test_a_field_more_crowded_than_the_work_space():
    rng = np.random.default_rng(5)
    image = rng.normal(0, 1, (700, 900)).astype(np.float32)
    image[:, ::2] += 1e5 * (rng.random((700, 450)) > 0.4)
    assert measure(image[None]).n_stars >= 0


def test_other_trouble_of_the_extraction_is_not_hidden(monkeypatch):
    def broken(*_args, **_kwargs):
        raise RuntimeError("something else")

    monkeypatch.setattr(stars.sep, "extract", broken)
    with pytest.raises(RuntimeError, match="something else"):
        measure(sparse(2.6)[0])


def test_kept_and_taken_back():
    found = measure(sparse(2.6)[0])
    again = Measured.of(found.arrays())
    for name, values in found.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], values)
    assert isinstance(again.status, str)


def test_half_sample_mode_finds_the_crowd_among_the_scattered():
    rng = np.random.default_rng(1)
    values = np.concatenate([rng.normal(3, 0.05, 60), rng.uniform(0, 10, 55)])
    assert stars.half_sample_mode(values) == pytest.approx(3, abs=0.15)
    assert stars.half_sample_mode(np.array([4.0])) == 4


def test_compiled_moments_are_those_written_down():
    data, x, y, _ = sparse(2.6)
    light = data[0] - np.float32(300)
    compiled = shapes.moments(light, x[:3], y[:3], np.full(3, 1.2))
    plain = [shapes._one_star.py_func(light, x[k], y[k], 1.2) for k in range(3)]
    np.testing.assert_allclose(compiled, plain, rtol=1e-9)
    sums = shapes._sums.py_func(light, x[0], y[0], 2.0, 1.5, 0.2)
    np.testing.assert_allclose(sums, shapes._sums(light, x[0], y[0], 2.0, 1.5, 0.2), rtol=1e-9)
    stacked = profile._stacked.py_func(light, compiled)
    np.testing.assert_allclose(stacked, profile._stacked(light, compiled), rtol=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "sigma"),
    [(200.5, 150.2, 1.0), (150.0, 100.0, 1.0), (52.0, 50.0, 1.0)],
    ids=["empty sky", "lone pixel", "beside a star"],
)
def test_what_is_no_star_has_no_moments(x, y, sigma):
    light = np.zeros(SHAPE, np.float32)
    light[100, 150] = 1e4
    light[150, 190:212] = -5
    add = np.zeros(SHAPE)
    add_stars(add, np.array([56.0]), np.array([50.0]), np.array([1e5]), (2.5, 2.5))
    assert np.isnan(shapes._one_star.py_func(light + add.astype(np.float32), x, y, sigma)).all()


def test_star_mask_against_distances():
    sources = np.array([[10.2, 8.7, 4.5], [-2.0, 20.0, 5.0], [39.5, 29.9, 6.3], [500, 500, 9]], np.float32)
    y, x = np.mgrid[:31, :40]
    wanted = np.any([(x - a) ** 2 + (y - b) ** 2 <= r * r for a, b, r in sources.astype(float)], axis=0)
    np.testing.assert_array_equal(star_mask.star_mask((31, 40), sources), wanted)
    plain = np.zeros((31, 40), bool)
    star_mask._paint.py_func(plain, sources)
    np.testing.assert_array_equal(plain, wanted)


@pytest.mark.needs_shared
def test_real_frames_have_round_stars_and_sane_noise(shared_data):
    from astropy.io import fits

    for name, low, high in (
        ("mosaic-2mass-m17/aK_asky_990502s1350080.fits.gz", 2.5, 3.5),
        ("stack-hatp32/HATP-32171220043312.FITS.gz", 1.5, 2.5),
    ):
        data = fits.getdata(shared_data / name).astype(np.float32)[None]
        found = measure(data)
        assert found.n_stars > 100
        assert low < found.fwhm_px < high
        assert found.elongation < 1.3
        assert 0.5 < found.sigma[0] < 3
