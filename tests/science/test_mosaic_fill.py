"""Bad pixels take what lies around them, and nothing from farther away."""

import numpy as np

from lostlight.science.mosaic.warp.fill import REACH, fill


def filled(image):
    image = image.copy()
    fill(image, ~np.isfinite(image).all(axis=0))
    return image


def test_a_bad_pixel_takes_the_median_of_its_neighbours():
    image = np.random.default_rng(2).normal(100, 5, (2, 31, 41)).astype(np.float32)
    image[:, 10, 12] = np.nan
    image[0, 10, 13] = np.inf
    image[:, 0, 0] = np.nan
    ours = filled(image)
    for c, (y, x), square in (
        (0, (10, 12), np.s_[8:13, 10:15]),
        (1, (10, 13), np.s_[8:13, 11:16]),
        (0, (0, 0), np.s_[:3, :3]),
    ):
        around = image[(c, *square)].astype(float).copy()
        around[~np.isfinite(image[:, *square]).all(axis=0)] = np.nan
        assert np.isclose(ours[c, y, x], np.nanmedian(around), rtol=1e-6)
    good = np.isfinite(image).all(axis=0)
    assert np.array_equal(ours[:, good], image[:, good])


def test_a_wide_hole_goes_on_as_its_edge_and_ends_in_nothing():
    image = np.full((1, 40, 60), np.nan, np.float32)
    image[:, :10, :20] = 7
    ours = filled(image)[0]
    assert (ours[:12, :22] == 7).all()
    assert (ours[5, :36] == 7).all()
    assert (ours[:26, 5] == 7).all()
    assert ours[39, 59] == 0
    assert np.isfinite(ours).all()


def test_far_pixels_do_not_matter():
    rng = np.random.default_rng(5)
    image = rng.normal(0, 1, (1, 120, 130)).astype(np.float32)
    image[:, rng.random((120, 130)) < 0.3] = np.nan
    image[:, 50:90, 40:75] = np.nan
    whole, part = filled(image), filled(image[:, 20:100, 15:110])
    inner = (slice(None), slice(REACH, -REACH), slice(REACH, -REACH))
    assert np.array_equal(whole[:, 20:100, 15:110][inner], part[inner])


def test_a_frame_without_bad_pixels_is_left_alone():
    image = np.ones((1, 5, 6), np.float32)
    assert np.array_equal(filled(image), image)


def test_all_bad_becomes_nothing():
    assert not filled(np.full((1, 9, 7), np.nan, np.float32)).any()
