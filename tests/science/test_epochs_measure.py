"""What is measured on the images of a simulated field is what went into them; real ones too."""

import gzip

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import gaussian_filter
from tests.epoch_field import FULL, SIGMA, measured, star_field

from lostlight.science.epochs.measure import measure
from lostlight.sim.movers import Movers


def test_images_of_a_field_of_movers():
    made = Movers(2, n_epochs=4)
    bad = np.zeros(made.design.shape, bool)
    for index in (0, 3):
        found = measure(made.image(index), bad, saturate=made.design.saturate, gain=made.design.gain_e_adu)
        rest = found.sky.level_map - made.sky(index)
        assert np.sqrt(np.mean(rest**2)) < 0.15 * made.sigma_adu[index]
        assert found.noise.sigma_adu == pytest.approx(made.sigma_adu[index], rel=0.02)
        assert found.psf.fwhm_px == pytest.approx(made.fwhm_px[index], rel=0.02)
        assert found.psf.n_stars >= 10
        assert found.warnings == ()


def test_a_variance_plane_with_the_photons_of_the_stars():
    made = Movers(2, n_epochs=4)
    plane = (made.expected(0) / made.design.gain_e_adu + made.design.read_adu**2).astype(np.float32)
    found = measure(made.image(0), np.zeros(plane.shape, bool), plane, saturate=4e4, gain=made.design.gain_e_adu)
    assert found.noise.from_plane
    assert np.array_equal(found.noise.variance, plane)
    assert found.psf.fwhm_px == pytest.approx(made.fwhm_px[0], rel=0.015)


def test_warnings():
    image = star_field(1, 0, shape=(201, 187))
    said = measured(gaussian_filter(image, 0.7).astype(np.float32), variance=np.zeros_like(image)).warnings
    assert len(said) == 3
    assert "variance plane" in said[0]
    assert "share" in said[1]
    assert "0 stars are too few" in said[2]
    few = next(found for found in map(few_stars, range(9)) if found.psf.flags == ("LOW_N",))
    assert f"rests on {few.psf.n_stars} stars" in few.warnings[0]


def few_stars(seed):
    return measured(star_field(seed, 6, shape=(387, 391)))


@pytest.mark.parametrize("shape", [(12, 15), (19, 23), (30, 201)])
@pytest.mark.parametrize("kind", [">f4", "<i2", "<f8"])
def test_small_images_of_any_type(shape, kind):
    image = np.random.default_rng(1).normal(100, 9, shape)
    image[shape[0] // 2, shape[1] // 2] += 5000
    found = measure(image.astype(kind), np.zeros(shape, bool))
    assert found.noise.sigma_adu == pytest.approx(9, rel=0.25)
    assert found.sky.level_map.mean() == pytest.approx(100, abs=4)
    assert found.noise.variance.dtype == np.float32


def test_real_images_of_the_four_plane_layout(shared_data):
    """Their noise is 2 adu as their variance plane says; they hold no star."""
    for path in sorted((shared_data / "kbmod-small").glob("00000[0-3].fits.gz")):
        with gzip.open(path) as stream, fits.open(stream) as hdus:
            planes = [hdu.data.astype(np.float32) for hdu in hdus[1:]]
        found = measure(planes[0], planes[1] > 0, planes[2])
        assert found.noise.from_plane
        assert found.noise.sigma_adu == pytest.approx(2.0, abs=0.1)
        assert found.psf.source == "fallback"
    assert FULL > SIGMA
