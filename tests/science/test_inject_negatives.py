import numpy as np
import pytest

from lostlight.core.errors import ConfigError
from lostlight.science.inject.negatives import artefact
from lostlight.science.inject.psf import gaussian, moffat

SHAPE = (4, 61, 73)
PSFS = (gaussian(2.5), gaussian(3.5), moffat(3.0, 3.0), gaussian(4.5))


def added(kind, x=36.0, y=30.0, flux=1000.0, seed=1):
    stack = np.zeros(SHAPE)
    pixels = artefact(kind, SHAPE, x, y, flux, PSFS, np.random.default_rng(seed))
    pixels.add_to(stack)
    assert len(set(zip(pixels.t, pixels.y, pixels.x, strict=True))) == len(pixels.t)
    return stack


def test_none_adds_nothing():
    assert not added("none").any()


@pytest.mark.parametrize("seed", range(5))
def test_a_cosmic_ray_is_sharp_and_on_one_image(seed):
    stack = added("cosmic_ray", seed=seed)
    t = np.flatnonzero(stack.any(axis=(1, 2)))
    assert len(t) == 1 and stack.sum() == pytest.approx(1000) and (stack >= 0).all()
    rows, columns = np.nonzero(stack[t[0]])
    assert np.hypot(np.ptp(rows), np.ptp(columns)) <= 15 and len(rows) <= 2 * 16
    # nothing blurs it: a line of one pixel's width
    spread = np.linalg.svd(np.stack([rows - rows.mean(), columns - columns.mean()]))[1]
    assert spread.min() <= 0.5 * np.sqrt(len(rows))


def test_a_hot_pixel_stays_on_its_pixel():
    stack = added("hot_pixel", 36.4, 30.4)
    assert np.count_nonzero(stack) == SHAPE[0] and (stack[:, 30, 36] == 1000).all()
    assert (added("hot_pixel", 200, -9)[:, 0, 72] == 1000).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_satellite_crosses_one_image_at_the_width_of_a_point(seed):
    stack = added("satellite", seed=seed)
    t = int(np.flatnonzero(stack.any(axis=(1, 2)))[0])
    assert stack.any(axis=(1, 2)).sum() == 1
    rows, columns = np.nonzero(stack[t] > stack[t].max() / 2)
    touched = [rows.min() == 0, rows.max() == SHAPE[1] - 1, columns.min() == 0, columns.max() == SHAPE[2] - 1]
    assert sum(touched) >= 2
    # light of a FWHM of its length, from the width of the half-maximum and the whole
    length = stack.sum() / (1000 / PSFS[t].fwhm_px)
    assert min(SHAPE[1:]) * 0.98 <= length <= np.hypot(*SHAPE[1:]) * 1.02
    assert len(rows) / length == pytest.approx(PSFS[t].fwhm_px, rel=0.15)


def test_a_dipole_has_two_halves_of_one_strength_on_every_image():
    stack = added("dipole")
    assert stack.sum(axis=(1, 2)) == pytest.approx(0, abs=1e-2)
    for image in stack:
        assert image[image > 0].sum() == pytest.approx(1000) and image.min() < 0
        peak, hole = (np.unravel_index(k, image.shape) for k in (image.argmax(), image.argmin()))
        assert 0 < np.hypot(peak[0] - hole[0], peak[1] - hole[1]) < 10


def test_a_dipole_goes_with_the_sky():
    x = np.array([20.0, 25.0, 30.0, 50.0])
    stack = added("dipole", x)
    columns = np.arange(SHAPE[2])
    light = np.abs(stack).sum(axis=1)
    assert (light * columns).sum(axis=1) / light.sum(axis=1) == pytest.approx(x, abs=0.5)


def test_off_the_image_nothing_is_lit():
    assert not added("cosmic_ray", -100, -100).any() and not added("dipole", -500, 20).any()


def test_unknown_artefacts():
    with pytest.raises(ConfigError, match="ghost"):
        artefact("ghost", SHAPE, 1, 1, 1, PSFS, np.random.default_rng(0))
