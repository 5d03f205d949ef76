"""The emulsion and the scan: light becomes density, density has grain, and the scanner's aperture blurs both."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lostlight.sim.cells import stream
from lostlight.sim.optics import light, star_mixture
from lostlight.sim.plates import Plate

FOG, FULL = 2600.0, 15500.0
"""Density of bare and of fully blackened emulsion, in counts."""
APERTURE_PX = 0.72
"""Gaussian sigma of the scan aperture (50 um apodised on a 25 um step); nothing on a scan can be sharper."""

_GRAIN = 0.107  # white noise before the scan over density, at the density of the sky on 25 um pixels
_SKY_DENSITY = 3880.0
_CLUMP_PX, _CLUMP = 2.0, 0.5  # a weak second component of the grain
_BLOCK_PX = 256
_MARGIN_PX = 12  # more than the reach of both blurs

Image = NDArray[np.float32]


def density(plate: Plate, sky_units: NDArray[np.floating]) -> NDArray[np.floating]:
    """Develop light into density by the characteristic curve: fog, toe, straight part, shoulder.

    Parameters
    ----------
    plate : Plate
        Gives the speed and the contrast of the emulsion.
    sky_units : ndarray of float
        Light in units of the night sky on one pixel, not negative.

    Returns
    -------
    ndarray of float
        Counts between `FOG` and `FULL`.
    """
    exposed = np.maximum(sky_units, 1e-6) / plate.half_density_sky
    return FOG + (FULL - FOG) / (1 + exposed ** (-plate.contrast))


def grain(seed: int, plate: Plate, x0_px: int, y0_px: int, nx: int, ny: int) -> Image:
    """Give the plate's own white noise in a window, the same numbers in every window that shows the same pixels."""
    first_x, first_y = x0_px // _BLOCK_PX, y0_px // _BLOCK_PX
    last_x, last_y = (x0_px + nx - 1) // _BLOCK_PX, (y0_px + ny - 1) // _BLOCK_PX
    n = _BLOCK_PX
    noise = np.empty(((last_y - first_y + 1) * n, (last_x - first_x + 1) * n), np.float32)
    for j in range(first_y, last_y + 1):
        for i in range(first_x, last_x + 1):
            # Blocks outside the plate have negative numbers, which stream keys do not take.
            rng = stream(seed, "grain", plate.index, j + 1000, i + 1000)
            rows, columns = (j - first_y) * n, (i - first_x) * n
            noise[rows : rows + n, columns : columns + n] = rng.standard_normal((n, n), dtype=np.float32)
    top, left = y0_px - first_y * n, x0_px - first_x * n
    return noise[top : top + ny, left : left + nx]


def scan(plate: Plate, clean: Image, noise: Image) -> Image:
    """Scan a piece of plate: grain whose variance is proportional to density (Selwyn), blurred by the aperture.

    Parameters
    ----------
    plate : Plate
    clean : ndarray of float32, (ny, nx)
        Density without grain.
    noise : ndarray of float32, (ny, nx)
        From `grain`.
    """
    amplitude = _GRAIN * 25.2845 / plate.pixel_um
    rms = amplitude * np.sqrt(np.maximum(clean, 0) * _SKY_DENSITY)
    clumps = gaussian_filter(noise, _CLUMP_PX, truncate=4) * (rms * _CLUMP)
    return gaussian_filter(clean + rms * noise, APERTURE_PX, truncate=4) + clumps


def margin_px() -> int:
    """Give the width of the frame that must be rendered around a window and cut off after the scan."""
    return _MARGIN_PX


def noise_rms(plate: Plate) -> float:
    """Give the pixel-to-pixel rms of the sky on the scan, in counts."""
    impulse = np.zeros((41, 41))
    impulse[20, 20] = 1
    kernel = gaussian_filter(impulse, APERTURE_PX) + _CLUMP * gaussian_filter(impulse, _CLUMP_PX)
    sky = float(density(plate, np.ones(1))[0])
    return _GRAIN * 25.2845 / plate.pixel_um * np.sqrt(sky * _SKY_DENSITY) * float(np.sqrt((kernel**2).sum()))


def expected_snr(plate: Plate, mag_r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate the signal to noise of point sources, weighted by their own profile: ``sqrt(sum(s²)) / rms``.

    The signal is the density a star adds, after the response and the blur; grain is taken as independent from pixel to
    pixel, as detection programs do, so the numbers compare with SNR_WIN.
    """
    sigma, fraction = star_mixture()
    variance = (plate.seeing_arcsec / plate.scale_arcsec * sigma) ** 2 + APERTURE_PX**2
    r = np.arange(0.25, 40, 0.5)
    profile = (fraction / (2 * np.pi * variance) * np.exp(-0.5 * r[:, None] ** 2 / variance)).sum(axis=1)
    grid = np.arange(0.0, 26.0, 0.1)
    stars = density(plate, 1 + light(grid, plate.scale_arcsec)[:, None] * profile) - density(plate, np.ones(1))
    signal = np.sqrt((stars**2 * 2 * np.pi * r * 0.5).sum(axis=1))
    return np.interp(mag_r, grid, signal / noise_rms(plate))
