"""Which matches prove that a source persisted.

USNO-B1.0 was made from the first-epoch plates too. A star seen on POSS-I and gone since is in it, with first-epoch
magnitudes alone: such a row is no proof that anything persisted, and the detection it matches is the best class of all.
"""

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from lostlight.science.match.nearest import Sky

Bools = NDArray[np.bool_]


def persistence(
    ra_deg: ArrayLike,
    dec_deg: ArrayLike,
    matched: Bools,
    best_is_persistent: Bools,
    catalogue: Table,
    radius_arcsec: float,
) -> tuple[Bools, Bools]:
    """Tell which detections match a persistent row of a catalogue, and which match first-epoch rows alone.

    The best match may be a first-epoch row while a persistent one lies within the radius as well, so detections whose
    best match proves nothing are compared with the persistent rows again.

    Parameters
    ----------
    ra_deg, dec_deg : array_like, shape (n,)
        Detections in degrees.
    matched, best_is_persistent : ndarray, shape (n,), bool
        Whether there is a match, and whether the best match is with a persistent row.
    catalogue : Table
        `ra_deg`, `dec_deg`, `is_second_epoch`.
    radius_arcsec : float
        Match radius.

    Returns
    -------
    persistent, first_epoch_only : ndarray, shape (n,), bool
    """
    persistent = matched & best_is_persistent
    doubtful = np.flatnonzero(matched & ~best_is_persistent)
    lasting = catalogue[np.asarray(catalogue["is_second_epoch"], bool)]
    index, _ = Sky(lasting["ra_deg"], lasting["dec_deg"]).nearest(
        np.asarray(ra_deg)[doubtful], np.asarray(dec_deg)[doubtful], radius_arcsec
    )
    persistent[doubtful[index >= 0]] = True
    return persistent, matched & ~persistent
