"""What planted light adds to the evidence of a search: psi is linear, so that of the images need not be made again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

FloatArray = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Light:
    """Evidence of one planted source.

    Parameters
    ----------
    psi : ndarray, (T, h, w), float32
        What is added to the evidence of each image.
    corner : ndarray, (T, 2), int64
        Row and column of its first pixel; it may lie beyond the edges.
    """

    psi: Floats
    corner: NDArray[np.int64]


def core(profile: FloatArray, lost: float = 1e-4) -> FloatArray:
    """Cut an odd square profile to the smallest one about its middle that keeps all but `lost` of its squared sum."""
    middle, squared = len(profile) // 2, profile**2
    for half in range(middle):
        inner = slice(middle - half, middle + half + 1)
        if squared[inner, inner].sum() >= (1 - lost) * squared.sum():
            return profile[inner, inner]
    return profile


def evidence(stamps: FloatArray, corner: NDArray[np.int64], weight: Floats, profiles: Sequence[FloatArray]) -> Light:
    """Turn planted light into evidence, as the search turns images into it.

    Parameters
    ----------
    stamps : ndarray, (T, S, S), float64
        Light of the source on each image, adu.
    corner : ndarray, (T, 2), int64
        Row and column of the first pixel of each stamp.
    weight : ndarray, (T, H, W), float32
        One over the variance of each pixel, adu^-2; zero where it holds no measurement.
    profiles : sequence of ndarray, (K, K), float64
        Profile of a point on each image, odd squares of unit sum; `core` keeps them small.
    """
    n_epochs, side, _ = stamps.shape
    half = max(len(each) for each in profiles) // 2
    whole = side + 2 * half
    n = next_fast_len(whole, real=True)
    seen, kernels = np.zeros((n_epochs, n, n)), np.zeros((n_epochs, n, n))
    for t, (profile, (y0, x0)) in enumerate(zip(profiles, corner, strict=True)):
        ours, theirs = overlap((side, side), (int(y0), int(x0)), weight.shape[1:])
        seen[t][:side, :side][ours] = stamps[t][ours] * weight[t][theirs]
        # The profile is centred at (half, half), so that the result begins half a profile before the stamp.
        inner = slice(half - len(profile) // 2, half + len(profile) // 2 + 1)
        kernels[t, inner, inner] = profile[::-1, ::-1]
    psi = irfft2(rfft2(seen) * rfft2(kernels), (n, n))[:, :whole, :whole]
    return Light(psi.astype(np.float32), corner - half)


@contextmanager
def planted(psi: Floats, phi: Floats, light: Light) -> Iterator[None]:
    """Add planted light to the evidence of the images, and take it off again, to the last bit.

    Parameters
    ----------
    psi, phi : ndarray, (T, H, W), float32
        Evidence, changed in place, and its weight: where that is zero, light is not seen.
    light : Light
    """
    kept = []
    for t in range(len(psi)):
        ours, theirs = overlap(light.psi.shape[1:], tuple(map(int, light.corner[t])), psi.shape[1:])
        kept.append((theirs, psi[t][theirs].copy()))
        psi[t][theirs] += np.where(phi[t][theirs] > 0, light.psi[t][ours], np.float32(0))
    try:
        yield
    finally:
        for t, (theirs, before) in enumerate(kept):
            psi[t][theirs] = before


def overlap(
    shape: tuple[int, int], corner: tuple[int, int], whole: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Give the part of a stamp that lies on an image, and the part of the image under it."""
    ours, theirs = [], []
    for side, first, length in zip(shape, corner, whole, strict=True):
        start, stop = min(max(first, 0), length), min(max(first + side, 0), length)
        theirs.append(slice(start, max(stop, start)))
        ours.append(slice(start - first, start - first + max(stop - start, 0)))
    return tuple(ours), tuple(theirs)
