"""One source, one row: duplicates within a plate, and the evidence of overlapping plates."""

from itertools import pairwise

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lostlight.science.match.nearest import Sky
from lostlight.science.vet import ledger
from lostlight.vocab import bits

Integers = NDArray[np.int64]

_SKY_VETOES = ("MATCHED", "HIGH_PM", "SKYBOT", "VSX", "SECOND_CATALOG")


def groups(ra_deg: ArrayLike, dec_deg: ArrayLike, radius_arcsec: float) -> Integers:
    """Number the groups of positions that hang together by links of at most a radius.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Positions in degrees.
    radius_arcsec : float
        Longest link, inclusive.

    Returns
    -------
    ndarray, shape (n,), int64
        The same number for rows of the same group; does not depend on the order of the rows but for the numbering.
    """
    sky = Sky(ra_deg, dec_deg, "detections")
    first, second, _ = sky.pairs(sky.ra_deg, sky.dec_deg, radius_arcsec)
    links = coo_array((np.ones(len(first), bool), (first, second)), shape=(len(sky), len(sky)))
    return connected_components(links, directed=False)[1].astype(np.int64)


def duplicates(
    ra_deg: ArrayLike, dec_deg: ArrayLike, plate: ArrayLike, rank: ArrayLike, radius_arcsec: float = 0.25
) -> NDArray[np.bool_]:
    """Mark all but one row of each source that appears more than once on the same plate.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Positions in degrees.
    plate : array_like, shape (n,)
        Plate of each row; rows of different plates are never duplicates.
    rank : array_like, shape (n,)
        The row of lowest rank stays; ranks are all different.
    radius_arcsec : float
        Rows of one plate linked by this distance are one source.

    Returns
    -------
    ndarray, shape (n,), bool
        True for the rows to drop. Does not depend on the order of the rows.
    """
    ra, dec, plates, ranks = (np.asarray(values) for values in (ra_deg, dec_deg, plate, rank))
    repeated = np.zeros(len(ra), bool)
    for rows in _by_value(plates):
        group = groups(ra[rows], dec[rows], radius_arcsec)
        order = np.lexsort((ranks[rows], group))
        first = np.r_[True, np.diff(group[order]) != 0]
        repeated[rows[order[~first]]] = True
    return repeated


def across_tiles(table: Table, dedupe_arcsec: float = 0.25, overlap_arcsec: float = 5.0) -> Table:
    """Bring the rows of all tiles together: duplicates from overlapping tiles, evidence from overlapping plates.

    Rows of one plate are compared by the position of the plate solution, which overlapping tiles share, and not by the
    corrected one. Of duplicates a row that the sky explains stays before one that it does not (a catalogue match in one
    tile holds for all), then the row that fails the fewest cuts, then the one farthest from an edge, then the first by
    `src_id`. Rows of other plates within `overlap_arcsec` are counted in `n_plates` and set the label
    ``OTHER_PLATE``; they remove nothing.

    Parameters
    ----------
    table : Table
        Flagged rows (schema FLAGGED) of any number of tiles; not changed.
    dedupe_arcsec, overlap_arcsec : float
        See above.

    Returns
    -------
    Table
        The same rows in the same order with `flags`, `reason` and `n_plates` brought up to date.
    """
    result = table.copy()
    if not len(result):
        return result
    plate = np.asarray(result["plate_id"], str)
    flags = np.asarray(result["flags"], np.int64).copy()
    repeated = duplicates(result["ra_plate_deg"], result["dec_plate_deg"], plate, _rank(result), dedupe_arcsec)
    flags[repeated] |= bits.filters("DUPLICATE")
    n_plates = plates_within(result["ra_deg"], result["dec_deg"], plate, overlap_arcsec)
    flags[n_plates > 1] |= bits.filters("OTHER_PLATE")
    result["reason"] = ledger.revise(result["reason"], result["flags"], flags)
    result["flags"], result["n_plates"] = flags.astype(np.int32), n_plates.astype(np.int16)
    return result


def plates_within(ra_deg: ArrayLike, dec_deg: ArrayLike, plate: ArrayLike, radius_arcsec: float) -> Integers:
    """Count the plates, its own included, that show something within a radius of each row; shape (n,), int64."""
    sky = Sky(ra_deg, dec_deg, "detections")
    number = np.unique(np.asarray(plate), return_inverse=True)[1]
    first, second, _ = sky.pairs(sky.ra_deg, sky.dec_deg, radius_arcsec)
    seen = np.unique(np.stack([first, number[second]]), axis=1)
    return np.bincount(seen[0], minlength=len(sky)).astype(np.int64)


def _by_value(values: NDArray) -> list[Integers]:
    if not len(values):
        return []
    order = np.argsort(values, kind="stable")
    borders = np.flatnonzero(values[order][1:] != values[order][:-1]) + 1
    return [order[low:high] for low, high in pairwise((0, *borders, len(order)))]


def _rank(table: Table) -> Integers:
    flags = np.asarray(table["flags"], np.int64)
    explained = (flags & bits.filters(*_SKY_VETOES)) != 0
    n_cuts = sum(((flags & bit.value) != 0).astype(int) for bit in bits.FILTER if bit.name not in bits.LABELS)
    order = np.lexsort((np.asarray(table["src_id"], str), -np.asarray(table["edge_distance_px"]), n_cuts, ~explained))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank
