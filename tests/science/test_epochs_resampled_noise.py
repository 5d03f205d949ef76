"""Weights and covariances of interpolated noise, against those of the interpolation itself."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from lostlight.science.epochs import resampled_noise
from lostlight.science.epochs.resampled_noise import neighbour_correlation, noise_gain, resampled_variance, weights

ORDERS = {"cubic": 3, "linear": 1}


@pytest.mark.parametrize("kernel", ORDERS)
@pytest.mark.parametrize("at", [0.0, 0.25, 0.5, 0.8])
def test_weights_are_those_of_the_interpolation(kernel, at):
    """An image of one bright pixel, interpolated, shows the weight of that pixel."""
    row = weights(kernel)[round(at * 1024)]
    n = row.size
    for k in range(n):
        line = np.zeros(41)
        line[20] = 1
        weight = map_coordinates(line, [[20 + at - (k - n // 2 + 1)]], order=ORDERS[kernel], mode="mirror")[0]
        assert row[k] == pytest.approx(weight, abs=2e-3)
    assert row.sum() == pytest.approx(1, abs=1e-6)


def shifted(dx, dy, shape, step=8):
    """Nodes of a pure shift."""
    y, x = np.mgrid[0 : shape[0] + step : step, 0 : shape[1] + step : step].astype(float)
    return x + dx, y + dy


def brute_force(variance, dx, dy, shape):
    rows = weights("lanczos3")
    wx, wy = (rows[round((d % 1) * 1024)].astype(float) for d in (dx, dy))
    out = np.full(shape, np.nan)
    for v in range(shape[0]):
        for u in range(shape[1]):
            x, y = u + dx, v + dy
            if not (-0.5 <= x < variance.shape[1] - 0.5 and -0.5 <= y < variance.shape[0] - 0.5):
                continue
            columns, rows_ = (
                np.pad(np.arange(n), 6, mode="reflect")[np.arange(6) - 2 + int(np.floor(at)) + 6]
                for n, at in ((variance.shape[1], x), (variance.shape[0], y))
            )
            part = variance[np.ix_(rows_, columns)]
            good, w = np.isfinite(part), np.outer(wy, wx)
            if w[good].sum() > 0.1:
                out[v, u] = np.sum(w[good] ** 2 * part[good]) / w[good].sum() ** 2
    return out


@pytest.mark.parametrize("plain", [False, True], ids=["compiled", "python"])
def test_variance_is_the_sum_of_squared_weights(plain, monkeypatch):
    if plain:
        for name in ("spread", "mirrored"):
            monkeypatch.setattr(resampled_noise, name, getattr(resampled_noise, name).py_func)
    variance = np.random.default_rng(1).uniform(1, 9, (17, 21)).astype(np.float32)
    variance[5:8, 9:11] = np.nan
    dx, dy, shape = 1.25, -2.5, (19, 22)
    found = resampled_variance(variance, shifted(dx, dy, shape), (0, 0), 8, "lanczos3", shape)
    np.testing.assert_allclose(found, brute_force(variance, dx, dy, shape), rtol=1e-5)


def test_whole_shifts_leave_noise_white():
    profile = np.outer(*[np.exp(-(np.arange(-8, 9) ** 2) / 3.0)] * 2)
    for kernel in ("lanczos3", "linear"):
        assert noise_gain(np.array([4.0]), np.array([7.0]), 1.0, kernel, profile) == pytest.approx(1, abs=1e-6)
        assert neighbour_correlation(np.array([4.0]), 1.0, kernel) == pytest.approx(0, abs=1e-6)


def test_the_worst_of_bilinear_noise():
    """Half-way between four pixels a pixel has a quarter of the variance; a wide profile sees all of it again."""
    at, wide = np.array([4.5]), np.outer(*[np.exp(-(np.arange(-60, 61) ** 2) / 800.0)] * 2)
    assert neighbour_correlation(at, 1.0, "linear") == pytest.approx(0.5, abs=1e-6)
    assert noise_gain(at, at, 1.0, "linear", wide) == pytest.approx(2, rel=0.01)


def test_pixels_far_apart_share_nothing():
    assert neighbour_correlation(np.array([4.3]), 9.0, "lanczos3") == pytest.approx(0, abs=1e-9)
