import astropy.io.fits as pyfits
import numpy as np
import pytest

from lostlight.science.calibrate import frame_checks as checks
from lostlight.science.calibrate.statistics import statistics


def named(values):
    return {f"frame_{k}": value for k, value in enumerate(values)}


def codes(warnings):
    return [(warning.code, warning.where) for warning in warnings]


@pytest.mark.parametrize("n", [3, 5, 9, 30])
def test_a_frame_of_another_level_is_named_and_no_other(n):
    levels = np.random.default_rng(n).normal(500, 1, n)
    levels[1] += 60
    (heard,) = checks.level_outliers(named(levels), named([8.0] * n))
    assert (heard.code, heard.where, heard.threshold) == ("CAL205", "frame_1", 5)
    assert heard.value > 5


def test_frames_that_agree_to_part_of_their_noise_are_alike():
    assert checks.level_outliers(named([500, 500, 500, 501]), named([8.0] * 4)) == []
    assert checks.level_outliers(named([500, 900]), named([8.0, 8.0])) == []


def test_identical_levels_without_noise_still_show_the_odd_one():
    (heard,) = checks.level_outliers(named([500.0, 500, 500, 700]), named([np.nan] * 4))
    assert (heard.where, heard.value) == ("frame_3", None)


def test_levels_that_scatter_are_not_odd():
    rng = np.random.default_rng(0)
    heard = sum(len(checks.level_outliers(named(rng.normal(20000, 900, 20)), named([150.0] * 20))) for _ in range(50))
    assert heard <= 1


def test_a_noisy_frame_is_named():
    assert codes(checks.noise_outliers(named([8, 8.1, 7.9, 10.8, 8]))) == [("CAL206", "frame_3")]
    assert checks.noise_outliers(named([8, 8.1, 7.9, 10.2, 8])) == []
    assert checks.noise_outliers(named([8, 20])) == []


def test_flats_of_different_level_are_not_noisy_for_it():
    levels = np.array([5000.0, 10000, 20000, 20000])
    noise = np.sqrt(levels / 1.5)
    assert len(checks.noise_outliers(named(noise))) == 0
    assert len(checks.noise_outliers(named(noise[[0, 0, 0, 3]]))) == 1
    assert checks.noise_outliers(named(noise[[0, 0, 0, 3]]), named(levels[[0, 0, 0, 3]])) == []


def test_much_rejection_and_many_negative_pixels():
    assert codes(checks.many_rejected({"a": 0.049, "b": 0.051})) == [("CAL207", "b")]
    assert checks.many_negative("x", 10, 10_000, 200, 10) == []
    (heard,) = checks.many_negative("x", 11, 10_000, 200, 10)
    assert (heard.code, heard.value) == ("CAL208", pytest.approx(0.0011))
    assert "subtracted twice" in heard.hint
    (faint,) = checks.many_negative("x", 1587, 10_000, 10, 10)
    assert "nothing is wrong" in faint.hint
    assert checks.many_negative("x", 0, 0, 10, np.nan) == []


@pytest.mark.parametrize("n", [3, 5, 12])
@pytest.mark.parametrize("wrong_by", [1.0, 0.7, 1.4])
def test_the_noise_ratio_is_recovered_for_any_number_of_frames(n, wrong_by):
    cube = np.random.default_rng(n).normal(0, 6, (n, 120, 131))
    scatter = cube.std(axis=0, ddof=1) / np.sqrt(n)
    model = np.full(scatter.shape, wrong_by * 6 / np.sqrt(n))
    ratio = checks.noise_ratio(model, scatter, np.full(scatter.shape, n, np.uint16))
    assert ratio == pytest.approx(wrong_by, rel=0.02)
    assert codes(checks.wrong_noise("m", ratio)) == ([] if wrong_by == 1 else [("CAL209", "m")])


def test_a_noise_ratio_needs_three_frames():
    two = np.full((4, 5), 2, np.uint16)
    assert np.isnan(checks.noise_ratio(np.ones((4, 5)), np.ones((4, 5)), two))
    assert np.isnan(checks.noise_ratio(np.ones((4, 5)), np.zeros((4, 5)), two + 3))
    assert checks.wrong_noise("m", np.nan) == []


def test_read_noise_comes_from_pairs_without_the_fixed_pattern():
    rng = np.random.default_rng(7)
    pattern = 500 + rng.normal(0, 40, (151, 160))
    frames = [pattern + rng.normal(0, 5.5, pattern.shape) for _ in range(4)]
    assert checks.read_noise_from_pairs(frames) == pytest.approx(5.5, rel=0.02)
    with pytest.raises(ValueError, match="two frames"):
        checks.read_noise_from_pairs(frames[:1])


def test_a_master_that_changed_is_noticed():
    rng = np.random.default_rng(8)
    old, sigma = rng.normal(500, 2, (90, 101)), np.full((90, 101), 2.0)
    assert checks.changed_master("m", rng.normal(500, 2, old.shape), old, sigma, sigma) == []
    new = old.copy()
    new[:10] += 30
    (heard,) = checks.changed_master("m", new, old, sigma, sigma)
    assert (heard.code, heard.value) == ("CAL220", pytest.approx(10 / 90))
    assert checks.changed_master("m", new * np.nan, old, sigma, sigma) == []


def test_a_bias_that_fills_the_range_is_odd():
    assert checks.odd_bias_level("m", 512.0) == []
    (heard,) = checks.odd_bias_level("m", 30000.0)
    assert "is it a bias" in heard.hint


@pytest.mark.needs_shared
def test_five_real_biases(shared_data):
    frames = [pyfits.getdata(path).astype(np.float32) for path in sorted((shared_data / "raw-calib").glob("biastest*"))]
    assert checks.read_noise_from_pairs(frames[:2]) == pytest.approx(20.18, abs=0.01)
    assert checks.read_noise_from_pairs(frames) == pytest.approx(20.18, abs=0.05)
    (heard,) = checks.odd_bias_level("master_bias", statistics(np.mean(frames, axis=0)).median)
    assert (heard.code, heard.value) == ("CAL205", pytest.approx(0.547, abs=0.001))
    assert "BZERO" in heard.hint and "3092" in heard.hint
    told = {path: statistics(frame) for path, frame in enumerate(frames)}
    assert checks.level_outliers({k: s.median for k, s in told.items()}, {k: s.noise for k, s in told.items()}) == []
