"""The grid of a stack is that of its earliest image and holds all images."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io.fits import Header
from astropy.wcs import WCS, DistortionLookupTable

from lostlight.core.errors import ConfigError
from lostlight.science.epochs.grid import shifted, union_grid, whole_shift

SHAPE = (101, 143)


def wcs(ra=10.0, dec=45.0, crpix=(70.0, 50.0), turn_deg=0.0, kind="TAN"):
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    scale = 0.5 / 3600
    header = Header({"CTYPE1": f"RA---{kind}", "CTYPE2": f"DEC--{kind}", "CRVAL1": ra, "CRVAL2": dec})
    header["CRPIX1"], header["CRPIX2"] = crpix
    header["CD1_1"], header["CD1_2"], header["CD2_1"], header["CD2_2"] = -scale * c, scale * s, scale * s, scale * c
    if kind == "TAN-SIP":
        header["A_ORDER"], header["B_ORDER"], header["A_2_0"], header["B_1_1"] = 2, 2, 2e-5, -3e-5
    if kind == "TPV":
        header["PV1_1"], header["PV2_1"], header["PV1_4"] = 1.0, 1.0, 0.05
    return WCS(header)


def stack(*places):
    return SimpleNamespace(ids=tuple(f"i{k}" for k in range(len(places))), shape=SHAPE, wcs=places)


def test_images_without_sky_have_one_grid():
    grid = union_grid(stack(None, None))
    assert (grid.wcs, grid.shape, grid.x0, grid.y0) == (None, SHAPE, 0, 0)


def test_one_image_is_its_own_grid():
    grid = union_grid(stack(wcs(), wcs()))
    assert (grid.shape, grid.x0, grid.y0) == (SHAPE, 0, 0)


def test_shifted_images_extend_it():
    grid = union_grid(stack(wcs(), wcs(crpix=(73.0, 50.0)), wcs(crpix=(65.5, 43.0))))
    assert (grid.x0, grid.y0) == (-3, 0)
    assert grid.shape == (101 + 7, 143 + 3 + 5)


@pytest.mark.parametrize("dec", [-7.8, 45.0, 89.99])
@pytest.mark.parametrize("kind", ["TAN", "TAN-SIP", "TPV"])
def test_all_pixels_of_all_images_lie_on_it(dec, kind):
    places = [wcs(0.0005, dec, kind=kind), wcs(359.9995, dec, (60.3, 44.4), 3.0, kind), wcs(0.0, dec, (81.0, 55.0))]
    grid = union_grid(stack(*places))
    y, x = np.indices(SHAPE)
    for place in places:
        u, v = grid.wcs.all_world2pix(*place.all_pix2world(x, y, 0), 0)
        assert u.min() > -0.01
        assert v.min() > -0.01
        assert u.max() < grid.shape[1] - 0.99
        assert v.max() < grid.shape[0] - 0.99
    assert grid.shape[0] < 1.5 * SHAPE[0]


@pytest.mark.parametrize("kind", ["TAN", "TAN-SIP", "TPV", "table"])
def test_a_shifted_grid_has_the_same_sky(kind):
    own = wcs(kind="TAN" if kind == "table" else kind)
    if kind == "table":
        table = np.random.default_rng(1).normal(0, 3, (5, 6)).astype(np.float32)
        own.cpdis1 = DistortionLookupTable(table, (1, 1), (1, 1), (30, 30))
    moved = shifted(own, -7, 4)
    x, y = np.array([20.0, 100.0]), np.array([33.0, 80.0])
    np.testing.assert_allclose(moved.all_pix2world(x + 7, y - 4, 0), own.all_pix2world(x, y, 0), atol=1e-12)
    np.testing.assert_allclose(own.all_pix2world(x, y, 0), wcs_of(own, kind).all_pix2world(x, y, 0), atol=1e-12)


def wcs_of(own, kind):
    """Give the WCS as it was made: shifting must not change it."""
    return own if kind == "table" else wcs(kind=kind)


def test_whole_shifts_are_told_from_others():
    assert whole_shift(wcs(), wcs(), SHAPE) == (0, 0)
    assert whole_shift(wcs(), wcs(crpix=(75.0, 48.0)), SHAPE) == (5, -2)
    assert whole_shift(wcs(), wcs(crpix=(75.3, 48.0)), SHAPE) is None
    assert whole_shift(wcs(), wcs(turn_deg=0.01), SHAPE) is None


def test_what_is_no_field():
    with pytest.raises(ConfigError, match="1 of 2 images have no place on the sky, i1"):
        union_grid(stack(wcs(), None))
    with pytest.raises(ConfigError, match="1 of 2 images have no place on the sky, i0"):
        union_grid(stack(None, wcs()))
    for far in (wcs(ra=10.4), wcs(ra=190.0, dec=-45.0)):
        with pytest.raises(ConfigError, match="image i1 lies too far from i0"):
            union_grid(stack(wcs(), far))
