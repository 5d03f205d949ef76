"""Patches cover an image, are views of it, and know their noise."""

import numpy as np
import pytest

from lostlight.core.errors import BadImage
from lostlight.science.epochs.patches import patch, patch_corners, patch_noise


@pytest.mark.parametrize(("shape", "size", "stride"), [((101, 143), 32, 16), ((64, 64), 64, 32), ((70, 65), 64, 32)])
def test_every_pixel_lies_in_a_patch(shape, size, stride):
    corners = patch_corners(shape, size, stride)
    covered = np.zeros(shape, int)
    for corner in corners:
        view = patch(covered, corner, size)
        assert view.shape == (size, size)
        view += 1
    assert covered.min() >= 1
    assert len({tuple(corner) for corner in corners}) == len(corners)


def test_neighbours_are_a_stride_apart():
    np.testing.assert_array_equal(patch_corners((64, 100), 32, 32)[:4], [[0, 0], [0, 32], [0, 64], [0, 68]])


def test_patches_are_views():
    stack = np.zeros((3, 50, 61), np.float32)
    view = patch(stack, (4, 7), 16)
    assert np.shares_memory(view, stack)
    view[:] = 1
    assert stack[2, 4, 7] == 1
    assert stack.sum() == 3 * 16 * 16


def test_patches_larger_than_the_image_are_refused():
    with pytest.raises(BadImage, match="patches of 64 px do not fit into images of 90 x 50 px"):
        patch_corners((50, 90), 64, 32)


def test_noise_of_each_patch_and_epoch():
    rng = np.random.default_rng(1)
    truth = np.array([[2.0, 5.0], [9.0, 3.0]])
    light = np.concatenate([rng.normal(40, 1, (2, 60, 60)), rng.normal(-7, 1, (2, 60, 60))], axis=2)
    middle = np.where(np.arange(120) < 60, 40, -7)
    light = (light - middle) * np.repeat(truth.T, 60, axis=1)[:, None] + middle
    bad = np.zeros(light.shape, bool)
    bad[0, :20], light[0, :20] = True, 1e6
    noise = patch_noise(light.astype(np.float32), bad, np.array([[0, 0], [0, 60]]), 60)
    np.testing.assert_allclose(noise, truth, rtol=0.06)


def test_a_patch_with_hardly_a_good_pixel_has_no_noise():
    light, bad = np.random.default_rng(2).normal(0, 1, (2, 20, 20)), np.zeros((2, 20, 20), bool)
    bad[1, 1:] = True
    noise = patch_noise(light.astype(np.float32), bad, np.array([[0, 0]]), 20)
    assert np.isfinite(noise[0, 0])
    assert np.isnan(noise[0, 1])
    assert np.isnan(patch_noise(light.astype(np.float32), ~bad & False | True, np.array([[0, 0]]), 20)).all()
