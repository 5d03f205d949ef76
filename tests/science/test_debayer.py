"""Colour from a filter array: exact scenes come back exactly, bad pixels leave, error bars hold."""

import numpy as np
import pytest

from lostlight.core.errors import LostlightError
from lostlight.science.calibrate import debayer as module
from lostlight.science.calibrate.cfa import PATTERNS, colour_masks, stored_pattern
from lostlight.science.calibrate.debayer import METHODS, debayer
from lostlight.science.calibrate.planes import Planes
from lostlight.vocab.bits import dq

SHAPE = (13, 10)


def mosaic(scene, pattern):
    """See a colour scene, shape (3, ny, nx), through a filter array, letter by letter."""
    _, ny, nx = scene.shape
    seen = np.zeros((ny, nx), np.float32)
    for y in range(ny):
        for x in range(nx):
            seen[y, x] = scene["RGB".index(pattern[2 * (y % 2) + x % 2]), y, x]
    return Planes(seen, np.full((ny, nx), 2, np.float32), np.zeros((ny, nx), np.uint16))


def even(red=100.0, green=400.0, blue=900.0, shape=SHAPE):
    return np.ones((3, *shape)) * np.array([red, green, blue])[:, None, None]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("method", METHODS)
def test_an_even_scene_comes_back_in_all_patterns(pattern, method):
    made = debayer(mosaic(even(), pattern), pattern, method)
    shape = (3, 13, 10) if method == "bilinear" else (3, 6, 5)
    assert (made.data.shape, made.uncert.shape, made.dq.shape) == (shape, shape, shape[1:])
    assert (made.data.dtype, made.uncert.dtype, made.dq.dtype) == (np.float32, np.float32, np.uint16)
    np.testing.assert_array_equal(made.data, even(shape=shape[1:]))
    assert not made.dq.any()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_slope_comes_back_inside_the_border(pattern):
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    scene = np.array([10 + 3 * y + 5 * x, 200 + y - x, 50 + 2 * y])
    made = debayer(mosaic(scene, pattern), pattern)
    np.testing.assert_allclose(made.data[:, 1:-1, 1:-1], scene[:, 1:-1, 1:-1], rtol=1e-6)


def test_own_colour_is_kept_to_the_bit():
    rng = np.random.default_rng(2)
    seen = Planes(rng.normal(1000, 300, SHAPE).astype(np.float32))
    made = debayer(seen, "GRBG")
    for plane, mask in zip(made.data, colour_masks("GRBG", SHAPE), strict=True):
        np.testing.assert_array_equal(plane[mask], seen.data[mask])
    assert made.uncert is None
    assert made.dq is None


def test_small_mosaics_by_hand():
    seen = Planes(np.array([[1, 2], [4, 8]], np.float32), np.array([[1, 3], [4, 2]], np.float32))
    pixel = debayer(seen, "RGGB", "superpixel")
    np.testing.assert_array_equal(pixel.data[:, 0, 0], [1, 3, 8])
    np.testing.assert_allclose(pixel.uncert[:, 0, 0], [1, 2.5, 2])
    full = debayer(seen, "RGGB")
    np.testing.assert_array_equal(full.data, [[[1, 1], [1, 1]], [[3, 2], [4, 3]], [[8, 8], [8, 8]]])
    np.testing.assert_allclose(full.uncert[1], [[2.5, 3], [4, 2.5]])


def test_surface_brightness_of_superpixels_is_that_of_raw_pixels():
    """The sum over an aperture is a quarter of that of the bilinear image, in every colour."""
    y, x = np.mgrid[:40, :40]
    star = np.exp(-((y - 19.5) ** 2 + (x - 19.5) ** 2) / 2 / 3.0**2)
    seen = mosaic(np.array([500 * star, 900 * star, 200 * star]), "BGGR")
    full, small = debayer(seen, "BGGR"), debayer(seen, "BGGR", "superpixel")
    np.testing.assert_allclose(4 * small.data.sum(axis=(1, 2)), full.data.sum(axis=(1, 2)), rtol=1e-3)
    np.testing.assert_allclose(full.data.sum(axis=(1, 2)), np.array([500, 900, 200]) * star.sum(), rtol=1e-3)


@pytest.mark.parametrize("bit", ["BAD", "HOT", "COLD", "COSMIC", "NO_DATA"])
def test_bad_pixels_leave_the_interpolation(bit):
    seen = mosaic(even(), "RGGB")
    seen.data[6, 4], seen.dq[6, 4] = 50000, dq(bit)  # a red one
    made = debayer(seen, "RGGB")
    np.testing.assert_allclose(made.data, even(), rtol=1e-6)
    assert made.dq[6, 4] == dq(bit, "INTERPOLATED")
    assert np.count_nonzero(made.dq) == 1
    small = debayer(seen, "RGGB", "superpixel")
    assert np.isnan(small.data[0, 3, 2])
    assert small.dq[3, 2] == dq("NO_DATA")
    np.testing.assert_array_equal(small.data[1:], even(shape=(6, 5))[1:])


def test_a_green_pixel_has_a_twin():
    seen = mosaic(even(), "RGGB")
    seen.data[6, 5] = np.nan
    small = debayer(seen, "RGGB", "superpixel")
    np.testing.assert_array_equal(small.data, even(shape=(6, 5)))
    np.testing.assert_allclose(small.uncert[1, 3], [2**0.5, 2**0.5, 2, 2**0.5, 2**0.5])
    made = debayer(seen, "RGGB")
    np.testing.assert_allclose(made.data, even(), rtol=1e-6)


@pytest.mark.parametrize("bits", [dq("HOT", "INTERPOLATED"), dq("SATURATED"), dq("NO_FLAT")])
def test_repaired_and_saturated_pixels_take_part_and_pass_on_their_bits(bits):
    seen = mosaic(even(), "RGGB")
    seen.data[6, 4], seen.dq[6, 4] = 180, bits
    made = debayer(seen, "RGGB")
    assert made.data[0, 6, 4] == 180
    assert made.data[0, 6, 5] == 140
    np.testing.assert_array_equal(np.argwhere(made.dq == bits), [(y, x) for y in (5, 6, 7) for x in (3, 4, 5)])
    assert debayer(seen, "RGGB", "superpixel").dq[3, 2] == bits


def test_a_hole_too_large_to_fill_is_told():
    seen = mosaic(even(shape=(21, 19)), "RGGB")
    seen.data[5:16, 4:15] = np.nan
    made = debayer(seen, "RGGB")
    hole = np.isnan(made.data).any(axis=0)
    assert hole[10, 9]
    assert not hole[:4].any()
    np.testing.assert_array_equal(made.dq & dq("NO_DATA") != 0, hole)
    np.testing.assert_array_equal(np.isnan(made.uncert), np.isnan(made.data))
    np.testing.assert_allclose(made.data[:, ~hole], even(shape=(21, 19))[:, ~hole], rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("rows", [2, 6, 20])
def test_blocks_change_no_bit(monkeypatch, method, rows):
    rng = np.random.default_rng(9)
    shape = (21, 14)
    bad = np.where(rng.random(shape) < 0.2, dq("BAD"), 0).astype(np.uint16)
    seen = Planes(rng.normal(500, 80, shape).astype(np.float32), rng.random(shape, dtype=np.float32), bad)
    whole = debayer(seen, "GBRG", method)
    monkeypatch.setattr(module, "_ROWS", rows)
    parts = debayer(seen, "GBRG", method)
    for name in ("data", "uncert", "dq"):
        assert getattr(whole, name).tobytes() == getattr(parts, name).tobytes()


@pytest.mark.parametrize("method", METHODS)
def test_error_bars_are_those_of_the_scatter(method):
    rng = np.random.default_rng(7)
    scene, sigma = mosaic(even(shape=(7, 6)), "GBRG").data, rng.uniform(1, 9, (7, 6)).astype(np.float32)
    bad = np.zeros((7, 6), np.uint16)
    bad[3, 2] = dq("BAD")
    made = [
        debayer(Planes(rng.normal(scene, sigma).astype(np.float32), sigma, bad), "GBRG", method) for _ in range(1500)
    ]
    scatter = np.std([image.data for image in made], axis=0)
    np.testing.assert_allclose(scatter, made[0].uncert, rtol=0.09)
    assert np.nanmean(scatter / made[0].uncert) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize(
    ("pixels", "pattern", "method", "said"),
    [
        (np.ones(SHAPE), "", "bilinear", "mono"),
        (np.ones((3, 9, 8)), "RGGB", "bilinear", "no mosaic"),
        (np.ones((1, 9)), "RGGB", "superpixel", "no mosaic"),
        (np.ones(SHAPE), "RGGB", "vng", "neither bilinear nor superpixel"),
    ],
)
def test_what_is_no_mosaic_is_refused(pixels, pattern, method, said):
    with pytest.raises(LostlightError, match=f"CAL109.*{said}"):
        debayer(Planes(pixels.astype(np.float32)), pattern, method)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("n_rows", [6, 7])
@pytest.mark.parametrize("roworder", ["", "TOP-DOWN", "BOTTOM-UP"])
@pytest.mark.parametrize(("x_offset", "y_offset", "x0", "y0"), [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 2, 1), (1, 1, 3, 2)])
def test_the_stored_pattern_is_that_of_the_picture(pattern, n_rows, roworder, x_offset, y_offset, x0, y0):
    """Draw the picture, store its rows in the order the header says, trim, and look at the first cell."""
    n_columns = 9
    picture = [
        [pattern[2 * ((y + y_offset) % 2) + (x + x_offset) % 2] for x in range(n_columns)] for y in range(n_rows)
    ]
    stored = picture[::-1] if roworder == "BOTTOM-UP" else picture
    expected = "".join(stored[y0][x0 : x0 + 2] + stored[y0 + 1][x0 : x0 + 2])
    assert stored_pattern(pattern, roworder, n_rows, x_offset, y_offset, x0, y0) == expected


def test_unknown_patterns_and_orders_are_refused():
    with pytest.raises(LostlightError, match=r"CAL109.*RGBG.*GRBG"):
        stored_pattern("RGBG")
    with pytest.raises(LostlightError, match=r"CAL109.*SIDEWAYS"):
        stored_pattern("RGGB", "SIDEWAYS")


def test_every_pixel_has_one_colour_and_half_are_green():
    masks = colour_masks("BGGR", (8, 6))
    assert (masks.sum(axis=0) == 1).all()
    np.testing.assert_array_equal(masks.sum(axis=(1, 2)), [12, 24, 12])
    assert masks[2, 0, 0]
