"""Artificial stars: where they go, how bright they are, and how they look on this very plate.

A planted star is light with the tile's own profile, added to the light that is already there and turned into density by
the tile's own response (see `response`), with the grain that the added density brings.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from lostlight.core.errors import TooFewSources
from lostlight.science.detect.psf_model import PsfModel
from lostlight.science.detect.resample import stamp_pixels
from lostlight.science.vet.response import Response

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]

MAX_COVERAGE = 0.2
"""Largest part of the tile that discs of the minimum separation may cover; beyond it artificial stars would crowd."""

_MARGIN_PX = 12  # artificial stars lie whole inside the image
_SMOOTH_PX = 1.0
_N_ROUNDS = 50


@dataclass(frozen=True)
class Tile:
    """What planting needs to know of a tile: images (ny, nx) in adu, the PSF for stars of one flux, and the response.

    `level_adu` is the background and `rms_adu` its noise.
    """

    image: FloatArray
    level_adu: FloatArray
    rms_adu: FloatArray
    psf: PsfModel
    psf_flux_adu: float
    response: Response


@dataclass(frozen=True)
class Stars:
    """Artificial stars; arrays of shape (n,): positions zero-based, density planted, and signal to noise."""

    x_px: FloatArray
    y_px: FloatArray
    flux_adu: FloatArray
    snr: FloatArray


def room_for(is_masked: BoolArray, min_separation_px: float) -> int:
    """Count the artificial stars that a tile can take without being crowded by them."""
    free = np.count_nonzero(~is_masked)
    return int(MAX_COVERAGE * free / (np.pi * (min_separation_px / 2) ** 2))


def draw_positions(
    rng: np.random.Generator, n: int, is_masked: BoolArray, min_separation_px: float
) -> tuple[FloatArray, FloatArray]:
    """Draw positions evenly over the unmasked tile, apart from each other, wherever real stars may be.

    Parameters
    ----------
    rng : numpy.random.Generator
    n : int
        Number of positions; at most `room_for` of them fit.
    is_masked : (ny, nx) bool
        Pixels not to plant on.
    min_separation_px : float
        Smallest distance of two positions.

    Returns
    -------
    x_px, y_px : (n,) float
        Zero-based.

    Raises
    ------
    TooFewSources
        If the tile has no room for them.
    """
    ny, nx = is_masked.shape
    placed = np.empty((0, 2))
    if min(nx, ny) > 2 * _MARGIN_PX:
        for _ in range(_N_ROUNDS):
            new = rng.uniform(_MARGIN_PX, np.array([nx, ny]) - 1 - _MARGIN_PX, size=(2 * n, 2))
            column, row = np.rint(new).astype(int).T
            candidates = np.vstack([placed, new[~is_masked[row, column]]])
            pairs = cKDTree(candidates).query_pairs(min_separation_px, output_type="ndarray")
            # Of two that are too close the earlier one stays: what is placed is never moved.
            placed = np.delete(candidates, pairs.max(axis=1, initial=-1), axis=0) if len(pairs) else candidates
            if len(placed) >= n:
                return placed[:n, 0], placed[:n, 1]
    raise TooFewSources(
        f"room for {len(placed)} artificial stars, not {n}",
        hint="lower completeness.n_per_tile or completeness.min_separation_arcsec",
        found=len(placed),
        needed=n,
    )


def draw_stars(
    rng: np.random.Generator, tile: Tile, x_px: FloatArray, y_px: FloatArray, snr_range: tuple[float, float]
) -> tuple[Stars, FloatArray]:
    """Draw brightnesses evenly in magnitude over a range of signal to noise.

    Signal to noise is that of the star's own profile, ``sqrt(sum(density^2)) / rms``, with the noise taken as
    independent from pixel to pixel, as extraction programs do. The density of a star is that on an empty sky.

    Returns
    -------
    stars : Stars
    light : (n, m, m) float
        Light of each star on its stamp, in units of the sky; see `stamp_of`.
    """
    unit = _unit_light(tile, x_px, y_px)
    scales = np.geomspace(1e-4, 1e4, 400)
    typical = np.median(unit, axis=0)
    curve = np.array([tile.response.density(scale * typical) for scale in scales])
    noise = float(np.median(tile.rms_adu))
    signal, flux = np.sqrt((curve**2).sum(axis=(1, 2))) / noise, curve.sum(axis=(1, 2))
    faint, bright = (np.interp(snr, signal, np.log(flux)) for snr in snr_range)
    scale = np.exp(np.interp(rng.uniform(faint, bright, len(x_px)), np.log(flux), np.log(scales)))
    light = scale[:, None, None] * unit
    density = tile.response.density(light)
    column, row = (np.rint(value).astype(int) for value in (x_px, y_px))
    snr = np.sqrt((density**2).sum(axis=(1, 2))) / tile.rms_adu[row, column]
    return Stars(x_px, y_px, density.sum(axis=(1, 2)), snr), light


def plant(rng: np.random.Generator, tile: Tile, stars: Stars, light: FloatArray) -> FloatArray:
    """Add artificial stars to the image of a tile.

    The grain of the added density follows Selwyn's law, variance in proportion to density, with the constant that the
    noise of the tile's own sky gives, and with the tile's own correlation from pixel to pixel.

    Returns
    -------
    (ny, nx) float32, adu
    """
    planted = np.array(tile.image, dtype=np.float32)
    above = gaussian_filter(np.nan_to_num(planted - tile.level_adu), _SMOOTH_PX)
    blur_px = grain_blur(planted - tile.level_adu, tile.rms_adu)
    half = light.shape[1] // 2
    columns, rows = stamp_pixels(stars.x_px, half), stamp_pixels(stars.y_px, half)
    for number, star in enumerate(light):
        window, inside = _window(rows[number], columns[number], planted.shape)
        there = tile.response.light(above[window])
        added = tile.response.density(there + star[inside]) - tile.response.density(there)
        grain = _grain(rng, star.shape, blur_px)[inside]
        selwyn = tile.rms_adu[window] ** 2 / np.maximum(tile.level_adu[window], 1)
        planted[window] += added + grain * np.sqrt(selwyn * np.maximum(added, 0))
    return planted


def grain_blur(residual: FloatArray, rms_adu: FloatArray) -> float:
    """Measure how far grain is blurred, as the sigma in pixels of a Gaussian, from neighbouring pixels of the sky."""
    unit = residual / np.maximum(rms_adu, 1e-6)
    unit = np.where(np.abs(unit) < 3, unit, np.nan)
    variance = np.nanmean(unit**2)
    if not variance > 0:
        return 0.0
    pairs = np.nanmean(unit[1:] * unit[:-1]), np.nanmean(unit[:, 1:] * unit[:, :-1])
    correlation = float(np.mean(pairs) / variance)
    return float(np.sqrt(-0.25 / np.log(correlation))) if 0.02 < correlation < 0.98 else 0.0


def _unit_light(tile: Tile, x_px: FloatArray, y_px: FloatArray) -> FloatArray:
    """Give the light that makes a star of the PSF's own flux, on a stamp around each position."""
    half = int(tile.psf.basis.shape[1] // 2 * tile.psf.step_px)
    phi = tile.psf.stamps(x_px, y_px, stamp_pixels(x_px, half), stamp_pixels(y_px, half))
    return tile.response.light(tile.psf_flux_adu * phi)


def _window(
    rows: NDArray[np.int64], columns: NDArray[np.int64], shape: tuple[int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Give the part of the image under a stamp, and the part of the stamp inside the image."""
    window, inside = [], []
    for pixels, size in zip((rows, columns), shape, strict=True):
        low, high = max(int(pixels[0]), 0), min(int(pixels[-1]) + 1, size)
        window.append(slice(low, high))
        inside.append(slice(low - int(pixels[0]), high - int(pixels[0])))
    return (window[0], window[1]), (inside[0], inside[1])


def _grain(rng: np.random.Generator, shape: tuple[int, ...], blur_px: float) -> FloatArray:
    """Draw noise of unit variance, blurred."""
    pad = int(np.ceil(4 * blur_px))
    white = rng.standard_normal([size + 2 * pad for size in shape])
    if not pad:
        return white
    impulse = np.zeros((2 * pad + 1, 2 * pad + 1))
    impulse[pad, pad] = 1
    kernel = gaussian_filter(impulse, blur_px, truncate=4)
    return gaussian_filter(white, blur_px, truncate=4)[pad:-pad, pad:-pad] / np.sqrt((kernel**2).sum())
