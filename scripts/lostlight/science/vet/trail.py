"""Solar-system bodies move while a plate is exposed: a source is compared with the trail, not with a point."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.science.sky.separation import ARCSEC_PER_RADIAN, TangentPlane, positions_deg, tangent_frame


def distance_to_trails(
    ra_deg: ArrayLike, dec_deg: ArrayLike, body_ra_deg: ArrayLike, body_dec_deg: ArrayLike,
    rate_ra_arcsec_min: ArrayLike, rate_dec_arcsec_min: ArrayLike, exposure_min: float,
) -> NDArray[np.float64]:  # fmt: skip
    """Distance of each position to the nearest trail.

    A trail runs through the position at mid-exposure, half an exposure's motion to either side; the distance is that to
    a straight segment in the tangent plane of the positions.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Detections in degrees.
    body_ra_deg, body_dec_deg : array_like, shape (m,)
        Bodies at mid-exposure, degrees.
    rate_ra_arcsec_min, rate_dec_arcsec_min : array_like, shape (m,)
        Motion in arcsec per minute, in right ascension times cos(dec); NaN, where it is not known, is rest.
    exposure_min : float
        Length of the exposure in minutes.

    Returns
    -------
    ndarray, shape (n,), float64
        Arcsec; infinite where there are no bodies, or none within a quarter of the sky.
    """
    if not np.size(body_ra_deg) or not np.size(ra_deg):
        return np.full(np.size(ra_deg), np.inf)
    plane = TangentPlane.about(ra_deg, dec_deg)
    point = np.stack(plane.project(ra_deg, dec_deg), axis=-1)[:, None, :]
    # both ends through the plane, so that the directions are right far from its centre and near the poles
    ends = [
        np.stack(
            plane.project(*_moved(body_ra_deg, body_dec_deg, rate_ra_arcsec_min, rate_dec_arcsec_min, half)), axis=-1
        )
        for half in (-exposure_min / 2, exposure_min / 2)
    ]
    along = ends[1] - ends[0]
    length2 = np.maximum((along**2).sum(axis=-1), 1e-12)
    fraction = np.clip(((point - ends[0]) * along).sum(axis=-1) / length2, 0, 1)
    distance = np.hypot(*np.moveaxis(point - (ends[0] + fraction[..., None] * along), -1, 0))
    return np.where(np.isfinite(distance), distance, np.inf).min(axis=1)


def _moved(
    ra_deg: ArrayLike, dec_deg: ArrayLike, rate_ra: ArrayLike, rate_dec: ArrayLike, minutes: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions after some minutes of straight motion."""
    radial, east, north = tangent_frame(ra_deg, dec_deg)
    rates = (np.nan_to_num(np.asarray(rate, float))[:, None] for rate in (rate_ra, rate_dec))
    step = minutes * sum(rate * direction for rate, direction in zip(rates, (east, north), strict=True))
    return positions_deg(radial + step / ARCSEC_PER_RADIAN)
