"""Edges of full wells, at which a spline would ring."""

import numpy as np
import pytest
from astropy.wcs import WCS

from lostlight.science.mosaic.warp.nodes import route
from lostlight.science.mosaic.warp.soften import softened, steps
from lostlight.science.mosaic.warp.warp import WarpRules, warp
from lostlight.science.mosaic.window import Window

SHAPE, LEVEL, SIGMA, FULL = (151, 210), 350.0, 2.0, 4095.0


def stars(fwhm, peaks, rng=None, noise=SIGMA):
    """A frame of stars of these heights, at any part of a pixel."""
    rng = rng or np.random.default_rng(3)
    y, x = np.indices(SHAPE)
    image = LEVEL + rng.normal(0, noise, SHAPE)
    for k, peak in enumerate(peaks):
        at_y, at_x = 20 + 40 * (k // 5) + rng.random(), 20 + 40 * (k % 5) + rng.random()
        image += peak * np.exp(-4 * np.log(2) * ((y - at_y) ** 2 + (x - at_x) ** 2) / fwhm**2)
    return image.astype(np.float32)


def bloomed():
    """A frame with a star that fills its pixels, and a trail of what ran over."""
    image = stars(1.9, [9e4, 500, 800], noise=SIGMA)
    image = np.minimum(image, FULL)
    image[22:60, 20:22] = FULL
    return image


def rows_of(image):
    return lambda y0, y1: image[None, y0:y1].copy()


def moved(rows, by=(0.43, 0.38), kernel="cubic"):
    """Resample a frame with a shift."""
    canvas, frame = WCS(naxis=2), WCS(naxis=2)
    frame.wcs.crpix = by
    way = route(canvas, SHAPE, frame, SHAPE)
    return warp(rows, SHAPE, 1, way, Window(0, 0, *SHAPE), WarpRules(kernel)).data[0]


def test_a_full_star_does_not_ring():
    image = bloomed()
    hard, soft = (moved(rows) for rows in (rows_of(image), softened(rows_of(image), SHAPE, np.array([SIGMA]))))
    assert np.nanmin(hard) < LEVEL - 50 * SIGMA
    assert np.nanmin(soft) > LEVEL - 6 * SIGMA
    off = (np.nansum(soft) - np.nansum(hard)) / np.nansum(hard - LEVEL)
    assert abs(off) < 0.005
    far = np.ones(SHAPE, bool)
    far[:75, 5:40] = False
    np.testing.assert_allclose(hard[far], soft[far], rtol=1e-6)


@pytest.mark.parametrize("fwhm", [1.4, 1.5, 1.8, 2.3, 4.0])
def test_stars_are_left_as_they_are(fwhm):
    """However bright, and however coarse the pixels."""
    for seed in range(5):
        image = stars(fwhm, np.geomspace(1e2, 1e6, 15), np.random.default_rng(seed))
        assert not steps(image, SIGMA).any()


def test_noise_is_left_as_it_is():
    image = np.random.default_rng(1).normal(0, SIGMA, (500, 500)).astype(np.float32)
    assert not steps(image, SIGMA).any()


def test_any_rows_are_the_same():
    soft = softened(rows_of(bloomed()), SHAPE, np.array([SIGMA]))
    whole = soft(0, SHAPE[0])
    assert (whole[0] != bloomed()).sum() > 100
    other = softened(rows_of(bloomed()), SHAPE, np.array([SIGMA]))
    for y0, y1 in ((60, 70), (21, 22), (0, 151), (63, 129)):
        np.testing.assert_array_equal(other(y0, y1), whole[:, y0:y1])


def test_both_axes_are_alike():
    marks = steps(bloomed(), SIGMA)
    np.testing.assert_array_equal(steps(np.ascontiguousarray(bloomed().T), SIGMA), marks.T)


def test_invalid_pixels_stay_so_and_give_nothing():
    image = bloomed()
    image[40, 22:25] = np.nan
    image[30, 20] = np.nan
    soft = softened(rows_of(image), SHAPE, np.array([SIGMA]))(0, SHAPE[0])[0]
    np.testing.assert_array_equal(np.isnan(soft), np.isnan(image))


def test_a_small_frame_of_three_colours():
    image = np.full((3, 5, 6), LEVEL, np.float32)
    image[1, :, 2] = FULL
    soft = softened(lambda y0, y1: image[:, y0:y1].copy(), (5, 6), np.full(3, SIGMA))(0, 5)
    assert (soft[[0, 2]] == LEVEL).all()
    assert soft[1].sum() == pytest.approx(image[1].sum(), rel=0.2)
    assert (soft[1] != image[1]).any()
