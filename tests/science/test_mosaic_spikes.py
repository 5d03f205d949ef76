"""Cosmic rays and hot pixels told from stars, the same whatever rows are asked for."""

import numpy as np
import pytest

from lostlight.science.mosaic.warp.bands import BAND
from lostlight.science.mosaic.warp.spikes import without_spikes

SHAPE, SIGMA, FWHM_PX, LIMIT = (2 * BAND + 37, 171), 5.0, 2.6, 8.0


@pytest.fixture(scope="module")
def field():
    """A sky with stars of all brightnesses, and where they are."""
    rng = np.random.default_rng(3)
    y, x = np.indices(SHAPE)
    data = rng.normal(200, SIGMA, SHAPE)
    at = rng.uniform(8, np.array(SHAPE)[:, None] - 9, (2, 60))
    for (row, column), flux in zip(at.T, np.geomspace(300, 1e6, 60), strict=True):
        data += flux * np.exp(-4 * np.log(2) * ((y - row) ** 2 + (x - column) ** 2) / FWHM_PX**2) / (1.13 * FWHM_PX**2)
    return data.astype(np.float32), at


def rows(data):
    """Hand out rows of frames as files do, C of them."""
    return lambda y0, y1: np.array(data[None, y0:y1] if data.ndim == 2 else data[:, y0:y1])


def clean(data, sigma=(SIGMA,), fwhm_px=FWHM_PX, limit=LIMIT):
    return without_spikes(rows(data), data.shape[-2:], np.array(sigma), fwhm_px, limit)


def far(at, y, x, px=6):
    return (np.hypot(at[0][:, None] - y, at[1][:, None] - x) > px).all(axis=0)


def test_stars_of_any_brightness_stay(field):
    data, _ = field
    assert np.isfinite(clean(data)(0, SHAPE[0])).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_hot_and_dead_pixels_and_what_lies_beside_them_go(field, sign):
    data, at = field
    data = data.copy()
    rng = np.random.default_rng(4)
    y, x = (rng.integers(5, side - 5, 40) for side in SHAPE)
    lonely = far(at, y, x) & (np.hypot(y[:, None] - y, x[:, None] - x) + 99 * np.eye(40) > 9).all(axis=1)
    y, x = y[lonely], x[lonely]
    data[y, x] += sign * 30 * SIGMA
    data[y, x + 1] += sign * 20 * SIGMA
    gone = np.isnan(clean(data)(0, SHAPE[0])[0])
    assert gone[y, x].all() and gone[y, x + 1].all()
    gone[y, x] = gone[y, x + 1] = False
    assert gone.sum() <= 2


def test_pixels_of_gaps_and_borders_are_judged_by_the_neighbours_they_have(field):
    data, _ = field
    data = data.copy()
    data[0, 50] += 500
    data[70:80, 90:100] = np.nan
    data[75, 95] = 900  # no neighbour: nothing to judge it by
    data[69, 95] += 500
    found = clean(data)(0, SHAPE[0])[0]
    assert np.isnan(found[[0, 69], [50, 95]]).all() and found[75, 95] == 900
    assert np.isnan(found).sum() == 99 + 2


def test_rows_are_the_same_whatever_is_asked_for(field):
    data, _ = field
    rng = np.random.default_rng(5)
    colours = np.stack([data, data, data])
    colours[rng.integers(0, 3, 900), rng.integers(0, SHAPE[0], 900), rng.integers(0, SHAPE[1], 900)] += 300
    whole = clean(colours, [SIGMA] * 3)(0, SHAPE[0])
    assert 600 < np.isnan(whole).sum() < 1500
    for y0, y1 in ((0, 1), (BAND - 1, BAND + 1), (BAND, 2 * BAND), (30, SHAPE[0]), (SHAPE[0] - 1, SHAPE[0]), (9, 9)):
        part = clean(colours, [SIGMA] * 3)(y0, y1)
        np.testing.assert_array_equal(part, whole[:, y0:y1])


def test_rows_are_searched_once(field):
    asked = []

    def told(y0, y1):
        asked.append((y0, y1))
        return rows(field[0])(y0, y1)

    some = without_spikes(told, SHAPE, np.array([SIGMA]), FWHM_PX, LIMIT)
    some(0, SHAPE[0])
    some(0, SHAPE[0])
    assert asked.count((0, SHAPE[0])) == 2 and len(asked) == 2 + 3


def test_without_stars_the_sharpest_likely_ones_are_spared(field):
    data, _ = field
    assert np.isnan(clean(data, fwhm_px=np.nan)(0, SHAPE[0])).sum() == 0
