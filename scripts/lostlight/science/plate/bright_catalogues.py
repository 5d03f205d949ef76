"""Catalogues of bright stars that cast discs, spikes and ghosts on plates."""

from collections.abc import Mapping

import numpy as np
from astropy.table import Table

from lostlight.science.match.catalogue import GAIA, USNOB, Catalogue

REACH_DEG = 0.25
"""Stars so far outside an image still throw halos and spikes on it."""

NEVER_EMPTY_DEG, NEVER_EMPTY_MAG = 1.0, 10.0
"""A cone so wide holds a dozen stars so bright even at the galactic poles: an empty answer is a fault."""

TYCHO2 = Catalogue(
    vizier_id="I/259/tyc2", ra="RAmdeg", dec="DEmdeg", ref_id="TYC1", pm_ra="pmRA", pm_dec="pmDE",
    epoch_yr=2000.0, mags=("VTmag", "BTmag"), bright=("VTmag",),
)  # fmt: skip
"""Tycho-2 (Høg et al. 2000): mean positions at J2000, complete to V = 11."""

BRIGHT_CATALOGUES: Mapping[str, Catalogue] = {"tycho2": TYCHO2, "gaia": GAIA, "usnob": USNOB}


def placed(rows: Table, catalogue: Catalogue) -> Table:
    """Keep the raw rows with a mean position; 109,000 of the 2.5 million Tycho-2 stars have none."""
    ra = np.ma.filled(np.ma.asarray(rows[catalogue.ra], dtype=np.float64), np.nan)
    return rows[np.isfinite(ra)]


def brighter_than(stars: Table, limit_mag: float) -> Table:
    """Keep the rows of a normalised catalogue with a magnitude `mag_ref` below the limit, the brightest first."""
    mag = np.asarray(stars["mag_ref"], dtype=np.float64)
    kept = np.flatnonzero(mag < limit_mag)
    return stars[kept[np.argsort(mag[kept], kind="stable")]]
