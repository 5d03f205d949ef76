"""Images of stacks written as files, in the layouts of several makers."""

import numpy as np
from astropy.io import fits

SHAPE = (19, 23)
SIGMA = 2.0


def science(seed=1, shape=SHAPE):
    return np.random.default_rng(seed).normal(100, SIGMA, shape).astype(np.float32)


def four_hdus(path, planes, names=None, mjd=59000.25):
    """Write planes after a primary HDU that holds the time alone, as kbmod's files have them; a table comes last."""
    names = names or [""] * len(planes)
    primary = fits.PrimaryHDU(header=fits.Header({"MJD": mjd}))
    table = fits.BinTableHDU.from_columns([fits.Column("x", "D", array=np.zeros(2))], name="SOURCES")
    hdus = [fits.ImageHDU(plane, name=name or None) for plane, name in zip(planes, names, strict=True)]
    fits.HDUList([primary, *hdus, table]).writeto(path)
    return path
