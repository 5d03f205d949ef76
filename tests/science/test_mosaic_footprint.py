"""Outlines of frames: where astropy has the corners, as large as the sky says, and the cells they cover."""

import numpy as np
import pytest
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_area
from matplotlib.path import Path

from lostlight.core.errors import NoWCS
from lostlight.science.mosaic.footprint import (
    border,
    cells_inside,
    flattened,
    mean_direction,
    outline,
    pixel_size,
    to_pixels,
    to_world,
    unit_vectors,
)

SHAPE = 61, 97


def sky(ra=10.0, dec=20.0, scale=1 / 3600, angle_deg=0.0, kind="TAN", shape=SHAPE):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = [f"RA---{kind}", f"DEC--{kind}"]
    wcs.wcs.crval = [ra, dec]
    wcs.wcs.crpix = [shape[1] / 2 + 0.5, shape[0] / 2 + 0.5]
    wcs.wcs.cdelt = [-scale, scale]
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    wcs.wcs.pc = [[cos, -sin], [sin, cos]]
    wcs.wcs.set()
    return wcs


def linear(matrix, shift=(0.0, 0.0)):
    wcs = WCS(naxis=2)
    wcs.wcs.pc = matrix
    wcs.wcs.crpix = [1, 1]
    wcs.wcs.crval = shift
    return wcs


def area(polygon):
    x, y = polygon.T
    return np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) / 2


def test_the_border_runs_once_around_along_the_outer_edges():
    polygon = np.stack(border(SHAPE, 11), axis=1)

    assert len(polygon) == 40 and len(np.unique(polygon, axis=0)) == 40
    assert area(polygon) == pytest.approx(SHAPE[0] * SHAPE[1], rel=1e-12)
    assert polygon.min() == -0.5 and tuple(polygon.max(axis=0)) == (SHAPE[1] - 0.5, SHAPE[0] - 0.5)


@pytest.mark.parametrize(("ra", "dec", "angle"), [(10, 20, 0), (0.001, -45, 33), (200, 89.999, 120), (359.9, 0, -80)])
def test_its_corners_are_those_of_astropy(ra, dec, angle):
    wcs = sky(ra, dec, angle_deg=angle)

    corners = outline(wcs, SHAPE, per_edge=5)[::4]
    theirs = wcs.calc_footprint(axes=SHAPE[::-1], center=False)

    ours = {tuple(np.round(vector, 9)) for vector in unit_vectors(corners)}
    assert ours == {tuple(np.round(vector, 9)) for vector in unit_vectors(theirs)}


def test_a_distorted_frame_bulges_between_its_corners():
    wcs = sky()
    wcs.wcs.ctype = ["RA---TAN-SIP", "DEC--TAN-SIP"]
    a = np.zeros((3, 3))
    a[0, 2] = 2e-3
    from astropy.wcs import Sip

    wcs.sip = Sip(a, np.zeros((3, 3)), None, None, wcs.wcs.crpix)

    x, y = to_pixels(sky(), *outline(wcs, SHAPE).T)

    middle = np.argmin(np.hypot(x - (SHAPE[1] - 0.5), y - (SHAPE[0] - 1) / 2))
    # x grows by 2e-3 y²: nothing half-way up, and 1.86 pixels at the corners
    assert x[middle] == pytest.approx(SHAPE[1] - 0.5, abs=1e-6)
    assert x.max() == pytest.approx(SHAPE[1] - 0.5 + 2e-3 * (SHAPE[0] / 2) ** 2, abs=1e-3)


def test_a_frame_in_galactic_coordinates_is_outlined_in_icrs():
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"]
    wcs.wcs.crval, wcs.wcs.crpix, wcs.wcs.cdelt = [0, 0], [49, 31], [-0.001, 0.001]

    middle = mean_direction(unit_vectors(outline(wcs, SHAPE)))

    # Sgr A*, near the galactic centre: 266.405, -28.936
    assert np.degrees(np.arctan2(middle[1], middle[0])) % 360 == pytest.approx(266.405, abs=0.002)
    assert np.degrees(np.arcsin(middle[2])) == pytest.approx(-28.936, abs=0.002)


def test_a_frame_without_any_place_is_refused():
    wcs = sky(scale=5.0, kind="SIN")  # far outside of half the sky
    wcs.wcs.crpix = [-500, -500]

    with pytest.raises(NoWCS, match="no place"):
        outline(wcs, SHAPE)


@pytest.mark.parametrize(("dec", "kind", "angle"), [(0, "TAN", 0), (89.99, "TAN", 17), (-60, "SIN", 90)])
def test_the_size_of_a_pixel_is_that_of_astropy(dec, kind, angle):
    wcs = sky(dec=dec, scale=0.262 / 3600, kind=kind, angle_deg=angle)

    assert pixel_size(wcs, SHAPE) == pytest.approx(np.sqrt(proj_plane_pixel_area(wcs)) * 3600, rel=2e-7)


def test_a_registered_frame_has_places_and_pixels_too():
    matrix = 0.5 * np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]]) @ np.diag([1, -1])
    wcs = linear(matrix, (7.25, -3.5))
    x, y = np.array([[0.0, 96.0, 3.25]] * 2), np.array([[0.0, 60.0, -1.5]] * 2)

    u, v = to_world(wcs, x, y)

    np.testing.assert_allclose(np.stack([u[0], v[0]]), matrix @ np.stack([x[0], y[0]]) + [[7.25], [-3.5]])
    np.testing.assert_allclose(to_pixels(wcs, u, v), (x, y), atol=1e-9)
    assert pixel_size(wcs, SHAPE) == pytest.approx(0.5)


def test_flat_outlines_keep_their_area_and_neighbours_at_ra_0_and_the_poles():
    for ra, dec in ((0.0, 0.0), (123.0, 90.0), (359.99, -89.99), (40.0, 55.0)):
        left, right = sky(ra, dec, 0.01), sky(ra, dec, 0.01)
        right.wcs.crpix = right.wcs.crpix - [50, 0]  # about half a frame to the side

        flat = flattened([outline(left, SHAPE), outline(right, SHAPE)])

        assert abs(area(flat[0])) == pytest.approx(SHAPE[0] * SHAPE[1] * np.radians(0.01) ** 2, rel=1e-3)
        scale = np.radians(0.01)
        both = np.concatenate(flat) / scale
        cells = [cells_inside(polygon / scale - both.min(axis=0), (300, 300)) for polygon in flat]
        shared = (cells[0] & cells[1]).sum() / cells[0].sum()
        assert shared == pytest.approx((SHAPE[1] - 50) / SHAPE[1], abs=0.02)


def test_points_without_a_place_are_left_out_and_nothing_is_nothing():
    places = outline(sky(), SHAPE)
    places[3] = np.nan

    (flat,) = flattened([places])

    assert len(flat) == len(places) - 1 and np.isfinite(flat).all()
    assert flattened([]) == []


def test_directions_that_cancel_give_the_first():
    vectors = np.array([[0.0, 1, 0], [0, -1, 0]])

    np.testing.assert_array_equal(mean_direction(vectors), vectors[0])


@pytest.mark.parametrize("seed", range(8))
def test_cells_are_those_that_matplotlib_finds_inside(seed):
    rng = np.random.default_rng(seed)
    # a star, concave, partly beyond the grid
    angles = np.sort(rng.uniform(0, 2 * np.pi, 11))
    radii = rng.uniform(5, 40, 11)
    polygon = np.stack([20 + radii * np.cos(angles), 15 + radii * np.sin(angles)], axis=1)
    shape = 33, 47

    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    theirs = Path(np.vstack([polygon, polygon[:1]]), closed=True).contains_points(np.stack([x.ravel(), y.ravel()], 1))

    np.testing.assert_array_equal(cells_inside(polygon, shape), theirs.reshape(shape))


def test_a_square_covers_the_cells_whose_middles_it_holds():
    square = np.array([[2.0, 1], [5, 1], [5, 3], [2, 3]])

    inside = cells_inside(square, (7, 9))

    assert inside.sum() == 6 and inside[1:3, 2:5].all()
    assert not cells_inside(np.full((4, 2), np.nan), (7, 9)).any()
