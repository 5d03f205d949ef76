"""The integral of Moffat's profile over a pixel, its derivatives, and the fit of one star."""

import numpy as np
import pytest
from scipy.integrate import dblquad

from lostlight.science.epochs import moffat_fit
from lostlight.sim.mosaics_light import add_stars

ALPHA_OF_FWHM = 1 / (2 * np.sqrt(2 ** (1 / 3) - 1))


def value(dx, dy, alpha, beta):
    out = np.empty(5)
    moffat_fit.unit_pixel.py_func(dx, dy, alpha, beta, out)
    return out


@pytest.mark.parametrize("fwhm", [1.3, 2.6, 6.0])
@pytest.mark.parametrize("at", [(0.0, 0.0), (0.4, -0.3), (1.3, 0.6), (4.2, 2.9), (9.1, 0.2)])
def test_integral_over_a_pixel(fwhm, at):
    alpha, beta = fwhm * ALPHA_OF_FWHM, 3.0
    exact, _ = dblquad(
        lambda v, u: (beta - 1) / (np.pi * alpha**2) * (1 + (u * u + v * v) / alpha**2) ** -beta,
        at[0] - 0.5, at[0] + 0.5, at[1] - 0.5, at[1] + 0.5, epsabs=1e-12,
    )  # fmt: skip
    peak = (beta - 1) / (np.pi * alpha**2)
    assert value(*at, alpha, beta)[0] == pytest.approx(exact, abs=3e-5 * min(peak, 1))


@pytest.mark.parametrize("at", [(0.3, -0.2), (3.0, 1.0), (7.0, -6.0)])
def test_derivatives_are_those_of_the_value(at):
    step, (dx, dy), alpha, beta = 1e-5, at, 2.1, 2.7
    out = value(dx, dy, alpha, beta)
    by = [
        (value(dx - step, dy, alpha, beta)[0] - value(dx + step, dy, alpha, beta)[0]) / (2 * step),
        (value(dx, dy - step, alpha, beta)[0] - value(dx, dy + step, alpha, beta)[0]) / (2 * step),
        (value(dx, dy, alpha + step, beta)[0] - value(dx, dy, alpha - step, beta)[0]) / (2 * step),
        (value(dx, dy, alpha, beta + step)[0] - value(dx, dy, alpha, beta - step)[0]) / (2 * step),
    ]
    np.testing.assert_allclose(out[1:], by, rtol=1e-5, atol=1e-9)


def test_a_small_system_is_solved():
    rng = np.random.default_rng(1)
    half = rng.normal(size=(5, 5))
    matrix, right = half @ half.T + np.eye(5), rng.normal(size=5)
    np.testing.assert_allclose(moffat_fit.solve.py_func(matrix, right), np.linalg.solve(matrix, right), rtol=1e-10)


def fitted(light, variance, start, free=6, python=False):
    star = np.array(start, float)
    fit = moffat_fit.fit_star.py_func if python else moffat_fit.fit_star
    found = fit(light.astype(np.float32), variance, star, np.array([2, 3]), 19, free, 1.0)
    return star, found


def one_star(x=12.3, y=10.8, flux=20_000.0, fwhm=2.9, beta=3.4):
    light = np.zeros((23, 25))
    add_stars(light, np.array([x]), np.array([y]), np.array([flux]), (fwhm, fwhm), beta)
    return light


@pytest.mark.parametrize("free", [5, 6])
def test_one_star_is_found_again(free):
    start = [12.0, 11.0, 15_000.0, 0.0, 2.0, 3.4 if free == 5 else 2.5]
    star, found = fitted(one_star(), np.full((23, 25), 9.0), start, free)
    alpha = 2.9 / (2 * np.sqrt(2 ** (1 / 3.4) - 1))
    np.testing.assert_allclose(star, [12.3, 10.8, 20_000, 0, alpha, 3.4], rtol=2e-3, atol=0.05)
    assert star[:2] == pytest.approx([12.3, 10.8], abs=1e-3)
    assert (found[1] == 0) == (free == 5)


def test_errors_are_those_of_repeated_fits():
    rng, light = np.random.default_rng(2), one_star(flux=4000.0)
    alphas, claimed = [], []
    for _ in range(60):
        star, found = fitted(light + rng.normal(0, 3, light.shape), np.full(light.shape, 9.0),
                             [12.3, 10.8, 4000.0, 0.0, 2.5, 3.4], 5)  # fmt: skip
        alphas.append(star[moffat_fit.ALPHA])
        claimed.append(np.sqrt(found[0]))
    assert np.std(alphas) == pytest.approx(np.mean(claimed), rel=0.3)


def test_a_cosmic_ray_on_a_star_is_left_out():
    light = one_star()
    clean, _ = fitted(light, np.full(light.shape, 9.0), [12.3, 10.8, 2e4, 0.0, 2.5, 3.4], 5)
    light[14, 15:18] += 3000
    spoilt, _ = fitted(light, np.full(light.shape, 9.0), [12.3, 10.8, 2e4, 0.0, 2.5, 3.4], 5)
    assert spoilt[moffat_fit.ALPHA] == pytest.approx(clean[moffat_fit.ALPHA], rel=0.01)


def test_pixels_without_variance_are_left_out():
    light, variance = one_star(), np.full((23, 25), 9.0)
    light[5, :], variance[5, :] = 1e9, 0.0
    star, _ = fitted(light, variance, [12.0, 11.0, 1.5e4, 0.0, 2.0, 3.4], 5)
    assert star[moffat_fit.FLUX] == pytest.approx(20_000, rel=3e-3)


def test_loops_are_the_same_compiled(monkeypatch):
    """The compiled loops give what plain Python gives."""
    light = one_star() + np.random.default_rng(5).normal(0, 3, (23, 25))
    start, variance = [12.0, 11.0, 15_000.0, 0.0, 2.0, 3.0], np.full((23, 25), 9.0)
    compiled, errors = fitted(light, variance, start)
    for name in ("unit_pixel", "add_points", "solve", "normal_equations", "errors_of", "fit_star"):
        monkeypatch.setattr(moffat_fit, name, getattr(moffat_fit, name).py_func)
    star = np.array(start)
    found = np.empty((1, 3))
    moffat_fit.fit_all.py_func(light.astype(np.float32), variance, star[None], 9, 6, 1.0, found)
    np.testing.assert_allclose(star[:3], compiled[:3], rtol=1e-3)
    assert np.isfinite(errors).all()
    assert np.isfinite(found).all()


def test_a_star_of_nothing_gives_up():
    star, _ = fitted(np.full((23, 25), np.nan), np.full((23, 25), 9.0), [12.0, 11.0, 1.5e4, 0.0, 2.0, 3.4])
    assert np.isnan(star).all()
