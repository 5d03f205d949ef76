"""What rejection does to clean stacks and to stacks with a cosmic ray, in units of the noise of the mean."""

import numpy as np
import pytest

from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import NoiseModel, Rule

SHAPE = (100, 200)
SIGMA = 12.0
LEVEL = 500.0
MODEL = NoiseModel(rdnoise_e=SIGMA, gain_e_adu=1, pedestal_adu=1e9)
"""Pure read noise: the pedestal is above all samples."""


def errors(n_frames, rule, cosmic, seed):
    rng = np.random.default_rng(seed)
    cube = rng.normal(LEVEL, SIGMA, (n_frames, *SHAPE)).astype(np.float32)
    if cosmic:
        cube[0] += SIGMA * np.exp(rng.uniform(np.log(5), np.log(200), SHAPE)).astype(np.float32)

    def read_rows(frame, y0, y1, out):
        out[:] = cube[frame, y0:y1]

    result = combine(n_frames, SHAPE, read_rows, rule, backend="numpy")
    return (result.data - LEVEL) / (SIGMA / np.sqrt(n_frames)), result


@pytest.mark.parametrize("n_frames", [5, 10, 30])
def test_the_noise_model_costs_nothing_and_stops_cosmic_rays(n_frames):
    rule = Rule(reject="noise_model", low=4, high=4, noise=MODEL)
    clean, result = errors(n_frames, rule, False, seed=n_frames)
    assert abs(clean.mean()) < 0.02
    assert clean.std() <= 1.015
    assert (result.n_low.sum() + result.n_high.sum()) / (n_frames * clean.size) < 2e-4
    struck, result = errors(n_frames, rule, True, seed=n_frames + 1)
    assert abs(struck.mean()) < 0.05
    assert result.rejected_high[0] / clean.size > 0.95


@pytest.mark.parametrize(("n_frames", "noise", "bias"), [(5, 1.06, 0.2), (10, 1.05, 0.05), (30, 1.04, 0.03)])
def test_winsorized_without_a_model(n_frames, noise, bias):
    rule = Rule(reject="winsorized")
    clean, _ = errors(n_frames, rule, False, seed=n_frames)
    assert abs(clean.mean()) < 0.025
    assert clean.std() < noise + 0.01
    struck, _ = errors(n_frames, rule, True, seed=n_frames)
    assert abs(struck.mean()) < bias


def test_sigma_about_the_mean_cannot_reject_of_ten():
    struck, result = errors(10, Rule(reject="sigma_once"), True, seed=1)
    assert result.n_high.sum() == 0
    assert struck.mean() > 8
