"""The same star in several frames, and the contrast of the same structure."""

import numpy as np
import pytest
from scipy import sparse
from scipy.odr import ODR, Model, RealData

from lostlight.science.mosaic.level import gram as gram_module
from lostlight.science.mosaic.level.gram import gram, gram_of_sets
from lostlight.science.mosaic.level.star_nodes import Ties, star_ties
from lostlight.science.mosaic.level.stats import Cells, FrameStats, Stars
from lostlight.science.mosaic.level.structure import contrast, partners, structure_ties
from lostlight.science.mosaic.level.thinning import thinned


def frame(name, x, y, flux, error=1.0):
    flux = np.atleast_2d(np.asarray(flux, float).T).T
    stars = Stars(np.asarray(x, float), np.asarray(y, float), flux, np.full_like(flux, error))
    return FrameStats(name, stars, Cells.none(flux.shape[1]), Cells.none(flux.shape[1]), np.ones(flux.shape[1]))


def test_stars_are_found_again():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 3000, (2, 200))
    frames = [
        frame(f"{k}", x + rng.normal(0, 0.2, 200), y + rng.normal(0, 0.2, 200), 100 * (k + 1) + x) for k in range(5)
    ]
    ties = star_ties(frames, 2.0)
    star = np.concatenate([np.arange(200)] * 5)
    kept = np.bincount(ties.node)
    assert (kept == 5).sum() > 190
    for node in np.flatnonzero(kept == 5)[:50]:
        mine = ties.node == node
        assert sorted(ties.image[mine]) == [0, 1, 2, 3, 4]
        assert np.ptp(np.exp(ties.y[mine, 0]) - 100 * (ties.image[mine] + 1)) < 1e-6
    assert star.size == 1000


def test_a_star_of_one_frame_is_no_tie_and_a_double_one_is_none_either():
    frames = [frame("a", [10, 50, 90], [10, 10, 10], [5, 5, 5]), frame("b", [10.5, 51, 51.5], [10, 10, 10], [6, 6, 6])]
    ties = star_ties(frames, 2.0)
    assert ties.node.tolist() == [0, 0]
    assert np.exp(ties.y[:, 0]) == pytest.approx([5, 6])


def test_what_is_not_positive_or_not_finite_has_no_weight():
    flux = np.array([[5.0, 4, 3], [5, -1, 3], [np.nan, np.nan, np.nan], [5, 4, np.inf]])
    frames = [frame(name, [10, 30, 50, 70], [10] * 4, flux) for name in "ab"]
    ties = star_ties(frames, 2.0)
    assert ties.n_nodes == 3
    assert (ties.weight[:3] > 0).tolist() == [[True] * 3, [True, False, True], [True, True, False]]
    assert np.isfinite(ties.y).all()


def test_weights_are_those_of_the_noise_and_a_floor():
    ties = star_ties([frame(name, [10], [10], [1000], 20) for name in "ab"], 2.0)
    assert ties.weight[0, 0] == pytest.approx(1 / (0.02**2 + 0.005**2))


def test_no_star_at_all():
    ties = star_ties([frame("a", [], [], np.empty((0, 3)))], 2.0)
    assert (ties.n_nodes, ties.y.shape) == (0, (0, 3))
    more = ties.with_more(Ties.none(3))
    assert more.n_nodes == 0


def cells_of_a_nebula(beta, seed, n=400, noise=1.0, contrast_of_sky=10.0):
    rng = np.random.default_rng(seed)
    at = rng.uniform(0, 300, (n, 2))
    sky = rng.normal(0, contrast_of_sky, n)
    x = sky + 3 + at @ [0.5, -0.2] + rng.normal(0, noise, n)
    y = beta * sky + 700 + at @ [-0.4, 0.3] + rng.normal(0, beta * noise, n)
    return x, y, np.full(n, noise**2), np.full(n, (beta * noise) ** 2), at


@pytest.mark.parametrize("beta", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("sky", [2.0, 10.0])
def test_contrast_has_no_bias_and_an_honest_error(beta, sky):
    """Noise in both: ordinary regression would give a slope too small by noise² / (noise² + sky²)."""
    found = [contrast(*cells_of_a_nebula(beta, k, contrast_of_sky=sky)) for k in range(120)]
    off = np.array([(r.log - np.log(beta)) / np.sqrt(r.variance - 0.01**2) for r in found])
    assert abs(off.mean()) < 0.35
    assert 0.75 < off.std() < 1.3


def test_contrast_as_orthogonal_distance_regression_has_it():
    x, y, vx, vy, at = cells_of_a_nebula(1.3, 0, contrast_of_sky=4)
    plane = np.column_stack([np.ones(len(x)), at])
    flat_x, flat_y = (v - plane @ np.linalg.lstsq(plane, v, rcond=None)[0] for v in (x, y))
    line = ODR(
        RealData(flat_x, flat_y, sx=np.sqrt(vx), sy=np.sqrt(vy)), Model(lambda p, q: p[0] * q + p[1]), [1.0, 0.0]
    )
    assert contrast(x, y, vx, vy, at).log == pytest.approx(np.log(line.run().beta[0]), abs=0.01)


def test_outliers_do_not_decide():
    x, y, vx, vy, at = cells_of_a_nebula(1.2, 3)
    y[::25] += 300
    assert contrast(x, y, vx, vy, at).log == pytest.approx(np.log(1.2), abs=0.03)


@pytest.mark.parametrize(("n", "sky"), [(11, 10.0), (400, 0.0), (400, 0.5)])
def test_too_few_cells_or_no_structure(n, sky):
    assert contrast(*cells_of_a_nebula(1.0, 4, n=n, contrast_of_sky=sky)) is None


def test_what_rises_here_and_falls_there_is_no_contrast():
    x, y, *rest = cells_of_a_nebula(1.0, 5)
    assert contrast(x, -y, *rest) is None


def test_pairs_of_frames_by_structure():
    frames = []
    for k, beta in enumerate((1.0, 1.25)):
        x, y, vx, vy, at = cells_of_a_nebula(beta, 7)
        value, variance = (v.astype(np.float32)[:, None] for v in ((x, vx) if k == 0 else (y, vy)))
        cells = Cells(np.arange(400), at[:, 0], at[:, 1], value, variance, np.full(400, 225))
        frames.append(FrameStats(str(k), Stars.none(1), Cells.none(1), cells, np.ones(1)))
    ties = structure_ties(frames)
    assert ties.image.tolist() == [0, 1] and ties.node.tolist() == [0, 0]
    assert ties.y[:, 0] == pytest.approx([0, np.log(1.25)], abs=0.02)
    assert structure_ties(frames[:1]).n_nodes == 0


def test_partners_hold_everything_together():
    """In a stack everything overlaps everything: few pairs, and still a few steps from any frame to any other."""
    pairs = partners([np.arange(100)] * 60, most=6)
    assert len(pairs) <= 6 * 60
    steps = sparse.csgraph.shortest_path(
        sparse.coo_matrix((np.ones(len(pairs)), np.array(pairs).T), (60, 60)), directed=False
    )
    assert steps.max() <= 8
    assert partners([np.arange(20), np.arange(9, 30), np.arange(28, 60)]) == []
    assert partners([np.arange(20), np.arange(8, 30)]) == [(0, 1)]


def test_products_the_cheap_way(monkeypatch):
    matrix = sparse.random(300, 20, 0.4, "csr", random_state=1)
    monkeypatch.setattr(gram_module, "ROWS_AT_ONCE", 64)
    assert np.allclose(gram(matrix), (matrix.T @ matrix).toarray())
    thin = sparse.random(300, 200, 0.002, "csr", random_state=1)
    assert np.allclose(gram(thin), thin.toarray().T @ thin.toarray())
    sets = [np.array([1, 5, 9]), np.array([5, 9, 11, 12]), np.array([], int)]
    assert gram_of_sets(sets).tolist() == [[3, 2, 0], [2, 4, 0], [0, 0, 0]]


def test_thinning_takes_the_same_places_everywhere():
    def grid(first):
        index = np.arange(first, first + 5000)
        values = np.zeros((5000, 1), np.float32)
        return Cells(index, index * 1.0, index * 1.0, values, values, index)

    cells = [grid(0), grid(2500)]
    one, other = thinned(cells, 1000)
    assert 300 < len(one.index) < 700
    shared = np.intersect1d(one.index, np.arange(2500, 5000))
    assert np.array_equal(shared, np.intersect1d(other.index, np.arange(2500, 5000)))
    assert thinned(cells, 10_000)[0] is cells[0]
