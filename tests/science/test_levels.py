"""The level of a frame: what it is, and that bad pixels have no say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lostlight.core.errors import LostlightError
from lostlight.science.calibrate.levels import METHODS, level, spread


def _frame(shape=(13, 11), value=100.0):
    return np.full(shape, value, np.float32)


def test_each_method_measures_what_it_says():
    frame = np.arange(1, 26, dtype=np.float32).reshape(5, 5)
    # rows and columns 1, 2, 3 are the central half: 7 8 9, 12 13 14, 17 18 19
    frame[2, 2] = 1000
    assert level(frame, "median") == [[14]]  # 24 of 25 values stay, 13 went up
    assert level(frame, "median_center") == [[14]]
    assert level(frame, "mean3s") == [[(7 + 8 + 9 + 12 + 14 + 17 + 18 + 19) / 8]]
    np.testing.assert_array_equal(
        level(frame, "per_cfa"), [[1000, (12 + 14) / 2], [(8 + 18) / 2, (7 + 9 + 17 + 19) / 4]]
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_masked_pixel_has_no_say(method):
    frame, bad = _frame(), np.zeros((13, 11), bool)
    frame[6, 5], bad[6, 5] = 1e5, True
    frame[5, 5] = np.nan
    np.testing.assert_array_equal(level(frame, method, bad), 100)


@pytest.mark.parametrize("method", METHODS)
def test_without_a_good_pixel_there_is_no_level(method):
    with pytest.raises(LostlightError, match="CAL108"):
        level(_frame(value=np.nan), method)
    with pytest.raises(LostlightError, match="CAL108"):
        level(_frame(), method, np.ones((13, 11), bool))


def test_one_colour_without_a_good_pixel_is_told():
    bad = np.zeros((13, 11), bool)
    bad[::2, 1::2] = True
    with pytest.raises(LostlightError, match="CAL108"):
        level(_frame(), "per_cfa", bad)


def test_an_unknown_method_is_refused():
    with pytest.raises(LostlightError, match=r"CAL109.*mode.*median_center"):
        level(_frame(), "mode")


def test_the_clipped_mean_forgets_stars_and_is_quieter_than_the_median():
    rng = np.random.default_rng(3)
    means, medians = [], []
    for _ in range(60):
        frame = rng.normal(1000, 20, (61, 57)).astype(np.float32)
        frame[rng.integers(0, 61, 15), rng.integers(0, 57, 15)] += 20000
        means.append(level(frame, "mean3s").item())
        medians.append(level(frame, "median_center").item())
    assert np.mean(means) == pytest.approx(1000, abs=0.5)
    assert np.std(means) < np.std(medians)


def test_only_the_centre_counts_where_the_corners_are_dark():
    frame = _frame((40, 33), 10)
    frame[10:30, 8:25] = 500
    assert level(frame, "median") == [[10]]
    assert level(frame, "median_center") == level(frame, "mean3s") == [[500]]


def test_levels_of_colours_are_laid_out_from_any_row():
    levels = np.array([[1.0, 2], [3, 4]])
    np.testing.assert_array_equal(spread(levels, (3, 3)), [[1, 2, 1], [3, 4, 3], [1, 2, 1]])
    np.testing.assert_array_equal(spread(levels, (2, 3), y0=5), [[3, 4, 3], [1, 2, 1]])
    np.testing.assert_array_equal(spread(np.array([[7.0]]), (2, 3)), [[7]])


def test_a_frame_over_its_own_colours_is_one_everywhere():
    frame = np.tile(np.array([[200, 400], [380, 90]], np.float32), (9, 8))[:17, :15]
    np.testing.assert_array_equal(frame / spread(level(frame, "per_cfa"), frame.shape), 1)


@given(st.integers(-8, 8), st.sampled_from(METHODS), st.integers(0, 1000))
def test_a_brighter_frame_has_so_much_more_level(power, method, seed):
    frame = np.random.default_rng(seed).normal(300, 10, (9, 7)).astype(np.float32)
    factor = np.float32(2.0**power)
    np.testing.assert_array_equal(level(frame * factor, method), level(frame, method) * factor)


def test_a_bright_flat_is_what_the_level_makes_comparable():
    """One flat of five is 40 percent brighter: scaled first, it is like the others; unscaled it would drag them."""
    rng = np.random.default_rng(5)
    vignetting = 1 - 0.3 * np.linspace(-1, 1, 41)[:, None] ** 2 * np.ones((41, 37))
    counts = np.array([10000, 14000, 10000, 10000, 10000.0])
    flats = [rng.normal(n * vignetting, np.sqrt(n)).astype(np.float32) for n in counts]
    scaled = np.array([flat / level(flat, "median_center").item() for flat in flats])
    centre = vignetting[20, 18] / np.median(vignetting[10:31, 9:28])
    assert scaled.mean(axis=0)[18:23, 10:27].mean() == pytest.approx(centre, abs=0.003)
    assert scaled.std(axis=0).mean() < 0.01  # that of counted light: 40 percent of a flat would be 0.16
