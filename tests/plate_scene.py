"""A red plate in miniature for tests of the masks: grain blurred by the scan, stars that saturate, a plate's header."""

import numpy as np
from astropy.io.fits import Header
from scipy.ndimage import gaussian_filter

SKY, FULL, FOG = 3900.0, 14000.0, 2600.0
APERTURE_PX = 0.72


def plate(stars=(), shape=(401, 457), seed=1, grain=180.0, exposed=None):
    """Density of a piece of plate, float32; `stars` are (x, y, light at the peak in units of the sky)."""
    ny, nx = shape
    y, x = np.mgrid[0:ny, 0:nx]
    light = np.ones(shape)
    for x0, y0, peak in stars:
        r2 = (x - x0) ** 2 + (y - y0) ** 2
        light += peak * (1 + r2 / 4.0) ** -3 + 2e-3 * peak / (r2 + 9)
    if exposed is not None:
        light *= exposed
    density = FOG + (FULL - FOG) / (1 + (np.maximum(light, 1e-6) / 3.04) ** -1.9)
    white = np.random.default_rng(seed).normal(size=shape)
    rms = grain * np.sqrt(density / SKY) * np.sqrt(4 * np.pi) * APERTURE_PX
    return gaussian_filter(density + rms * white, APERTURE_PX).astype(np.float32)


def line(image, x0, y0, x1, y1, height, sigma_px=1.0):
    """Draw a straight line of constant height into an image, in place."""
    ny, nx = image.shape
    y, x = np.mgrid[0:ny, 0:nx]
    length = np.hypot(x1 - x0, y1 - y0)
    along = ((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length
    across = ((y - y0) * (x1 - x0) - (x - x0) * (y1 - y0)) / length
    image += (height * np.exp(-0.5 * (across / sigma_px) ** 2) * ((along > 0) & (along < length))).astype(np.float32)


def header(shape, scale_arcsec=1.7, ra_deg=150.0, dec_deg=20.0):
    """A header with a tangent-plane projection and the date of a plate."""
    ny, nx = shape
    cards = {
        "BITPIX": 16, "SURVEY": "POSSI-E", "REGION": "XE309", "DATE-OBS": "1953-01-10T04:65:00", "EXPOSURE": 50.0,
        "PLTLABEL": "E678", "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": ra_deg, "CRVAL2": dec_deg,
        "CRPIX1": (nx + 1) / 2, "CRPIX2": (ny + 1) / 2, "CD1_1": -scale_arcsec / 3600, "CD1_2": 0.0, "CD2_1": 0.0,
        "CD2_2": scale_arcsec / 3600, "NAXIS": 2, "NAXIS1": nx, "NAXIS2": ny,
    }  # fmt: skip
    return Header(list(cards.items()))
