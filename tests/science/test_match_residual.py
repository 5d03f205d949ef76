import numpy as np
import pytest

from lostlight.core.errors import BadAstrometry
from lostlight.science.match.nearest import Sky
from lostlight.science.match.residual import fit_residual
from lostlight.science.sky.separation import TangentPlane, separation_arcsec


def plate(rng, n_stars, centre=(359.9, 62.0), n_seen=900, n_false=100, distort=None, noise_arcsec=0.2):
    """A catalogue, the stars a distorted plate shows of it, and false detections; true and plate positions."""
    plane = TangentPlane(*centre)
    stars = rng.uniform(-1800, 1800, (2, n_stars))
    seen = stars[:, rng.permutation(n_stars)[:n_seen]]
    true = np.concatenate([seen, rng.uniform(-1800, 1800, (2, n_false))], axis=1)
    shown = true + (distort(*true / 1800) if distort else 0.0)
    shown[:, : seen.shape[1]] += rng.normal(0, noise_arcsec, seen.shape)
    return Sky(*plane.deproject(*stars)), plane.deproject(*true), plane.deproject(*shown)


def linear(u, v):
    return np.array([3.0 + 0.6 * u - 0.3 * v, -2.0 + 0.2 * u + 0.5 * v])


@pytest.mark.parametrize("centre", [(359.9, 62.0), (123.0, 90.0), (10.0, -89.8), (200.0, 0.0)])
@pytest.mark.parametrize("n_stars", [1000, 60000])
def test_planted_distortion_is_taken_out(centre, n_stars):
    rng = np.random.default_rng(5)
    catalogue, true, shown = plate(rng, n_stars, centre, distort=linear)
    fit = fit_residual(*shown, catalogue, degree=1)
    error = separation_arcsec(*fit.apply(*shown), *true)
    # false detections carry no noise: what is left of them is the error of the correction itself
    assert np.max(error[-100:]) < 0.1
    assert fit.scatter_ra_arcsec == pytest.approx(0.2, rel=0.12)
    assert fit.scatter_dec_arcsec == pytest.approx(0.2, rel=0.12)
    assert fit.shift_arcsec == pytest.approx(np.hypot(3, 2), abs=0.1)


def test_a_quadratic_plate_needs_degree_two():
    rng = np.random.default_rng(6)
    bent = lambda u, v: np.array([1.2 * u * u, -0.9 * u * v])  # noqa: E731
    catalogue, _, shown = plate(rng, 3000, distort=bent)
    flat, curved = fit_residual(*shown, catalogue, degree=1), fit_residual(*shown, catalogue, degree=2)
    assert curved.scatter_ra_arcsec < 0.23 < flat.scatter_ra_arcsec


def test_the_degree_falls_with_the_ties():
    rng = np.random.default_rng(8)
    catalogue, _, shown = plate(rng, 26, n_seen=26, n_false=0)
    assert fit_residual(*shown, catalogue, degree=3).degree == 0
    catalogue, _, shown = plate(rng, 45, n_seen=45, n_false=0)
    assert fit_residual(*shown, catalogue, degree=3).degree == 1


def test_a_perfect_plate_stays_as_it_is():
    rng = np.random.default_rng(9)
    catalogue, true, shown = plate(rng, 500, n_seen=400, n_false=50, noise_arcsec=0.0)
    fit = fit_residual(*shown, catalogue)
    assert np.max(separation_arcsec(*fit.apply(*shown), *true)) < 1e-6


@pytest.mark.parametrize("n_stars", [300, 5000, 60000])
def test_another_sky_is_refused(n_stars):
    rng = np.random.default_rng(10)
    _, _, shown = plate(rng, 2000)
    other, _, _ = plate(rng, n_stars)
    with pytest.raises(BadAstrometry) as caught:
        fit_residual(*shown, other)
    assert caught.value.hint


def test_a_noisy_plate_is_refused_with_its_scatter():
    rng = np.random.default_rng(13)
    catalogue, _, shown = plate(rng, 1500, noise_arcsec=1.4)
    with pytest.raises(BadAstrometry) as caught:
        fit_residual(*shown, catalogue)
    assert caught.value.facts["scatter_arcsec"] > 1


@pytest.mark.parametrize("n_seen", [0, 12])
def test_too_few_ties_are_counted(n_seen):
    rng = np.random.default_rng(14)
    catalogue, _, shown = plate(rng, 50, n_seen=n_seen, n_false=0)
    with pytest.raises(BadAstrometry) as caught:
        fit_residual(*shown, catalogue)
    assert caught.value.facts["n_ties"] <= 12


def test_unpropagated_fast_stars_do_not_bend_the_fit():
    """A tenth of the stars moved by several arcsec since: robust fitting must not care."""
    rng = np.random.default_rng(15)
    catalogue, true, shown = plate(rng, 1500, distort=linear)
    ra, dec = shown[0].copy(), shown[1].copy()
    dec[:90] += rng.uniform(1, 4, 90) / 3600
    fit = fit_residual(ra, dec, catalogue)
    assert np.max(separation_arcsec(*fit.apply(*shown), *true)[-100:]) < 0.1
