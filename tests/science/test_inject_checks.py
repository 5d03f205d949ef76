"""The six checks of the injector: passed by it for every sample type, and failed by injectors that are broken."""

import numpy as np
import pytest

from lostlight.science.inject.checks import injection_checks
from lostlight.science.inject.engine import inject
from lostlight.vocab.movers import SAMPLE_TYPES

NAMES = ["output_shape", "no_nan_inf", "Y_nonneg", "flux_conservation", "motion_direction", "seed_reproducibility"]


@pytest.mark.parametrize("sample_type", SAMPLE_TYPES)
@pytest.mark.parametrize("seed", [0, 20260101])
def test_all_six_checks_pass_for_every_sample_type(sample_type, seed):
    """A10"""
    checks = injection_checks(sample_type, seed)
    assert [check.name for check in checks] == NAMES
    assert all(check.is_passed for check in checks), [check.record() for check in checks if not check.is_passed]


def rolled(x, y, meta):
    return x, np.roll(y, 1, axis=0), meta


def scaled(x, y, meta):
    return x, y * np.float32(1.001), meta


def cropped(x, y, meta):
    return x[:, 1:], y[:, 1:], meta


def holed(x, y, meta):
    y = y.copy()
    y[0, 0, 0] = np.nan
    return x, y, meta


def sunk(x, y, meta):
    return x, y - np.float32(0.01), meta


def mirrored(x, y, meta):
    return x, y[:, :, ::-1], meta


def shifted(x, y, meta):
    return x + np.float32(1e-3), y, meta


def dim(x, y, meta):
    return x, np.where(np.arange(len(y))[:, None, None] == 0, y, 0), meta


@pytest.mark.parametrize(
    ("broken", "name"),
    [
        (cropped, "output_shape"), (shifted, "output_shape"), (holed, "no_nan_inf"), (sunk, "Y_nonneg"),
        (scaled, "flux_conservation"), (mirrored, "motion_direction"), (rolled, "motion_direction"),
        (dim, "motion_direction"),
    ],
)  # fmt: skip
def test_a_broken_injector_fails_its_check(broken, name):
    checks = injection_checks("tno", 0, lambda *args, **options: broken(*inject(*args, **options)))
    assert name in [check.name for check in checks if not check.is_passed]


def test_an_injector_without_memory_fails():
    counter = iter(range(100))
    checks = injection_checks(
        "tno", 0, lambda p, t, s, f, kind, seed, **o: inject(p, t, s, f, kind, next(counter), **o)
    )
    assert "seed_reproducibility" in [check.name for check in checks if not check.is_passed]


def upright(x, y, meta):
    return x, np.abs(y), meta


def nine_times(x, y, meta):
    return x, y * 9, meta


def drifting(x, y, meta):
    return x, np.stack([np.roll(plane, t, 1) for t, plane in enumerate(y)]), meta


@pytest.mark.parametrize(
    ("sample_type", "broken", "name"),
    [
        ("dipole", upright, "Y_nonneg"), ("satellite", nine_times, "flux_conservation"),
        ("cosmic_ray", nine_times, "flux_conservation"), ("static", drifting, "motion_direction"),
    ],
)  # fmt: skip
def test_broken_artefacts_fail_too(sample_type, broken, name):
    checks = injection_checks(sample_type, 0, lambda *args, **options: broken(*inject(*args, **options)))
    assert name in [check.name for check in checks if not check.is_passed]
