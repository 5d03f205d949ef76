"""Pixels that hop between two rates are told from those that are merely noisy, and from cosmic rays."""

import numpy as np
import pytest

from lostlight.science.calibrate.unstable import hopping
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import NoiseModel, Rule

SHAPE = (151, 173)
NOISE_E, GAIN = 6.0, 1.5


def stacked(n_frames, hop_e, *, seed=1, hits=2e-4):
    """Darks of which every 503rd pixel is higher by `hop_e` electrons in half of the frames, with cosmic rays."""
    rng = np.random.default_rng(seed)
    planted = np.zeros(SHAPE, bool)
    planted.ravel()[::503] = True
    level = np.where(rng.random(SHAPE) < 1e-3, 3000.0, 40.0)
    high = planted & (rng.random((n_frames, *SHAPE)) < 0.5)
    cube = rng.poisson(level + hop_e * high) + rng.normal(0, NOISE_E, (n_frames, *SHAPE))
    cube += np.where(rng.random(cube.shape) < hits, rng.uniform(50, 5000, cube.shape), 0)
    cube = (cube / GAIN).astype(np.float32)
    rule = Rule(reject="noise_model", low=4, high=4, noise=NoiseModel(NOISE_E, GAIN))

    def read(number, y0, y1, out):
        out[:] = cube[number, y0:y1]

    times = high.sum(axis=0)
    both = (times > 1) & (times < n_frames - 1)  # one frame apart from the others may have been hit
    return hopping(combine(n_frames, SHAPE, read, rule)), planted, both


@pytest.mark.parametrize("n_frames", [8, 16])
def test_hopping_pixels_are_found_and_no_others(n_frames):
    found, planted, both = stacked(n_frames, 600)
    assert found[both].mean() > 0.95
    assert (found & ~planted).sum() <= 3  # of 26,000


def test_small_hops_show_in_the_scatter():
    found, planted, both = stacked(16, 45)  # about four sigma: most samples stay
    assert found[both].mean() > 0.4
    assert (found & ~planted).sum() <= 3


def test_cosmic_rays_alone_do_not_make_a_pixel_hop():
    found, _, _ = stacked(8, 0, hits=1e-3)
    assert found.sum() <= 3


def test_three_frames_cannot_tell():
    assert not stacked(3, 0)[0].any()
