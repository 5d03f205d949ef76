"""The match held to account: every nearest separation again, by another search and another formula.

The match walks a KD-tree of unit vectors (or runs another program); this walks bands of declination and uses the
formula of Vincenty. They share nothing but the positions.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import BadMatch
from lostlight.science.sky.separation import separation_arcsec

Floats = NDArray[np.float64]

_CHUNK = 2_000_000
_TURN = 2000.0  # degrees of key per band, more than any right ascension in it


def nearest_separation(
    ra_deg: ArrayLike, dec_deg: ArrayLike, ra_catalog_deg: ArrayLike, dec_catalog_deg: ArrayLike, reach_arcsec: float
) -> Floats:
    """Separation of the nearest catalogue row to each position, found without a tree.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Positions in degrees.
    ra_catalog_deg, dec_catalog_deg : array_like, shape (m,)
        Catalogued positions in degrees.
    reach_arcsec : float
        Rows further away are not looked at.

    Returns
    -------
    ndarray, shape (n,), float64
        Arcsec; NaN where no row lies within reach.
    """
    ra, dec = np.asarray(ra_deg, float) % 360, np.asarray(dec_deg, float)
    nearest = np.full(len(ra), np.inf)
    if not len(ra) or not np.size(ra_catalog_deg):
        return np.full(len(ra), np.nan)
    reach_deg = reach_arcsec / 3600
    window = _ra_window(dec, reach_deg)
    rows_ra, rows_dec = _wrapped(
        np.asarray(ra_catalog_deg, float) % 360, np.asarray(dec_catalog_deg, float), window.max()
    )
    key = np.floor(rows_dec / reach_deg) * _TURN + rows_ra
    order = np.argsort(key, kind="stable")
    key, rows_ra, rows_dec = key[order], rows_ra[order], rows_dec[order]
    band = np.floor(dec / reach_deg)
    for step in (-1, 0, 1):
        low = np.searchsorted(key, (band + step) * _TURN + ra - window, "left")
        high = np.searchsorted(key, (band + step) * _TURN + ra + window, "right")
        _shorten(nearest, ra, dec, rows_ra, rows_dec, low, high)
    return np.where(nearest <= reach_arcsec, nearest, np.nan)


def check_match(
    separation: ArrayLike, ra_deg: ArrayLike, dec_deg: ArrayLike, ra_catalog_deg: ArrayLike, dec_catalog_deg: ArrayLike,
    radius_arcsec: float, tolerance_arcsec: float = 0.05, name: str = "catalogue",
) -> tuple[float, int]:  # fmt: skip
    """Check the separations of a match and the absence of others.

    Parameters
    ----------
    separation : array_like, shape (n,)
        Separation claimed for each detection in arcsec, NaN where it is claimed to have no counterpart.
    ra_deg, dec_deg : array_like, shape (n,)
        Detections in degrees.
    ra_catalog_deg, dec_catalog_deg : array_like, shape (m,)
        Catalogued positions in degrees.
    radius_arcsec : float
        Match radius.
    tolerance_arcsec : float
        What two formulas may differ by, and the width of the edge.
    name : str
        The catalogue, for messages.

    Returns
    -------
    worst_arcsec : float
        Largest difference between claimed and recomputed separation; 0 without matches.
    n_edge : int
        Detections whose nearest row lies within the tolerance of the radius, matched or not.

    Raises
    ------
    BadMatch
        If a separation differs by more than the tolerance, a match lies beyond radius + tolerance, or a detection
        without counterpart has a row nearer than radius - tolerance.
    """
    claimed = np.asarray(separation, float)
    found = nearest_separation(ra_deg, dec_deg, ra_catalog_deg, dec_catalog_deg, radius_arcsec + 2 * tolerance_arcsec)
    is_matched = np.isfinite(claimed)
    beyond = is_matched & ~(claimed <= radius_arcsec + tolerance_arcsec)
    overlooked = ~is_matched & (found < radius_arcsec - tolerance_arcsec)
    differs = is_matched & ~(np.abs(claimed - found) <= tolerance_arcsec)
    for wrong, what in (
        (beyond, "matched beyond the radius"), (overlooked, "called unmatched beside a row"), (differs, "misreported"),
    ):  # fmt: skip
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise BadMatch(
                f"{name}: {int(wrong.sum())} detections are {what}; row {row} (from 0) claims "
                f"{claimed[row]:.3f} arcsec, recomputed {found[row]:.3f}, radius {radius_arcsec:g}",
                hint="were detections or catalogue changed after the match? run the match again",
                row=row, n_wrong=int(wrong.sum()), catalog=name,
            )  # fmt: skip
    difference = np.abs(claimed - found)[is_matched]
    edge = np.abs(found - radius_arcsec) <= tolerance_arcsec
    return float(difference.max(initial=0)), int(edge.sum())


def _ra_window(dec: Floats, reach_deg: float) -> Floats:
    """Half width in right ascension of a cone of `reach_deg` about each declination."""
    ratio = np.sin(np.radians(reach_deg)) / np.maximum(np.cos(np.radians(dec)), 1e-300)
    holds_pole = np.abs(dec) + reach_deg >= 90
    return np.where(holds_pole, 180.0, np.degrees(np.arcsin(np.minimum(ratio, 1)))) * (1 + 1e-9) + 1e-9


def _wrapped(ra: Floats, dec: Floats, width: float) -> tuple[Floats, Floats]:
    """Repeat the rows near right ascension 0 beyond 360, and the other way round."""
    low, high = ra < width, ra > 360 - width
    return np.r_[ra, ra[low] + 360, ra[high] - 360], np.r_[dec, dec[low], dec[high]]


def _shorten(
    nearest: Floats, ra: Floats, dec: Floats, rows_ra: Floats, rows_dec: Floats,
    low: NDArray[np.int64], high: NDArray[np.int64],
) -> None:  # fmt: skip
    """Lower `nearest` by the separations from each position to its rows low..high, in chunks of bounded size."""
    count = np.maximum(high - low, 0)
    ends = np.cumsum(count)
    start = 0
    while start < len(ra):
        before = ends[start] - count[start]
        stop = max(start + 1, int(np.searchsorted(ends, before + _CHUNK, "right")))
        part = np.arange(start, stop)
        position = np.repeat(part, count[part])
        if len(position):
            within = np.arange(len(position)) - np.repeat(ends[part] - count[part] - before, count[part])
            row = low[position] + within
            angle = separation_arcsec(ra[position], dec[position], rows_ra[row], rows_dec[row])
            np.minimum.at(nearest, position, angle)
        start = stop
