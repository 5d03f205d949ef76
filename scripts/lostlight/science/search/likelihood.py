"""What each pixel of an image says of a point source in its middle: psi, the evidence, and phi, its weight.

With a profile p, an image I and its variance, psi is the correlation of p with I / variance, and phi that of p^2 with
1 / variance. Of white noise, psi has variance phi; of a source of flux F, psi is F phi. So sums of both over images,
along a path, give flux = sum(psi) / sum(phi) and signal to noise = sum(psi) / sqrt(sum(phi)).
(Whidden et al. 2019, AJ 157, 119; pixels that hold no measurement have no weight, which is the maximum of likelihood.)
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.ndimage import correlate1d

from lostlight.core.errors import BadImage
from lostlight.science.inject.psf import Psf

Floats = NDArray[np.float32]

LEAST_SEEN = 0.5
"""Share of the squared profile that must lie on good pixels, for a pixel to count as measured."""
NEGLIGIBLE = 1e-12
"""Difference of a profile from a product of a row and a column, relative to its peak, that does not count."""


def psi_phi(
    image: NDArray[np.floating], variance: ArrayLike, bad: NDArray[np.bool_] | None, psf: Psf
) -> tuple[Floats, Floats]:
    """Tell for each pixel how much speaks for a point source there, and how much that counts.

    Parameters
    ----------
    image : floating, shape (H, W)
        Background taken off, in adu.
    variance : float or floating, shape (H, W)
        Of its noise, in adu^2.
    bad : bool, shape (H, W), or None
        Pixels without a measurement; those whose value or variance is not finite, or whose variance is not above
        zero, join them.
    psf : Psf

    Returns
    -------
    psi, phi : float32, shape (H, W)
        Both zero where less than half of the profile, squared, lies on good pixels.

    Raises
    ------
    BadImage
        The shapes differ, or no pixel is good.
    """
    image = np.asarray(image, np.float64)
    variance = np.asarray(variance, np.float64)
    if image.ndim != 2 or variance.shape not in ((), image.shape) or (bad is not None and bad.shape != image.shape):
        raise BadImage(
            f"image {image.shape}, variance {variance.shape} and mask {None if bad is None else bad.shape} differ",
            "give planes of one image",
        )
    with np.errstate(invalid="ignore"):
        good = np.isfinite(image) & (variance > 0) & np.isfinite(variance)
    good &= True if bad is None else ~bad
    if not good.any():
        raise BadImage("no pixel of the image is good", "look at its mask and variance")
    weight = np.divide(1.0, variance, out=np.zeros(image.shape), where=good)
    evidence = np.multiply(image, weight, out=np.zeros(image.shape), where=good)
    profile = psf.kernel()
    psi, share = correlated(evidence, profile), correlated(good.astype(np.float64), profile**2)
    phi = correlated(weight, profile**2) if variance.ndim else share / variance
    seen = good & (share >= LEAST_SEEN * (profile**2).sum() * (1 - 1e-12))
    return np.where(seen, psi, 0).astype(np.float32), np.where(seen, phi, 0).astype(np.float32)


def correlated(plane: NDArray[np.float64], profile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlate a plane with a small odd profile; beyond the edges the plane is zero.

    A profile that is the product of a row and a column is taken apart into them; others go through Fourier transforms.
    """
    column, row = profile.sum(axis=1), profile.sum(axis=0) / profile.sum()
    if abs(np.outer(column, row) - profile).max() > NEGLIGIBLE * profile.max():
        return _transformed(plane, profile)
    return correlate1d(correlate1d(plane, row, axis=1, mode="constant"), column, axis=0, mode="constant")


def _transformed(plane: NDArray[np.float64], profile: NDArray[np.float64]) -> NDArray[np.float64]:
    shape = [next_fast_len(n + m - 1, real=True) for n, m in zip(plane.shape, profile.shape, strict=True)]
    both = rfft2(plane, shape) * rfft2(profile[::-1, ::-1], shape)
    y, x = (n // 2 for n in profile.shape)
    return irfft2(both, shape)[y : y + plane.shape[0], x : x + plane.shape[1]]
