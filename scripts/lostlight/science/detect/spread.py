"""Fit the local PSF to every source at once: PSF flux, chi-square, and SPREAD_MODEL as a closed formula.

SPREAD_MODEL compares how well a source p is described by the local PSF phi and by the slightly wider profile G, phi
convolved with a circular exponential disc of scale length FWHM/16 (Desai et al. 2012, ApJ 757, 83; Bouy et al. 2013,
A&A 554, A101)::

    SPREAD = (G W p)/(phi W p) - (G W phi)/(phi W phi),    W = 1/(sigma_background^2 + I/gain)

source-extractor reaches the same number through a profile fit per source; here it is a handful of matrix products.
It collects the disc in the cells of the PSF's table, which are wider than the disc. That widens G by a tenth and is
part of the scale of SPREAD_MODEL, so it is done here too.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import fftconvolve

from lostlight.science.detect.psf_model import PsfModel, sample
from lostlight.science.detect.resample import cut_stamps, stamp_pixels

FloatArray = NDArray[np.floating]

HALF_PX = 8  # stamps of 17 pixels hold all that matters of a PSF of FWHM 3
_WINDOW_FWHM = 1.5  # SPREAD_MODEL looks this far around a source: beyond it, neighbours and sky speak, not its shape
_MAX_SHIFT_PX = 1.0  # a fit that wanders further than this has found a neighbour
_N_ITERATIONS = 2
_BATCH = 4096


@dataclass(frozen=True)
class _Stamps:
    """What is the same for every iteration: data and weights (n, m, m), columns and rows (n, m)."""

    data: FloatArray
    weight: FloatArray
    x_pixels: NDArray[np.int64]
    y_pixels: NDArray[np.int64]


def measure_psf(
    image: FloatArray,
    rms: ArrayLike,
    x_px: ArrayLike,
    y_px: ArrayLike,
    psf: PsfModel,
    gain: float = 0.0,
    fwhm_px: float | None = None,
) -> dict[str, FloatArray]:
    """Measure PSF flux, goodness of fit and SPREAD_MODEL of all sources of an image.

    Parameters
    ----------
    image : (ny, nx) float32, adu
        Image without background.
    rms : float or (ny, nx) float32, adu
        Noise of the background.
    x_px, y_px : (n,) float
        Positions, zero-based, good to a pixel; they are refined with the PSF.
    psf : PsfModel
    gain : float
        Electrons per adu; 0 means infinite, that is no noise from the source itself.
    fwhm_px : float, optional
        Width that sets the scale of the disc, by default the model's own.

    Returns
    -------
    dict of (n,) float64
        ``x_psf_px, y_psf_px, flux_psf_adu, flux_psf_err_adu, chi2_psf, spread_model, spread_model_err``; NaN where
        no pixel of the source has a value.
    """
    x_px, y_px = (np.atleast_1d(np.asarray(value, dtype=float)) for value in (x_px, y_px))
    half_px = max(HALF_PX, int(np.ceil(2.5 * psf.fwhm_px)))
    cells = disc_cells((fwhm_px or psf.fwhm_px) / 16 / psf.step_px)
    wider = replace(psf, basis=fftconvolve(psf.basis, cells[None], mode="same", axes=(1, 2)).astype(np.float32))
    models = (psf, wider, *_gradients(psf))
    parts = []
    for start in range(0, max(len(x_px), 1), _BATCH):
        batch = slice(start, start + _BATCH)
        stamps = _cut(image, rms, x_px[batch], y_px[batch], gain, half_px)
        parts.append(_measure_batch(stamps, x_px[batch], y_px[batch], models))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def disc_cells(scale: float) -> FloatArray:
    """Give the light of a circular exponential disc in each cell of a grid, for a scale length in cells.

    The sum is one; the size is odd and holds all but a millionth of the light.
    """
    half, finer = int(np.ceil(17 * scale)), 25
    fine = (np.arange((2 * half + 1) * finer) + 0.5) / finer - half - 0.5
    light = np.exp(-np.hypot(fine[:, None], fine[None, :]) / scale)
    cells = light.reshape(2 * half + 1, finer, 2 * half + 1, finer).sum(axis=(1, 3))
    return cells / cells.sum()


def _gradients(psf: PsfModel) -> tuple[PsfModel, PsfModel]:
    """Give minus the derivative of the profile along x and y: how it changes as the star moves."""
    return psf.filtered(lambda kx, ky: -2j * np.pi * kx), psf.filtered(lambda kx, ky: -2j * np.pi * ky)


def _measure_batch(
    stamps: _Stamps, x_px: FloatArray, y_px: FloatArray, models: tuple[PsfModel, ...]
) -> dict[str, FloatArray]:
    psf, wider, along_x, along_y = models
    tables = [model.at(x_px, y_px) for model in (psf, along_x, along_y)]
    x_fit, y_fit = x_px, y_px
    for _ in range(_N_ITERATIONS):
        matrices = psf.matrices(x_fit, y_fit, stamps.x_pixels, stamps.y_pixels)
        dx, dy = _shift(stamps, *(sample(table, *matrices) for table in tables))
        x_fit, y_fit = x_fit + dx, y_fit + dy
    lost = np.hypot(x_fit - x_px, y_fit - y_px) > _MAX_SHIFT_PX
    x_fit, y_fit = np.where(lost, x_px, x_fit), np.where(lost, y_px, y_fit)
    matrices = psf.matrices(x_fit, y_fit, stamps.x_pixels, stamps.y_pixels)
    phi = sample(tables[0], *matrices)
    disc = sample(wider.at(x_px, y_px), *matrices)
    window = _window(stamps, x_fit, y_fit, _WINDOW_FWHM * psf.fwhm_px)
    light = _light(stamps.data, stamps.weight, phi)
    return {"x_psf_px": x_fit, "y_psf_px": y_fit} | light | _spread(stamps.data, window, phi, disc)


def _cut(image: FloatArray, rms: ArrayLike, x_px: FloatArray, y_px: FloatArray, gain: float, half_px: int) -> _Stamps:
    """Cut data and weights; pixels outside the image or without a value weigh nothing."""
    x_pixels, y_pixels = stamp_pixels(x_px, half_px), stamp_pixels(y_px, half_px)
    data = cut_stamps(image, x_pixels, y_pixels, outside=np.nan)
    sigma = np.asarray(rms, dtype=np.float32)
    variance = (cut_stamps(sigma, x_pixels, y_pixels) if sigma.ndim == 2 else sigma) ** 2
    if gain > 0:
        variance = variance + np.maximum(data, 0) / gain
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = np.where(np.isfinite(data) & (variance > 0), 1 / variance, 0)
    return _Stamps(np.nan_to_num(data), weight, x_pixels, y_pixels)


def _dot(weight: FloatArray, a: FloatArray, b: FloatArray) -> FloatArray:
    return np.einsum("nij,nij,nij->n", weight, a, b, dtype=np.float64, optimize=False)


def _shift(stamps: _Stamps, phi: FloatArray, along_x: FloatArray, along_y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Take one Gauss-Newton step for flux and position, at most half a pixel long."""
    columns = (phi, along_x, along_y)
    weighted = [stamps.weight * column for column in columns]
    normal = np.empty((len(phi), 3, 3))
    right = np.empty((len(phi), 3, 1))
    for i, a in enumerate(weighted):
        right[:, i, 0] = np.einsum("nij,nij->n", a, stamps.data)
        for j, b in enumerate(columns):
            normal[:, i, j] = np.einsum("nij,nij->n", a, b)
    singular = ~(np.abs(np.linalg.det(normal)) > 0)
    normal[singular] = np.eye(3)
    flux, x_moment, y_moment = np.linalg.solve(normal, right)[:, :, 0].T
    usable = (flux > 0) & ~singular
    with np.errstate(divide="ignore", invalid="ignore"):
        shifts = [np.where(usable, np.clip(moment / flux, -0.5, 0.5), 0) for moment in (x_moment, y_moment)]
    return shifts[0], shifts[1]


def _window(stamps: _Stamps, x_px: FloatArray, y_px: FloatArray, radius_px: float) -> FloatArray:
    """Give the weights within a circle around each source, and zero outside."""
    along_x = (stamps.x_pixels - x_px[:, None]) ** 2
    along_y = (stamps.y_pixels - y_px[:, None]) ** 2
    return np.where(along_y[:, :, None] + along_x[:, None, :] <= radius_px**2, stamps.weight, 0)


def _light(data: FloatArray, weight: FloatArray, phi: FloatArray) -> dict[str, FloatArray]:
    """Fit the flux of the PSF."""
    phi_phi, phi_data, data_data = _dot(weight, phi, phi), _dot(weight, phi, data), _dot(weight, data, data)
    n_free = np.maximum(np.count_nonzero(weight, axis=(1, 2)) - 3, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        flux = phi_data / phi_phi
        return {
            "flux_psf_adu": flux,
            "flux_psf_err_adu": 1 / np.sqrt(phi_phi),
            "chi2_psf": np.where(phi_phi > 0, (data_data - flux * phi_data) / n_free, np.nan),
        }


def _spread(data: FloatArray, weight: FloatArray, phi: FloatArray, disc: FloatArray) -> dict[str, FloatArray]:
    """Apply the formula, with its error by propagation of the noise through both fractions."""
    phi_phi, disc_phi, disc_disc = _dot(weight, phi, phi), _dot(weight, disc, phi), _dot(weight, disc, disc)
    phi_data, disc_data = _dot(weight, phi, data), _dot(weight, disc, data)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = disc_disc * phi_data**2 + phi_phi * disc_data**2 - 2 * disc_phi * disc_data * phi_data
        return {
            "spread_model": disc_data / phi_data - disc_phi / phi_phi,
            "spread_model_err": np.sqrt(np.maximum(variance, 0)) / phi_data**2,
        }
