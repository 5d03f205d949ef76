"""Where sources are on each image: in the middle of the exposure, and at nodes of time within it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject.nodes import exposure_nodes, n_nodes
from lostlight.science.inject.sources import Sources
from lostlight.science.motion.project import project
from lostlight.science.sky.separation import ARCSEC_PER_RADIAN, tangent_frame, unit_vectors

Floats = NDArray[np.float64]
SIGMA_PER_FWHM = 1 / 2.3548200450309493
SECONDS_PER_DAY = 86400.0
SHORTEST_S = 60.0
"""Rates are taken over this time at least, so that rounding does not show."""
MOST_NODES = 512


@dataclass(frozen=True, eq=False)
class Paths:
    """Where n sources are on T images; arrays are (n, T) unless said.

    Parameters
    ----------
    x_px, y_px : float64
        Middle of the exposure, zero-based pixels of the image.
    ra_deg, dec_deg : float64
        The same on the sky; NaN where images have none.
    rate_ra_arcsec_h, rate_dec_arcsec_h : float64
    trail_px, trail_pa_deg : float64
        Length of the trail, and its direction counter-clockwise from x.
    mjd_nodes : (T, K) float64
    weights : (K,) float64
        Share of the exposure of each node.
    x, y : (n, T, K) float64
        At the nodes.
    """

    x_px: Floats
    y_px: Floats
    ra_deg: Floats
    dec_deg: Floats
    rate_ra_arcsec_h: Floats
    rate_dec_arcsec_h: Floats
    trail_px: Floats
    trail_pa_deg: Floats
    mjd_nodes: Floats
    weights: Floats
    x: Floats
    y: Floats


def trace(sources: Sources, epochs: Epochs, plate_scale: float) -> Paths:
    """Follow sources over all images of a stack.

    Parameters
    ----------
    sources : Sources
    epochs : Epochs
    plate_scale : float
        Arcsec per pixel, for images without a sky.
    """
    half_s = np.maximum(epochs.exptime_s, SHORTEST_S) / 2
    three = epochs.mjd_mid[:, None] + np.multiply.outer(half_s, [-1.0, 0.0, 1.0]) / SECONDS_PER_DAY
    x3, y3, ra3, dec3 = _pixels(sources, epochs, three)
    part = epochs.exptime_s / (2 * half_s)
    dx, dy = ((v[..., 2] - v[..., 0]) * part for v in (x3, y3))
    trail = np.hypot(dx, dy)
    weights, mjd_nodes, x, y = np.ones(1), three[:, 1:2], x3[..., 1:2], y3[..., 1:2]
    k = _nodes_for(trail, epochs)
    if k > 1:
        mjd_nodes, weights = exposure_nodes(epochs.mjd_mid, epochs.exptime_s, k)
        x, y, _, _ = _pixels(sources, epochs, mjd_nodes)
    hours = 2 * half_s / 3600
    rates = _rates(ra3, dec3, hours) if sources.on_sky else _pixel_rates(x3, y3, hours, plate_scale)
    return Paths(
        x3[..., 1], y3[..., 1], ra3[..., 1], dec3[..., 1], *rates, trail, np.degrees(np.arctan2(dy, dx)),
        mjd_nodes, weights, x, y,
    )  # fmt: skip


def positions_at(sources: Sources, epochs: Epochs, mjd: float) -> dict[str, Floats]:
    """Give positions and motion of all sources at one time, on the grid of the first image, by their columns."""
    half_days = SHORTEST_S / SECONDS_PER_DAY
    three = mjd + np.array([[-half_days, 0.0, half_days]])
    x, y, ra, dec = (v[:, 0] for v in _pixels(sources, epochs, three, first_only=True))
    vx, vy = ((v[:, 2] - v[:, 0]) / (2 * half_days) for v in (x, y))
    told = {"x_px": x[:, 1], "y_px": y[:, 1], "vx_px_day": vx, "vy_px_day": vy}
    if not sources.on_sky:
        return told
    east, north = _rates(ra, dec, np.asarray(2 * half_days * 24))
    pa = np.degrees(np.arctan2(east, north)) % 360
    return told | {
        "ra_deg": ra[:, 1], "dec_deg": dec[:, 1], "rate_arcsec_h": np.hypot(east, north), "pa_deg": pa
    }  # fmt: skip


def _pixels(sources: Sources, epochs: Epochs, mjd: ArrayLike, first_only: bool = False) -> tuple[Floats, ...]:
    first, second = sources.at(mjd)
    if not sources.on_sky:
        nothing = np.full(first.shape, np.nan)
        return first, second, nothing, nothing
    return *project(epochs.wcs[:1] if first_only else epochs.wcs, first, second), first, second


def _nodes_for(trail: Floats, epochs: Epochs) -> int:
    longest = np.max(np.where(np.isfinite(trail), trail, 0), axis=0, initial=0)
    widths = [psf.fwhm_px * SIGMA_PER_FWHM for psf in epochs.psfs]
    return min(max(n_nodes(float(t), s) for t, s in zip(longest, widths, strict=True)), MOST_NODES)


def _rates(ra: Floats, dec: Floats, hours: Floats) -> tuple[Floats, Floats]:
    """Rates towards east and north from the chord between two moments, arcsec an hour."""
    _, east, north = tangent_frame(ra[..., 1], dec[..., 1])
    step = unit_vectors(ra[..., 2], dec[..., 2]) - unit_vectors(ra[..., 0], dec[..., 0])
    return tuple(np.sum(step * axis, axis=-1) * ARCSEC_PER_RADIAN / hours for axis in (east, north))  # type: ignore[return-value]


def _pixel_rates(x: Floats, y: Floats, hours: Floats, plate_scale: float) -> tuple[Floats, Floats]:
    return (x[..., 2] - x[..., 0]) * plate_scale / hours, -(y[..., 2] - y[..., 0]) * plate_scale / hours
