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
SIZES = np.array([1, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512])
"""Numbers of nodes that sources are given: the next one above what their trails ask for."""
MOMENTS = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
"""At which a source is followed, in half exposures from the middle."""
MIDDLE = 2


@dataclass(frozen=True, eq=False)
class Nodes:
    """Times within exposures at which some sources are rendered.

    Parameters
    ----------
    which : (m,) int64
        The sources.
    mjd : (T, K) float64
    weights : (K,) float64
        Share of the exposure of each node.
    """

    which: NDArray[np.int64]
    mjd: Floats
    weights: Floats


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
    nodes : list of Nodes
        Times within the exposures, for sources with trails of like length.
    x, y : (n, T, K) float64
        At the nodes; NaN beyond those that a source has.
    """

    x_px: Floats
    y_px: Floats
    ra_deg: Floats
    dec_deg: Floats
    rate_ra_arcsec_h: Floats
    rate_dec_arcsec_h: Floats
    trail_px: Floats
    trail_pa_deg: Floats
    nodes: list[Nodes]
    x: Floats
    y: Floats


def trace(sources: Sources, epochs: Epochs, plate_scale: float) -> Paths:
    """Follow sources over all images of a stack.

    Each is followed by five moments of an exposure; between them runs the polynomial through them.

    Parameters
    ----------
    sources : Sources
    epochs : Epochs
    plate_scale : float
        Arcsec per pixel, for images without a sky.
    """
    half_s = np.maximum(epochs.exptime_s, SHORTEST_S) / 2
    moments = epochs.mjd_mid[:, None] + np.multiply.outer(half_s, MOMENTS) / SECONDS_PER_DAY
    x5, y5, ra5, dec5 = _pixels(sources, epochs, moments)
    part = epochs.exptime_s / (2 * half_s)
    dx, dy = ((v[..., -1] - v[..., 0]) * part for v in (x5, y5))
    trail = np.hypot(dx, dy)
    nodes = _nodes(trail, epochs)
    most = max((each.weights.size for each in nodes), default=1)
    x, y = (np.full((len(sources), len(epochs), most), np.nan) for _ in range(2))
    for each in nodes:
        k = each.weights.size
        between = _lagrange((each.mjd - epochs.mjd_mid[:, None]) * SECONDS_PER_DAY / half_s[:, None])
        for way, moment in ((x, x5), (y, y5)):
            way[each.which, :, :k] = np.matmul(moment[each.which, :, None], between)[:, :, 0]
    hours = 2 * half_s / 3600
    rates = _rates(ra5, dec5, hours) if sources.on_sky else _pixel_rates(x5, y5, hours, plate_scale)
    middle = (v[..., MIDDLE] for v in (x5, y5, ra5, dec5))
    return Paths(*middle, *rates, trail, np.degrees(np.arctan2(dy, dx)), nodes, x, y)


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


def _nodes(trail: Floats, epochs: Epochs) -> list[Nodes]:
    """Share sources out by the nodes that their longest trail asks for: few different numbers of them, `SIZES`."""
    widths = np.array([psf.fwhm_px * SIGMA_PER_FWHM for psf in epochs.psfs])
    longest = np.max(np.where(np.isfinite(trail), trail, 0) / widths, axis=1, initial=0)
    asked = np.array([n_nodes(length, 1.0) for length in longest], np.int64)
    number = SIZES[np.minimum(np.searchsorted(SIZES, asked), SIZES.size - 1)]
    return [
        Nodes(np.flatnonzero(number == k), *exposure_nodes(epochs.mjd_mid, epochs.exptime_s, int(k)))
        for k in np.unique(number)
    ]


def _lagrange(u: Floats) -> Floats:
    """Give the weights of the moments for times u (T, K) in half exposures from the middle: (T, M, K)."""
    weights = np.ones((len(u), MOMENTS.size, u.shape[1]))
    for m, own in enumerate(MOMENTS):
        for other in np.delete(MOMENTS, m):
            weights[:, m] *= (u - other) / (own - other)
    return weights


def _rates(ra: Floats, dec: Floats, hours: Floats) -> tuple[Floats, Floats]:
    """Rates towards east and north from the chord between the first and the last moment, arcsec an hour."""
    middle = ra.shape[-1] // 2
    _, east, north = tangent_frame(ra[..., middle], dec[..., middle])
    step = unit_vectors(ra[..., -1], dec[..., -1]) - unit_vectors(ra[..., 0], dec[..., 0])
    return tuple(np.sum(step * axis, axis=-1) * ARCSEC_PER_RADIAN / hours for axis in (east, north))  # type: ignore[return-value]


def _pixel_rates(x: Floats, y: Floats, hours: Floats, plate_scale: float) -> tuple[Floats, Floats]:
    return (x[..., -1] - x[..., 0]) * plate_scale / hours, -(y[..., -1] - y[..., 0]) * plate_scale / hours
