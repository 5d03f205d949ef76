"""Masks, boxes and crops against SciPy and brute force."""

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from lostlight.science.mosaic.polish import discs, rectangle
from lostlight.science.mosaic.polish.crop import autocrop, quiet_window
from lostlight.science.mosaic.polish.pieces import small_pieces
from lostlight.science.mosaic.window import Window

MASKS = st.builds(
    lambda seed, ny, nx, share: np.random.default_rng(seed).random((ny, nx)) < share,
    st.integers(0, 10**6), st.integers(1, 13), st.integers(1, 17), st.sampled_from([0.2, 0.6, 0.8, 0.95, 1.0]),
)  # fmt: skip


def blob(seed):
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(61, 47)), 2) > -0.03


@pytest.mark.parametrize("radius", [0, 1, 2, 3, 5])
def test_discs_against_scipy(radius):
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = y**2 + x**2 <= radius**2
    room = 2 * radius + 1
    inner = slice(room, -room)
    for seed in range(4):
        mask = blob(seed)
        before = mask.copy()
        np.testing.assert_array_equal(discs.erode(mask, radius), ndimage.binary_erosion(mask, disc))
        filled = ndimage.binary_erosion(mask, disc, border_value=1)
        np.testing.assert_array_equal(discs.erode(mask, radius, outside=True), filled)
        np.testing.assert_array_equal(discs.dilate(mask, radius), ndimage.binary_dilation(mask, disc))
        np.testing.assert_array_equal(discs.opened(mask, radius), ndimage.binary_opening(mask, disc))
        wide = ndimage.binary_closing(np.pad(mask, room), disc)[inner, inner]
        np.testing.assert_array_equal(discs.closed(mask, radius), wide)
        np.testing.assert_array_equal(mask, before)


def test_bands_of_rows_are_seamless(monkeypatch):
    mask = blob(7)
    whole = discs.erode(mask, 3), discs.dilate(mask, 3), discs.closed(mask, 3)
    monkeypatch.setattr(discs, "_BAND", 5)
    for found, wanted in zip((discs.erode(mask, 3), discs.dilate(mask, 3), discs.closed(mask, 3)), whole, strict=True):
        np.testing.assert_array_equal(found, wanted)


@given(MASKS, st.sampled_from([0.0, 0.02, 0.1, 0.4]))
@settings(max_examples=60, deadline=None)
def test_small_pieces_against_scipy(mask, least):
    label, n = ndimage.label(mask)
    area = np.bincount(label.ravel())[1:]
    got = np.zeros_like(mask)
    for row, first, last in small_pieces(mask, least):
        got[row, first:last] = True
    small = [k + 1 for k in range(n) if area[k] < least * area.sum() and k != np.argmax(area)]
    np.testing.assert_array_equal(got, np.isin(label, small))


def largest_by_force(mask):
    total = np.pad(mask.astype(int).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    ny, nx = mask.shape
    best = 0
    for y0 in range(ny):
        for y1 in range(y0 + 1, ny + 1):
            for x0 in range(nx):
                for x1 in range(x0 + 1, nx + 1):
                    area = (y1 - y0) * (x1 - x0)
                    full = total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0] == area
                    best = max(best, area if full else 0)
    return best


@given(MASKS)
@settings(max_examples=40, deadline=None)
def test_largest_rectangle_against_brute_force(mask):
    mask = mask[:9, :10]
    found = rectangle.largest_full(mask)
    assert mask[found.slices].all()
    assert found.height * found.width == largest_by_force(mask)
    assert tuple(rectangle._largest.py_func(mask)) == (found.y0, found.x0, found.height, found.width)


@given(MASKS)
@settings(max_examples=40, deadline=None)
def test_bounding_box(mask):
    box = rectangle.bounding_box(mask)
    if not mask.any():
        assert box.is_empty
        return
    assert mask[box.slices].sum() == mask.sum()
    inside = mask[box.slices]
    assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()


def test_autocrop():
    keep = np.zeros((50, 71), bool)
    keep[10:40, 20:60] = True
    keep[10:12, 20:30] = False
    assert autocrop(keep, "none", 5) == Window(0, 0, 50, 71)
    assert autocrop(keep, "bbox", 0) == Window(10, 20, 30, 40)
    assert autocrop(keep, "bbox", 12) == Window(0, 8, 50, 63)
    assert autocrop(keep, "inscribed", 0) == Window(12, 20, 28, 40)
    assert autocrop(keep, "inscribed", 1) == Window(11, 19, 30, 42)


def test_a_crop_leaves_every_pixel_on_its_place_in_the_sky():
    whole = WCS(naxis=2)
    whole.wcs.ctype = "RA---TAN", "DEC--TAN"
    whole.wcs.crval, whole.wcs.crpix, whole.wcs.cdelt = (359.99, 71.0), (350.5, 250.5), (-4e-4, 4e-4)
    box = autocrop(np.pad(np.ones((333, 401), bool), ((17, 31), (5, 60))), "bbox", 0)
    part = whole[box.slices]
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 401, 50), rng.uniform(0, 333, 50)
    back = whole.all_world2pix(*part.all_pix2world(x, y, 0), 0)
    assert np.abs(back[0] - x - box.x0).max() < 1e-6
    assert np.abs(back[1] - y - box.y0).max() < 1e-6


def test_noisy_rims_are_trimmed_in_blocks():
    weight = np.full((1, 400, 500), 1.0, np.float32)
    weight[:, :50] = 0.2
    weight[:, :, 470:] = 0.1
    keep = np.ones((400, 500), bool)
    assert quiet_window(weight, keep, 2.0) == Window(64, 0, 336, 468)
    assert quiet_window(weight, keep, 10.0) == Window(0, 0, 400, 500)


def test_a_rim_of_one_frame_about_a_centre_of_four_stays():
    weight = np.ones((3, 500, 500), np.float32)
    weight[:, 150:350, 150:350] = 4
    keep = np.zeros((500, 500), bool)
    keep[20:480, 20:480] = True
    assert quiet_window(weight, keep, 2.0) == Window(20, 20, 460, 460)


def test_one_noisy_channel_is_enough_and_an_empty_centre_is_no_obstacle():
    weight = np.ones((3, 300, 300), np.float32)
    weight[1, -32:] = 0.01
    keep = np.ones((300, 300), bool)
    keep[70:230, 70:230] = False
    assert quiet_window(weight, keep, 2.0) == Window(0, 0, 268, 300)


def test_a_small_mosaic_is_not_trimmed_away():
    keep = np.ones((5, 7), bool)
    weight = np.linspace(0.001, 1, 35, dtype=np.float32).reshape(1, 5, 7)
    assert quiet_window(weight, keep, 1.0) == Window(0, 0, 5, 7)
