"""A small field for tests of the injector: a few images of two nights, dithered and turned, with gaps."""

import numpy as np
from astropy.wcs import WCS

from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject.psf import gaussian, moffat

SHAPE = (187, 223)
SCALE = 0.26
CENTRE = 180.3, 0.2
"""Opposite to the Sun on MJD 60754.7."""


def sky(dx=0.0, dy=0.0, turned_deg=0.0, scale=SCALE, centre=CENTRE):
    """A tangential projection, north up and east left, shifted and turned."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = list(centre)
    wcs.wcs.crpix = [SHAPE[1] / 2 + dx, SHAPE[0] / 2 + dy]
    cos, sin = np.cos(np.radians(turned_deg)), np.sin(np.radians(turned_deg))
    wcs.wcs.cd = np.array([[-cos, sin], [sin, cos]]) * scale / 3600
    wcs.wcs.set()
    return wcs


def epochs(n=5, hours=0.6, exptime_s=100.0, dithers=True, gain=2.0, on_sky=True, psfs=None, mjd=60754.6):
    """What is known of the images."""
    rng = np.random.default_rng(17)
    shifts = rng.uniform(-6, 6, (n, 3)) if dithers else np.zeros((n, 3))
    shifts[0] = 0
    one = sky()
    wcs = tuple(sky(*s[:2], s[2] / 30) if dithers else one for s in shifts) if on_sky else (None,) * n
    widths = 2.6 + 0.2 * (np.arange(n) % 3)
    return Epochs(
        ids=tuple(f"e{t:02d}" for t in range(n)),
        shape=SHAPE,
        mjd_mid=mjd + np.arange(n) * hours / 24,
        exptime_s=np.full(n, exptime_s),
        wcs=wcs,
        psfs=psfs or tuple(moffat(w, 3.5) if t % 2 else gaussian(w) for t, w in enumerate(widths)),
        sigma_adu=4.0 + 0.5 * (np.arange(n) % 2),
        gain_e_adu=np.full(n, gain),
        zero_mag=np.full(n, 27.0),
        scale=np.ones(n),
        filters=("r",) * n,
    )


def bad_pixels(n=5):
    """A gap between two chips, and a bad row, on each image."""
    bad = np.zeros((n, *SHAPE), bool)
    bad[:, :, 100:109] = True
    bad[:, 60] = True
    return bad


def images(known, seed=5):
    """Noise of the images, float32, with some pixels that have no value."""
    rng = np.random.default_rng(seed)
    made = [rng.normal(0, s, known.shape).astype(np.float32) for s in known.sigma_adu]
    for image in made:
        image[3, 5:9] = np.nan
    return made
