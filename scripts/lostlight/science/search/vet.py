"""Candidates that no moving point makes: seen by few of the images alone, beside a hole, or not shaped like one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from scipy.stats import chi2

from lostlight.science.search.curves import Curves, along, likelihood

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

TESTS = {
    "outliers": "too faint without its few brightest images",
    "steady": "its light comes and goes",
    "halves": "one half of the images does not show it",
    "negatives": "a hole lies beside it",
    "shape": "not the shape of a point",
}
"""The tests, and what is said of candidates that fail."""
FAR_SIGMA = 4.0
"""What deviates by less is noise."""
HOLE = 0.5
"""A hole at least this deep, relative to the candidate, is one."""
UNSTEADY, BY_CHANCE = 0.6, 1e-5
"""Light that scatters by more than this part of its mean, as noise makes it scatter this rarely, comes and goes; that
of a body that is three times as bright at its best as at its worst scatters by 0.35."""
WRONG_SHAPE = 0.15
"""A mean deviation of the profile of less than this, relative to its height, is none."""


@dataclass(frozen=True)
class Vetting:
    """Which tests are made."""

    steady: bool = True
    halves: bool = True
    negatives: bool = True
    shape: bool = True


def vet(
    psi: Floats, phi: Floats, x: NDArray[np.integer], y: NDArray[np.integer], curves: Curves, profile: Doubles,
    rules: Vetting, least: tuple[float, int],
) -> list[str]:  # fmt: skip
    """Say of each candidate why it is none; empty where nothing speaks against it.

    Parameters
    ----------
    psi, phi : float32, shape (T, H, W)
    x, y : integer, shape (n, T)
        Nearest pixels of each path on each image.
    curves : Curves
        Their light curves.
    profile : float64, shape (S, S)
        That of a point source, typical of the images.
    rules : Vetting
    least : (float, int)
        Likelihood and number of images that must be left when outliers are clipped and single images capped.

    Returns
    -------
    list of str, n long
    """
    if not len(x):
        return []
    expected = autocorrelation(profile)
    half = len(expected) // 2
    stamp = stamps(psi, phi, x, y, curves.keep, half)
    failed = {
        "outliers": (curves.likelihood() < least[0]) | (curves.keep.sum(axis=1) < least[1]),
        "steady": rules.steady and unsteady(curves.psi, curves.phi, curves.keep),
        "halves": rules.halves and lopsided(curves.psi, curves.phi, curves.keep),
        "negatives": rules.negatives and has_hole(stamp),
        "shape": rules.shape and misshapen(stamp, expected),
    }
    said = {TESTS[name]: np.broadcast_to(which, len(x)) for name, which in failed.items()}
    return ["; ".join(text for text, which in said.items() if which[i]) for i in range(len(x))]


def autocorrelation(profile: Doubles) -> Doubles:
    """Give how likelihoods go together that are some pixels apart, out to two FWHM: an odd square, 1 in its middle."""
    whole = fftconvolve(profile, profile[::-1, ::-1])
    whole /= whole.max()
    c = len(whole) // 2
    # Where it has fallen to a quarter is one FWHM of a Gaussian profile.
    fwhm = max(int(np.argmax(whole[c, c:] < 1 / 4)), 2)
    half = min(2 * fwhm, c)
    return whole[c - half : c + half + 1, c - half : c + half + 1]


def stamps(psi: Floats, phi: Floats, x: NDArray[np.integer], y: NDArray[np.integer], keep: Bools, half: int) -> Doubles:
    """Add the surroundings of each path up, as signal to noise: float64, shape (n, 2 half + 1, 2 half + 1)."""
    side = np.arange(-half, half + 1)
    shape = (*x.shape, side.size, side.size)
    px = np.broadcast_to(x[..., None, None] + side[None, :], shape)
    py = np.broadcast_to(y[..., None, None] + side[:, None], shape)
    evidence, weight = (np.einsum("nt,ntij->nij", keep.astype(np.float64), along(each, px, py)) for each in (psi, phi))
    return np.divide(evidence, np.sqrt(weight), out=np.zeros(evidence.shape), where=weight > 0)


def unsteady(psi: Floats, phi: Floats, keep: Bools) -> Bools:
    """Tell whether light scatters about its mean by far more than noise and a turning body make it."""
    weight = np.where(keep, phi, 0).astype(np.float64)
    flux = np.divide(psi, phi, out=np.zeros(psi.shape), where=weight > 0)
    total, free = np.maximum(weight.sum(axis=1), 1e-30), np.maximum(keep.sum(axis=1) - 1, 1)
    mean = (weight * flux).sum(axis=1) / total
    squares = (weight * (flux - mean[:, None]) ** 2).sum(axis=1)
    # What is left of the scatter when that of the noise, the mean of one over the weights, is taken off.
    excess = (squares - free) * (free + 1) / free / total
    return (chi2.sf(squares, free) < BY_CHANCE) & (excess > (UNSTEADY * mean) ** 2)


def lopsided(psi: Floats, phi: Floats, keep: Bools) -> Bools:
    """Tell whether a half of the images has much less than its part of the likelihood: of every second, of each end."""
    order = np.cumsum(keep, axis=1) - 1
    n = keep.sum(axis=1, keepdims=True)
    whole, weights = likelihood(psi, phi, keep), np.where(keep, phi, 0)
    result = np.zeros(len(psi), bool)
    for part in (order % 2 == 0, order % 2 == 1, order < n // 2, order >= n // 2):
        share = np.sqrt(np.where(part, weights, 0).sum(axis=1) / np.maximum(weights.sum(axis=1), 1e-30))
        result |= likelihood(psi, phi, keep & part) < share * whole - FAR_SIGMA - HOLE * share * whole
    return result


def has_hole(stamp: Doubles) -> Bools:
    """Tell whether a hole of its size lies beside it."""
    peak = _peak(stamp)
    return stamp.min(axis=(1, 2)) < -np.maximum(HOLE * peak, FAR_SIGMA + 1)


def misshapen(stamp: Doubles, expected: Doubles) -> Bools:
    """Tell whether a point source would have another profile, of which `expected` is the autocorrelation."""
    half = len(expected) // 2
    # Around half its height widths tell most.
    ring = (abs(expected - 0.5) < 0.2).astype(np.float64)
    ring /= ring.sum()
    height = (ring * expected).sum()
    # The mean of the ring less what the peak makes expect, and its variance, as noise goes together like the signal.
    excess = (stamp * ring).sum(axis=(1, 2)) - height * _peak(stamp)
    y, x = np.nonzero(ring)
    apart = np.maximum(abs(y[:, None] - y), abs(x[:, None] - x)) <= half
    lag = expected[np.clip(y[:, None] - y, -half, half) + half, np.clip(x[:, None] - x, -half, half) + half]
    variance = ring[y, x] @ (lag * apart) @ ring[y, x] - height**2
    return abs(excess) > np.maximum(FAR_SIGMA * np.sqrt(max(variance, 0)), WRONG_SHAPE * _peak(stamp))


def _peak(stamp: Doubles) -> Doubles:
    half = stamp.shape[1] // 2
    return stamp[:, half, half]
