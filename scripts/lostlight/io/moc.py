"""Coverage maps (IVOA Multi-Order Coverage) of tiles, as FITS."""

from pathlib import Path

import numpy as np
from mocpy import MOC

from lostlight.io import fits

ORDER = 11
"""HEALPix cells of 1.7 arcmin."""


def write(path: Path, corners_ra_deg: np.ndarray, corners_dec_deg: np.ndarray) -> float:
    """Write the union of quadrilaterals on the sky, and give the fraction of the sky it covers.

    Parameters
    ----------
    path : Path
        FITS file.
    corners_ra_deg, corners_dec_deg : ndarray of float64, (n, 4)
        Corners in order around each, degrees.
    """
    outlines = [vertices for pair in zip(corners_ra_deg, corners_dec_deg, strict=True) for vertices in pair]
    first, *others = MOC.from_polygons(outlines, max_depth=ORDER, n_threads=1)
    moc = first.union(*others) if others else first
    fits.write_hdus(path, moc.serialize("fits"))
    return float(moc.sky_fraction)
