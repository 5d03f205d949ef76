"""The emulsion and the scan: light becomes density, density has grain, and the scanner's aperture blurs both."""

from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lostlight.sim.cells import stream
from lostlight.sim.optics import light, star_mixture
from lostlight.sim.plates import Plate

FOG = 2600.0
"""Density of bare emulsion, in counts."""
APERTURE_PX = 0.72
"""Gaussian sigma of the scan aperture (50 um apodised on a 25 um step); nothing on a scan can be sharper."""

# Noise of the sky on 25 um pixels, in counts: of the whole, and the part of its variance that the scanner adds after
# the aperture. The real scan of XE486 has 170 to 190 and a correlation of 0.4 to 0.5 from pixel to pixel.
_NOISE, _SCANNER = 172.0, 0.3
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
        Counts between `FOG` and the plate's full density.
    """
    exposed = np.maximum(sky_units, 1e-6) / plate.half_density_sky
    return FOG + (plate.full_density - FOG) / (1 + exposed ** (-plate.contrast))


def grain(seed: int, plate: Plate, x0_px: int, y0_px: int, nx: int, ny: int) -> tuple[Image, Image]:
    """Give the white noise of emulsion and scanner in a window, the same in every window that shows the same pixels."""
    n = _BLOCK_PX
    first_x, first_y = x0_px // n, y0_px // n
    last_x, last_y = (x0_px + nx - 1) // n, (y0_px + ny - 1) // n
    noise = np.empty((2, (last_y - first_y + 1) * n, (last_x - first_x + 1) * n), np.float32)
    for j in range(first_y, last_y + 1):
        for i in range(first_x, last_x + 1):
            # Blocks outside the plate have negative numbers, which stream keys do not take.
            rng = stream(seed, "grain", plate.index, j + 1000, i + 1000)
            rows, columns = (j - first_y) * n, (i - first_x) * n
            noise[:, rows : rows + n, columns : columns + n] = rng.standard_normal((2, n, n), dtype=np.float32)
    top, left = y0_px - first_y * n, x0_px - first_x * n
    emulsion, scanner = noise[:, top : top + ny, left : left + nx]
    return emulsion, scanner


def scan(plate: Plate, clean: Image, noise: tuple[Image, Image]) -> Image:
    """Scan a piece of plate: grain whose variance is proportional to density (Selwyn), blurred by the aperture.

    Parameters
    ----------
    plate : Plate
    clean : ndarray of float32, (ny, nx)
        Density without grain.
    noise : tuple of ndarray of float32, (ny, nx)
        From `grain`: of the emulsion, of the scanner.
    """
    relative = np.sqrt(np.maximum(clean, 0) / _SKY_DENSITY)
    emulsion_rms, scanner_rms = _amplitudes(plate)
    rms = relative * np.float32(emulsion_rms)
    clumps = gaussian_filter(noise[0], _CLUMP_PX, truncate=4) * (rms * np.float32(_CLUMP))
    blurred = gaussian_filter(clean + rms * noise[0], APERTURE_PX, truncate=4)
    return blurred + clumps + relative * np.float32(scanner_rms) * noise[1]


@cache
def _kernel_norm() -> float:
    """Give the rms that grain of unit rms keeps after the aperture, clumps included."""
    impulse = np.zeros((41, 41))
    impulse[20, 20] = 1
    kernel = gaussian_filter(impulse, APERTURE_PX) + _CLUMP * gaussian_filter(impulse, _CLUMP_PX)
    return float(np.sqrt((kernel**2).sum()))


def _amplitudes(plate: Plate) -> tuple[float, float]:
    """Give the rms of the grain before the aperture and of the scanner after it, at the density of the sky."""
    total = _NOISE * plate.graininess
    # Smaller pixels gather fewer grains.
    grains = total * np.sqrt(1 - _SCANNER) / _kernel_norm() * 25.2845 / plate.pixel_um
    return float(grains), float(total * np.sqrt(_SCANNER))


def margin_px() -> int:
    """Give the width of the frame that must be rendered around a window and cut off after the scan."""
    return _MARGIN_PX


def snr_of(plate: Plate, stamp: NDArray[np.float64]) -> float:
    """Give the signal to noise of a pattern of density on the sky, weighted by itself.

    The noise is that of the weighted sum, with the correlation of neighbouring pixels. Programs that take pixels as
    independent (SNR_WIN among them) report about twice as much on a plate.
    """
    return float((stamp**2).sum() / _rms_of_sum(plate, stamp))


def expected_snr(plate: Plate, mag_r: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimate the signal to noise (see `snr_of`) of point sources on a plate from their R magnitudes."""
    grid, snr = _snr_curve(plate)
    return 10 ** np.interp(mag_r, grid, snr)


def _rms_of_sum(plate: Plate, weights: NDArray[np.float64]) -> float:
    grains, scanner = _amplitudes(plate)
    blurred = gaussian_filter(weights, APERTURE_PX) + _CLUMP * gaussian_filter(weights, _CLUMP_PX)
    variance = grains**2 * (blurred**2).sum() + scanner**2 * (weights**2).sum()
    sky = float(density(plate, np.ones(1))[0])
    return float(np.sqrt(variance * sky / _SKY_DENSITY))


@lru_cache(maxsize=64)
def _snr_curve(plate: Plate) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tabulate the logarithm of the signal to noise against R."""
    sigma, fraction = star_mixture()
    variance = (plate.seeing_arcsec / plate.scale_arcsec * sigma) ** 2 + APERTURE_PX**2
    squares = np.arange(-30, 31) ** 2
    r2 = squares[:, None] + squares
    profile = sum(f / (2 * np.pi * v) * np.exp(-0.5 * r2 / v) for f, v in zip(fraction, variance, strict=True))
    grid = np.arange(2.0, 26.0, 0.5)
    sky = density(plate, np.ones(1))
    snr = [snr_of(plate, density(plate, 1 + flux * profile) - sky) for flux in light(grid, plate.scale_arcsec)]
    return grid, np.log10(snr)
