"""From row numbers to tables: what matched, and what no detection took."""

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.science.sky.separation import inside_polygon

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]


def matched_rows(
    detections: Table, catalogue: Table, name: str, index: Indices, separation_arcsec: Floats, radius_arcsec: float
) -> Table:
    """List the detections with a counterpart beside it (schema MATCHES), in the order of the detections.

    Parameters
    ----------
    detections, catalogue : Table
        Schemas DETECTIONS and REFERENCE.
    name : str
        Name of the catalogue.
    index : ndarray, shape (n_detections,), int64
        Row of the counterpart, -1 for none.
    separation_arcsec : ndarray, shape (n_detections,), float64
    radius_arcsec : float
        Match radius.
    """
    found = index >= 0
    table = detections["src_id", "object_id", "ra_deg", "dec_deg"][found]
    counterpart = catalogue["ref_id", "is_second_epoch", "mag_ref"][index[found]]
    table["catalog"] = np.full(len(table), name, dtype="U8")
    # a microarcsecond: below it two ways of computing the same angle may differ
    table["separation_arcsec"] = np.round(separation_arcsec[found], 6)
    table["radius_arcsec"] = np.full(len(table), radius_arcsec)
    for column in counterpart.colnames:
        table[column] = counterpart[column]
    return table


def untaken_rows(catalogue: Table, name: str, index: Indices, ra_corners: Floats, dec_corners: Floats) -> Table:
    """List the catalogue rows inside the image that no detection took (schema REFERENCE and `catalog`).

    Parameters
    ----------
    catalogue : Table
        Schema REFERENCE.
    name : str
        Its name.
    index : ndarray, int64
        Rows that detections took; -1 is passed over.
    ra_corners, dec_corners : ndarray, shape (4,)
        Corners of the image in degrees.
    """
    free = np.ones(len(catalogue), bool)
    free[index[index >= 0]] = False
    free &= inside_polygon(catalogue["ra_deg"], catalogue["dec_deg"], ra_corners, dec_corners)
    rows = catalogue[free]
    rows["catalog"] = np.full(len(rows), name, dtype="U8")
    return rows


def per_detection(matches: Table, object_id: Indices, name: str) -> tuple[Floats, NDArray[np.bool_]]:
    """Spread the matches with one catalogue over all detections; the inverse of `matched_rows`.

    Parameters
    ----------
    matches : Table
        Schema MATCHES, any catalogues.
    object_id : ndarray, shape (n,), int
        Of the detections, all different.
    name : str
        The catalogue.

    Returns
    -------
    separation_arcsec : ndarray, shape (n,), float64
        NaN without a match.
    is_second_epoch : ndarray, shape (n,), bool
        Whether the counterpart was seen at a later epoch; False without a match.
    """
    of_catalog = matches[np.asarray(matches["catalog"], str) == name]
    order = np.argsort(object_id)
    place = order[np.searchsorted(object_id, of_catalog["object_id"], sorter=order)]
    separation, lasting = np.full(len(object_id), np.nan), np.zeros(len(object_id), bool)
    separation[place] = of_catalog["separation_arcsec"]
    lasting[place] = of_catalog["is_second_epoch"]
    return separation, lasting
