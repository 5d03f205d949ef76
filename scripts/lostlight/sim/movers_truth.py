"""The truth behind a simulated field of movers: who is where, how bright, and how it moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from lostlight.sim.cells import stream
from lostlight.sim.movers_orbits import helio_au, path

if TYPE_CHECKING:
    from lostlight.sim.movers import Movers

Values = NDArray[np.float64]

_KINDS = ("stars", "saturated stars", "galaxies")
_MARGIN_PX = 20.0
_DAY_H = 24.0


def stars_of(scene: Movers) -> Table:
    """Scatter stars, saturated ones and galaxies over the field of all images.

    Returns
    -------
    Table
        ra_deg, dec_deg, flux (adu at throughput 1), width (over that of a star; 1 for stars).
    """
    design, seed = scene.design, scene.seed
    ny, nx = design.shape
    margin = _MARGIN_PX + design.dither_px
    n = design.n_stars, design.n_saturated, design.n_galaxies
    spread = [stream(seed, f"movers {name}").random((2, k)) for name, k in zip(_KINDS, n, strict=True)]
    y, x = np.hstack(spread) * np.array([[ny + 2 * margin], [nx + 2 * margin]]) - margin
    # Those that saturate are on all images.
    mine = slice(n[0], n[0] + n[1])
    y[mine], x[mine] = (0.15 + 0.7 * spread[1]) * np.array([[ny], [nx]])
    # As many stars again for every 0.3 mag / log10(2): the counts of the sky rise about so.
    faintest, brightest = np.array(design.flux) ** -0.75
    flux = stream(seed, "movers fluxes").uniform(brightest, faintest, n[0]) ** (-1 / 0.75)
    core = np.pi / (4 * np.log(2)) * design.fwhm_px**2
    rng = stream(seed, "movers blurs")
    ra, dec = scene.wcs(0).wcs_pix2world(x, y, 0)
    return Table(
        {
            "ra_deg": ra,
            "dec_deg": dec,
            "flux": np.concatenate([
                flux,
                np.full(n[1], 3 * design.saturate * core),
                np.exp(rng.uniform(*np.log([np.sqrt(np.prod(design.flux)), design.flux[1]]), n[2])),
            ]),
            "width": np.concatenate([np.ones(n[0] + n[1]), rng.uniform(2, 4, n[2])]),
        }
    )  # fmt: skip


def bodies_of(scene: Movers, mjd: Values) -> Values:
    """Tell where the bodies are at some times (T,): ra and dec in degrees, (2, n, T)."""
    design, (ny, nx) = scene.design, scene.design.shape
    middle = (scene.mjd_mid[0] + scene.mjd_mid[-1]) / 2
    places = np.empty((2, len(design.bodies), len(mjd)))
    for k, body in enumerate(design.bodies):
        ra, dec = scene.wcs(0).wcs_pix2world(body.at[1] * (nx - 1), body.at[0] * (ny - 1), 0)
        places[:, k] = path(body, float(ra), float(dec), middle, mjd)
    return places


def truth_of(scene: Movers) -> Table:
    """List the bodies: place, motion and flux at the earliest image, in its zero-based pixels.

    Motion in pixels is the straight line from first to last image on the pixels of the first; snr_stack is that of
    a matched filter over all images, from the profile's own noise pixels.
    """
    design, mjd = scene.design, scene.mjd_mid
    ra, dec = bodies_of(scene, mjd)
    x, y = scene.wcs(0).wcs_world2pix(ra.ravel(), dec.ravel(), 0)
    x, y = np.reshape(x, ra.shape), np.reshape(y, ra.shape)
    days = max(mjd[-1] - mjd[0], 1e-9)
    hours = _DAY_H * days
    east = ((ra[:, -1] - ra[:, 0] + 180) % 360 - 180) * np.cos(np.radians(dec.mean(axis=1))) * 3600 / hours
    north = (dec[:, -1] - dec[:, 0]) * 3600 / hours
    noise = _noise_of_flux(scene)
    flux = np.array([body.snr for body in design.bodies]) * np.median(noise)
    snr = np.sqrt(np.sum((flux[:, None] * scene.throughput / noise) ** 2, axis=1))
    return Table(
        {
            "name": [f"body-{k + 1}" for k in range(len(design.bodies))],
            "mjd_ref": np.full(len(design.bodies), mjd[0]),
            "ra_deg": ra[:, 0],
            "dec_deg": dec[:, 0],
            "x_px": x[:, 0],
            "y_px": y[:, 0],
            "vx_px_day": (x[:, -1] - x[:, 0]) / days,
            "vy_px_day": (y[:, -1] - y[:, 0]) / days,
            "rate_arcsec_h": np.hypot(east, north),
            "pa_deg": np.degrees(np.arctan2(east, north)) % 360,
            "flux_adu": flux,
            "mag": design.zero_mag - 2.5 * np.log10(flux),
            "snr_stack": snr,
            "delta_au": [body.delta_au for body in design.bodies],
            "r_helio_au": [
                helio_au(body, *at, (mjd[0] + mjd[-1]) / 2)
                for body, at in zip(design.bodies, zip(ra.mean(axis=1), dec.mean(axis=1), strict=True), strict=True)
            ],
        }
    )


def _noise_of_flux(scene: Movers) -> Values:
    """Give the noise of a faint flux on each image: matched filter, Moffat's profile on a sky of white noise."""
    alpha = scene.fwhm_px / (2 * np.sqrt(2 ** (1 / scene.design.beta) - 1))
    beta = scene.design.beta
    pixels = np.pi * alpha**2 * (2 * beta - 1) / (beta - 1) ** 2
    return np.asarray(scene.sigma_adu * np.sqrt(pixels))
