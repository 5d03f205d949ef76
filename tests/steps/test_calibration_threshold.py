"""The default threshold of the noise model: clean samples stay, cosmic rays go, however few frames there are."""

import numpy as np
import pytest

from lostlight.core.params.calibrate import StackParams
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import NoiseModel
from lostlight.steps.calibrating.choice import rule_of

NOISE = NoiseModel(rdnoise_e=5.0, gain_e_adu=1.0, pedestal_adu=1e6)


def stacked(cube, **knobs):
    rule, _ = rule_of("master", StackParams(**knobs), len(cube), NOISE)

    def read(number, y0, y1, out):
        out[:] = cube[number, y0:y1]

    return combine(len(cube), cube.shape[1:], read, rule)


@pytest.mark.parametrize("n_frames", [5, 10])
def test_few_clean_samples_are_rejected_and_nearly_all_cosmic_rays(n_frames):
    rng = np.random.default_rng(n_frames)
    cube = rng.normal(0, 5, (n_frames, 300, 500)).astype(np.float32)
    made = stacked(cube)
    false = (made.n_low.astype(int) + made.n_high).sum() / cube.size
    assert false <= 1e-4
    assert (stacked(cube, low=4, high=4).n_used < n_frames).sum() > (made.n_used < n_frames).sum()
    struck = cube.copy()
    struck[0] += 5 * np.exp(rng.uniform(np.log(5.5), np.log(200), struck.shape[1:])).astype(np.float32)
    hit = stacked(struck)
    assert (hit.n_high > 0).mean() >= 0.99
    assert abs(hit.data.mean()) / (5 / np.sqrt(n_frames)) < 0.05


def test_a_threshold_that_is_asked_for_is_that():
    assert rule_of("master", StackParams(low=4, high=5), 5, NOISE)[0].thresholds == (4, 5)
