"""Likelihood along the true path of a planted source, between the pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Forced:
    """What lies along one path.

    Parameters
    ----------
    psi, phi : ndarray, (T,), float64
        Evidence and its weight on each image; zero where nothing is measured.
    lh : float
        Signal to noise of all together; zero without any.
    n_obs : int
        Images that count.
    """

    psi: FloatArray
    phi: FloatArray
    lh: float
    n_obs: int


def along(psi: Floats, phi: Floats, x: FloatArray, y: FloatArray, lags: FloatArray) -> Forced:
    """Follow a path: bilinear, with the gain in noise that interpolation brings.

    Parameters
    ----------
    psi, phi : ndarray, (T, H, W), float32
    x, y : ndarray, (T,), float64
        Zero-based pixels; NaN where the source is on no image.
    lags : ndarray, (T, 2, 3), float64
        Of `correlations`.
    """
    known = np.isfinite(x) & np.isfinite(y)
    x, y = np.where(known, x, -9.0), np.where(known, y, -9.0)
    x0, y0 = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = x - x0, y - y0
    height, width = psi.shape[1:]
    t = np.arange(len(psi))
    total, weights, parts = np.zeros(len(psi)), [], []
    for dy in (0, 1):
        for dx in (0, 1):
            column, row = x0 + dx, y0 + dy
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            column, row = np.where(inside, column, 0), np.where(inside, row, 0)
            share = np.where(dx, fx, 1 - fx) * np.where(dy, fy, 1 - fy)
            part = np.where(inside, phi[t, row, column], 0.0)
            total += share * np.where(inside, psi[t, row, column], 0.0)
            weights.append(np.where(part > 0, share, 0.0))
            parts.append(part)
    weights, parts = np.array(weights), np.array(parts)
    number = weights.sum(axis=0)
    mean = np.divide((weights * parts).sum(axis=0), number, out=np.zeros(len(psi)), where=number > 0)
    return _summed(total, mean * _gain(weights, lags))


def correlations(profile: FloatArray) -> FloatArray:
    """Give how evidence of neighbouring pixels is correlated by the profile that makes it.

    Parameters
    ----------
    profile : ndarray, (K, K), float64

    Returns
    -------
    ndarray, (2, 3), float64
        For steps (dy, dx): dy 0 or 1 (rows), dx -1, 0 or 1 (columns).
    """
    wide, side = np.pad(profile, 1), len(profile)

    def lag(dy: int, dx: int) -> float:
        return float((profile * wide[1 + dy : 1 + dy + side, 1 + dx : 1 + dx + side]).sum() / (profile**2).sum())

    return np.array([[lag(dy, dx) for dx in (-1, 0, 1)] for dy in (0, 1)])


def _gain(weights: FloatArray, lags: FloatArray) -> FloatArray:
    """Variance of the weighted sum of four neighbours (00, 01, 10, 11) in units of that of one."""
    a, b, c, d = weights
    along, down = lags[:, 0, 2], lags[:, 1, 1]
    return (
        a**2 + b**2 + c**2 + d**2 + 2 * (along * (a * b + c * d) + down * (a * c + b * d))
        + 2 * (lags[:, 1, 2] * a * d + lags[:, 1, 0] * b * c)
    )  # fmt: skip


def _summed(psi: FloatArray, phi: FloatArray) -> Forced:
    weight = float(phi.sum())
    lh = float(psi.sum() / np.sqrt(weight)) if weight > 0 else 0.0
    return Forced(psi, phi, lh, int((phi > 0).sum()))
