"""A plate in miniature for tests of the PSF: Moffat stars whose width changes over the image, and noise."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from astropy.io.fits import Header
from astropy.table import Table

from lostlight.core.params import DetectParams
from lostlight.science.detect import background, embedded


@dataclass(frozen=True)
class Starfield:
    """Image with background (ny, nx) float32 adu, truth, and the noise that went in."""

    image: np.ndarray
    stars: Table
    rms_adu: float
    level_adu: float


def starfield(
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
    develop: Callable[[np.ndarray], np.ndarray] = lambda light: light,
) -> Starfield:
    """Draw stars at random positions at least `min_distance_px` apart, sharpest at the centre of the image.

    `develop` turns the light of the stars into counts above the background.
    """
    rng = np.random.default_rng(seed)
    ny, nx = shape
    x, y = _apart(rng, n_stars, nx, ny, min_distance_px)
    flux = 10 ** rng.uniform(*log_flux, len(x))
    width = fwhm_at(x, y, shape, fwhm_px, widening)
    light = np.zeros(shape)
    for star in zip(x, y, flux, width, strict=True):
        add_star(light, *star, ellipticity=ellipticity)
    image = level_adu + develop(light) + rng.normal(0, rms_adu, shape)
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


def first_pass(image, saturation_adu=1e6, **knobs):
    """Detections of the embedded engine and the background they stand on."""
    params = DetectParams(engine="embedded", **knobs)
    sky = background.split(image, None, params.mesh_px, params.mesh_filter)
    return embedded.extract(sky, params, saturation_adu), sky


def tan_header(shape, scale_arcsec=1.7) -> Header:
    """A tangent-plane header for an image of the given shape."""
    header = Header({"SIMPLE": True, "BITPIX": -32, "NAXIS": 2, "NAXIS1": shape[1], "NAXIS2": shape[0]})
    for key, value in {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 20.0, "CRPIX1": shape[1] / 2,
        "CRPIX2": shape[0] / 2, "CDELT1": -scale_arcsec / 3600, "CDELT2": scale_arcsec / 3600,
    }.items():  # fmt: skip
        header[key] = value
    return header


def _apart(rng, n, nx, ny, distance):
    placed = np.empty((0, 2))
    while len(placed) < n:
        spot = rng.uniform((0, 0), (nx - 1, ny - 1))
        if not len(placed) or np.min(np.hypot(*(placed - spot).T)) > distance:
            placed = np.vstack([placed, spot])
    return placed.T
