"""Stars for a simulated camera: those of the simulated sky or random ones, and their light on the pixels."""

from functools import cache

import numpy as np
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.special import erf

from lostlight.sim.camera_design import Scene
from lostlight.sim.cells import stream
from lostlight.sim.plates import Layout
from lostlight.sim.sources import KINDS, at_epoch, offset, separation_deg
from lostlight.sim.truth import Truth

Image = NDArray[np.float64]

COLOUR_TERM = {"B": 1.0, "G": 0.45, "V": 0.45, "I": -0.5}
"""Magnitude through a filter less the red one, per magnitude of B-R; 0 for filters not listed."""

_SHOWN = tuple(KINDS.index(kind) for kind in ("star", "variable", "vanished_C"))
_BRIGHTEST, _FAINTEST = 11.0, 18.0
_REACH_FWHM = 6


def field_stars(seed: int, scene: Scene, radius_deg: float) -> Table:
    """List the stars around the middle of a scene.

    Parameters
    ----------
    seed : int
        Of the camera, for random stars.
    scene : Scene
    radius_deg : float

    Returns
    -------
    astropy.table.Table
        ra_deg, dec_deg (at the epoch of the scene), mag_r, colour (B-R).
    """
    if scene.sky is None:
        return _random_stars(seed, scene, radius_deg)
    sources = _truth(scene.sky).around(scene.ra_deg, scene.dec_deg, radius_deg)
    sources = sources[np.isin(sources["kind"], _SHOWN) & np.isfinite(sources["mag_later"])]
    ra, dec = at_epoch(sources, scene.epoch_yr)
    stars = Table({"ra_deg": ra, "dec_deg": dec, "mag_r": sources["mag_later"], "colour": sources["colour"]})
    return stars[separation_deg(ra, dec, scene.ra_deg, scene.dec_deg) < radius_deg]


def star_light(
    stars: Table, wcs: WCS, scene: Scene, shape: tuple[int, int], exptime_s: float, band: str
) -> tuple[Image, Table]:
    """Put the light of stars on the pixels of an even camera.

    Parameters
    ----------
    stars : Table
        As of `field_stars`.
    wcs : WCS
        Of the pixels that see light.
    scene : Scene
    shape : tuple of int
        (ny, nx).
    exptime_s : float
    band : str
        Filter.

    Returns
    -------
    light_e : ndarray of float64, (ny, nx)
        Electrons.
    shown : Table
        The stars whose middle is on the frame, with x_px, y_px (zero-based) and flux_e added.
    """
    x, y = wcs.wcs_world2pix(stars["ra_deg"], stars["dec_deg"], 0)
    mag = stars["mag_r"] + COLOUR_TERM.get(band, 0.0) * stars["colour"]
    flux = np.asarray(exptime_s * 10 ** (-0.4 * (mag - scene.zero_mag)))
    light = np.zeros(shape)
    for star in zip(x, y, flux, strict=True):
        _add_star(light, *star, scene)
    shown = stars.copy()
    shown["x_px"], shown["y_px"], shown["flux_e"] = x, y, flux
    inside = (x > -0.5) & (x < shape[1] - 0.5) & (y > -0.5) & (y < shape[0] - 0.5)
    return light, shown[inside]


def _add_star(image: Image, x: float, y: float, flux_e: float, scene: Scene) -> None:
    reach = int(np.ceil(_REACH_FWHM * scene.fwhm_px))
    rows, columns = (
        np.arange(max(0, round(at) - reach), min(n, round(at) + reach + 1))
        for at, n in zip((y, x), image.shape, strict=True)
    )
    if not (len(rows) and len(columns)):
        return
    if scene.moffat_beta is None:
        stamp = np.outer(_integral(rows - y, scene.fwhm_px), _integral(columns - x, scene.fwhm_px))
    else:
        stamp = _moffat(rows - y, columns - x, scene.fwhm_px, scene.moffat_beta)
    image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += flux_e * stamp


def _integral(distance_px: Image, fwhm_px: float) -> Image:
    """Integrate a unit Gaussian over pixels at distances from its middle."""
    width = fwhm_px / np.sqrt(4 * np.log(2))
    return 0.5 * (erf((distance_px + 0.5) / width) - erf((distance_px - 0.5) / width))


def _moffat(dy_px: Image, dx_px: Image, fwhm_px: float, beta: float) -> Image:
    """Sample Moffat's profile (1969) of unit flux, averaged over five by five points in each pixel."""
    core = fwhm_px / (2 * np.sqrt(2 ** (1 / beta) - 1))
    points = np.linspace(-0.4, 0.4, 5)
    y2, x2 = ((d[:, None] + points) ** 2 for d in (dy_px, dx_px))
    profile = (1 + (y2[:, :, None, None] + x2) / core**2) ** -beta
    return (beta - 1) / (np.pi * core**2) * profile.mean(axis=(1, 3))


def _random_stars(seed: int, scene: Scene, radius_deg: float) -> Table:
    rng = stream(seed, "camera stars")
    n = scene.n_stars
    east, north = rng.uniform(-1, 1, (2, n)) * radius_deg * 3600
    ra, dec = offset(np.full(n, scene.ra_deg), np.full(n, scene.dec_deg), east, north)
    # As many stars again for every 0.3 mag / log10(2): the counts of the sky rise about so.
    counts = rng.uniform(10 ** (0.3 * _BRIGHTEST), 10 ** (0.3 * _FAINTEST), n)
    colour = np.clip(1.3 + 0.5 * rng.standard_normal(n), -0.3, 3.6)
    return Table({"ra_deg": ra, "dec_deg": dec, "mag_r": np.log10(counts) / 0.3, "colour": colour})


@cache
def _truth(seed: int) -> Truth:
    return Truth(seed, Layout(seed))
