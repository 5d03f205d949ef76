"""Rotated frames onto one grid and added up: ours, SWarp and reproject, and what each does to the stars.

The same FITS files go in, and the same grid comes out. Stars are Gaussians integrated over the pixels, on a flat sky,
so that their fluxes and widths are known.
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import sep
from astropy.io import fits
from astropy.wcs import WCS
from scipy.special import ndtr

from benches.measure import Row, cost
from lostlight.science.mosaic.warp.nodes import route
from lostlight.science.mosaic.warp.warp import WarpRules, warp
from lostlight.science.mosaic.window import Window

SIDE, FRAMES, STARS, REPEATS = 2000, 12, 400, 3
SHAPE = (5740, 5740)
ARCSEC, FWHM_PX, FLUX, SKY, NOISE = 1.0, 2.6, 50_000.0, 100.0, 2.0
APERTURE, BAND = 7.0, 512
SWARP = """-IMAGEOUT_NAME {out} -WEIGHTOUT_NAME {weight} -RESAMPLING_TYPE LANCZOS3 -COMBINE_TYPE {combine}
-SUBTRACT_BACK N -WEIGHT_TYPE NONE -FSCALE_KEYWORD NOKEY -FSCALASTRO_TYPE NONE -NTHREADS 1 -VERBOSE_TYPE QUIET
-WRITE_XML N -RESAMPLE_DIR {folder} -DELETE_TMPFILES Y -CENTER_TYPE MANUAL -CENTER 150.0,30.0 -PIXELSCALE_TYPE MANUAL
-PIXEL_SCALE 1.0 -IMAGE_SIZE 5740,5740 -PROJECTION_TYPE TAN"""


def rows(folder: Path, full: bool) -> Iterator[Row]:
    """Give seconds, and error of the flux and width of the stars, of each."""
    files, sky = simulate(folder)
    grid = _grid(SHAPE, 0.0, (150.0, 30.0))
    ours = {kernel: _best(lambda kernel=kernel: coadd(files, grid, kernel)) for kernel in ("cubic", "lanczos3")}
    peers = {}
    if swarp := shutil.which("SWarp") or shutil.which("swarp"):
        peers["SWarp LANCZOS3 average", ">= 1.5x"] = _best(lambda: _swarp(folder, swarp, files, "AVERAGE"))
        peers["SWarp LANCZOS3 weighted", ">= 1.5x"] = _best(lambda: _swarp(folder, swarp, files, "WEIGHTED"))
    peers["reproject_and_coadd bilinear", ">= 6x"] = _best(lambda: _reproject(files, grid), 0)
    for kernel, (cpu_s, wall_s, image) in ours.items():
        flux, width = _stars(image, grid, sky)
        for (peer, bar), (peer_cpu_s, peer_wall_s, theirs) in peers.items():
            their_flux, their_width = _stars(theirs, grid, sky)
            what = f"warp + add 12 x 4 Mpx, {kernel}, {peer}"
            yield Row(what, cpu_s, peer_cpu_s, "CPU s", bar)
            yield Row("  the same", wall_s, peer_wall_s, "wall s", bar)
            yield Row("  error of the flux", flux, their_flux, "%", "<= 0.2")
            yield Row("  stars wider than drawn by", width, their_width, "%", "no wider")


def simulate(folder: Path) -> tuple[list[Path], tuple[np.ndarray, np.ndarray]]:
    """Write frames turned by up to 15 degrees about neighbouring centres, and give the places of their stars."""
    rng = np.random.default_rng(5)
    reach = 0.35
    ra, dec = 150 + rng.uniform(-reach, reach, STARS) / np.cos(np.radians(30)), 30 + rng.uniform(-reach, reach, STARS)
    files = []
    for i in range(FRAMES):
        row, column = divmod(i, 4)
        centre = 150 + (column - 1.5) * 0.3 / np.cos(np.radians(30)), 30 + (row - 1) * 0.3
        wcs = _grid((SIDE, SIDE), rng.uniform(-15, 15), centre)
        data = SKY + rng.normal(0, NOISE, (SIDE, SIDE))
        for x, y in zip(*wcs.all_world2pix(ra, dec, 0), strict=True):
            _plant(data, x, y)
        files.append(folder / f"frame_{i:02d}.fits")
        fits.PrimaryHDU(data.astype(np.float32), wcs.to_header()).writeto(files[-1])
    return files, (ra, dec)


def coadd(files: list[Path], grid: WCS, kernel: str) -> np.ndarray:
    """Resample and take the mean by feathered weights, a band of the grid at a time."""
    total, weights = np.zeros(SHAPE, np.float32), np.zeros(SHAPE, np.float32)
    rules = WarpRules(kernel)
    for file in files:
        with fits.open(file, memmap=True) as hdus:
            data = hdus[0].data
            way = route(grid, SHAPE, WCS(hdus[0].header), data.shape)
            for y0 in range(way.window.y0, way.window.y0 + way.window.height, BAND):
                window = Window(y0, 0, BAND, SHAPE[1]).meet(way.window)
                part = warp(lambda a, b, data=data: data[None, a:b], data.shape, 1, way, window, rules, backend="numba")
                product = part.data[0] * part.weight
                total[window.slices] += np.where(part.weight > 0, product, 0)
                weights[window.slices] += part.weight
    with np.errstate(invalid="ignore"):
        return total / weights


def _grid(shape: tuple[int, int], turn_deg: float, centre: tuple[float, float]) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ("RA---TAN", "DEC--TAN"), centre
    wcs.wcs.crpix = (shape[1] + 1) / 2, (shape[0] + 1) / 2
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    wcs.wcs.cd = ARCSEC / 3600 * np.array([[-c, s], [s, c]])
    wcs.wcs.set()
    return wcs


def _plant(data: np.ndarray, x: float, y: float) -> None:
    """Add a Gaussian star, integrated over each pixel."""
    if not (10 < x < SIDE - 11 and 10 < y < SIDE - 11):
        return
    sigma, corner = FWHM_PX / 2.3548, (int(np.rint(x)) - 10, int(np.rint(y)) - 10)
    across, up = (
        np.diff(ndtr((np.arange(first, first + 22) - 0.5 - at) / sigma))
        for first, at in zip(corner, (x, y), strict=True)
    )
    data[corner[1] : corner[1] + 21, corner[0] : corner[0] + 21] += FLUX * np.outer(up, across)


def _swarp(folder: Path, program: str, files: list[Path], combine: str) -> np.ndarray:
    out = folder / "swarp.fits"
    words = SWARP.format(out=out, weight=folder / "weight.fits", folder=folder, combine=combine).split()
    subprocess.run([program, *map(str, files), "-c", "/dev/null", *words], check=True, capture_output=True, cwd=folder)
    return fits.getdata(out)


def _reproject(files: list[Path], grid: WCS) -> np.ndarray:
    from reproject import reproject_interp
    from reproject.mosaicking import reproject_and_coadd

    inputs = [(fits.getdata(file), WCS(fits.getheader(file))) for file in files]
    return reproject_and_coadd(inputs, grid, shape_out=SHAPE, reproject_function=reproject_interp, order="bilinear")[0]


def _best(work: Callable[[], np.ndarray], repeats: int = REPEATS - 1) -> tuple[float, float, np.ndarray]:
    """Least CPU and wall seconds of several times; the first, which compiles, counts only where it is the only one."""
    spent = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        with cost() as used:
            image = work()
        spent.append((used.cpu_s, time.perf_counter() - start))
    least = spent[1:] or spent
    return min(cpu for cpu, _ in least), min(wall for _, wall in least), image


def _stars(image: np.ndarray, grid: WCS, sky: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """Error of the flux in a wide aperture, and how much wider stars are than drawn: medians, in per cent."""
    x, y = grid.all_world2pix(*sky, 0)
    apart = np.hypot(x[:, None] - x, y[:, None] - y) + 1e9 * np.eye(len(x))
    alone = apart.min(axis=1) > 40
    # The files of some peers hold 0 where there is nothing.
    clean = np.nan_to_num(np.ascontiguousarray(image, dtype=np.float32))
    x, y = x[alone], y[alone]
    flux, _, _ = sep.sum_circle(clean, x, y, APERTURE, bkgann=(12, 18), subpix=0)
    moments = [second_moment(clean, *place) for place in zip(x, y, strict=True)]
    # A pixel widens what it integrates by its own second moment, 1/12.
    drawn = (FWHM_PX / 2.3548) ** 2 + 1 / 12
    return float(abs(np.nanmedian(flux) / FLUX - 1) * 100), float((np.sqrt(np.nanmedian(moments) / drawn) - 1) * 100)


def second_moment(image: np.ndarray, x: float, y: float, fwhm_px: float = FWHM_PX) -> float:
    """Second moment of a star within a Gaussian window of its own width, corrected for the window."""
    i, j = int(np.rint(x)), int(np.rint(y))
    stamp = image[j - 9 : j + 10, i - 9 : i + 10].astype(float)
    if stamp.shape != (19, 19):
        return np.nan
    v, u = np.mgrid[j - 9 : j + 10, i - 9 : i + 10]
    r2 = (u - x) ** 2 + (v - y) ** 2
    stamp = stamp - np.median(stamp[r2 > 49])
    width = (fwhm_px / 2.3548) ** 2
    weight = stamp * np.exp(-r2 / (2 * width))
    seen = (weight * r2).sum() / weight.sum() / 2
    return 1 / (1 / seen - 1 / width)
