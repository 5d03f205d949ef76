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


TABLE = {
    "mean": (Rule(), (1.00, 14.2), (1.00, 10.1), (1.00, 0, 5.7)),
    "median": (Rule("median"), (1.20, 0.65), (1.18, 0.44), (1.23, 0, 0.23)),
    "minmax": (Rule(reject="minmax"), (1.07, 0.77), (1.03, 0.59), (1.01, 0, 0.39)),
    "sigma 3,3": (Rule(reject="sigma"), (1.00, 14.2), (1.00, 0.28), (1.01, 0, -0.01)),
    "sigma once": (Rule(reject="sigma_once"), (1.00, 14.2), (1.00, 10.1), (1.01, 0, -0.01)),
    "winsorized 3,3": (Rule(reject="winsorized"), (1.05, 0.08), (1.04, 0.02), (1.03, 0, -0.01)),
    "winsorized 4,3": (Rule(reject="winsorized", low=4), (1.04, 0.07), (1.02, -0.01), (1.02, -0.04, -0.04)),
    "line, mean absolute residual": (
        Rule(reject="linear_fit", fit_scale="siril"), (1.00, 14.2), (1.04, 0.02), (1.17, 0, -0.01)
    ),
    "line, PixInsight 5,2.5": (
        Rule(reject="linear_fit", fit="lad", fit_scale="pixinsight", low=5, high=2.5),
        (1.00, 14.2), (1.02, -0.02), (1.06, -0.17, -0.17),
    ),
    "mad": (Rule(reject="mad"), (1.15, 0.04), (1.10, 0.02), (1.05, 0, 0)),
    "mad without its factor": (
        Rule(reject="mad", low=3 / 1.4826, high=3 / 1.4826), (1.25, 0.02), (1.28, 0.03), (1.31, -0.01, 0)
    ),
    "gesd": (Rule(reject="gesd"), (1.02, 0.09), (1.05, 0.02), (1.01, 0, -0.01)),
    "kappa 2, 5 passes": (Rule(reject="kappa", low=2, high=2), (1.00, 14.2), (1.11, 0), (1.24, -0.01, -0.01)),
    "aawa": (Rule("aawa"), (1.12, 3.2), (1.13, 1.4), (1.14, -0.01, 0.34)),
    "noise model 4,4": (
        Rule(reject="noise_model", low=4, high=4, noise=MODEL), (1.00, 0.01), (1.00, 0.01), (1.00, -0.01, -0.01)
    ),
    "noise model 3,3": (Rule(reject="noise_model", noise=MODEL), (1.03, 0.02), (1.02, 0.02), (1.02, -0.01, -0.01)),
}  # fmt: skip
"""Of 5, 10 and 30 frames: noise, bias of clean stacks (30 alone), bias with one cosmic ray; unit sigma / root n.

Measured on prototypes of the methods, before these were written.
"""
BY_AMPLITUDE = {
    ("sigma 3,3", 10): 0.3, ("winsorized 3,3", 5): 0.13, ("winsorized 4,3", 5): 0.13, ("gesd", 5): 0.16,
    ("mad", 5): 0.05, ("aawa", 5): 0.4, ("aawa", 10): 0.4, ("aawa", 30): 0.13,
}  # fmt: skip
"""Tolerances where faint rays pass: what is left depends on how many rays are faint."""


@pytest.mark.soak
@pytest.mark.parametrize("n_frames", [5, 10, 30])
@pytest.mark.parametrize("method", TABLE)
def test_sixty_thousand_stacks(method, n_frames):
    rule, *figures = TABLE[method]
    noise, *clean, biased = figures[(5, 10, 30).index(n_frames)]
    rng = np.random.default_rng(n_frames)
    shape = (100, 600)
    cube = rng.normal(LEVEL, SIGMA, (n_frames, *shape)).astype(np.float32)
    amplitudes = np.exp(rng.uniform(np.log(5), np.log(100), shape))

    def combined():
        def read_rows(frame, y0, y1, out):
            out[:] = cube[frame, y0:y1]

        return (combine(n_frames, shape, read_rows, rule, backend="numpy").data - LEVEL) / (SIGMA / np.sqrt(n_frames))

    free = combined()
    assert free.std() == pytest.approx(noise, abs=0.015)
    assert free.mean() == pytest.approx(clean[0] if clean else 0, abs=0.02 if rule.low == rule.high else 0.055)
    cube[0] += (SIGMA * amplitudes).astype(np.float32)
    assert combined().mean() == pytest.approx(biased, abs=BY_AMPLITUDE.get((method, n_frames), 0.035), rel=0.02)


@pytest.mark.soak
@pytest.mark.parametrize(("n_frames", "noise"), [(3, 1.01), (4, 1.01)])
def test_the_noise_model_on_few_frames(n_frames, noise):
    rule = Rule(reject="noise_model", low=4, high=4, noise=MODEL)
    clean, struck = (
        np.concatenate([errors(n_frames, rule, cosmic, seed)[0].ravel() for seed in range(3)])
        for cosmic in (False, True)
    )
    assert clean.std() == pytest.approx(noise, abs=0.015)
    assert abs(struck.mean()) < 0.06
