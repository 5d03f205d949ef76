"""Tiles that overlap, brought together one at a time: each tile is judged beside its neighbours' rows alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from astropy.table import Table, vstack
from numpy.typing import ArrayLike, NDArray

from lostlight.science.vet.dedupe import across_tiles


@dataclass(frozen=True)
class Cap:
    """The smallest circle around the mean of some positions: centre as a unit vector, chord of its radius."""

    centre: NDArray[np.float64]
    chord: float

    def reaches(self, other: "Cap", margin: float) -> bool:
        """Tell whether two circles come closer than a margin (a chord, in radians)."""
        return float(np.linalg.norm(self.centre - other.centre)) <= self.chord + other.chord + margin

    def holds(self, ra_deg: ArrayLike, dec_deg: ArrayLike, margin: float) -> NDArray[np.bool_]:
        """Tell which positions lie within the circle or a margin around it."""
        return np.linalg.norm(_unit(ra_deg, dec_deg) - self.centre, axis=1) <= self.chord + margin


def cap(ra_deg: ArrayLike, dec_deg: ArrayLike) -> Cap | None:
    """Draw a circle around positions in degrees; None without any."""
    vectors = _unit(ra_deg, dec_deg)
    if not len(vectors):
        return None
    centre = vectors.mean(axis=0)
    centre /= np.linalg.norm(centre)
    return Cap(centre, float(np.linalg.norm(vectors - centre, axis=1).max()))


def merged(
    names: Sequence[str], read: Callable[[str], Table], dedupe_arcsec: float, overlap_arcsec: float
) -> Iterator[tuple[str, Table]]:
    """Give every tile as `across_tiles` would give it among all others, without holding all others in memory.

    Parameters
    ----------
    names : sequence of str
        The tiles.
    read : callable
        Gives the flagged rows (schema FLAGGED) of a tile; called again for each tile that overlaps it.
    dedupe_arcsec, overlap_arcsec : float
        See `across_tiles`.

    Yields
    ------
    tuple
        Name and rows of a tile, in the order of `names`.
    """
    margin = np.radians(2 * (dedupe_arcsec + overlap_arcsec) / 3600)
    caps = {name: cap(table["ra_deg"], table["dec_deg"]) for name, table in ((name, read(name)) for name in names)}
    for name in names:
        own, here = read(name), caps[name]
        rows = [own]
        for other, there in caps.items():
            if other != name and here and there and here.reaches(there, margin):
                table = read(other)
                rows.append(table[here.holds(table["ra_deg"], table["dec_deg"], margin)])
        together = vstack(rows, metadata_conflicts="silent") if len(rows) > 1 else own
        yield name, across_tiles(together, dedupe_arcsec, overlap_arcsec)[: len(own)]


def _unit(ra_deg: ArrayLike, dec_deg: ArrayLike) -> NDArray[np.float64]:
    ra, dec = np.radians(np.asarray(ra_deg, float)), np.radians(np.asarray(dec_deg, float))
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)
