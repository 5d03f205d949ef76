"""Star fluxes and medians of the sky on the canvas against what was planted, and from one frame to another."""

import numpy as np
import pytest

from lostlight.science.mosaic.frame import cells as medians
from lostlight.science.mosaic.frame.levels import FINE_PX, aperture_radius, levels
from lostlight.science.mosaic.frame.measure import Measured, measure
from lostlight.science.mosaic.frame.stars import StarTable
from lostlight.sim.mosaics import Scene
from lostlight.sim.mosaics_design import MosaicDesign
from lostlight.sim.mosaics_light import add_stars

SHAPE = 307, 411


def spread(values):
    return 1.4826 * np.median(np.abs(values - np.median(values)))


def field(seed=1, sigma=5.0):
    rng = np.random.default_rng(seed)
    y, x = (v.ravel() + rng.uniform(-5, 5, v.size) for v in np.mgrid[30:280:50, 30:390:50])
    flux = 10 ** rng.uniform(3.7, 4.9, x.size)
    image = np.zeros(SHAPE)
    add_stars(image, x, y, flux, (2.6, 2.6))
    image += 300 + rng.normal(0, sigma, SHAPE)
    return image[None].astype(np.float32), x, y, flux


def bare(shape, sigma=5.0, channels=1):
    """A frame without stars, by decree."""
    return Measured(StarTable.none(), np.empty((0, 3), np.float32), np.full(channels, sigma), np.nan, np.nan, 0)


def test_aperture_of_a_session():
    assert aperture_radius([2.0, 2.0, 2.0]) == 5
    assert aperture_radius([np.nan, 3.0, np.nan]) == 7.5
    assert aperture_radius([1.0] * 9 + [100.0]) == pytest.approx(min(2.5 * np.percentile([1] * 9 + [100], 90), 15))
    assert aperture_radius([]) == 4
    assert aperture_radius([50.0]) == 15


def test_fluxes_of_isolated_stars():
    data, x, y, flux = field()
    grid_y, grid_x = np.indices(SHAPE).astype(float)
    stars, _, _ = levels(data, measure(data), 2 * grid_x + 3, 2 * grid_y + 7, 900, 2 * 6.5, 64, ratio=0.25)
    which = np.argmin(np.hypot(stars.x[:, None] - (2 * x + 3), stars.y[:, None] - (2 * y + 7)), axis=1)
    pull = (stars.flux[:, 0] - flux[which]) / stars.error[:, 0]
    assert len(stars.x) >= 0.8 * len(x)
    assert np.hypot(stars.x - 2 * x[which] - 3, stars.y - 2 * y[which] - 7).max() < 0.5
    assert np.median(stars.flux[:, 0] / flux[which]) == pytest.approx(1, abs=0.003)
    assert abs(np.mean(pull)) < 0.6
    assert 0.7 < np.std(pull) < 1.4


def test_stars_with_neighbours_or_blanks_or_borders_too_near_are_left_out():
    data, x, y, _ = field()
    grid_y, grid_x = np.indices(SHAPE).astype(float)
    found = measure(data)
    data[0, round(y[3]) + 3, round(x[3])] = np.nan
    canvas_x = np.where(np.hypot(grid_x - x[9], grid_y - y[9]) < 5, np.nan, grid_x)
    stars, _, _ = levels(data, found, canvas_x, grid_y, 411, 6.5)
    near = np.hypot(stars.x[:, None] - x, stars.y[:, None] - y).min(axis=0)
    assert near[3] > 3
    assert near[9] > 3
    assert near[12] < 0.5
    assert not len(levels(data, found, grid_x, grid_y, 411, 60.0)[0].x)


def test_cells_hold_the_level_at_their_middles():
    rng = np.random.default_rng(1)
    grid_y, grid_x = np.indices(SHAPE).astype(float)
    plane = 500 + 0.3 * grid_x - 0.2 * grid_y
    data = (plane + rng.normal(0, 5, SHAPE))[None].astype(np.float32)
    _, sky, fine = levels(data, bare(SHAPE), grid_x + 100, grid_y + 20, 640, 5.0)
    for cells, side in ((sky, 64), (fine, FINE_PX)):
        truth = 500 + 0.3 * (cells.u - 100) - 0.2 * (cells.v - 20)
        pull = (cells.value[:, 0] - truth) / np.sqrt(cells.variance[:, 0])
        across = -(-640 // side)
        np.testing.assert_array_equal(cells.index, cells.v // side * across + cells.u // side)
        assert len(np.unique(cells.index)) == len(cells.index) > 0.8 * SHAPE[0] * SHAPE[1] / side**2
        assert abs(np.mean(pull)) < 4 / np.sqrt(len(pull))
        assert 0.6 < np.std(pull) < 1.25


def test_medians_against_plain_ones():
    rng = np.random.default_rng(1)
    y, x = np.indices((90, 123)).astype(float)
    data = rng.normal(100, 3, (3, 90, 123)).astype(np.float32)
    use = rng.random((90, 123)) < 0.7
    grid = medians.sort_into_cells(use, x, y, 20, 123, 30)
    found = medians.cell_medians(data, grid, x, y, np.array([3.0, 3.0, 3.0]))
    for number, value, count in zip(found.index, found.value, found.count, strict=True):
        row, column = divmod(int(number), 7)
        box = slice(20 * row, 20 * row + 20), slice(20 * column, 20 * column + 20)
        assert count == use[box].sum() >= 30
        if count > 200:
            np.testing.assert_allclose(value, np.median(data[:, box[0], box[1]][:, use[box]], axis=1), atol=0.3)
    assert len(found.index) == sum(
        use[r : r + 20, c : c + 20].sum() >= 30 for r in range(0, 90, 20) for c in range(0, 123, 20)
    )
    assert np.all(found.variance[:, 1] >= 0.999 * 1.57 * 9 / found.count)
    pull = (found.value - 100) / np.sqrt(found.variance)
    assert 0.6 < np.std(pull) < 1.3


def test_levels_scale_with_the_frame_even_on_a_nebula():
    """The same sky through two throughputs, with noise of its own: only the noise may tell the cells apart."""
    design = MosaicDesign(layout=(1, 1), tile_px=(500, 633), n_per_tile=2, n_stars=300)
    scene = Scene(3, design)
    y, x = np.indices((500, 633)).astype(float)
    found = [levels(f.data[None], measure(f.data[None], 60_000.0), x, y, 633, 6.5) for f in scene.frames]
    one, two = (truth.throughput[0] for truth in scene.truth.frames)
    assert abs(one / two - 1) > 0.2
    for kind, limit in ((1, 1.5), (2, 1.2)):
        a, b = found[0][kind], found[1][kind]
        _, i, j = np.intersect1d(a.index, b.index, return_indices=True)
        difference = a.value[i, 0] - one / two * b.value[j, 0]
        error = np.sqrt(a.variance[i, 0] + (one / two) ** 2 * b.variance[j, 0])
        assert len(i) > 75
        assert spread((difference - np.median(difference)) / error) < limit
    a, b = found[0][0], found[1][0]
    near = np.hypot(a.x[:, None] - b.x, a.y[:, None] - b.y)
    i, j = np.nonzero(near < 1)
    ratio = np.log(a.flux[i, 0] / b.flux[j, 0] / (one / two))
    error = np.hypot(a.error[i, 0] / a.flux[i, 0], b.error[j, 0] / b.flux[j, 0])
    assert len(i) > 40
    assert abs(np.average(ratio, weights=1 / (error**2 + 0.005**2))) < 0.005


def test_larger_canvas_pixels_hold_more_sky_but_no_more_star():
    rng = np.random.default_rng(1)
    y, x = np.indices(SHAPE).astype(float)
    data = rng.normal(40, 5, (1, *SHAPE)).astype(np.float32)
    half = x / 2 - 0.25, y / 2 - 0.25
    _, sky, fine = levels(data, bare(SHAPE), *half, 206, 5.0, 32, ratio=4.0)
    for cells in (sky, fine):
        assert np.median(cells.value) == pytest.approx(160, abs=0.5)
        pull = (cells.value - 160) / np.sqrt(cells.variance)
        assert 0.5 < np.std(pull) < 1.3


def test_a_warp_that_keeps_surface_brightness_keeps_levels_and_divides_stars():
    data, *_ = field()
    y, x = np.indices(SHAPE).astype(float)
    place = measure(data), x / 2 - 0.25, y / 2 - 0.25, 206, 3.25, 32
    stars, sky, fine = levels(data, *place, ratio=4.0)
    plain_stars, plain_sky, plain_fine = levels(data, *place, ratio=4.0, factor=1.0)
    np.testing.assert_allclose(plain_stars.flux, stars.flux / 4)
    np.testing.assert_allclose(plain_stars.error, stars.error / 4)
    for kept, scaled in ((plain_sky, sky), (plain_fine, fine)):
        np.testing.assert_allclose(kept.value, scaled.value / 4, rtol=1e-6)
        np.testing.assert_allclose(kept.variance, scaled.variance / 16, rtol=1e-5)


def test_whole_counts_do_not_make_steps():
    rng = np.random.default_rng(1)
    y, x = np.indices(SHAPE).astype(float)
    data = np.rint(rng.normal(100.3, 1.0, (1, *SHAPE))).astype(np.float32)
    assert np.median(levels(data, bare(SHAPE, 1.0), x, y, 411, 5.0)[1].value) == pytest.approx(100.3, abs=0.05)


def test_stars_everywhere_leave_the_medians_of_all():
    rng = np.random.default_rng(1)
    y, x = np.indices(SHAPE).astype(float)
    data = rng.normal(100, 5, (1, *SHAPE)).astype(np.float32)
    everywhere = np.array([[200.0, 150.0, 900.0]], np.float32)
    crowded = Measured(StarTable.none(), everywhere, np.array([5.0]), np.nan, np.nan, 0)
    assert len(levels(data, crowded, x, y, 411, 5.0)[1].index) > 20


@pytest.mark.parametrize("cell_px", [64, 60, 17, 8])
def test_cells_of_any_size(cell_px):
    rng = np.random.default_rng(1)
    y, x = np.indices(SHAPE).astype(float)
    data = rng.normal(100, 5, (3, *SHAPE)).astype(np.float32)
    sky = levels(data, bare(SHAPE, channels=3), x, y, 411, 5.0, cell_px)[1]
    assert sky.value.shape == (len(sky.index), 3)
    assert np.median(sky.value) == pytest.approx(100, abs=0.3)
    assert sky.index.max() < -(-411 // cell_px) * -(-307 // cell_px)


@pytest.mark.parametrize("fill", [np.nan, 7.0])
def test_nothing_on_the_frame_or_the_frame_beside_the_canvas(fill):
    y, x = np.indices(SHAPE).astype(float)
    data = np.full((3, *SHAPE), fill, np.float32)
    for found in levels(data, measure(data), x, y, 411, 5.0):
        assert not len(vars(found)["x" if hasattr(found, "flux") else "index"])
    noisy = np.random.default_rng(1).normal(0, 1, (1, *SHAPE)).astype(np.float32)
    for found in levels(noisy, measure(noisy), x - 1e4, y, 411, 5.0)[1:]:
        assert not len(found.index)


def test_compiled_loops_are_those_written_down():
    from lostlight.science.mosaic.frame import levels as module

    rng = np.random.default_rng(1)
    y, x = (v.ravel() for v in np.indices((30, 41)).astype(float))
    plane = np.rint(rng.normal(0, 2, (30, 41))).astype(np.float32)
    taken = np.flatnonzero(rng.random(plane.size) < 0.6)
    of = medians._numbers.py_func(taken, x, y, 10, 5)
    np.testing.assert_array_equal(of, medians._numbers(taken, x, y, 10, 5))
    plain = medians._counting_sort.py_func(taken, of, 0, 15, x, y)
    for a, b in zip(plain, medians._counting_sort(taken, of, 0, 15, x, y), strict=True):
        np.testing.assert_allclose(a, b)
    args = plane.ravel(), plain[4], plain[5], plain[1], x, y, plain[2], plain[3], 1.0, *np.zeros((2, len(plain[1]))), 1
    np.testing.assert_allclose(medians._medians.py_func(*args), medians._medians(*args))
    ring = plane, np.zeros(plane.shape, bool), np.array([20.0, 90.0]), np.array([15.0, 90.0]), 4.0, 7.0
    for a, b in zip(module._annulus.py_func(*ring), module._annulus(*ring), strict=True):
        np.testing.assert_array_equal(a, b)
