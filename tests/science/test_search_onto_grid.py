"""Likelihoods on the grid of a stack: sources where the sky says, fluxes and noise as they were."""

import numpy as np
import pytest
from astropy.wcs import WCS

from lostlight.core.errors import BadImage
from lostlight.science.epochs.grid import Grid
from lostlight.science.inject.mixture import gaussian
from lostlight.science.inject.render import add_stamps, stamps
from lostlight.science.search.likelihood import psi_phi
from lostlight.science.search.onto_grid import cubic, interpolate, onto_grid

PSF = gaussian(2.4)


def sky(turn_deg=0.0, dx=0.0, dy=0.0, scale=0.5, dec=45.0):
    wcs = WCS(naxis=2)
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [0.01, dec]
    wcs.wcs.crpix = [60.5 + dx, 50.5 + dy]
    wcs.wcs.cd = np.array([[-c, s], [s, c]]) * scale / 3600
    wcs.wcs.set()
    return wcs


def test_signal_and_noise_are_kept_under_rotation_and_another_scale():
    """Sources at any place between pixels, on an image turned by 17 degrees with larger pixels and twice the flux."""
    rng = np.random.default_rng(8)
    image_sky, grid = sky(17, 3.3, -2.6, 0.55), Grid(sky(), (101, 121), 0, 0)
    gx, gy = (each.ravel() for each in np.meshgrid(np.arange(25, 96, 14), np.arange(25, 77, 13)))
    ra, dec = grid.wcs.all_pix2world(gx, gy, 0)
    x, y = image_sky.all_world2pix(ra, dec, 0)
    clean, sigma = np.zeros((105, 118)), 3.0
    for one in zip(x, y, strict=True):
        add_stamps(clean, *stamps(PSF, *(np.array([[v]]) for v in (*one, 2 * 400.0))))
    psi, phi = onto_grid(*psi_phi(clean, sigma**2, None, PSF), image_sky, grid, PSF, scale=0.5)
    flux, error = psi[gy, gx] / phi[gy, gx], 1 / np.sqrt(phi[gy, gx])
    np.testing.assert_allclose(flux, 400, rtol=0.01)
    np.testing.assert_allclose(error, sigma * 0.5 * np.sqrt(PSF.n_eff), rtol=0.02)
    noise = [
        onto_grid(*psi_phi(rng.normal(0, sigma, clean.shape), sigma**2, None, PSF), image_sky, grid, PSF, scale=0.5)
        for _ in range(8)
    ]
    lh = np.concatenate([(a / np.sqrt(np.where(b > 0, b, 1)))[b > 0] for a, b in noise])
    assert lh.std() == pytest.approx(1, abs=0.02)
    assert lh.mean() == pytest.approx(0, abs=0.02)


def test_beside_masked_pixels_the_nearest_one_speaks():
    grid = Grid(sky(), (101, 121), 0, 0)
    image = np.random.default_rng(9).normal(0, 1, (101, 121))
    bad = np.zeros(image.shape, bool)
    bad[40:60, 50] = True
    native = psi_phi(image, 1.0, bad, PSF)
    psi, phi = onto_grid(*native, sky(dx=0.3, dy=0.2), grid, PSF)
    assert native[1][50, 50] == phi[50, 50] == 0
    assert psi[50, 48] == native[0][50, 48] != 0, "the second to its right is masked"
    assert psi[50, 47] not in native[0]


def test_whole_pixels_are_laid_down_as_they_are():
    psi = np.arange(30, dtype=np.float32).reshape(5, 6)
    out, weight = onto_grid(psi, psi + 1, None, Grid(None, (7, 9), -2, -1), PSF)
    np.testing.assert_array_equal(out[1:6, 2:8], psi)
    assert weight.sum() == (psi + 1).sum()
    out, _ = onto_grid(psi, psi + 1, sky(dx=2, dy=1), Grid(sky(), (5, 6), 0, 0), PSF)
    np.testing.assert_array_equal(out[:4, :4], psi[1:, 2:])


def test_an_image_of_another_field_is_refused():
    plane = np.ones((20, 20), np.float32)
    for wcs in (sky(dx=500), sky(turn_deg=3, dx=4000)):
        with pytest.raises(BadImage, match="outside"):
            onto_grid(plane, plane, wcs, Grid(sky(), (30, 30), 0, 0), PSF)


def test_the_kernel_reads_what_the_weights_say():
    rng = np.random.default_rng(10)
    psi, phi = rng.normal(size=(9, 11)).astype(np.float32), rng.uniform(1, 2, (9, 11)).astype(np.float32)
    x, y = np.array([[4.3, 5.0, 0.2, 20.0]]), np.array([[3.8, 4.0, 4.4, 4.0]])
    ones = np.ones((5, 5))
    for function in (interpolate, interpolate.py_func):
        out = np.zeros((2, 1, 4), np.float32)
        function(psi, phi, x, y, ones, ones, *out)
        expected = cubic(np.array(0.8)) @ psi[2:6, 3:7] @ cubic(np.array(0.3))
        assert out[0, 0, 0] == pytest.approx(expected, rel=1e-5)
        assert out[0, 0, 1] == psi[4, 5]
        assert out[0, 0, 2] == psi[4, 0], "too near to the edge"
        assert out[:, 0, 3].tolist() == [0, 0]
