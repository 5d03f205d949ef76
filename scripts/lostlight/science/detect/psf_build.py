"""Build the PSF model from the stars of an image, in process: choose stars, fit basis images, drop outliers.

The model is PSFEx's (see `psf_model`); so are the choice of stars by the mode of their sizes and the weights. The basis
images are the linear least-squares solution over all pixels of all stars, found iteratively, because every star samples
the profile at its own sub-pixel phase.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import LinearOperator, lsmr
from scipy.spatial import cKDTree

from lostlight.core.errors import TooFewSources
from lostlight.science.detect.psf_model import PsfModel, sample
from lostlight.science.detect.resample import cut_stamps, stamp_pixels
from lostlight.science.detect.spread import measure_psf

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]

_MODE_WIDTH = 0.2  # stars of one tile differ this much in size (PSFEx's SAMPLE_VARIABILITY)
_ACCURACY = 0.01  # the model is not expected to be better than this (PSFEx's PSF_ACCURACY)
_STEP_PER_FWHM = 0.5 / 2.35  # half a Gaussian sigma between nodes, as PSFEx chooses
_LOOSE_PRIOR = 0.1  # how far a node may lie from the first guess, in units of the peak
_N_STARS_MAX = 500  # more make the model slower, not better
_REJECT_SIGMA = 3.0
_BAD_FLAGS = 0xFE  # all extraction flags but "has neighbours"


@dataclass(frozen=True)
class StarRules:
    """Which stars make a PSF: limits of signal to noise, of (a - b)/(a + b) and of twice the half-light radius."""

    min_snr: float
    max_ellipticity: float
    fwhm_range_px: tuple[float, float]
    is_isolated: bool = True


@dataclass(frozen=True)
class StarSample:
    """Stars for a PSF model; arrays of shape (n,), positions zero-based, fluxes in adu."""

    x_px: FloatArray
    y_px: FloatArray
    flux_adu: FloatArray
    fwhm_px: FloatArray


@dataclass(frozen=True)
class Built:
    """A model and what became of each star of the sample: its reduced chi-square and whether it was used."""

    model: PsfModel
    chi2: FloatArray
    is_used: BoolArray


def select_stars(found: Mapping[str, FloatArray], is_masked: BoolArray, rules: StarRules) -> BoolArray:
    """Choose the stars fit for a PSF model: clean, round, isolated and of the commonest size.

    Parameters
    ----------
    found : table
        First-pass detections with the columns of ``PASS1``, n rows.
    is_masked : (ny, nx) bool
        Pixels not to trust.
    rules : StarRules
        With `is_isolated`, stars with a neighbour that matters are left out.

    Returns
    -------
    (n,) bool
    """
    x, y, flux = (np.asarray(found[name], dtype=float) for name in ("x_px", "y_px", "flux_aper_adu"))
    size = 2 * np.asarray(found["flux_radius_px"], dtype=float)
    elongation = np.asarray(found["elongation"], dtype=float)
    ellipticity = (elongation - 1) / (elongation + 1)
    good = np.isfinite(x + y + flux + size) & (np.asarray(found["extraction_flags"]) & _BAD_FLAGS == 0)
    good &= (np.asarray(found["snr_win"]) >= rules.min_snr) & (ellipticity <= rules.max_ellipticity) & (flux > 0)
    good &= (size >= rules.fwhm_range_px[0]) & (size <= rules.fwhm_range_px[1])
    good &= ~_masked_at(is_masked, x, y)
    if not good.any():
        return good
    low, high = _mode_window(size[good])
    good &= (size >= low) & (size <= high)
    return good & ~_crowded(x, y, flux, radius_px=1.25 * (low + high)) if rules.is_isolated else good


def sample_of(found: Mapping[str, FloatArray]) -> StarSample:
    """Take what a PSF model needs from first-pass detections."""
    names = ("x_px", "y_px", "flux_aper_adu", "flux_radius_px")
    x_px, y_px, flux_adu, radius_px = (np.asarray(found[name], dtype=float) for name in names)
    return StarSample(x_px, y_px, flux_adu, 2 * radius_px)


def _masked_at(is_masked: BoolArray, x_px: FloatArray, y_px: FloatArray) -> BoolArray:
    ny, nx = is_masked.shape
    columns = np.clip(np.rint(np.nan_to_num(x_px)), 0, nx - 1).astype(int)
    rows = np.clip(np.rint(np.nan_to_num(y_px)), 0, ny - 1).astype(int)
    return is_masked[rows, columns]


def _mode_window(size: FloatArray) -> tuple[float, float]:
    """Find the window of constant relative width that holds most of the sizes."""
    ordered = np.sort(size)
    count = np.searchsorted(ordered, ordered * (1 + _MODE_WIDTH), side="right") - np.arange(len(ordered))
    low = ordered[np.argmax(count)]
    return float(low), float(low * (1 + _MODE_WIDTH))


def _crowded(x_px: FloatArray, y_px: FloatArray, flux: FloatArray, radius_px: float) -> BoolArray:
    """Mark sources with a neighbour within the radius that has more than a tenth of their light."""
    placed = np.flatnonzero(np.isfinite(x_px + y_px))
    pairs = cKDTree(np.c_[x_px, y_px][placed]).query_pairs(radius_px, output_type="ndarray")
    first, second = placed[pairs].T
    crowded = np.zeros(len(x_px), dtype=bool)
    crowded[first[flux[second] > 0.1 * flux[first]]] = True
    crowded[second[flux[first] > 0.1 * flux[second]]] = True
    return crowded


def build_psf(image: FloatArray, rms: ArrayLike, stars: StarSample, degree: int, size: int, n_rounds: int = 2) -> Built:
    """Fit a spatially varying PSF to stars.

    Parameters
    ----------
    image : (ny, nx) float32, adu
        Image without background.
    rms : float or (ny, nx) float32, adu
        Noise of the background.
    stars : StarSample
        Stars from `select_stars`.
    degree : int
        Degree of the spatial variation.
    size : int
        Nodes of the model along each axis; odd.
    n_rounds : int
        Rounds of dropping outliers and improving positions.

    Returns
    -------
    Built

    Raises
    ------
    TooFewSources
        If fewer stars are left than the polynomial has terms, plus two.
    """
    n_needed = (degree + 1) * (degree + 2) // 2 + 2
    _require(len(stars.x_px), n_needed, degree)
    chosen = _thinned(stars)
    model = _first_guess(image.shape, float(np.median(stars.fwhm_px)), degree, size)
    x, y, flux = stars.x_px.copy(), stars.y_px.copy(), stars.flux_adu.copy()
    chi2 = np.full(len(x), np.nan)
    for turn in range(n_rounds + 1):
        _require(np.count_nonzero(chosen), n_needed, degree)
        model = _fit(image, rms, x[chosen], y[chosen], flux[chosen], model)
        fitted = measure_psf(image, rms, x, y, model)
        x, y = fitted["x_psf_px"], fitted["y_psf_px"]
        flux = np.where(fitted["flux_psf_adu"] > 0, fitted["flux_psf_adu"], stars.flux_adu)
        chi2 = _chi2(image, rms, x, y, flux, model)
        if turn < n_rounds:
            chosen &= _typical(chi2, chosen)
    n_used = int(np.count_nonzero(chosen))
    model = replace(model, n_loaded=len(x), n_accepted=n_used, chi2=float(np.mean(chi2[chosen])))
    return Built(model, chi2, chosen)


def _require(n_stars: int, n_needed: int, degree: int) -> None:
    if n_stars < n_needed:
        raise TooFewSources(
            f"{n_stars} stars for a PSF model of degree {degree}, which needs {n_needed}",
            hint="lower psf.degree or psf.min_snr",
            found=int(n_stars),
            needed=n_needed,
        )


def _thinned(stars: StarSample) -> BoolArray:
    """Take at most `_N_STARS_MAX` stars, evenly over the range of fluxes."""
    order = np.argsort(-stars.flux_adu, kind="stable")
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[:: max(int(np.ceil(len(order) / _N_STARS_MAX)), 1)]] = True
    return chosen


def _typical(chi2: FloatArray, chosen: BoolArray) -> BoolArray:
    """Mark stars that fit as well as most; in the logarithm, because the tail towards bad fits is long."""
    log_chi2 = np.log(np.maximum(chi2, 1e-6))
    middle = np.median(log_chi2[chosen])
    scatter = 1.4826 * np.median(np.abs(log_chi2[chosen] - middle))
    return log_chi2 <= middle + _REJECT_SIGMA * scatter


def _first_guess(shape: tuple[int, int], fwhm_px: float, degree: int, size: int) -> PsfModel:
    """A Gaussian of the typical width everywhere."""
    step_px, sigma = fwhm_px * _STEP_PER_FWHM, fwhm_px / 2.3548
    axis = (np.arange(size) - size // 2) * step_px
    basis = np.zeros(((degree + 1) * (degree + 2) // 2, size, size), dtype=np.float32)
    basis[0] = np.exp(-0.5 * (axis[:, None] ** 2 + axis**2) / sigma**2) / (2 * np.pi * sigma**2)
    ny, nx = shape
    return PsfModel(
        basis=basis, step_px=step_px, x_zero_px=(nx - 1) / 2, y_zero_px=(ny - 1) / 2, x_scale_px=float(nx),
        y_scale_px=float(ny), degree=degree, fwhm_px=fwhm_px, n_loaded=0, n_accepted=0, chi2=float("nan"),
    )  # fmt: skip


@dataclass(frozen=True)
class _Sampled:
    """Stars as the model sees them: normalised data and root weights (n, m, m), matrices of rows and columns."""

    data: FloatArray
    root_weight: FloatArray
    rows: FloatArray
    columns: FloatArray


def _sampled(
    image: FloatArray, rms: ArrayLike, x: FloatArray, y: FloatArray, flux: FloatArray, model: PsfModel
) -> _Sampled:
    half_px = int(np.ceil(model.basis.shape[1] // 2 * model.step_px))
    x_pixels, y_pixels = stamp_pixels(x, half_px), stamp_pixels(y, half_px)
    scale = flux[:, None, None].astype(np.float32)
    data = cut_stamps(image, x_pixels, y_pixels, outside=np.nan) / scale
    sigma = np.asarray(rms, dtype=np.float32)
    noise = (cut_stamps(sigma, x_pixels, y_pixels) if sigma.ndim == 2 else sigma) / scale
    rows, columns = model.matrices(x, y, x_pixels, y_pixels)
    expected = sample(model.at(x, y), rows, columns)
    root_weight = np.where(np.isfinite(data), 1 / np.hypot(noise, _ACCURACY * expected), 0).astype(np.float32)
    return _Sampled(np.nan_to_num(data).astype(np.float32), root_weight, rows, columns)


def _fit(
    image: FloatArray, rms: ArrayLike, x: FloatArray, y: FloatArray, flux: FloatArray, model: PsfModel
) -> PsfModel:
    """Improve the basis images by damped least squares (LSMR, Fong & Saunders 2011) on what the model leaves over."""
    stars = _sampled(image, rms, x, y, flux, model)
    terms = model.terms(x, y).astype(np.float32)
    shape = model.basis.shape

    def forward(basis: FloatArray) -> FloatArray:
        tables = np.tensordot(terms, basis.reshape(shape).astype(np.float32), axes=1)
        return (stars.root_weight * sample(tables, stars.rows, stars.columns)).ravel().astype(float)

    def backward(residual: FloatArray) -> FloatArray:
        weighted = stars.root_weight * residual.reshape(stars.data.shape).astype(np.float32)
        tables = sample(weighted, stars.rows.transpose(0, 2, 1), stars.columns.transpose(0, 2, 1))
        return np.tensordot(terms, tables, axes=(0, 0)).ravel().astype(float)

    left_over = (stars.root_weight * stars.data).ravel() - forward(model.basis)
    operator = LinearOperator((left_over.size, model.basis.size), forward, backward, dtype=float)
    damp = 1 / (_LOOSE_PRIOR * float(model.basis[0].max()))
    change = lsmr(operator, left_over, damp=damp, atol=1e-4, btol=1e-4, maxiter=20)[0]
    return replace(model, basis=(model.basis + change.reshape(shape)).astype(np.float32))


def _chi2(
    image: FloatArray, rms: ArrayLike, x: FloatArray, y: FloatArray, flux: FloatArray, model: PsfModel
) -> FloatArray:
    """Reduced chi-square of each star, with the expected accuracy of the model as part of the noise."""
    stars = _sampled(image, rms, x, y, flux, model)
    residual = stars.root_weight * (stars.data - sample(model.at(x, y), stars.rows, stars.columns))
    n_free = np.maximum(np.count_nonzero(stars.root_weight, axis=(1, 2)) - 3, 1)
    return np.sum(residual.astype(float) ** 2, axis=(1, 2)) / n_free
