"""Many frames that saw the same things: what each adds, and what the things are, by robust least squares."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.linalg import LinearOperator, cg

from lostlight.science.mosaic.level.gram import gram

Doubles = NDArray[np.float64]
Longs = NDArray[np.int64]

DENSE = 6000
"""Unknowns up to which the normal equations are solved by Cholesky; conjugate gradients above."""
TINY = 1e-12
"""Smallest width of the residuals: data without any noise is as good as that."""


@dataclass(frozen=True)
class Solution:
    """What `solve_bipartite` found.

    Attributes
    ----------
    coefficients : ndarray, shape (n, B)
        What each frame adds.
    nodes : ndarray, shape (K,)
        What each node is; NaN where nothing was seen.
    residual : ndarray, shape (m,)
        Observation less the two.
    weight : ndarray, shape (m,)
        Weights after the last round: those given, less where an observation lies far off.
    scale : float
        Width of the residuals in units of their expected width.
    """

    coefficients: Doubles
    nodes: Doubles
    residual: Doubles
    weight: Doubles
    scale: float
    _factor: tuple[Doubles, bool] | None = None
    _diagonal: Doubles | None = None

    def sigma(self, reference: int) -> Doubles:
        """Give the one-sigma error of each frame's first coefficient relative to the reference's; shape (n,)."""
        n, n_basis = self.coefficients.shape
        if self._factor is None or self._diagonal is None:
            # Without a factor of the matrix: the error a frame would have if its neighbours had none.
            first = np.zeros(n) if self._diagonal is None else self._diagonal[::n_basis]
            error = np.divide(1, first, out=np.zeros(n), where=first > 0)
            return np.sqrt(error + error[reference]) * (np.arange(n) != reference)
        inverse = cho_solve(self._factor, np.eye(n * n_basis)[:, ::n_basis])[::n_basis]
        own = np.diag(inverse)
        return np.sqrt(np.maximum(own + own[reference] - 2 * inverse[reference], 0))


@dataclass(frozen=True)
class _Problem:
    image: Longs
    node: Longs
    y: Doubles
    phi: Doubles
    n: int
    n_nodes: int
    value: Doubles
    weight: Doubles
    free: NDArray[np.bool_]
    """Unknowns that are solved for; shape (n · B,)."""


def solve_bipartite(
    image: Longs,
    node: Longs,
    y: Doubles,
    w: Doubles,
    phi: Doubles,
    n: int,
    prior: tuple[Doubles, Doubles],
    *,
    fixed: NDArray[np.bool_] | None = None,
    huber: float = 1.5,
    iters: int = 6,
) -> Solution:
    """Find what each frame adds to the things it saw, and what those things are.

    Minimises ``Σ w ρ(y - Σ_b c[image, b] φ_b - node value) + Σ λ (c - p)²``. The values of the nodes are
    eliminated exactly, so that the equations have as many unknowns as there are coefficients; ρ is Huber's,
    reached by reweighting, in units of the width of the residuals at nodes seen more than once.

    Parameters
    ----------
    image, node : ndarray, shape (m,), int64
        Frame and node of each observation.
    y, w : ndarray, shape (m,), float64
        Observations and their inverse variances.
    phi : ndarray, shape (m, B), float64
        Basis functions at the observations.
    n : int
        Number of frames.
    prior : tuple of two ndarrays, shape (n, B)
        Expected coefficients p and the weight λ of the expectation.
    fixed : ndarray, shape (n,), bool, optional
        Frames whose coefficients are the expected ones (a catalogue).
    huber : float
        Where the weights begin to fall, in widths of the residuals.
    iters : int
        Rounds of reweighting.

    Returns
    -------
    Solution

    Notes
    -----
    Huber (1964), Annals of Mathematical Statistics 35, 73; the elimination is the Schur complement of the
    nodes, as in the ubercalibration of Padmanabhan et al. (2008), ApJ 674, 1217.
    """
    n_basis = phi.shape[1]
    free = np.ones((n, n_basis), bool) if fixed is None else np.repeat(~fixed[:, None], n_basis, axis=1)
    n_nodes = int(node.max()) + 1 if len(node) else 0
    problem = _Problem(image, node, y, phi, n, n_nodes, prior[0].ravel(), prior[1].ravel(), free.ravel())
    shared = _seen_twice(node, n_nodes)
    start, weight, scale = problem.value.copy(), np.asarray(w, np.float64).copy(), 1.0
    for _ in range(max(iters, 1)):
        start, factor, diagonal = _least_squares(problem, weight, start)
        values, residual = _residual(problem, weight, start)
        width = np.abs(residual) * np.sqrt(w) / _freedom(problem, weight)
        scale = max(1.4826 * float(np.median(width[shared])), TINY) if shared.any() else 1.0
        final, weight = weight, w * np.minimum(1, huber * scale / np.maximum(width, TINY))
    return Solution(start.reshape(n, n_basis), values, residual, final, scale, factor, diagonal)


def _seen_twice(node: Longs, n_nodes: int) -> NDArray[np.bool_]:
    return np.bincount(node, minlength=n_nodes)[node] > 1 if len(node) else np.zeros(0, bool)


def _means(problem: _Problem, weight: Doubles, values: Doubles) -> tuple[Doubles, Doubles]:
    """Weighted mean at each node, and its weight."""
    total = np.bincount(problem.node, weight, problem.n_nodes)
    sums = np.bincount(problem.node, weight * values, problem.n_nodes)
    return np.divide(sums, total, out=np.full(problem.n_nodes, np.nan), where=total > 0), total


def _residual(problem: _Problem, weight: Doubles, solution: Doubles) -> tuple[Doubles, Doubles]:
    coefficients = solution.reshape(problem.n, -1)
    rest = problem.y - np.einsum("mb,mb->m", coefficients[problem.image], problem.phi)
    means, _ = _means(problem, weight, rest)
    return means, np.where(weight > 0, rest - means[problem.node], 0.0)


def _freedom(problem: _Problem, weight: Doubles) -> Doubles:
    """By how much a residual is smaller because its node was fitted to it."""
    total = np.bincount(problem.node, weight, problem.n_nodes)[problem.node]
    own = np.divide(weight, total, out=np.zeros_like(weight), where=total > 0)
    return np.sqrt(np.maximum(1 - own, 0.1))


def _design(problem: _Problem) -> sparse.csr_matrix:
    m, n_basis = problem.phi.shape
    columns = problem.image[:, None] * n_basis + np.arange(n_basis)
    at = (np.repeat(np.arange(m), n_basis), columns.ravel())
    return sparse.csr_matrix((problem.phi.ravel(), at), (m, problem.n * n_basis))


def _least_squares(problem: _Problem, weight: Doubles, start: Doubles):
    """One round: the coefficients for these weights, with what tells their errors."""
    design = _design(problem)
    mean, total = _means(problem, weight, problem.y)
    centred = np.where(weight > 0, problem.y - mean[problem.node], 0.0)
    right = design.T @ (weight * centred) + problem.weight * problem.value
    m = len(problem.y)
    onto = sparse.csr_matrix((weight, (problem.node, np.arange(m))), (problem.n_nodes, m))
    inverse = np.divide(1, np.sqrt(total), out=np.zeros(problem.n_nodes), where=total > 0)
    taken = (sparse.diags(inverse) @ onto @ design).tocsr()
    own = (design.T @ design.multiply(weight[:, None])).tocsr() + sparse.diags(problem.weight)
    if problem.n * problem.phi.shape[1] <= DENSE:
        return _dense(problem, own.toarray() - gram(taken), right)
    return _iterated(problem, own, taken, right, start)


def _dense(problem: _Problem, matrix: Doubles, right: Doubles):
    free = problem.free
    solution = problem.value.copy()
    right = right - matrix[:, ~free] @ solution[~free]
    # Unknowns that nothing speaks of stay as they are expected.
    silent = free & (np.diag(matrix) <= 0)
    matrix[silent, silent], right[silent] = 1.0, solution[silent]
    kept = matrix[np.ix_(free, free)]
    factor = cho_factor(kept, lower=True, check_finite=False)
    solution[free] = cho_solve(factor, right[free], check_finite=False)
    return solution, (factor if free.all() else None), np.diag(matrix).copy()


def _iterated(problem: _Problem, own, taken, right: Doubles, start: Doubles):
    """Conjugate gradients on the same equations, with the block of each frame as the preconditioner."""
    free, n_basis = problem.free, problem.phi.shape[1]

    def times(x: Doubles) -> Doubles:
        return own @ x - taken.T @ (taken @ x)

    held = np.where(free, 0.0, problem.value)
    right = np.where(free, right - times(held), 0.0)
    blocks = _blocks(own, taken, n_basis)
    diagonal = np.einsum("ibb->ib", blocks).ravel().copy()
    blocks += np.eye(n_basis) * np.where(diagonal.reshape(-1, n_basis).max(1) > 0, 0.0, 1.0)[:, None, None]
    inverse = np.linalg.pinv(blocks, hermitian=True)
    shape = (len(right), len(right))
    matrix = LinearOperator(shape, lambda x: np.where(free, times(np.where(free, x, 0.0)), x))
    before = LinearOperator(shape, lambda x: np.einsum("ibc,ic->ib", inverse, x.reshape(-1, n_basis)).ravel())
    found, _ = cg(matrix, right, np.where(free, start, 0.0), rtol=1e-12, atol=0.0, maxiter=20_000, M=before)
    return np.where(free, found, problem.value), None, diagonal


def _blocks(own, taken, n_basis: int) -> Doubles:
    """What the matrix has of each frame with itself; shape (n, B, B)."""
    n = own.shape[0] // n_basis
    blocks = np.zeros((n, n_basis, n_basis))
    columns = taken.tocsc()
    for a in range(n_basis):
        for b in range(n_basis):
            product = columns[:, a::n_basis].multiply(columns[:, b::n_basis]).sum(0)
            mine = own[a::n_basis, b::n_basis].diagonal()
            blocks[:, a, b] = mine - np.asarray(product).ravel()
    return blocks
