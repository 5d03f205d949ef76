"""How a plate turns light into density, measured on its own stars.

Emulsion answers light with a toe, a straight part and a shoulder, so that faint stars look sharper and bright ones
wider than the PSF of the stars in between. The curve is the logistic characteristic curve of density against the
logarithm of light; its parameters are found from how the peak of the stars grows with their flux.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from lostlight.science.detect.psf_model import PsfModel
from lostlight.science.detect.resample import stamp_pixels

FloatArray = NDArray[np.floating]

_HALF_PX = 10
_PHASES = 4  # sub-pixel positions along each axis, over which a star's peak is averaged
_N_BINS, _MIN_BINS, _MIN_PER_BIN = 16, 5, 5
_NEAR_FULL = 1e-4  # closest approach to full blackening that is inverted


@dataclass(frozen=True)
class Response:
    """Density above the sky against light in units of the sky's own light on a pixel.

    ``density(light) = span (1/(1 + (half/(1 + light))^contrast) - 1/(1 + half^contrast))``, scaled so that endless
    light gives `headroom_adu`. With contrast 1 it is a straight line with a soft shoulder.
    """

    headroom_adu: float
    half: float = 1.0
    contrast: float = 1.0

    @property
    def _sky(self) -> float:
        return 1 / (1 + self.half**self.contrast)

    @property
    def _span(self) -> float:
        return self.headroom_adu / (1 - self._sky)

    def density(self, light: ArrayLike) -> FloatArray:
        """Give the density above the sky, in adu, of light in sky units, not negative."""
        return self._span * (1 / (1 + (self.half / (1 + np.asarray(light))) ** self.contrast) - self._sky)

    def light(self, density_adu: ArrayLike) -> FloatArray:
        """Give the light, in sky units, that makes a density above the sky; densities below the sky count as sky."""
        blackening = np.clip(np.asarray(density_adu), 0, None) / self._span + self._sky
        blackening = np.minimum(blackening, 1 - _NEAR_FULL)
        return np.maximum(self.half * (blackening / (1 - blackening)) ** (1 / self.contrast) - 1, 0)


def fit_response(
    flux_adu: FloatArray, peak_adu: FloatArray, psf: PsfModel, headroom_adu: float
) -> tuple[Response, float]:
    """Find the response from the peaks of stars against their fluxes.

    Parameters
    ----------
    flux_adu, peak_adu : (n,) float
        Aperture flux and highest pixel of stars that are neither flagged nor masked.
    psf : PsfModel
        Profile of the stars, which is right at one flux only, because the profile changes with flux.
    headroom_adu : float
        Density of the brightest pixels above the sky: full blackening lies there, or higher where the peaks of the
        stars still grow in step with their flux, as on an electronic detector.

    Returns
    -------
    response : Response
        With contrast 1, a soft shoulder alone, where the stars are too few to tell more.
    psf_flux_adu : float
        The flux at which stars look like the PSF.
    """
    plain = Response(headroom_adu)
    flux, peak = _binned(flux_adu, peak_adu)
    if len(flux) < _MIN_BINS:
        return plain, float(np.median(flux_adu)) if len(flux_adu) else 0.05 * headroom_adu
    phi, inside = _reference(psf)
    scales = np.geomspace(0.1, 30, 40)
    start = np.log([plain.half, 1.2, np.median(flux), 1.0])

    def residual(parameters: FloatArray) -> FloatArray:
        half, contrast, psf_flux, beyond = np.exp(parameters)
        response = Response(beyond * headroom_adu, half, contrast)
        stars = response.density(scales[:, None, None] * response.light(psf_flux * phi))
        model_peak, model_flux = stars.max(axis=2).mean(axis=1), (stars * inside).sum(axis=2).mean(axis=1)
        # The weak pull towards the start decides only where the stars do not.
        return np.append(np.log(np.interp(flux, model_flux, model_peak) / peak), 0.02 * (parameters - start))

    low, high = np.log([0.2, 0.7, flux.min() / 3, 0.999]), np.log([30, 4, flux.max() * 3, 30])
    half, contrast, psf_flux_adu, beyond = np.exp(least_squares(residual, start, bounds=(low, high)).x).tolist()
    return Response(beyond * headroom_adu, half, contrast), psf_flux_adu


def _binned(flux_adu: FloatArray, peak_adu: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Give medians in bins of equal number, which stray galaxies and flaws do not move."""
    good = np.isfinite(flux_adu) & np.isfinite(peak_adu) & (flux_adu > 0) & (peak_adu > 0)
    order = np.argsort(flux_adu[good], kind="stable")
    n_bins = min(_N_BINS, len(order) // _MIN_PER_BIN)
    groups = np.array_split(order, n_bins) if n_bins else []
    pairs = [(np.median(flux_adu[good][group]), np.median(peak_adu[good][group])) for group in groups]
    flux, peak = np.array(pairs).reshape(-1, 2).T
    return flux, peak


def _reference(psf: PsfModel) -> tuple[FloatArray, FloatArray]:
    """Sample the PSF in the middle of the tile at several phases; mark the aperture that holds its unit flux.

    Both are (n_phases, n_pixels).
    """
    offset = (np.arange(_PHASES) + 0.5) / _PHASES - 0.5
    x, y = (axis.ravel() for axis in np.meshgrid(psf.x_zero_px + offset, psf.y_zero_px + offset))
    middle = np.round([psf.x_zero_px, psf.y_zero_px])
    columns, rows = (stamp_pixels(np.full(len(x), value), _HALF_PX) for value in middle)
    phi = psf.stamps(x, y, columns, rows).reshape(len(x), -1).astype(float)
    radius = np.hypot(columns[:, None, :] - x[:, None, None], rows[:, :, None] - y[:, None, None]).reshape(phi.shape)
    order = np.argsort(radius, axis=None)
    grown = np.cumsum(phi.ravel()[order]) / len(x)
    edge = radius.ravel()[order][min(np.searchsorted(grown, 1.0), len(grown) - 1)]
    return phi, np.clip(edge - radius + 0.5, 0, 1)
