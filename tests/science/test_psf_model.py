"""The PSF model: its polynomial, its interpolation, its shape."""

import numpy as np
import pytest

from lostlight.science.detect.psf_model import PsfModel, monomials, shape_at
from lostlight.science.detect.resample import cut_stamps, lanczos_matrices, stamp_pixels


def gaussian_model(fwhm_px=3.0, step_px=0.6, size=27, stretch=1.0, slope=0.0):
    """A Gaussian whose light grows by `slope` over the image; `stretch` makes it wider along x."""
    sigma = fwhm_px / 2.35482
    axis = (np.arange(size) - size // 2) * step_px
    profile = np.exp(-0.5 * ((axis / (sigma * stretch)) ** 2 + (axis[:, None] / sigma) ** 2)) / (
        2 * np.pi * sigma**2 * stretch
    )
    basis = np.zeros((3, size, size), dtype=np.float32)
    basis[0], basis[1] = profile, slope * profile
    return PsfModel(basis, step_px, 100.0, 50.0, 200.0, 100.0, 1, fwhm_px, 50, 40, 1.0)


def test_the_terms_come_in_the_order_of_psfex():
    x, y = np.array([2.0]), np.array([3.0])
    assert monomials(x, y, 2).tolist() == [[1, 2, 4, 3, 6, 9]]
    assert monomials(x, y, 3).tolist() == [[1, 2, 4, 8, 3, 6, 12, 9, 18, 27]]


def test_a_smooth_profile_is_interpolated_at_any_phase():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(30, 40, 60), rng.uniform(30, 40, 60)
    model = gaussian_model()
    columns, rows = stamp_pixels(x, 7), stamp_pixels(y, 7)
    sigma = 3.0 / 2.35482
    r2 = (columns[:, None, :] - x[:, None, None]) ** 2 + (rows[:, :, None] - y[:, None, None]) ** 2
    truth = np.exp(-0.5 * r2 / sigma**2) / (2 * np.pi * sigma**2)
    got = model.stamps(x, y, columns, rows)
    assert np.abs(got - truth).max() < 0.005 * truth.max()
    assert got.sum(axis=(1, 2)) == pytest.approx(1, abs=0.003)


def test_light_grows_across_the_image_as_the_polynomial_says():
    model = gaussian_model(slope=0.5)
    total = model.at([0.0, 100.0, 200.0], [50.0, 50.0, 50.0]).sum(axis=(1, 2))
    assert total / total[1] == pytest.approx([0.75, 1.0, 1.25], abs=1e-5)


def test_interpolation_keeps_a_constant_and_is_exact_on_nodes():
    pixels = np.arange(-3, 4)[None, :]
    matrix = lanczos_matrices(np.array([0.3]), pixels, 41, 0.7)
    assert matrix.sum(axis=2) == pytest.approx(1, abs=1e-5)
    on_nodes = lanczos_matrices(np.array([5.0]), np.arange(0, 11)[None, :], 11, 1.0)[0]
    assert on_nodes == pytest.approx(np.eye(11), abs=1e-5)


@pytest.mark.parametrize("fwhm_px", [2.2, 3.0, 4.6])
def test_width_and_ellipticity_are_measured(fwhm_px):
    round_one = gaussian_model(fwhm_px, step_px=fwhm_px / 4.7)
    fwhm, ellipticity = shape_at(round_one, [10.0, 190.0], [5.0, 90.0])
    assert fwhm == pytest.approx(fwhm_px, rel=0.02)
    assert ellipticity == pytest.approx(0, abs=1e-3)
    fwhm, ellipticity = shape_at(gaussian_model(fwhm_px, step_px=fwhm_px / 4.7, stretch=1.3), [10.0], [5.0])
    assert fwhm == pytest.approx(fwhm_px * 1.3**0.5, rel=0.02)
    # Under a Gaussian weight of the model's width the moments shrink to 1/(1/s^2 + 1/w^2).
    a, b = (1 / np.sqrt(1 / s**2 + 1) for s in (1.3, 1.0))
    assert ellipticity == pytest.approx((a - b) / (a + b), rel=0.05)


def test_stamps_beyond_the_edge_get_the_value_asked_for():
    image = np.arange(15, dtype=np.float32).reshape(3, 5)
    stamps = cut_stamps(image, np.array([[3, 4, 5]]), np.array([[-1, 0, 1]]), outside=-7)
    assert stamps[0].tolist() == [[-7, -7, -7], [3, 4, -7], [8, 9, -7]]
