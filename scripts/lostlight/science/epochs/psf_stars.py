"""Stars that show the profile of a point: bright, alone, whole, and as wide as most."""

from dataclasses import dataclass

import numpy as np
import sep
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree

from lostlight.science.mosaic.frame.stars import half_sample_mode

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

MOST_STARS = 60
_THRESHOLD, _MIN_AREA_PX = 5.0, 4
_MIN_SNR = 30.0
_FULL = 0.7
"""Fraction of the level of saturation above which a detector is no longer trusted to be linear."""
_ALONE_FWHM = 4.0
_NEIGHBOUR = 0.01
"""A neighbour below this fraction of a star's flux does not count as one."""
_LOCUS = 0.15
"""Stars have the half-light radius of the others within this fraction: cosmic rays are sharper, galaxies are wider."""
_ROUND = 1.3
_RADIUS_TO_FWHM = 1.75
"""Full width at half maximum over the half-light radius; between a Gaussian's 2 and that of broad wings."""
_LEAST_RADIUS_PX = 0.6
"""Half the light of a single hot pixel lies within 0.5 pixels; no optics is sharper than this."""


@dataclass(frozen=True, eq=False)
class Stars:
    """Stars fit to be measured, brightest first.

    Attributes
    ----------
    x, y : ndarray, shape (n,), float64, px
    flux, snr : ndarray, shape (n,), float64
        Within a radius of 1.5 times the width; adu.
    fwhm_px : float
        Rough width; NaN without stars.
    """

    x: Doubles
    y: Doubles
    flux: Doubles
    snr: Doubles
    fwhm_px: float

    def __len__(self) -> int:
        return len(self.x)


def select_stars(light: Floats, variance: Floats, saturate: float | None = None, most: int = MOST_STARS) -> Stars:
    """Select stars to measure the profile of a point by.

    Parameters
    ----------
    light : ndarray, shape (ny, nx), float32, adu
        Image without its sky.
    variance : ndarray, shape (ny, nx), float32, adu^2
        NaN where there is no measurement.
    saturate : float, optional
        Level of saturation above the sky, adu.
    most : int
        Take no more than the brightest of these.

    Returns
    -------
    Stars
        None where none is fit.
    """
    bad = ~((variance > 0) & np.isfinite(light))
    clean = np.ascontiguousarray(np.where(bad, 0, light), np.float32)
    rms = np.ascontiguousarray(np.where(bad, 1, np.sqrt(variance)), np.float32)
    rows = _detected(clean, rms, bad)
    plausible = _plausible(rows, clean, bad, saturate)
    rows, plausible, radius = _with_radius(rows, plausible, clean)
    if not plausible.any():
        return _none()
    locus = plausible & (_snr(rows, clean, rms, bad, 3.0)[1] > _MIN_SNR)
    if not locus.any():
        return _none()
    typical = float(np.exp(half_sample_mode(np.log(radius[locus]))))
    fwhm = _RADIUS_TO_FWHM * typical
    flux, snr = _snr(rows, clean, rms, bad, 1.5 * fwhm)
    fit = plausible & (snr > _MIN_SNR) & (np.abs(radius / typical - 1) < _LOCUS)
    fit &= _alone(rows, flux, _ALONE_FWHM * fwhm) & _inside(rows, light.shape, 2 * fwhm)
    order = np.argsort(-flux, kind="stable")
    chosen = order[fit[order]][:most]
    return Stars(rows["x"][chosen], rows["y"][chosen], flux[chosen], snr[chosen], fwhm)


def _none() -> Stars:
    return Stars(*np.empty((4, 0)), np.nan)


def _detected(clean: Floats, rms: Floats, bad: NDArray[np.bool_]) -> NDArray:
    sep.set_extract_pixstack(max(300_000, clean.size + 1))
    sep.set_sub_object_limit(20_000)
    # without a filter a cosmic ray of one pixel stays one of one pixel
    return sep.extract(clean, _THRESHOLD, err=rms, mask=bad, minarea=_MIN_AREA_PX, filter_kernel=None)


def _plausible(rows: NDArray, clean: Floats, bad: NDArray[np.bool_], saturate: float | None) -> NDArray[np.bool_]:
    """Leave out what is blended, cut, full, or long."""
    good = (rows["flag"] == 0) & (rows["a"] < _ROUND * rows["b"].clip(0.1) + 0.3)
    y, x = rows["ypeak"], rows["xpeak"]
    good &= ~(uniform_filter(bad.astype(np.float32), 5) > 0.01)[y, x]
    if saturate is not None and np.isfinite(saturate):
        good &= clean[y, x] < _FULL * saturate
    return np.asarray(good)


def _with_radius(
    rows: NDArray, plausible: NDArray[np.bool_], clean: Floats
) -> tuple[NDArray, NDArray[np.bool_], Doubles]:
    """Add half-light radii, px."""
    radius = np.full(len(rows), np.nan)
    if plausible.any():
        some = rows[plausible]
        found, flag = sep.flux_radius(clean, some["x"], some["y"], 6 * some["a"].clip(1.0), 0.5, subpix=5)
        radius[plausible] = np.where(flag == 0, found, np.nan)
    return rows, plausible & (radius > _LEAST_RADIUS_PX), radius


def _snr(rows: NDArray, clean: Floats, rms: Floats, bad: NDArray[np.bool_], radius: float) -> tuple[Doubles, Doubles]:
    flux, error, _ = sep.sum_circle(clean, rows["x"], rows["y"], radius, err=rms, mask=bad, subpix=5)
    return flux, flux / np.maximum(error, 1e-30)


def _alone(rows: NDArray, flux: Doubles, reach_px: float) -> NDArray[np.bool_]:
    places = np.stack([rows["x"], rows["y"]], axis=1)
    alone = np.ones(len(rows), bool)
    for first, second in cKDTree(places).query_pairs(reach_px):
        for one, other in ((first, second), (second, first)):
            if flux[other] > _NEIGHBOUR * flux[one]:
                alone[one] = False
    return alone


def _inside(rows: NDArray, shape: tuple[int, ...], margin: float) -> NDArray[np.bool_]:
    (ny, nx), x, y = shape, rows["x"], rows["y"]
    return np.asarray((x > margin) & (y > margin) & (x < nx - 1 - margin) & (y < ny - 1 - margin))
