"""Medians of the colours made equal."""

import logging

import numpy as np
import pytest

from lostlight.science.mosaic.level.arrays import NotNumpy
from lostlight.science.mosaic.level.equalize import equalize_rgb_medians


def colours(*levels):
    rng = np.random.default_rng(1)
    return (np.array(levels)[:, None, None] + rng.normal(0, 2, (3, 41, 67))).astype(np.float32)


def test_medians_are_equal_afterwards():
    tile = colours(100, 120, 90)
    before = tile.copy()
    out, gains = equalize_rgb_medians(tile)
    medians = np.median(out, axis=(1, 2))
    assert np.ptp(medians) < 1e-3
    assert medians[0] == pytest.approx(np.median(tile, axis=(1, 2)).mean(), rel=1e-5)
    assert gains == pytest.approx(medians[0] / np.median(tile, axis=(1, 2)), rel=1e-5)
    assert out.dtype == gains.dtype == np.float32
    assert np.array_equal(tile, before) and not np.shares_memory(out, tile)


def test_mono_is_left_alone_and_said_so(caplog):
    for tile in (colours(5, 6, 7)[:1], colours(5, 6, 7)[0]):
        with caplog.at_level(logging.INFO):
            out, gains = equalize_rgb_medians(tile)
        assert np.array_equal(out, tile) and not np.shares_memory(out, tile)
        assert gains.tolist() == [1]
        assert "mono" in caplog.text


def test_only_the_mask_counts():
    tile = colours(100, 120, 90)
    mask = np.zeros(tile.shape[1:], bool)
    mask[:, :30] = True
    tile[1, :, 30:] = 9000
    out, _ = equalize_rgb_medians(tile, mask=mask)
    assert np.ptp(np.median(out[:, mask], axis=1)) < 1e-3


def test_gains_are_limited(caplog):
    with caplog.at_level(logging.WARNING):
        _, gains = equalize_rgb_medians(colours(1000, 100, 100), gain_clip=(0.5, 2.0))
    assert gains.tolist() == [0.5, 2, 2]
    assert "limited" in caplog.text


@pytest.mark.parametrize(
    ("tile", "why"),
    [(colours(100, 0, 100) * np.array([1, 0, 1], np.float32)[:, None, None], "not all above 0"),
     (colours(100, -50, 100), "not all above 0"), (np.full((3, 5, 6), np.nan, np.float32), "no pixel")],
)  # fmt: skip
def test_levels_that_tell_nothing(tile, why, caplog):
    with caplog.at_level(logging.WARNING):
        out, gains = equalize_rgb_medians(tile)
    assert gains.tolist() == [1, 1, 1]
    assert np.array_equal(out, tile, equal_nan=True)
    assert why in caplog.text


def test_the_log_tells_before_and_after(caplog):
    with caplog.at_level(logging.DEBUG):
        equalize_rgb_medians(colours(100, 120, 90))
    assert "before equalising, channel 2: min" in caplog.text
    assert "after equalising, channel 0: min" in caplog.text


def test_arrays_on_a_gpu_are_refused():
    device = type("ndarray", (), {"__module__": "cupy"})()
    with pytest.raises(NotNumpy, match="CuPy"):
        equalize_rgb_medians(device)
    with pytest.raises(NotNumpy, match="mask"):
        equalize_rgb_medians(colours(1, 2, 3), mask=device)
