"""Entropy of frames, against values that are known."""

import numpy as np
import pytest

from lostlight.science.stack.entropy import EntropyWeights, tile_entropy


def test_entropy_of_known_distributions():
    flat = np.full((20, 20), 7.0)
    assert tile_entropy(flat, 10) == pytest.approx(np.zeros((2, 2)))
    coin = np.indices((20, 20)).sum(axis=0) % 2 * 5.0
    assert tile_entropy(coin, 10) == pytest.approx(np.ones((2, 2)))
    assert tile_entropy(np.arange(256.0).reshape(16, 16), 16) == pytest.approx(8)


def test_entropy_of_gaussian_noise_grows_with_its_width():
    rng = np.random.default_rng(3)
    for sigma in (4, 16):
        image = rng.normal(2000, sigma, (129, 129))
        assert tile_entropy(image, 129)[0, 0] == pytest.approx(np.log2(sigma) + 2.05, abs=0.06)


def test_edges_and_gaps_do_not_count():
    image = np.full((13, 25), 3.0)
    image[0, :5] = np.nan
    entropy = tile_entropy(image, 10)
    assert entropy.shape == (2, 3)
    assert entropy == pytest.approx(0)


def test_weights_between_tiles_are_blended():
    image = np.zeros((18, 27), np.float32)
    image[:, 9:18] = np.arange(162).reshape(18, 9)

    def read_rows(frame, y0, y1, out):
        out[:] = image[y0:y1] * (1 + frame)

    weights = EntropyWeights(2, image.shape, read_rows, 9)
    out = np.empty((18, 27), np.float32)
    weights(0, 0, 18, out)
    assert out[4, 13] == pytest.approx(np.log2(81))
    assert out[4, 4] < 1e-5
    assert out[0, 9] == pytest.approx(np.log2(81) * 5 / 9, rel=1e-5)
    part = np.empty((3, 27), np.float32)
    weights(0, 7, 10, part)
    assert (part == out[7:10]).all()
