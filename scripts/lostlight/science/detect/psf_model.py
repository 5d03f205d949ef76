"""A point spread function that varies over the image: tabulated basis images times a polynomial in x and y.

The model is PSFEx's (Bertin 2011, ADASS XX, ASP 442, 435): at position (x, y) the profile is the sum of basis images
weighted by the monomials 1, x, x^2, ..., y, xy, ... of the scaled position, tabulated every `step_px` pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.detect.resample import lanczos_matrices

FloatArray = NDArray[np.floating]

_PADDING = 8  # nodes of zeros around a table before a Fourier transform, so that nothing wraps around


@dataclass(frozen=True, eq=False)
class PsfModel:
    """A spatially varying PSF; pixel coordinates are zero-based.

    Parameters
    ----------
    basis : (n_terms, ny, nx) float32
        Basis images; the profile is per pixel of the image and sums to one within the aperture of
        the flux the stars were scaled by (`flux_aper_adu`), as PSFEx has it.
    step_px : float
        Distance of two nodes of the tables, in pixels of the image.
    x_zero_px, y_zero_px, x_scale_px, y_scale_px : float
        The polynomial runs in ``(x - x_zero_px) / x_scale_px`` and likewise y.
    degree : int
        Degree of the polynomial; ``n_terms = (degree + 1)(degree + 2) / 2``.
    fwhm_px : float
        Typical full width at half maximum of the stars the model was made of.
    n_loaded, n_accepted : int
        Stars considered and used.
    chi2 : float
        Reduced chi-square over the stars used.
    """

    basis: FloatArray
    step_px: float
    x_zero_px: float
    y_zero_px: float
    x_scale_px: float
    y_scale_px: float
    degree: int
    fwhm_px: float
    n_loaded: int
    n_accepted: int
    chi2: float

    def terms(self, x_px: ArrayLike, y_px: ArrayLike) -> FloatArray:
        """Evaluate the monomials at positions, shape (n, n_terms)."""
        return monomials(
            (np.atleast_1d(x_px) - self.x_zero_px) / self.x_scale_px,
            (np.atleast_1d(y_px) - self.y_zero_px) / self.y_scale_px,
            self.degree,
        )

    def at(self, x_px: ArrayLike, y_px: ArrayLike) -> FloatArray:
        """Give the tabulated profile at positions: (n, ny, nx) float32, on the model's own nodes."""
        return np.tensordot(self.terms(x_px, y_px).astype(np.float32), self.basis, axes=1)

    def stamps(
        self, x_px: FloatArray, y_px: FloatArray, x_pixels: NDArray[np.int64], y_pixels: NDArray[np.int64]
    ) -> FloatArray:
        """Sample the profile of stars at (x, y) on whole pixels.

        Parameters
        ----------
        x_px, y_px : (n,) float
            Positions of the stars, zero-based.
        x_pixels, y_pixels : (n, m) int
            Columns and rows of each stamp.

        Returns
        -------
        (n, m, m) float32
            Profiles, to be multiplied by fluxes.
        """
        return sample(self.at(x_px, y_px), *self.matrices(x_px, y_px, x_pixels, y_pixels))

    def matrices(
        self, x_px: FloatArray, y_px: FloatArray, x_pixels: NDArray[np.int64], y_pixels: NDArray[np.int64]
    ) -> tuple[FloatArray, FloatArray]:
        """Give the interpolation matrices of rows and of columns, for use with several tables."""
        _, n_rows, n_columns = self.basis.shape
        rows = lanczos_matrices(y_px, y_pixels, n_rows, self.step_px)
        return rows, lanczos_matrices(x_px, x_pixels, n_columns, self.step_px)

    def filtered(self, transfer: Callable[[FloatArray, FloatArray], FloatArray]) -> "PsfModel":
        """Multiply the Fourier transform of every basis image by `transfer(kx, ky)`, in cycles per pixel."""
        _, ny, nx = self.basis.shape
        shape = (ny + 2 * _PADDING, nx + 2 * _PADDING)
        kx = np.fft.rfftfreq(shape[1], self.step_px)[None, :]
        ky = np.fft.fftfreq(shape[0], self.step_px)[:, None]
        spectrum = np.fft.rfft2(self.basis, shape) * transfer(kx, ky)
        return replace(self, basis=np.fft.irfft2(spectrum, shape)[:, :ny, :nx].astype(np.float32))


def monomials(x: FloatArray, y: FloatArray, degree: int) -> FloatArray:
    """Give 1, x, x^2, ..., y, xy, ..., y^2, ... up to the total degree, in PSFEx's order: (n, n_terms)."""
    return np.stack([x**i * y**j for j in range(degree + 1) for i in range(degree + 1 - j)], axis=-1)


def sample(tables: FloatArray, rows: FloatArray, columns: FloatArray) -> FloatArray:
    """Interpolate tables (n, ny, nx) with matrices of rows (n, m, ny) and of columns (n, m, nx): (n, m, m)."""
    return np.matmul(np.matmul(rows, tables), columns.transpose(0, 2, 1))


def shape_at(model: PsfModel, x_px: ArrayLike, y_px: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Measure the width and the ellipticity of the model at positions.

    Parameters
    ----------
    model : PsfModel
    x_px, y_px : (n,) float
        Positions, zero-based.

    Returns
    -------
    fwhm_px : (n,) float
        Diameter of the circle that covers as much area as the profile does above half of its maximum.
    ellipticity : (n,) float
        ``(a - b) / (a + b)`` of the second moments under a Gaussian of the model's FWHM.
    """
    tables = model.at(x_px, y_px).astype(float)
    _, ny, nx = tables.shape
    finer = 5
    fine_y, fine_x = (np.arange((size - 1) * finer + 1)[None, :] for size in (ny, nx))
    rows = lanczos_matrices(np.array([ny // 2 * finer]), fine_y, ny, finer)
    columns = lanczos_matrices(np.array([nx // 2 * finer]), fine_x, nx, finer)
    fine = np.matmul(np.matmul(rows, tables), columns.transpose(0, 2, 1))
    area = np.sum(fine > 0.5 * fine.max(axis=(1, 2), keepdims=True), axis=(1, 2)) / finer**2
    fwhm_px = 2 * np.sqrt(area / np.pi) * model.step_px

    y, x = (np.mgrid[:ny, :nx] - np.array([ny // 2, nx // 2])[:, None, None]) * model.step_px
    weighted = tables * np.exp(-0.5 * (x**2 + y**2) / (model.fwhm_px / 2.35482) ** 2)
    total = weighted.sum(axis=(1, 2))
    xx, yy, xy = (np.sum(weighted * moment, axis=(1, 2)) / total for moment in (x * x, y * y, x * y))
    spread = np.hypot(xx - yy, 2 * xy)
    major, minor = np.sqrt((xx + yy + spread) / 2), np.sqrt(np.maximum(xx + yy - spread, 0) / 2)
    return fwhm_px, (major - minor) / (major + minor)
