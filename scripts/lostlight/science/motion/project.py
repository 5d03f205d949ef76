"""From the sky to the pixels of images, and rates of motion between both."""

from collections.abc import Sequence

import numpy as np
from astropy.wcs import WCS, NoConvergence
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import NoWCS
from lostlight.science.sky.separation import ARCSEC_PER_RADIAN, tangent_frame, unit_vectors

FloatArray = NDArray[np.float64]

_HOURS_PER_DAY = 24
_HALF_PX = 0.5
_SIP_PX, _SIP_STEPS = 1e-8, 60


def project(wcs: Sequence[WCS | None], ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Find the pixels that show positions on the sky: on each image its own positions.

    Parameters
    ----------
    wcs : sequence of T WCS
        Of each image. Images that share one are done in one call, as a call costs as much as hundreds of positions.
    ra_deg, dec_deg : array_like, (n, T) or (n, T, K)
        Positions of n sources on T images at K moments of the exposure, degrees.

    Returns
    -------
    x, y : ndarray, the shape of `ra_deg`, float64
        Zero-based pixels; NaN where the image has none for the position, as behind the plane of projection.

    Raises
    ------
    NoWCS
        If an image has no WCS in right ascension and declination.
    """
    ra, dec = np.broadcast_arrays(np.asarray(ra_deg, np.float64), np.asarray(dec_deg, np.float64))
    x, y = np.empty(ra.shape), np.empty(ra.shape)
    for epochs, sky in _distinct(wcs):
        shape = ra[:, epochs].shape
        px, py = to_pixels(sky, ra[:, epochs].ravel(), dec[:, epochs].ravel())
        x[:, epochs], y[:, epochs] = px.reshape(shape), py.reshape(shape)
    return x, y


def to_pixels(wcs: WCS, ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Find the pixels that show positions on the sky, on one image.

    Parameters
    ----------
    wcs : WCS
        With all its distortions (SIP, TPV).
    ra_deg, dec_deg : array_like, (m,)
        Degrees.

    Returns
    -------
    x, y : ndarray, (m,), float64
        Zero-based pixels; NaN where there is none.
    """
    ra, dec = np.asarray(ra_deg, np.float64), np.asarray(dec_deg, np.float64)
    if not ra.size:
        return np.empty(ra.shape), np.empty(ra.shape)
    try:
        x, y = wcs.all_world2pix(ra, dec, 0, ra_dec_order=True, tolerance=_SIP_PX, maxiter=_SIP_STEPS)
    except NoConvergence as failed:
        x, y = np.asarray(failed.best_solution, np.float64).T
        lost = [part for part in (failed.divergent, failed.slow_conv) if part is not None]
        x[np.concatenate(lost)] = y[np.concatenate(lost)] = np.nan
    return x, y


def to_sky(wcs: WCS, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Find the positions on the sky that pixels show: right ascension and declination, degrees."""
    ra, dec = wcs.all_pix2world(np.asarray(x, np.float64), np.asarray(y, np.float64), 0, ra_dec_order=True)
    return ra, dec


def inverse_jacobian(wcs: WCS, x: ArrayLike, y: ArrayLike) -> FloatArray:
    """Tell how far on the sky a step of one pixel leads.

    Parameters
    ----------
    wcs : WCS
    x, y : array_like, (n,)
        Zero-based pixels.

    Returns
    -------
    ndarray, (n, 2, 2), float64
        Arcsec towards east and north (rows) for a pixel along x and along y (columns).
    """
    x, y = (np.atleast_1d(np.asarray(place, np.float64)) for place in (x, y))
    _, east, north = tangent_frame(*to_sky(wcs, x, y))
    # steps forward and back through the sky itself: no angle to wrap, and no pole to go wrong at
    steps = [_chord(wcs, x, y, _HALF_PX, 0), _chord(wcs, x, y, 0, _HALF_PX)]
    return np.stack([[np.sum(step * axis, axis=-1) for step in steps] for axis in (east, north)]).transpose(2, 0, 1)


def jacobian(wcs: WCS, x: ArrayLike, y: ArrayLike) -> FloatArray:
    """Tell how many pixels a step of one arcsec on the sky is.

    Parameters
    ----------
    wcs : WCS
    x, y : array_like, (n,)
        Zero-based pixels.

    Returns
    -------
    ndarray, (n, 2, 2), float64
        Pixels along x and y (rows) for an arcsec towards the east and towards the north (columns).
    """
    return np.linalg.inv(inverse_jacobian(wcs, x, y))


def pixel_rates(
    wcs: WCS, x: ArrayLike, y: ArrayLike, rate_ra_arcsec_h: ArrayLike, rate_dec_arcsec_h: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Turn motion on the sky into motion on the image.

    Parameters
    ----------
    wcs : WCS
    x, y : array_like, (n,)
        Where on the image, zero-based pixels.
    rate_ra_arcsec_h, rate_dec_arcsec_h : array_like, (n,)
        Towards east (with cos dec) and north, arcsec an hour.

    Returns
    -------
    vx_px_day, vy_px_day : ndarray, (n,), float64
    """
    return _turned(jacobian(wcs, x, y) * _HOURS_PER_DAY, rate_ra_arcsec_h, rate_dec_arcsec_h)


def sky_rates(
    wcs: WCS, x: ArrayLike, y: ArrayLike, vx_px_day: ArrayLike, vy_px_day: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Turn motion on the image into motion on the sky; inverse of `pixel_rates`.

    Returns
    -------
    rate_ra_arcsec_h, rate_dec_arcsec_h : ndarray, (n,), float64
    """
    return _turned(inverse_jacobian(wcs, x, y) / _HOURS_PER_DAY, vx_px_day, vy_px_day)


def _turned(matrix: FloatArray, first: ArrayLike, second: ArrayLike) -> tuple[FloatArray, FloatArray]:
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return matrix[:, 0, 0] * a + matrix[:, 0, 1] * b, matrix[:, 1, 0] * a + matrix[:, 1, 1] * b


def _chord(wcs: WCS, x: FloatArray, y: FloatArray, dx: float, dy: float) -> FloatArray:
    ahead, behind = (unit_vectors(*to_sky(wcs, x + way * dx, y + way * dy)) for way in (1, -1))
    return (ahead - behind) * ARCSEC_PER_RADIAN


def _distinct(wcs: Sequence[WCS | None]) -> list[tuple[list[int], WCS]]:
    epochs: dict[int, list[int]] = {}
    for epoch, sky in enumerate(wcs):
        if sky is None or (sky.wcs.lngtyp.strip(), sky.wcs.lattyp.strip()) != ("RA", "DEC"):
            raise NoWCS(
                f"image {epoch} of the stack has no position on the sky in right ascension and declination",
                hint="solve it astrometrically first, or move sources in pixels",
                epoch=epoch,
            )
        epochs.setdefault(id(sky), []).append(epoch)
    return [(which, wcs[which[0]]) for which in epochs.values()]
