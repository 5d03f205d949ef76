"""One mask of stars for all frames."""

import numpy as np
import pytest
from astropy.wcs import WCS

from lostlight.science.mosaic.frame.common_sources import common_sources, with_common
from lostlight.science.mosaic.frame.measure import Measured
from lostlight.science.mosaic.frame.star_mask import star_mask
from lostlight.science.mosaic.frame.stars import StarTable

SHAPE = 301, 420
WHOLE = np.array([[-0.5, -0.5], [419.5, -0.5], [419.5, 300.5], [-0.5, 300.5]])


def test_circles_of_all_frames_are_covered():
    rng = np.random.default_rng(1)
    frames = [np.column_stack([rng.uniform(5, 290, (30, 2)), rng.uniform(3, 9, 30)]) for _ in range(3)]
    found = common_sources(frames, [WHOLE] * 3, [2.5] * 3, SHAPE)
    together = np.any([star_mask(SHAPE, circles.astype(np.float32)) for circles in frames], axis=0)
    mask = star_mask(SHAPE, found)
    assert mask[together].all()
    assert mask.mean() < 1.4 * together.mean()
    again = common_sources(frames[::-1], [WHOLE] * 3, [2.5] * 3, SHAPE)
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize(("n", "n_kept"), [(3, 2), (10, 2), (40, 1)])
def test_what_one_of_many_frames_shows_is_its_own_affair(n, n_kept):
    star, ray = [50.2, 60.1, 5.0], [200.0, 100.0, 3.0]
    frames = [np.array([star] + ([ray] if k == 1 else [])) for k in range(n)]
    found = common_sources(frames, [WHOLE] * n, [2.5] * n, SHAPE)
    assert len(found) == n_kept
    assert tuple(found[0, :2]) == (50, 60)


def test_the_one_frame_there_is_speaks_for_itself():
    """Frames that lie elsewhere do not vote."""
    far = WHOLE + 1000
    frames = [np.array([[50.0, 60.0, 5.0]])] + [np.empty((0, 3))] * 30
    assert len(common_sources(frames, [WHOLE] + [far] * 30, [2.5] * 31, SHAPE)) == 1


def test_a_blurred_frame_does_not_hide_the_sky_of_the_others():
    frames = [np.array([[50.0, 60.0, 5.0]])] * 3 + [np.array([[50.0, 60.0, 40.0]])]
    found = common_sources(frames, [WHOLE] * 4, [2.5, 2.6, np.nan, 9.0], SHAPE)
    assert found[:, 2].max() < 7


def test_nothing_at_all():
    bare = common_sources([np.empty((0, 3)), np.array([[np.nan, 1, 2]])], [WHOLE, WHOLE[:0]], [np.nan] * 2, SHAPE)
    assert bare.shape == (0, 3)
    assert common_sources([], [], [], SHAPE).shape == (0, 3)


def test_sources_of_others_come_to_where_they_are_on_a_frame():
    canvas, frame = WCS(naxis=2), WCS(naxis=2)
    frame.wcs.cdelt = 2, 2
    frame.wcs.crval = 10, 20
    own = Measured(StarTable.none(), np.array([[5, 6, 3]], np.float32), np.array([1.0]), 2.5, 1.0, 1)
    found = with_common(own, np.array([[30.0, 40.0, 8.0]], np.float32), canvas, frame, 0.5)
    (x, y), (u, v) = (wcs.all_world2pix([[31.0, 41.0]], 0)[0] for wcs in (frame, canvas))
    assert (u, v) == (30, 40)
    np.testing.assert_allclose(found.sources, [[5, 6, 3], [x, y, 4]])
    assert with_common(own, np.empty((0, 3), np.float32), canvas, frame, 0.5).sources.shape == (1, 3)
