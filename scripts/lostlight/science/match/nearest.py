"""The nearest catalogue row of every detection: a KD-tree on the unit sphere."""

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from lostlight.core.errors import BadCatalogue
from lostlight.science.sky.separation import chord, chord_to_arcsec, unit_vectors

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]


class Sky:
    """Positions arranged for matching.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Positions in degrees.
    name : str
        What the positions are, for messages.

    Raises
    ------
    BadCatalogue
        For a position that is not finite or not on the sphere; the row is named.
    """

    def __init__(self, ra_deg: ArrayLike, dec_deg: ArrayLike, name: str = "catalogue") -> None:
        self.ra_deg, self.dec_deg = check_positions(ra_deg, dec_deg, name)
        self._tree = cKDTree(unit_vectors(self.ra_deg, self.dec_deg), balanced_tree=False)

    def __len__(self) -> int:
        return len(self.ra_deg)

    def nearest(self, ra_deg: ArrayLike, dec_deg: ArrayLike, radius_arcsec: float) -> tuple[Indices, Floats]:
        """Find the nearest of these positions to each of some others: ``best1`` of a symmetric matcher's vocabulary.

        Two detections may share one row: each keeps its own best. Of rows at the same place the first counts.

        Parameters
        ----------
        ra_deg, dec_deg : array_like, shape (m,)
            Positions in degrees.
        radius_arcsec : float
            Largest separation, inclusive.

        Returns
        -------
        index : ndarray, shape (m,), int64
            Row of the nearest position, -1 where there is none within the radius.
        separation_arcsec : ndarray, shape (m,), float64
            NaN where there is none.
        """
        vectors = unit_vectors(ra_deg, dec_deg)
        if not len(self) or not len(vectors):
            return np.full(len(vectors), -1), np.full(len(vectors), np.nan)
        # the tree's bound is exclusive; the radius is not
        bound = np.nextafter(chord(radius_arcsec), np.inf)
        length, index = self._tree.query(vectors, distance_upper_bound=bound)
        found = np.isfinite(length)
        index = np.where(found, index, -1).astype(np.int64)
        index[found] = self.first_twin[index[found]]
        return index, np.where(found, chord_to_arcsec(np.where(found, length, 0)), np.nan)

    def pairs(self, ra_deg: ArrayLike, dec_deg: ArrayLike, radius_arcsec: float) -> tuple[Indices, Indices, Floats]:
        """List every pair within a radius.

        Returns
        -------
        other, own : ndarray, int64
            Row among the positions given here, and row among the positions of this object.
        separation_arcsec : ndarray, float64
        """
        vectors = unit_vectors(ra_deg, dec_deg)
        if not len(self) or not len(vectors):
            return np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
        found = cKDTree(vectors, balanced_tree=False).sparse_distance_matrix(
            self._tree, float(chord(radius_arcsec)), output_type="ndarray"
        )
        order = np.lexsort((found["j"], found["i"]))
        return found["i"][order], found["j"][order], chord_to_arcsec(found["v"][order])

    @cached_property
    def first_twin(self) -> Indices:
        """For each row, the first row at exactly the same place: itself unless the catalogue holds duplicates."""
        order = np.lexsort((self.dec_deg, self.ra_deg))  # stable: twins keep their order
        starts = np.ones(len(order), bool)
        starts[1:] = (np.diff(self.ra_deg[order]) != 0) | (np.diff(self.dec_deg[order]) != 0)
        twin = np.empty(len(order), np.int64)
        twin[order] = order[np.flatnonzero(starts)][np.cumsum(starts) - 1]
        return twin


def check_positions(ra_deg: ArrayLike, dec_deg: ArrayLike, name: str) -> tuple[Floats, Floats]:
    """Give positions as arrays of float64; raises BadCatalogue naming the first row that is not on the sphere."""
    ra, dec = np.ma.filled(np.ma.asarray(ra_deg, float), np.nan), np.ma.filled(np.ma.asarray(dec_deg, float), np.nan)
    wrong = ~(np.isfinite(ra) & (np.abs(dec) <= 90) & (np.abs(ra) <= 360))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise BadCatalogue(
            f"{name}: row {row} (from 0) lies at ra {ra[row]}°, dec {dec[row]}°, which is no position; "
            f"{int(wrong.sum())} rows are like that",
            hint="positions must be finite degrees with |dec| ≤ 90; look at the step that made the table",
            row=row, n_wrong=int(wrong.sum()),
        )  # fmt: skip
    return ra, dec
