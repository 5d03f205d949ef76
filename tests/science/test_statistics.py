import astropy.io.fits as pyfits
import numpy as np
import pytest

from lostlight.science.calibrate.statistics import (
    clipped_sigma,
    dq_counts,
    histogram,
    histogram_edges,
    noise,
    statistics,
)
from lostlight.vocab import bits


def test_the_numbers_are_those_of_numpy_on_what_may_be_used():
    rng = np.random.default_rng(1)
    data = rng.normal(100, 7, (31, 43)).astype(np.float32)
    dq = np.zeros(data.shape, np.uint16)
    data[3, 4], data[5, 6], dq[5, 6], dq[7, 8] = np.nan, 9e5, bits.dq("SATURATED"), bits.dq("HOT")
    found = statistics(data, dq)
    kept = np.delete(data.ravel(), [3 * 43 + 4, 5 * 43 + 6]).astype(np.float64)
    assert (found.n, found.n_invalid) == (kept.size, 2)
    assert found.mean == pytest.approx(kept.mean(), rel=1e-9)
    assert found.std == pytest.approx(kept.std(), rel=1e-9)
    assert found.median == np.median(data.ravel()[np.isin(data.ravel(), kept.astype(np.float32))])
    assert (found.min, found.max) == (kept.min(), kept.max())
    assert found.mad == pytest.approx(np.median(abs(kept - np.median(kept))), abs=1e-4)
    assert set(found.plain()) >= {"n", "snr", "noise", "n_levels"}


def test_noise_is_recovered_under_gradients_stars_and_hot_pixels():
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:201, :303]
    data = rng.normal(1000 + 3 * x + 2 * y, 12)
    data[rng.random(data.shape) < 0.005] += 5000
    assert noise(data) == pytest.approx(12, rel=0.02)


@pytest.mark.parametrize("sigma", [0.4, 0.7, 1.3])
def test_noise_of_about_one_count_does_not_jump(sigma):
    counts = np.rint(np.random.default_rng(3).normal(500.3, sigma, (300, 301)))
    assert noise(counts) == pytest.approx(np.hypot(sigma, 1 / np.sqrt(12)), rel=0.05)


def test_noise_of_a_colour_filter_array_compares_pixels_of_a_colour():
    rng = np.random.default_rng(4)
    data = rng.normal(0, 5, (120, 140))
    data[::2, ::2] += 400
    assert noise(data, 2) == pytest.approx(5, rel=0.03)
    assert noise(data, 1) > 50


def test_a_large_image_is_measured_on_part_of_its_rows():
    data = np.random.default_rng(5).normal(0, 3, (1500, 1501)).astype(np.float32)
    assert noise(data) == pytest.approx(3, rel=0.01)


def test_nothing_to_measure_is_nan_and_no_error():
    found = statistics(np.full((5, 7), np.nan, np.float32))
    assert (found.n, found.n_invalid) == (0, 35)
    assert np.isnan(found.median)
    assert np.isnan(noise(np.full((5, 7), np.nan)))
    assert np.isnan(clipped_sigma([1.0]))
    assert clipped_sigma([4.0] * 9 + [5.0]) == pytest.approx(0.3)


def test_levels_and_ends_are_counted():
    found = statistics(np.array([[0, 0, 1, -2], [7, 7, 7, 3]], np.float32))
    assert (found.n_levels, found.n_at_max, found.n_at_min, found.n_negative) == (5, 3, 1, 1)


def test_every_pixel_is_in_the_histogram_once():
    rng = np.random.default_rng(6)
    data = np.concatenate([rng.normal(500, 4, 90_000), [0.0, 6e4, 6.5e4], [np.nan]]).reshape(-1, 4)
    found = histogram(data)
    assert len(found["counts"]) == 1024
    assert sum(found["counts"]) + found["under"] + found["over"] == np.isfinite(data).sum()
    edges = histogram_edges(found, 1024)
    assert edges[0] == pytest.approx(found["low"])
    assert np.all(np.diff(edges) > 0)
    again = np.histogram(data[np.isfinite(data)], bins=edges)[0]
    assert abs(again - found["counts"]).sum() <= 2
    assert (np.diff(edges).argmin(), found["step"]) == (pytest.approx(np.searchsorted(edges, 500), abs=3), 0)


def test_a_histogram_of_one_value_and_of_none():
    found = histogram(np.full((9, 11), 42.0))
    assert sum(found["counts"]) == 99
    assert (found["low"] < 42 < found["high"], found["step"]) == (True, 1)
    assert histogram(np.full((3, 4), np.nan))["counts"] == []


def test_bits_are_counted_by_name():
    dq = np.array([[0, bits.dq("HOT")], [bits.dq("HOT", "COSMIC"), bits.dq("COLD")]], np.uint16)
    counted = dq_counts(dq)
    assert (counted["HOT"], counted["COLD"], counted["COSMIC"], counted["BAD"]) == (2, 1, 1, 0)
    assert dq_counts(None) == {}


def test_colour_images_use_the_quality_of_their_pixels():
    dq = np.zeros((6, 5), np.uint16)
    dq[0, 0] = bits.dq("BAD")
    assert statistics(np.ones((3, 6, 5), np.float32), dq).n == 87


@pytest.mark.needs_shared
def test_five_real_biases_have_the_noise_that_was_measured(shared_data):
    frames = [pyfits.getdata(path).astype(np.float64) for path in sorted((shared_data / "raw-calib").glob("biastest*"))]
    assert len(frames) == 5
    assert statistics(np.mean(frames, axis=0)).std == pytest.approx(9.15, abs=0.01)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_values_that_are_no_numbers_do_not_count_for_the_spread(odd):
    values = np.random.default_rng(4).normal(0, 3, 4001)
    assert clipped_sigma([*values, *[odd] * 3000]) == clipped_sigma(values)
    assert np.isnan(clipped_sigma([odd] * 5))
