"""Offsets over errors of what was found: right ones are told right, and what noise has chosen is told apart."""

import numpy as np
import pytest
from astropy.table import Table

from lostlight.science.recover import pulls

THRESHOLD = 6.0


@pytest.fixture(scope="module")
def found():
    """Sources of 3 to 15 sigma that a search of one path each finds; errors of position are the true ones."""
    rng = np.random.default_rng(3)
    rho = rng.uniform(3, 15, 20_000)
    noise = rng.standard_normal((5, len(rho)))
    first = 0.3 * noise[0]
    speed = 0.2 * noise[1]
    return Table({
        "is_recovered": rho + noise[4] >= THRESHOLD, "lh_expected": rho, "dflux_sigma": noise[4],
        "dx_px": first + 1.5 * speed, "dvx_px_day": speed, "x_err_px": np.full(len(rho), 0.3),
        "vx_err_px_day": np.full(len(rho), 0.2), "dy_px": 0.3 * noise[2], "dvy_px_day": np.zeros(len(rho)),
        "y_err_px": np.full(len(rho), 0.15), "vy_err_px_day": np.full(len(rho), np.nan),
    })  # fmt: skip


def test_errors_at_the_earliest_image_are_held_against_offsets_there(found):
    made = pulls.of_table(found, -1.5, THRESHOLD + pulls.CLEAR_SIGMA)
    assert abs(made["x_px"].mean) < 4 * made["x_px"].mean_err
    assert made["x_px"].scatter == pytest.approx(1, abs=0.03)
    assert made["y_px"].scatter == pytest.approx(2, abs=0.06)
    assert made["vx_px_day"].scatter == pytest.approx(1, abs=0.03)
    assert made["vy_px_day"].n == 0
    assert np.isnan(made["vy_px_day"].mean)


def test_noise_has_chosen_fluxes_near_the_threshold_and_no_others(found):
    made = pulls.of_table(found, -1.5, THRESHOLD + pulls.CLEAR_SIGMA)
    bright, faint = made["flux"], made["flux_faint"]
    assert abs(bright.mean) < 4 * bright.mean_err
    assert bright.scatter == pytest.approx(1, abs=0.03)
    assert faint.mean > 0.2
    assert bright.n + faint.n == found["is_recovered"].sum()


def test_without_a_limit_all_fluxes_are_told_together(found):
    made = pulls.of_table(found, -1.5)
    assert made["flux"].n == found["is_recovered"].sum()
    assert made["flux_faint"].n == 0
