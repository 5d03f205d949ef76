"""A plate in miniature for tests of the PSF: Moffat stars whose width changes over the image, and noise."""

from dataclasses import dataclass

import numpy as np
from astropy.table import Table


@dataclass(frozen=True)
class Starfield:
    """Image with background (ny, nx) float32 adu, truth, and the noise that went in."""

    image: np.ndarray
    stars: Table
    rms_adu: float
    level_adu: float


def starfield(  # noqa: PLR0913
    seed: int,
    shape: tuple[int, int] = (401, 367),
    n_stars: int = 160,
    fwhm_px: float = 3.0,
    widening: float = 0.15,
    ellipticity: float = 0.05,
    min_distance_px: float = 18,
    log_flux: tuple[float, float] = (3.6, 5.2),
    rms_adu: float = 60.0,
    level_adu: float = 3800.0,
) -> Starfield:
    """Draw stars at random positions at least `min_distance_px` apart, sharpest at the centre of the image."""
    rng = np.random.default_rng(seed)
    ny, nx = shape
    x, y = _apart(rng, n_stars, nx, ny, min_distance_px)
    flux = 10 ** rng.uniform(*log_flux, len(x))
    width = fwhm_at(x, y, shape, fwhm_px, widening)
    image = level_adu + rng.normal(0, rms_adu, shape)
    for star in zip(x, y, flux, width, strict=True):
        add_star(image, *star, ellipticity=ellipticity)
    return Starfield(image.astype(np.float32), Table({"x_px": x, "y_px": y, "flux_adu": flux}), rms_adu, level_adu)


def fwhm_at(x, y, shape, fwhm_px=3.0, widening=0.15):
    """Width of the stars of `starfield` at a position."""
    ny, nx = shape
    return fwhm_px * (1 + widening * ((x / nx - 0.5) ** 2 + (y / ny - 0.5) ** 2) * 2)


def add_star(image, x, y, flux, fwhm_px, beta=3.5, ellipticity=0.0, half=20) -> None:
    """Add one Moffat star, averaged over the pixels, to an image in place."""
    ny, nx = image.shape
    x0, y0 = round(x), round(y)
    ys, xs = slice(max(y0 - half, 0), min(y0 + half + 1, ny)), slice(max(x0 - half, 0), min(x0 + half + 1, nx))
    finer = 5
    fine = (np.arange(finer) + 0.5) / finer - 0.5
    yy = (np.arange(ys.start, ys.stop)[:, None] + fine).ravel()[:, None] - y
    xx = (np.arange(xs.start, xs.stop)[:, None] + fine).ravel()[None, :] - x
    alpha = fwhm_px / 2 / np.sqrt(2 ** (1 / beta) - 1)
    r2 = (xx * (1 - ellipticity)) ** 2 + (yy * (1 + ellipticity)) ** 2
    light = (beta - 1) / (np.pi * alpha**2) * (1 + r2 / alpha**2) ** -beta * (1 - ellipticity**2)
    light = light.reshape(ys.stop - ys.start, finer, xs.stop - xs.start, finer).mean(axis=(1, 3))
    image[ys, xs] += flux * light


def _apart(rng, n, nx, ny, distance):
    placed = np.empty((0, 2))
    while len(placed) < n:
        spot = rng.uniform((0, 0), (nx - 1, ny - 1))
        if not len(placed) or np.min(np.hypot(*(placed - spot).T)) > distance:
            placed = np.vstack([placed, spot])
    return placed.T
