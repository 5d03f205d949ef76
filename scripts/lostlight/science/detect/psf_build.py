"""Build the PSF model from the stars of an image, in process: fit basis images, drop outliers, improve positions.

The model is PSFEx's (see `psf_model`), and so are its step and the weights of the pixels. The basis
images are the linear least-squares solution over all pixels of all stars, found iteratively, because every star samples
the profile at its own sub-pixel phase.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.linalg import LinearOperator, lsmr
from scipy.spatial import cKDTree

from lostlight.core.errors import TooFewSources
from lostlight.science.detect.psf_model import PsfModel, sample
from lostlight.science.detect.psf_stars import StarSample
from lostlight.science.detect.resample import cut_stamps, stamp_pixels
from lostlight.science.detect.spread import measure_psf

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]

_ACCURACY = 0.01  # the model is not expected to be better than this (PSFEx's PSF_ACCURACY)
_STEP_PER_FWHM = 0.5 / 2.35  # half a Gaussian sigma between nodes, as PSFEx chooses
_LOOSE_PRIOR = 0.1  # how far a node may lie from the first guess, in units of the peak
_REJECT_SIGMA = 3.0
_SAME_STAR_PX = 1.0


@dataclass(frozen=True)
class Built:
    """A model and what became of each star of the sample: its reduced chi-square, if looked at, and whether used."""

    model: PsfModel
    chi2: FloatArray
    is_used: BoolArray


def build_psf(
    image: FloatArray,
    rms: ArrayLike,
    stars: StarSample,
    degree: int,
    size: int,
    n_rounds: int = 2,
    max_stars: int = 300,
) -> Built:
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
    max_stars : int
        Most stars used, evenly over their fluxes.

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
    sampled = thinned(stars.flux_adu, max_stars)
    n_loaded, stars = len(stars.x_px), stars.subset(sampled)
    chosen = np.ones(len(sampled), dtype=bool)
    model = _first_guess(image.shape, float(np.median(stars.fwhm_px)), degree, size)
    stamps = _cut(image, rms, stars, int(np.ceil(size // 2 * model.step_px)))
    x, y, flux = stars.x_px, stars.y_px, stars.flux_adu
    for turn in range(n_rounds + 1):
        _require(np.count_nonzero(chosen), n_needed, degree)
        model = _fit(stamps, x, y, flux, chosen, model)
        fitted = measure_psf(image, rms, x, y, model)
        x, y = fitted["x_psf_px"], fitted["y_psf_px"]
        flux = np.where(fitted["flux_psf_adu"] > 0, fitted["flux_psf_adu"], stars.flux_adu)
        chi2 = _chi2(stamps, x, y, flux, model)
        if turn < n_rounds:
            chosen &= _typical(chi2, chosen)
    n_used = int(np.count_nonzero(chosen))
    model = replace(model, n_loaded=n_loaded, n_accepted=n_used, chi2=float(np.mean(chi2[chosen])))
    everyone = Built(model, np.full(n_loaded, np.nan), np.zeros(n_loaded, dtype=bool))
    everyone.chi2[sampled], everyone.is_used[sampled] = chi2, chosen
    return everyone


def _require(n_stars: int, n_needed: int, degree: int) -> None:
    if n_stars < n_needed:
        raise TooFewSources(
            f"{n_stars} stars for a PSF model of degree {degree}, which needs {n_needed}",
            hint="lower psf.degree or psf.min_snr",
            found=int(n_stars),
            needed=n_needed,
        )


def thinned(flux_adu: FloatArray, n_max: int) -> NDArray[np.int64]:
    """Number at most `n_max` stars, evenly over the ranks of their fluxes, shape (n,) int64."""
    order = np.argsort(-flux_adu, kind="stable")
    return np.sort(order[np.linspace(0, len(order) - 1, min(n_max, len(order))).round().astype(np.int64)])


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
class _Stamps:
    """Pixels around each star: data and noise in adu (n, m, m), what of them to use, and their columns and rows."""

    data: FloatArray
    noise: FloatArray
    is_usable: BoolArray
    x_pixels: NDArray[np.int64]
    y_pixels: NDArray[np.int64]


def _cut(image: FloatArray, rms: ArrayLike, stars: StarSample, half_px: int) -> _Stamps:
    x_pixels, y_pixels = stamp_pixels(stars.x_px, half_px), stamp_pixels(stars.y_px, half_px)
    data = cut_stamps(image, x_pixels, y_pixels, outside=np.nan)
    sigma = np.asarray(rms, dtype=np.float32)
    noise = cut_stamps(sigma, x_pixels, y_pixels) if sigma.ndim == 2 else np.broadcast_to(sigma, data.shape)
    usable = np.isfinite(data) & (noise > 0) & ~_of_neighbours(stars, x_pixels, y_pixels)
    return _Stamps(np.nan_to_num(data), noise, usable, x_pixels, y_pixels)


def _of_neighbours(stars: StarSample, x_pixels: NDArray[np.int64], y_pixels: NDArray[np.int64]) -> BoolArray:
    """Mark the pixels that are closer to another detection than to the star."""
    here = np.c_[stars.x_px, stars.y_px]
    reach = np.sqrt(2) * x_pixels.shape[1]
    pairs = cKDTree(here).sparse_distance_matrix(cKDTree(stars.all_px), reach, output_type="ndarray")
    pairs = pairs[pairs["v"] > _SAME_STAR_PX]
    star, other = pairs["i"], stars.all_px[pairs["j"]]

    def distance(position: FloatArray) -> FloatArray:
        dx = x_pixels[star] - position[:, :1]
        dy = y_pixels[star] - position[:, 1:]
        return dx[:, None, :] ** 2 + dy[:, :, None] ** 2

    marked = np.zeros((len(here), x_pixels.shape[1], x_pixels.shape[1]), dtype=bool)
    np.logical_or.at(marked, star, distance(other) < distance(here[star]))
    return marked


@dataclass(frozen=True)
class _Sampled:
    """Stars as the model sees them: normalised data and root weights (n, m, m), matrices of rows and columns."""

    data: FloatArray
    root_weight: FloatArray
    rows: FloatArray
    columns: FloatArray


def _sampled(stamps: _Stamps, x: FloatArray, y: FloatArray, flux: FloatArray, model: PsfModel) -> _Sampled:
    scale = flux[:, None, None].astype(np.float32)
    rows, columns = model.matrices(x, y, stamps.x_pixels, stamps.y_pixels)
    expected = sample(model.at(x, y), rows, columns)
    with np.errstate(divide="ignore"):
        root_weight = np.where(stamps.is_usable, 1 / np.hypot(stamps.noise / scale, _ACCURACY * expected), 0)
    return _Sampled((stamps.data / scale).astype(np.float32), root_weight.astype(np.float32), rows, columns)


def _fit(
    stamps: _Stamps, x: FloatArray, y: FloatArray, flux: FloatArray, chosen: BoolArray, model: PsfModel
) -> PsfModel:
    """Improve the basis images by damped least squares (LSMR, Fong & Saunders 2011) on what the model leaves over."""
    used = _Stamps(*(value[chosen] for value in vars(stamps).values()))
    stars = _sampled(used, x[chosen], y[chosen], flux[chosen], model)
    terms = model.terms(x[chosen], y[chosen]).astype(np.float32)
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


def _chi2(stamps: _Stamps, x: FloatArray, y: FloatArray, flux: FloatArray, model: PsfModel) -> FloatArray:
    """Reduced chi-square of each star, with the expected accuracy of the model as part of the noise."""
    stars = _sampled(stamps, x, y, flux, model)
    residual = stars.root_weight * (stars.data - sample(model.at(x, y), stars.rows, stars.columns))
    n_free = np.maximum(np.count_nonzero(stars.root_weight, axis=(1, 2)) - 3, 1)
    return np.sum(residual.astype(float) ** 2, axis=(1, 2)) / n_free
