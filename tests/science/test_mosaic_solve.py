"""The exact elimination of what frames saw, against equations that keep it, and against a general minimiser."""

import numpy as np
import pytest
from scipy.optimize import minimize

from lostlight.science.mosaic.level import solve
from lostlight.science.mosaic.level.solve import solve_bipartite


def made(seed, n=7, n_nodes=40, n_basis=3, m=260):
    rng = np.random.default_rng(seed)
    image, node = rng.integers(0, n, m), rng.integers(0, n_nodes, m)
    phi = np.column_stack([np.ones(m), rng.uniform(-1, 1, (m, n_basis - 1))])
    truth = rng.normal(0, 5, (n, n_basis))
    y = np.einsum("mb,mb->m", truth[image], phi) + rng.normal(0, 50, n_nodes)[node] + rng.normal(0, 0.3, m)
    prior = rng.normal(0, 1, (n, n_basis)), rng.uniform(0.5, 2, (n, n_basis))
    return image, node, y, rng.uniform(0.5, 4, m), phi, n, prior


def with_nodes(image, node, y, w, phi, n, prior, fixed=None):
    """The same, by brute force: an unknown for each node, weighted lstsq of everything at once."""
    m, n_basis = phi.shape
    n_nodes = node.max() + 1
    rows = np.zeros((m + n * n_basis, n * n_basis + n_nodes))
    for k in range(m):
        rows[k, image[k] * n_basis : (image[k] + 1) * n_basis] = phi[k]
        rows[k, n * n_basis + node[k]] = 1
    rows[m:, : n * n_basis] = np.eye(n * n_basis)
    weight = prior[1].copy()
    if fixed is not None:
        weight[fixed] = 1e12
    root = np.sqrt(np.concatenate([w, weight.ravel()]))
    right = np.concatenate([y, prior[0].ravel()])
    return np.linalg.lstsq(rows * root[:, None], right * root, rcond=None)[0][: n * n_basis].reshape(n, n_basis)


@pytest.mark.parametrize("seed", range(3))
def test_eliminating_the_nodes_changes_nothing(seed):
    problem = made(seed)
    assert np.allclose(solve_bipartite(*problem, iters=1).coefficients, with_nodes(*problem), atol=1e-9)


def test_conjugate_gradients_find_the_same(monkeypatch):
    problem = made(5)
    dense = solve_bipartite(*problem)
    monkeypatch.setattr(solve, "DENSE", 3)
    other = solve_bipartite(*problem)
    assert np.allclose(other.coefficients, dense.coefficients, atol=1e-8)
    assert np.all(other.sigma(2) >= 0)
    assert other.sigma(2)[2] == 0


@pytest.mark.parametrize("limit", [6000, 3])
def test_a_catalogue_keeps_its_scale(monkeypatch, limit):
    monkeypatch.setattr(solve, "DENSE", limit)
    problem = made(1)
    fixed = np.arange(7) == 4
    found = solve_bipartite(*problem, fixed=fixed, iters=1)
    assert np.array_equal(found.coefficients[4], problem[-1][0][4])
    assert np.allclose(found.coefficients, with_nodes(*problem, fixed=fixed), atol=1e-5)


def test_reweighting_ends_where_hubers_function_is_least():
    image, node, y, w, phi, n, prior = made(2, n_basis=1, n_nodes=12)
    y = y + 30 * (np.arange(len(y)) % 17 == 0)
    found = solve_bipartite(image, node, y, w, phi, n, prior, iters=200)
    total = np.bincount(node, found.weight)[node]
    limit = 1.5 * found.scale * np.sqrt(1 - found.weight / total) / np.sqrt(w)

    def cost(unknown):
        r = np.abs(y - unknown[:n][image] - unknown[n:][node])
        huber = np.where(r < limit, r**2, 2 * limit * r - limit**2)
        return np.sum(w * huber) + np.sum(prior[1][:, 0] * (unknown[:n] - prior[0][:, 0]) ** 2)

    start = np.concatenate([found.coefficients[:, 0], found.nodes]) + 0.01
    least = minimize(cost, start, method="BFGS", options={"gtol": 1e-6})
    assert np.allclose(least.x[:n], found.coefficients[:, 0], atol=2e-4)
    plain = solve_bipartite(image, node, y, w, phi, n, prior, iters=1)
    assert np.abs(plain.coefficients - found.coefficients).max() > 0.1, "the outliers must matter for this test"


def neighbours(pairs, values, seed=0, noise=0.0):
    """Two observations of one thing for every pair of frames."""
    rng = np.random.default_rng(seed)
    image = np.array(pairs).ravel()
    node = np.repeat(np.arange(len(pairs)), 2)
    y = values[image] + rng.normal(0, 100, len(pairs))[node] + rng.normal(0, noise, len(image))
    return image, node, y


@pytest.mark.parametrize("limit", [6000, 10])
def test_a_chain_of_a_hundred_closes(monkeypatch, limit):
    monkeypatch.setattr(solve, "DENSE", limit)
    values = np.random.default_rng(3).uniform(-5, 5, 100)
    image, node, y = neighbours([(k, k + 1) for k in range(99)], values)
    prior = np.zeros((100, 1)), np.full((100, 1), 1e-9)
    found = solve_bipartite(image, node, y, np.ones(len(y)), np.ones((len(y), 1)), 100, prior).coefficients[:, 0]
    assert np.abs((found - found[0]) - (values - values[0])).max() < 1e-4


def test_a_grid_of_many_frames_closes():
    side = 40
    number = np.arange(side * side).reshape(side, side)
    pairs = [*zip(number[:, :-1].ravel(), number[:, 1:].ravel(), strict=True)]
    pairs += [*zip(number[:-1].ravel(), number[1:].ravel(), strict=True)]
    values = np.random.default_rng(4).uniform(-5, 5, side * side)
    image, node, y = neighbours(pairs, values)
    prior = np.zeros((side * side, 1)), np.full((side * side, 1), 1e-9)
    found = solve_bipartite(image, node, y, np.ones(len(y)), np.ones((len(y), 1)), side * side, prior, iters=1)
    away = found.coefficients[:, 0] - values
    assert np.ptp(away) < 1e-5


def test_errors_are_those_of_the_scatter():
    """Errors relative to the reference, against what many noises give."""
    values = np.zeros(6)
    pairs = [(k, k + 1) for k in range(5)] * 4
    prior = np.zeros((6, 1)), np.full((6, 1), 1e-6)
    found = []
    for seed in range(300):
        image, node, y = neighbours(pairs, values, seed, noise=0.1)
        solution = solve_bipartite(image, node, y, np.full(len(y), 100.0), np.ones((len(y), 1)), 6, prior, iters=1)
        found.append(solution.coefficients[:, 0] - solution.coefficients[2, 0])
    assert np.allclose(np.std(found, axis=0), solution.sigma(2), rtol=0.15, atol=1e-9)


def test_frames_that_nothing_speaks_of_stay_as_expected():
    image, node, y = neighbours([(0, 1)] * 3, np.array([0.0, 2.0, 0.0]))
    prior = np.array([[0.0], [0.0], [7.0]]), np.array([[1e-9], [1e-9], [0.0]])
    found = solve_bipartite(image, node, y, np.ones(6), np.ones((6, 1)), 3, prior)
    assert found.coefficients[2, 0] == 7
    assert found.coefficients[1, 0] - found.coefficients[0, 0] == pytest.approx(2, abs=1e-6)


def test_nothing_at_all_is_the_expectation():
    none = np.empty(0, np.int64)
    found = solve_bipartite(
        none, none, np.empty(0), np.empty(0), np.empty((0, 1)), 2, (np.ones((2, 1)), np.ones((2, 1)))
    )
    assert np.array_equal(found.coefficients, np.ones((2, 1)))
    assert found.scale == 1


def test_weight_zero_is_not_there():
    image, node, y, w, phi, n, prior = made(8)
    w = np.where(np.arange(len(y)) % 5 == 0, 0, w)
    seen = w > 0
    whole = solve_bipartite(image, node, y, w, phi, n, prior, iters=1)
    part = solve_bipartite(image[seen], node[seen], y[seen], w[seen], phi[seen], n, prior, iters=1)
    assert np.allclose(whole.coefficients, part.coefficients, atol=1e-10)
