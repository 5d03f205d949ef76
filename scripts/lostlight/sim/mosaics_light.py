"""Light on pixels: stars and satellite trails, integrated over each pixel."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

Image = NDArray[np.float64]

_GAUSS_REACH, _MOFFAT_REACH = 4.0, 10.0  # in FWHM
_POINTS, _WEIGHTS = np.polynomial.legendre.leggauss(5)


def add_stars(
    image: Image, x: Image, y: Image, flux: Image, fwhm_px: tuple[float, float], beta: float | None = None
) -> None:
    """Add the light of stars to an image.

    Parameters
    ----------
    image : ndarray of float64, (ny, nx)
        Changed in place.
    x, y : ndarray of float64, (n,)
        Zero-based pixels.
    flux : ndarray of float64, (n,)
        Of the whole star; its unit is the image's.
    fwhm_px : tuple of float
        Width along columns and along rows (y, x), before the integration over pixels.
    beta : float, optional
        Exponent of Moffat's profile; None is a Gaussian.
    """
    factor = _GAUSS_REACH if beta is None else _MOFFAT_REACH
    reach = int(np.ceil(factor * max(fwhm_px))) + 1
    seen = (x > -reach) & (x < image.shape[1] + reach) & (y > -reach) & (y < image.shape[0] + reach)
    for star_x, star_y, star_flux in zip(x[seen], y[seen], flux[seen], strict=True):
        rows, columns = (
            np.arange(max(0, round(at) - reach), min(n, round(at) + reach + 1))
            for at, n in zip((star_y, star_x), image.shape, strict=True)
        )
        if len(rows) and len(columns):
            stamp = _stamp(rows - star_y, columns - star_x, fwhm_px, beta)
            image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += star_flux * stamp


def add_trail(image: Image, start: tuple[float, float], end: tuple[float, float], peak: float, fwhm_px: float) -> None:
    """Add a straight trail with a Gaussian profile, from one (x, y) to another.

    Parameters
    ----------
    image : ndarray of float64, (ny, nx)
        Changed in place.
    start, end : tuple of float
        Zero-based pixels.
    peak : float
        Brightness on the middle line.
    fwhm_px : float
    """
    sigma = fwhm_px / np.sqrt(8 * np.log(2))
    (x0, y0), (x1, y1) = start, end
    length = np.hypot(x1 - x0, y1 - y0)
    cosine, sine = (x1 - x0) / length, (y1 - y0) / length
    y, x = np.indices(image.shape, sparse=True)
    along = (x - x0) * cosine + (y - y0) * sine
    across = (y - y0) * cosine - (x - x0) * sine
    ends = 0.5 * (erf(along / (sigma * np.sqrt(2))) - erf((along - length) / (sigma * np.sqrt(2))))
    image += peak * ends * np.exp(-0.5 * (across / sigma) ** 2)


def _stamp(dy: Image, dx: Image, fwhm_px: tuple[float, float], beta: float | None) -> Image:
    if beta is None:
        return np.outer(_gaussian(dy, fwhm_px[0]), _gaussian(dx, fwhm_px[1]))
    return _moffat(dy, dx, fwhm_px, beta)


def _gaussian(distance_px: Image, fwhm_px: float) -> Image:
    """Integrate a unit Gaussian over pixels at distances from its middle."""
    width = fwhm_px / np.sqrt(4 * np.log(2))
    return 0.5 * (erf((distance_px + 0.5) / width) - erf((distance_px - 0.5) / width))


def _moffat(dy: Image, dx: Image, fwhm_px: tuple[float, float], beta: float) -> Image:
    """Integrate Moffat's profile (1969) of unit flux over pixels, by Gauss's five points along each axis."""
    core_y, core_x = (width / (2 * np.sqrt(2 ** (1 / beta) - 1)) for width in fwhm_px)
    y2, x2 = (((d[:, None] + _POINTS / 2) / core) ** 2 for d, core in ((dy, core_y), (dx, core_x)))
    profile = (1 + y2[:, :, None, None] + x2) ** -beta
    weights = np.multiply.outer(_WEIGHTS, _WEIGHTS) / 4
    return (beta - 1) / (np.pi * core_y * core_x) * np.einsum("jqip,qp->ji", profile, weights)
