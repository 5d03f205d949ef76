"""Banding: planted shapes are learnt, their amplitudes measured on overscan and under a sky, and none is invented."""

import numpy as np
import pytest

from lostlight.science.calibrate import banding

SHAPE = (212, 305)
READ_NOISE_ADU = 8.0


def waves(n):
    first = np.sin(np.arange(n) / 3.7)
    second = np.where(np.arange(n) % 16 < 8, 1.0, -1.0)
    return np.array([first / np.linalg.norm(first), second / np.linalg.norm(second)])


def frames(rng, amplitudes, axis="rows"):
    shapes = waves(SHAPE[0] if axis == "rows" else SHAPE[1])
    moved = amplitudes @ shapes[: amplitudes.shape[1]]
    planes = moved[:, :, None] if axis == "rows" else moved[:, None, :]
    return (1000 + planes + rng.normal(0, READ_NOISE_ADU, (len(amplitudes), *SHAPE))).astype(np.float32)


@pytest.mark.parametrize("axis", ["rows", "cols"])
def test_planted_shapes_are_learnt(axis):
    rng = np.random.default_rng(1)
    taken = frames(rng, rng.normal(0, (60, 25), (12, 2)), axis)
    found = banding.components(taken, taken.mean(axis=0), axis)
    assert len(found.shapes) == 2
    assert found.shapes @ found.shapes.T == pytest.approx(np.eye(2), abs=1e-9)
    for shape in waves(found.shapes.shape[1]):
        assert np.linalg.norm(found.shapes @ shape) > 0.97
    assert all(drop >= 0.01 for drop in found.drops)
    assert len(banding.components(taken, taken.mean(axis=0), axis, most=1).shapes) == 1


def test_nothing_is_learnt_from_noise():
    for seed in range(10):
        taken = frames(np.random.default_rng(seed), np.zeros((8, 1)))
        for axis in ("rows", "cols"):
            found = banding.components(taken, taken.mean(axis=0), axis)
            assert found.shapes.shape == (0, SHAPE[axis == "cols"])


def test_two_frames_are_too_few_to_leave_one_out():
    rng = np.random.default_rng(2)
    taken = frames(rng, rng.normal(0, 60, (2, 1)))
    assert not banding.components(taken, taken.mean(axis=0), "rows").drops


@pytest.fixture(scope="module")
def learnt():
    rng = np.random.default_rng(3)
    taken = frames(rng, rng.normal(0, 60, (20, 1)))
    return banding.components(taken, taken.mean(axis=0), "rows")


def test_amplitude_is_measured_on_overscan(learnt):
    rng = np.random.default_rng(4)
    pulls = []
    for amplitude in np.linspace(-80, 80, 25):
        banded = amplitude * waves(SHAPE[0])[0][:, None]
        strip = (3 + banded + rng.normal(0, READ_NOISE_ADU, (SHAPE[0], 24))).astype(np.float32)
        found = banding.fit(strip, learnt, overscan=True)
        assert found.correction.shape == (SHAPE[0], 1)
        pulls.append(np.linalg.norm(banded - found.correction) / found.sigmas[0])
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1, abs=0.4)


def test_amplitude_is_measured_under_sky_and_sources(learnt):
    rng = np.random.default_rng(5)
    rows = np.arange(SHAPE[0])
    banded = 70 * waves(SHAPE[0])[0][:, None]
    light = 300 + 0.4 * rows[:, None] + 1e-3 * (rows[:, None] - 90) ** 2 + banded + rng.normal(0, 20, SHAPE)
    light[60:75] += 400
    light[rng.integers(0, SHAPE[0], 300), rng.integers(0, SHAPE[1], 300)] += 2000
    light[150, :] = np.nan
    light = light.astype(np.float32)
    found = banding.fit(light, learnt)
    assert np.linalg.norm(banded - found.correction) < 4 * found.sigmas[0] + 0.05 * 70
    assert abs(found.correction.mean()) < 0.05
    assert 0.5 < found.sigmas[0] < 3


def test_columns_are_corrected_as_columns():
    rng = np.random.default_rng(6)
    taken = frames(rng, rng.normal(0, 60, (10, 1)), "cols")
    found = banding.components(taken, taken.mean(axis=0), "cols")
    rest = taken[0] - 1000 - banding.fit(taken[0] - 1000, found).correction
    assert np.std(np.median(rest, axis=0)) < 1.4 * READ_NOISE_ADU * 1.2533 / np.sqrt(SHAPE[0])


def test_no_components_correct_nothing():
    none = banding.Components("rows", np.zeros((0, 40)), ())
    found = banding.fit(np.random.default_rng(7).normal(0, 1, (40, 30)).astype(np.float32), none)
    assert not found.correction.any()
    assert found.amplitudes.size == 0


def test_lines_without_data_do_not_matter(learnt):
    rng = np.random.default_rng(8)
    taken = frames(rng, rng.normal(0, 60, (12, 1)))
    taken[:, 7] = np.nan
    taken[3, 100] = np.nan
    found = banding.components(taken, taken.mean(axis=0), "rows")
    assert len(found.shapes) == 1
    assert abs(found.shapes[0] @ waves(SHAPE[0])[0]) > 0.98
    nothing = banding.fit(np.full(SHAPE, np.nan, dtype=np.float32), learnt)
    assert not nothing.correction.any()
    assert np.isnan(nothing.sigmas).all()
