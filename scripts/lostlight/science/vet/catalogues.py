"""What the catalogues say of the detections of a tile: still there, seen at the first epoch only, moved since."""

from collections.abc import Mapping, Sequence

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.core.errors import BadCatalogue
from lostlight.science.match.join import per_detection
from lostlight.science.match.validate import check_match
from lostlight.science.vet.high_pm import high_pm_rule
from lostlight.science.vet.persistence import persistence

Bools = NDArray[np.bool_]


def validate_matches(
    detections: Table, matches: Table, catalogs: Mapping[str, Table], radius_arcsec: float, tolerance_arcsec: float
) -> tuple[float, int]:
    """Hold every match and every missing match to account (see `check_match`), catalogue by catalogue.

    Returns
    -------
    worst_arcsec : float
        Largest difference between a separation and its recomputation.
    n_edge : int
        Detections with a nearest row at the radius, within the tolerance.

    Raises
    ------
    BadMatch
        If a separation is wrong, a match too far, or a counterpart overlooked.
    """
    results = [
        check_match(
            per_detection(matches, detections["object_id"], name)[0], detections["ra_deg"], detections["dec_deg"],
            table["ra_deg"], table["dec_deg"], radius_arcsec, tolerance_arcsec, name,
        )
        for name, table in catalogs.items()
    ]  # fmt: skip
    return max((worst for worst, _ in results), default=0.0), sum(n_edge for _, n_edge in results)


def catalogue_marks(
    detections: Table, matches: Table, catalogs: Mapping[str, Table], *, vetoing: Sequence[str], radius_arcsec: float,
    epoch_logic: bool, high_pm_radius_arcsec: float, high_pm_match_arcsec: float,
) -> tuple[dict[str, Bools], NDArray[np.float64]]:  # fmt: skip
    """Mark the detections that persistent catalogue rows explain.

    Parameters
    ----------
    detections, matches : Table
        Schemas DETECTIONS and MATCHES.
    catalogs : mapping of name to Table
        Schema REFERENCE, at the plate's epoch.
    vetoing : sequence of str
        Catalogues whose rows count.
    radius_arcsec : float
        Match radius.
    epoch_logic : bool
        Whether a row seen at the first epoch only proves nothing.
    high_pm_radius_arcsec, high_pm_match_arcsec : float
        See `high_pm_rule`.

    Returns
    -------
    marks : dict
        ``MATCHED``, ``FIRST_EPOCH_ONLY`` and ``HIGH_PM``, each ndarray of bool, shape (n,).
    separation_arcsec : ndarray, shape (n,), float64
        Of the nearest match with any of the catalogues, NaN without.

    Raises
    ------
    BadCatalogue
        If none of the catalogues that count is there: everything would have vanished.
    """
    if not any(name in vetoing for name in catalogs):
        raise BadCatalogue(
            f"none of the catalogues that veto ({', '.join(vetoing)}) was fetched for this tile",
            hint="switch one of them on under reference, or list it under filter.catalogs",
        )
    n_rows = len(detections)
    matched, first_only, high_pm = np.zeros((3, n_rows), bool)
    nearest = np.full(n_rows, np.nan)
    position = np.asarray(detections["ra_deg"]), np.asarray(detections["dec_deg"])
    for name, table in catalogs.items():
        if name not in vetoing:
            continue
        separation, lasting = per_detection(matches, detections["object_id"], name)
        nearest = np.fmin(nearest, separation)
        found = np.isfinite(separation)
        if epoch_logic:
            persistent, doubtful = persistence(*position, found, lasting, table, radius_arcsec)
            table = table[np.asarray(table["is_second_epoch"], bool)]
        else:
            persistent, doubtful = found, np.zeros(n_rows, bool)
        matched |= persistent
        first_only |= doubtful
        high_pm |= high_pm_rule(
            *position, table, search_arcsec=high_pm_radius_arcsec, match_arcsec=high_pm_match_arcsec
        )  # fmt: skip
    return {"MATCHED": matched, "FIRST_EPOCH_ONLY": first_only & ~matched, "HIGH_PM": high_pm}, nearest


def red_magnitudes(
    catalogs: Mapping[str, Table],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Positions (degrees) and brightest red magnitudes of the stars that can throw spikes.

    USNO-B with the brighter of R1 and R2 where it is there, for which the rule was stated; else the red or nearest
    magnitude of the first other catalogue.
    """
    if not catalogs:
        return np.empty(0), np.empty(0), np.empty(0)
    name = "usnob" if "usnob" in catalogs else next(iter(catalogs))
    table = catalogs[name]
    red = [name for name in ("mag_r1", "mag_r2") if name in table.colnames] or ["mag_ref"]
    return (
        np.asarray(table["ra_deg"], float),
        np.asarray(table["dec_deg"], float),
        np.fmin.reduce([np.asarray(table[column], float) for column in red]),
    )
