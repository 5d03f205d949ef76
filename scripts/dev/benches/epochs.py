"""Images of a stack: what it costs to measure one, and to bring it to the grid of its stack, beside reproject."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from astropy.wcs import WCS

from benches.measure import Row, cost
from lostlight.science.epochs.background import sky_mesh
from lostlight.science.epochs.grid import Grid
from lostlight.science.epochs.noise import noise_of
from lostlight.science.epochs.psf_fit import measure_psf
from lostlight.science.epochs.register import register
from lostlight.science.inject.psf import gaussian
from lostlight.science.mosaic.warp.nodes import route
from lostlight.science.mosaic.warp.warp import WarpRules, warp
from lostlight.science.mosaic.window import Window
from lostlight.sim.movers import Movers

SIDE, STARS, BIG, REPEATS = 512, 80, 2048, 4
RATES = {"linear": 20.0, "cubic": 8.0, "lanczos3": 8.0}
"""Millions of pixels per core-second, with the map."""


def rows(folder: Path, full: bool) -> Iterator[Row]:
    """Give the seconds of each measurement and the rate of each resampling."""
    made = Movers(1, shape=(SIDE, SIDE), n_stars=STARS, fwhm_px=3.5, flux=(10_000, 200_000))
    image, bad = made.image(0), np.zeros((SIDE, SIDE), bool)
    sky_s, sky = best(lambda: sky_mesh(image, bad))
    light = image - sky.level_map
    noise_s, noise = best(lambda: noise_of(light, sky.rms_map, bad, sky.sources))
    psf_s, psf = best(lambda: measure_psf(light, noise.variance, saturate=4e4, gain=made.design.gain_e_adu))
    yield Row("P10 sky of 512 x 512", 1000 * sky_s, unit="CPU ms")
    yield Row("P10 noise of 512 x 512", 1000 * noise_s, unit="CPU ms")
    yield Row(f"P10 PSF of 512 x 512, {psf.n_stars} stars", psf_s, unit="CPU s", bar="<= 0.5")
    yield Row("P10 error of its width", 100 * (psf.fwhm_px / made.fwhm_px[0] - 1), unit="%", bar="|..| <= 1")
    yield from _resampling()


def _resampling() -> Iterator[Row]:
    image = np.random.default_rng(1).normal(0, 5, (BIG, BIG)).astype(np.float32)
    own, grid = _wcs(0.5, 30.4), Grid(_wcs(0.0, 30.0), (BIG, BIG), 0, 0)
    megapixels = BIG * BIG / 1e6
    theirs = megapixels / best(lambda: _reproject(image, own, grid), 1)[0]
    for kernel, bar in RATES.items():
        rate = megapixels / best(lambda kernel=kernel: _warped(image, own, grid, kernel))[0]
        what = f"P11 1 Mpx resampled, {kernel}, peer reproject_interp"
        yield Row(what, 1 / rate, 1 / theirs, "CPU s", f"<= {1 / bar:.3g} ({rate:.3g} Mpx/CPU s)")
    variance, bad = np.full_like(image, 25), np.zeros(image.shape, bool)
    for kernel in RATES:
        used, _ = best(lambda kernel=kernel: register(image, variance, bad, own, grid, gaussian(2.5), kernel), 2)
        yield Row(f"P11 registration with its noise, {kernel}", megapixels / used, unit="Mpx/CPU s")


def _wcs(turn_deg: float, shift_px: float) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ("RA---TAN", "DEC--TAN"), (10.0, 45.0)
    wcs.wcs.crpix = BIG / 2 + shift_px, BIG / 2
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    wcs.wcs.cd = 0.3 / 3600 * np.array([[-c, s], [s, c]])
    wcs.wcs.set()
    return wcs


def _warped(image: np.ndarray, own: WCS, grid: Grid, kernel: str) -> np.ndarray:
    way = route(grid.wcs, grid.shape, own, image.shape)
    rules = WarpRules(kernel, edge_px=0, jacobian="variable", feather_px=0)
    window = Window(0, 0, *grid.shape)
    return warp(lambda a, b: image[None, a:b], image.shape, 1, way, window, rules, backend="numba").data


def _reproject(image: np.ndarray, own: WCS, grid: Grid) -> np.ndarray:
    from reproject import reproject_interp

    return reproject_interp((image, own), grid.wcs, grid.shape, order="bilinear", return_footprint=False)


def best(work: Callable[[], Any], repeats: int = REPEATS) -> tuple[float, Any]:
    """Give the least CPU seconds of several times, the first left out, and what came of it."""
    result, spent = work(), []
    for _ in range(repeats):
        with cost() as used:
            result = work()
        spent.append(used.cpu_s)
    return min(spent), result
