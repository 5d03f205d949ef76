"""All of step 12 on dithered, turned frames, beside Siril and SWarp on the same files, and what became of the stars.

Siril registers by the stars and rejects winsorized; SWarp takes the sky solutions and clips. Where our time goes is
told by kind of unit. Memory is the high-water mark of a process, or of the largest of its children.
"""

import json
import shutil
import subprocess
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sep
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from benches.measure import Row
from benches.warp import second_moment
from lostlight.sim.mosaics import Scene, scene, write

SIDE, FRAMES, MEMORY_MB, FIXED_MB = 2000, 30, 256, 300
APERTURE_PX, BRIGHT, ALONE_PX, MARGIN_PX = 8.0, 20_000.0, 40.0, 120
SCENE = {"layout": (1, 1), "tile_px": (SIDE, SIDE), "n_per_tile": FRAMES, "n_stars": 3000, "flux": (1e3, 3e5),
         "rotation_deg": 2, "dither_px": 40, "gains": 0.0, "nebula": 0.0, "trails": 1, "cosmics": 400}  # fmt: skip
STEP = """
import json, sys
from pathlib import Path
from lostlight import chain
from lostlight.core import config
made = {"mosaic": json.loads(sys.argv[3]), "run": {"memory_mb": int(sys.argv[4])}}
list(chain.walk(config.check(made), Path(sys.argv[2]), steps=("12_mosaic",), workers=int(sys.argv[5])))
"""
ASKED = """
import os, sys
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(child, 0)
print(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(status != 0)
"""
"""A small process between, for a child is charged with the memory of the one that it was split from."""
SIRIL = """requires 1.0.0
setext fit
set32bits
setcpu 2
register f_
stack r_f_ rej w 3 3 -norm=addscale -out=siril
close
"""
SWARP = """-IMAGEOUT_NAME swarp.fits -WEIGHTOUT_NAME weight.fits -RESAMPLING_TYPE LANCZOS3 -COMBINE_TYPE CLIPPED
-SUBTRACT_BACK Y -WEIGHT_TYPE NONE -FSCALE_KEYWORD NOKEY -FSCALASTRO_TYPE NONE -NTHREADS 2 -VERBOSE_TYPE QUIET
-WRITE_XML N -DELETE_TMPFILES Y"""


@dataclass(frozen=True)
class Spent:
    """What a program took: CPU and wall seconds, children included, and its highest memory."""

    cpu_s: float
    wall_s: float
    peak_mb: float


class Seen(NamedTuple):
    """What a mosaic holds: error of the fluxes and how much wider stars are (%), noise, and what is left of flaws."""

    flux: float
    width: float
    noise: float
    trail: float
    cosmics: float


def rows(folder: Path, full: bool) -> Iterator[Row]:
    made = scene(7, **SCENE)
    files = write(folder / "frames", made)
    ours = spent(*step(folder / "frames", folder / "run"))
    own = look(made, *read(folder / "run/12_mosaic/products/mosaic.fits"))
    yield from parts(folder / "run/12_mosaic/timings.json")
    for name, program, prepare in (("Siril", "siril-cli", siril), ("SWarp CLIPPED", "SWarp", swarp)):
        if shutil.which(program):
            command, result = prepare(folder / program, files)
            theirs = spent(command, folder / program)
            image, wcs = read(result)
            if name == "Siril":
                _, wcs = read(files[0])
                image = flipped(made, image, wcs)
            yield from beside(name, ours, theirs, own, look(made, image, wcs))
    yield from memory(folder, files, full)


def parts(timings: Path) -> Iterator[Row]:
    """Where our time goes: CPU seconds of all units of a kind."""
    kinds: dict[str, float] = defaultdict(float)
    for unit, told in json.loads(timings.read_bytes()).items():
        kinds[unit.split("_")[0]] += told["cpu_s"]
    for kind, cpu_s in kinds.items():
        yield Row(f"  of it, {kind}", cpu_s, unit="CPU s")


def beside(name: str, ours: Spent, theirs: Spent, own: Seen, other: Seen) -> Iterator[Row]:
    """Compare one program with ours: what it took and what came out."""
    yield Row(f"step 12, 30 x 4 Mpx, files to mosaic and page, peer {name}", ours.cpu_s, theirs.cpu_s, "CPU s")
    yield Row("  the same", ours.wall_s, theirs.wall_s, "wall s")
    yield Row("  the same", ours.peak_mb, theirs.peak_mb, "MB")
    yield Row("  error of the flux", own.flux, other.flux, "%", "<= 0.2")
    yield Row("  stars wider than drawn by", own.width, other.width, "%", "no wider")
    yield Row("  noise of 5 x 5 px, over the best there is", own.noise, other.noise, "", "<= 1.05")
    yield Row("  left of a trail", own.trail, other.trail, "sigma", "<= 0.1")
    yield Row("  left of cosmic rays", own.cosmics, other.cosmics, "sigma", "<= 0.1")


def memory(folder: Path, files: Sequence[Path], full: bool) -> Iterator[Row]:
    """Highest memory of few frames and of many, of one colour and of three, with the budget that is the default."""
    for number, colours in ((10, 1), (200, 1), (10, 3), *([(200, 3)] if full else [])):
        frames = folder / f"memory_{number}_{colours}"
        frames.mkdir()
        for i in range(number):
            with fits.open(files[i % len(files)]) as hdus:
                data = hdus[0].data + np.float32(i // len(files))
                data = np.stack([data, 1.1 * data, 0.9 * data]).astype(np.float32) if colours == 3 else data
                fits.PrimaryHDU(data, hdus[0].header).writeto(frames / f"f_{i:03d}.fits")
        took = spent(*step(frames, folder / f"run_{number}_{colours}"))
        what = f"step 12, {number} x 4 Mpx, {colours} colour{'s' if colours > 1 else ''}, highest memory"
        yield Row(what, took.peak_mb, unit="MB", bar=f"<= {MEMORY_MB + FIXED_MB}")
        shutil.rmtree(frames)


def step(frames: Path, run: Path, workers: int = 1, **knobs: object) -> tuple[list[str], Path]:
    """Give the command that makes a mosaic of a folder, and where to call it."""
    settings = json.dumps({"frames": str(frames), **knobs})
    return [sys.executable, "-c", STEP, "-", str(run), settings, str(MEMORY_MB), str(workers)], frames.parent


def siril(folder: Path, files: Sequence[Path]) -> tuple[list[str], Path]:
    folder.mkdir()
    for i, file in enumerate(files, 1):
        (folder / f"f_{i:05d}.fit").hardlink_to(file)
    (folder / "stack.ssf").write_text(SIRIL)
    return ["siril-cli", "-d", str(folder), "-s", "stack.ssf"], folder / "siril.fit"


def swarp(folder: Path, files: Sequence[Path]) -> tuple[list[str], Path]:
    folder.mkdir()
    return ["SWarp", *map(str, files), "-c", "/dev/null", *SWARP.split()], folder / "swarp.fits"


def spent(command: Sequence[str], folder: Path) -> Spent:
    """Run a program, and ask the system what it took."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-S", "-c", ASKED, *command], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command[0]} failed: {done.stderr[-2000:]}")
    cpu_s, peak_kb = map(float, done.stdout.split()[-2:])
    return Spent(cpu_s, time.perf_counter() - start, peak_kb * 1024 / 1e6)


def read(path: Path) -> tuple[np.ndarray, WCS]:
    with fits.open(path) as hdus, warnings.catch_warnings(action="ignore", category=FITSFixedWarning):
        return np.squeeze(hdus[0].data).astype(np.float32), WCS(hdus[0].header).celestial


def flipped(made: Scene, image: np.ndarray, wcs: WCS) -> np.ndarray:
    """Turn rows round where they count from the top: stars tell, for they are brighter where they are."""
    x, y = wcs.all_world2pix(made.truth.stars["ra_deg"], made.truth.stars["dec_deg"], 0)
    inside = (x > 0) & (y > 0) & (x < image.shape[1] - 1) & (y < image.shape[0] - 1)
    at = np.rint([y[inside], x[inside]]).astype(int)
    return max((image, np.ascontiguousarray(image[::-1])), key=lambda each: float(np.nanmean(each[tuple(at)])))


def look(made: Scene, image: np.ndarray, wcs: WCS) -> Seen:
    """Measure a mosaic against the truth, in units of its own brightest stars: peers have scales of their own."""
    x, y, flux = _alone(made, wcs, image.shape)
    clean = np.nan_to_num(np.ascontiguousarray(image))
    found, _, _ = sep.sum_circle(clean, x, y, APERTURE_PX, bkgann=(14, 20), subpix=0)
    brightest = flux > np.median(flux)
    scale = np.median(found[brightest] / flux[brightest])
    # The scale itself is a matter of convention: Siril gives parts of 65535. That of each star against it is not.
    error = np.median(np.abs(found / flux / scale - 1))
    own = np.mean([frame.fwhm_px for frame in made.truth.frames])
    moments = [second_moment(clean, *place, own) for place in zip(x, y, strict=True)]
    width = np.sqrt(np.nanmedian(moments) / ((own / 2.3548) ** 2 + 1 / 12)) - 1
    rest = image / scale - made.truth.image(wcs, image.shape, np.sqrt(np.nanmedian(moments) - 1 / 12) * 2.3548)[0]
    rest[~np.isfinite(image) | (image == 0)] = np.nan
    sigma = made.design.sigma / np.sqrt(FRAMES)
    noise, quiet = _noise(made, wcs, rest)
    trail, cosmics = (_left(rest, places, quiet) for places in _flaws(made, wcs, image.shape))
    return Seen(100 * float(error), 100 * float(width), noise * 5 / sigma, trail / sigma, cosmics / sigma)


def _alone(made: Scene, wcs: WCS, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places and fluxes of bright stars without a neighbour, away from the rim."""
    stars = made.truth.stars
    x, y = wcs.all_world2pix(stars["ra_deg"], stars["dec_deg"], 0)
    flux = np.asarray(stars["flux"])
    inside = (x > MARGIN_PX) & (y > MARGIN_PX) & (x < shape[1] - MARGIN_PX) & (y < shape[0] - MARGIN_PX)
    chosen = np.flatnonzero(inside & (flux > BRIGHT))
    apart = np.hypot(x[chosen, None] - x, y[chosen, None] - y)
    apart[np.arange(len(chosen)), chosen] = np.inf
    chosen = chosen[apart.min(axis=1) > ALONE_PX / 2]
    return x[chosen], y[chosen], flux[chosen]


def _noise(made: Scene, wcs: WCS, rest: np.ndarray) -> tuple[float, np.ndarray]:
    """Scatter of the means of 5 x 5 px, which resampling does not smooth, and the pixels away from stars and rim."""
    light = made.truth.image(wcs, rest.shape, 2 * made.design.fwhm_px)[0]
    quiet = np.zeros(rest.shape, bool)
    quiet[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX] = True
    quiet &= light < 0.05 * made.design.sigma
    ny, nx = (side // 5 for side in rest.shape)
    blocks = np.where(quiet, rest, np.nan)[: 5 * ny, : 5 * nx].reshape(ny, 5, nx, 5).mean(axis=(1, 3))
    steps = np.diff(blocks, axis=1)
    return 1.4826 * float(np.nanmedian(np.abs(steps))) / np.sqrt(2), quiet


def _flaws(made: Scene, wcs: WCS, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Mark where a trail went on any frame, and where cosmic rays did."""
    trails, cosmics = np.zeros(shape, bool), np.zeros(shape, bool)
    for frame in made.truth.frames:
        for trail in frame.trails:
            _mark(trails, wcs, frame.wcs, np.linspace(trail.start, trail.end, 6 * SIDE).T)
        _mark(cosmics, wcs, frame.wcs, np.nonzero(frame.cosmics > 5 * made.design.sigma)[::-1])
    return trails, cosmics


def _mark(marks: np.ndarray, wcs: WCS, own: WCS, places: Sequence[np.ndarray]) -> None:
    x, y = np.rint(wcs.all_world2pix(*own.all_pix2world(*places, 0), 0)).astype(int)
    inside = (x >= 0) & (y >= 0) & (x < marks.shape[1]) & (y < marks.shape[0])
    marks[y[inside], x[inside]] = True


def _left(rest: np.ndarray, marks: np.ndarray, quiet: np.ndarray) -> float:
    """Mean of what is left on marked pixels, above that of all others."""
    return abs(float(np.nanmean(rest[marks & quiet]) - np.nanmean(rest[quiet & ~marks])))
