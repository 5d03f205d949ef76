"""Moffat's profile, integrated over pixels, fitted to single stars: the loops, compiled.

No fast-math: a fit gives the same bits wherever it runs.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
compiled = njit(cache=True, nogil=True, error_model="numpy")

X, Y, FLUX, SKY, ALPHA, BETA = range(6)
"""Parameters of a star: place (px of the image), flux, level under it (adu), core radius (px) and exponent."""
FITTED = 6
BETAS = 1.2, 12.0
"""Range of the exponent where it is fitted."""

_ROUNDS, _PLAIN_ROUNDS = 30, 4
_CORE, _RING = 1.5, 3.0  # core radii: where profiles are steep they take more points
_MISMATCH = 0.03
"""Part of its own brightness by which a pixel of a star may differ from the model beyond its noise: no star is a
Moffat profile, and bright ones must not weigh as if they were."""
_HUBER = 3.0
_DONE = 1e-5


def _gauss(n: int) -> tuple[Doubles, Doubles]:
    at, weight = np.polynomial.legendre.leggauss(n)
    return at / 2, weight / 2


_AT5, _W5 = _gauss(5)
_AT3, _W3 = _gauss(3)
_AT2, _W2 = _gauss(2)


@compiled
def unit_pixel(dx: float, dy: float, alpha: float, beta: float, out: np.ndarray) -> None:
    """Integrate the profile of unit flux over a pixel at (dx, dy) from the middle; and what it changes with.

    `out` takes the value and its derivatives by dx, dy (of the star's own place), the core radius and the exponent.
    """
    r = np.sqrt(dx * dx + dy * dy) / alpha
    if r * alpha < _CORE * alpha + 1:
        add_points(dx, dy, alpha, beta, _AT5, _W5, out)
    elif r < _RING:
        add_points(dx, dy, alpha, beta, _AT3, _W3, out)
    else:
        add_points(dx, dy, alpha, beta, _AT2, _W2, out)


@compiled
def add_points(
    dx: float, dy: float, alpha: float, beta: float, at: np.ndarray, weights: np.ndarray, out: np.ndarray
) -> None:
    """Integrate over a pixel with Gauss's points."""
    a2 = alpha * alpha
    out[:] = 0.0
    for j in range(at.size):
        v = dy + at[j]
        for i in range(at.size):
            u = dx + at[i]
            one = 1 + (u * u + v * v) / a2
            logarithm = np.log(one)
            value = weights[i] * weights[j] * (beta - 1) / (np.pi * a2) * np.exp(-beta * logarithm)
            slope = value * 2 * beta / (a2 * one)
            out[0] += value
            out[1] += slope * u
            out[2] += slope * v
            out[3] += value * 2 / alpha * (beta * (one - 1) / one - 1)
            out[4] += value * (1 / (beta - 1) - logarithm)


@compiled
def solve(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve a small symmetric system by Cholesky's method; NaN where it is not positive."""
    n = right.size
    lower = np.zeros((n, n))
    for j in range(n):
        for i in range(j, n):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            lower[i, j] = np.sqrt(total) if i == j else total / lower[j, j]
    found = right.copy()
    for i in range(n):
        for k in range(i):
            found[i] -= lower[i, k] * found[k]
        found[i] /= lower[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            found[i] -= lower[k, i] * found[k]
        found[i] /= lower[i, i]
    return found


@compiled
def normal_equations(
    light: np.ndarray, variance: np.ndarray, star: np.ndarray, corner: np.ndarray, side: int, robust: bool, sky: float,
    matrix: np.ndarray, right: np.ndarray,
) -> float:  # fmt: skip
    """Sum up the equations of one step, and give the cost: half the sum of weighted squares, outliers counted less.

    A variance that is not positive leaves its pixel out. `sky` is the noise by which the level may differ from zero.
    """
    parts, row = np.empty(5), np.empty(FITTED)
    matrix[:] = 0.0
    right[:] = 0.0
    matrix[SKY, SKY] = 1 / sky**2
    right[SKY] = -star[SKY] / sky**2
    cost = 0.5 * (star[SKY] / sky) ** 2
    for v in range(corner[0], corner[0] + side):
        for u in range(corner[1], corner[1] + side):
            if not variance[v, u] > 0:
                continue
            unit_pixel(u - star[X], v - star[Y], star[ALPHA], star[BETA], parts)
            model = star[FLUX] * parts[0]
            rest = np.float64(light[v, u]) - model - star[SKY]
            weight = 1 / (variance[v, u] + (_MISMATCH * model) ** 2)
            off = abs(rest) * np.sqrt(weight)
            if robust and off > _HUBER:
                cost += _HUBER * (off - 0.5 * _HUBER)
                weight *= _HUBER / off
            else:
                cost += 0.5 * off * off
            row[X], row[Y] = star[FLUX] * parts[1], star[FLUX] * parts[2]
            row[FLUX], row[SKY] = parts[0], 1.0
            row[ALPHA], row[BETA] = star[FLUX] * parts[3], star[FLUX] * parts[4]
            for i in range(FITTED):
                right[i] += weight * row[i] * rest
                for j in range(i + 1):
                    matrix[i, j] += weight * row[i] * row[j]
    return cost


@compiled
def fit_star(
    light: np.ndarray, variance: np.ndarray, star: np.ndarray, corner: np.ndarray, side: int, free: int, sky: float
) -> np.ndarray:
    """Fit one star by damped least squares (Levenberg 1944, Marquardt 1963); `star` is changed in place.

    The first `free` parameters are fitted. Gives the variances of the core radius and the exponent, and the cost for
    each pixel; NaN where the fit fails.
    """
    matrix, right = np.zeros((FITTED, FITTED)), np.zeros(FITTED)
    other, further = np.zeros((FITTED, FITTED)), np.zeros(FITTED)
    damping = 1e-3
    trial = star.copy()
    cost = normal_equations(light, variance, star, corner, side, False, sky, matrix, right)
    for turn in range(_ROUNDS):
        if turn == _PLAIN_ROUNDS:
            cost = normal_equations(light, variance, star, corner, side, True, sky, matrix, right)
        damped = matrix[:free, :free].copy()
        for i in range(free):
            damped[i, i] *= 1 + damping
        step = solve(damped, right[:free])
        trial[:] = star
        trial[:free] += step
        trial[BETA] = min(max(trial[BETA], BETAS[0]), BETAS[1]) if free == FITTED else trial[BETA]
        trial[ALPHA] = min(max(trial[ALPHA], 0.5 * star[ALPHA]), 2 * star[ALPHA])
        new = normal_equations(light, variance, trial, corner, side, turn >= _PLAIN_ROUNDS, sky, other, further)
        if new <= cost:
            small = abs(trial[ALPHA] / star[ALPHA] - 1) < _DONE and abs(trial[BETA] / star[BETA] - 1) < _DONE
            matrix, other = other, matrix
            right, further = further, right
            star[:] = trial
            cost = new
            damping *= 0.1
            if small and turn > _PLAIN_ROUNDS:
                break
        elif new > cost:
            damping *= 10
            if damping > 1e6 and turn > _PLAIN_ROUNDS:
                break
        else:
            star[:] = np.nan
            break
    return np.array([errors_of(matrix, free, ALPHA), errors_of(matrix, free, BETA), cost])


@compiled
def errors_of(matrix: np.ndarray, free: int, which: int) -> float:
    """Give the variance of one fitted parameter; 0 where it was not fitted."""
    if which >= free:
        return 0.0
    unit = np.zeros(free)
    unit[which] = 1.0
    return solve(matrix[:free, :free].copy(), unit)[which]


@compiled
def fit_all(
    light: np.ndarray, variance: np.ndarray, stars: np.ndarray, half: int, free: int, sky: float, found: np.ndarray
) -> None:
    """Fit each star on the square of 2 half + 1 pixels around it, as far as it is on the image."""
    ny, nx = light.shape
    side = 2 * half + 1
    for k in range(len(stars)):
        corner = np.array([int(np.rint(stars[k, Y])) - half, int(np.rint(stars[k, X])) - half])
        corner[0] = min(max(corner[0], 0), ny - side)
        corner[1] = min(max(corner[1], 0), nx - side)
        found[k] = fit_star(light, variance, stars[k], corner, side, free, sky)
