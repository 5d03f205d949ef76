"""All maps at once: errors do not walk, outliers do not count, mirrored and binned frames fit in."""

import numpy as np
import pytest
from tests.star_lists import View, taken

from lostlight.science.mosaic.register.graph import spanning_maps
from lostlight.science.mosaic.register.joint import Edge, between, residuals, solve_jointly
from lostlight.science.mosaic.register.star_match import Match
from lostlight.science.mosaic.register.transform import IDENTITY, fit


def _edge(random, first, second, views, n=40, error_px=0.1, outliers=0):
    one, two = views[first], views[second]
    ny, nx = one.shape
    z = random.uniform(0, nx, 40 * n) + 1j * random.uniform(0, ny, 40 * n)
    w = two.pixels(one.sky(z))
    inside = (w.real > 0) & (w.real < two.shape[1]) & (w.imag > 0) & (w.imag < two.shape[0])
    z, w = z[inside][:n], w[inside][:n]
    w = w + random.normal(0, error_px, z.size) + 1j * random.normal(0, error_px, z.size)
    w[:outliers] += 1.2
    return Edge(first, second, Match(fit(z, w, one.mirrored != two.mirrored), z, w))


def _worst(maps, views, reference):
    def error(number):
        corners = views[number].corners
        truth = views[reference].pixels(views[number].sky(corners))
        return np.abs(taken(maps[number], corners) - truth).max()

    return max(error(number) for number in maps)


def test_loops_stop_the_errors_of_a_chain():
    random = np.random.default_rng(3)
    views = [View(centre=15 * k) for k in range(30)]
    chain = [_edge(random, k, k + 1, views) for k in range(29)]
    loops = [_edge(random, k, k + gap, views) for gap in (4, 8, 16) for k in range(30 - gap)]
    start = spanning_maps(chain, 0)
    walked = _worst(start, views, 0)
    joint = _worst(solve_jointly(chain + loops, start, 0), views, 0)
    assert walked > 0.3
    assert joint < 0.4 * walked


def test_the_solution_is_that_of_a_plain_least_squares():
    """Two free frames and the reference, as one real least squares for x and y."""
    random = np.random.default_rng(8)
    views = [View(), View(centre=30 + 5j, turn_deg=2), View(centre=-20j, turn_deg=-3)]
    edges = [_edge(random, *pair, views, n=150) for pair in ((0, 1), (1, 2), (0, 2))]
    ours = solve_jointly(edges, spanning_maps(edges, 0), 0)
    rows, right = [], []
    for edge in edges:
        for z, w in zip(edge.match.z, edge.match.w, strict=True):
            row, value = np.zeros((2, 6)), np.zeros(2)
            for number, place, sign in ((edge.first, z, 1.0), (edge.second, w, -1.0)):
                terms = np.array([place.real, place.imag, 1.0])
                if number == 0:
                    value -= sign * terms[:2]
                else:
                    row[:, 3 * number - 3 : 3 * number] += sign * terms
            rows.append(row[0])
            right.append(value)
    theirs = np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0]
    for number in (1, 2):
        plain = theirs[3 * number - 3 : 3 * number].T
        corners = views[number].corners
        assert np.abs(taken(ours[number], corners) - taken(plain, corners)).max() < 0.03


def test_stars_that_disagree_do_not_count():
    random = np.random.default_rng(5)
    views = [View(), View(centre=50, turn_deg=10)]
    edges = [_edge(random, 0, 1, views, n=60, outliers=15)]
    assert _worst(solve_jointly(edges, spanning_maps(edges, 0), 0), views, 0) < 0.12


@pytest.mark.parametrize("reference", [0, 1, 2])
def test_mirrored_and_binned_frames_fit_in(reference):
    random = np.random.default_rng(6)
    views = [View(), View(turn_deg=40, mirrored=True), View(centre=9j, binning=2, shape=(450, 601))]
    edges = [_edge(random, *pair, views, n=80, error_px=0.05) for pair in ((0, 1), (1, 2), (0, 2))]
    maps = solve_jointly(edges, spanning_maps(edges, reference), reference)
    assert np.array_equal(maps[reference], IDENTITY)
    assert _worst(maps, views, reference) < 0.15
    assert np.median(residuals(edges[0], maps)) == pytest.approx(0.05 * np.sqrt(2 * np.log(2)), rel=0.3)


def test_a_frame_alone_is_its_own_reference():
    maps = solve_jointly([], {4: IDENTITY}, 4)
    assert list(maps) == [4]
    assert np.array_equal(between(maps, 4, 4), IDENTITY)
