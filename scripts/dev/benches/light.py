"""A light minus bias and dark over the flat: ours, ccdproc and Siril on the same frames, pixels compared."""

import shutil
import subprocess
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import astropy.units as u
import ccdproc
import numpy as np
from astropy.io import fits
from astropy.nddata import CCDData, StdDevUncertainty

from benches.measure import Row, cost
from lostlight.io.rows import RowReader
from lostlight.science.calibrate.light import Light, calibrate_light
from lostlight.science.calibrate.light_recipe import Recipe
from lostlight.science.calibrate.planes import Planes

GAIN_E_ADU, READ_NOISE_E, BIAS_ADU, DARK_ADU, SKY_ADU = 1.5, 8.0, 500.0, 20.0, 900.0
FEW, MANY = 2, 12
SCRIPT = "requires 1.0.0\nsetcompress 0\nset32bits\npreprocess light_ -bias=dark -flat=flat\n"


def rows(folder: Path, full: bool) -> Iterator[Row]:
    side = 4096 if full else 2048
    raw, recipe = _scene(side, np.random.default_rng(11))
    best = 5
    title = f"light {side}x{side}"
    whole, whole_s = _least(lambda: calibrate_light(raw, recipe), best)
    yield Row(f"{title}, pixels, UNCERT and DQ", 1000 * whole_s, unit="CPU ms", bar=f"<= {80 * side**2 / 2**22:.0f}")
    bare, bare_s = _least(lambda: calibrate_light(raw, _only_pixels(recipe)), best)
    yield Row(f"{title}, pixels alone", 1000 * bare_s, unit="CPU ms", bar=f"<= {30 * side**2 / 2**22:.0f}")
    _same("ours with and without uncertainty", bare.data, whole.data, 0)
    theirs, theirs_s = _least(lambda: _ccdproc(raw, recipe), best)
    _agree(whole, theirs)
    yield Row(f"{title}, with UNCERT and mask, peer ccdproc", 1000 * whole_s, 1000 * theirs_s, "CPU ms", ">= 5x")
    if shutil.which("siril-cli"):
        yield from _beside_siril(folder, title, raw, recipe)


def _scene(side: int, rng: np.random.Generator) -> tuple[np.ndarray, Recipe]:
    y, x = np.mgrid[:side, :side] / side - 0.5
    flat = (1.1 - 0.8 * (x**2 + y**2)).astype(np.float32)
    light = rng.poisson((SKY_ADU * flat + DARK_ADU) * GAIN_E_ADU) / GAIN_E_ADU
    raw = light + BIAS_ADU + READ_NOISE_E / GAIN_E_ADU * rng.standard_normal((side, side))
    bias = _master(np.full_like(flat, BIAS_ADU), 1.5, rng)
    dark, flat = _master(np.full_like(flat, DARK_ADU), 1.2, rng), _master(flat, 0.002, rng)
    recipe = Recipe(bias=bias, dark=dark, flat=flat, egain_e_adu=GAIN_E_ADU, rdnoise_e=READ_NOISE_E, step_adu=0)
    return np.round(raw).astype(np.uint16), recipe


def _master(pixels: np.ndarray, sigma: float, rng: np.random.Generator) -> Planes:
    noisy = pixels + sigma * rng.standard_normal(pixels.shape, dtype=np.float32)
    return Planes(noisy, np.full_like(noisy, sigma), np.zeros(pixels.shape, np.uint16))


def _only_pixels(recipe: Recipe) -> Recipe:
    bias, dark, flat = (Planes(master.data) for master in (recipe.bias, recipe.dark, recipe.flat))
    return Recipe(bias=bias, dark=dark, flat=flat, planes=("SCI",))


def _ccdproc(raw: np.ndarray, recipe: Recipe) -> CCDData:
    """Calibrate as the manual of ccdproc does; the master bias gets no uncertainty, or create_deviation refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        good = np.zeros(raw.shape, bool)
        bias = CCDData(recipe.bias.data, unit="adu", mask=good)
        frame = ccdproc.subtract_bias(CCDData(raw.astype(np.float32), unit="adu", mask=good), bias)
        electrons_adu = GAIN_E_ADU * u.electron / u.adu
        frame = ccdproc.create_deviation(frame, gain=electrons_adu, readnoise=READ_NOISE_E * u.electron)
        dark, flat = (
            CCDData(master.data, unit=unit, mask=good, uncertainty=StdDevUncertainty(master.uncert))
            for master, unit in ((recipe.dark, u.adu), (recipe.flat, u.dimensionless_unscaled))
        )
        second = 1 * u.s
        frame = ccdproc.subtract_dark(frame, dark, dark_exposure=second, data_exposure=second)
        return ccdproc.flat_correct(frame, flat, norm_value=1)


def _agree(ours: Light, theirs: CCDData) -> None:
    _same("ccdproc", ours.data, theirs.data, 1e-5)
    # Ours has the noise of the master bias too, theirs has not.
    _same("the uncertainty of ccdproc", ours.uncert, theirs.uncertainty.array, 0.01)


def _beside_siril(folder: Path, title: str, raw: np.ndarray, recipe: Recipe) -> Iterator[Row]:
    """From files to files. Siril takes the dark as a bias, since it repairs pixels with a dark, and 16-bit masters."""
    dark = np.round(recipe.bias.data + recipe.dark.data).astype(np.uint16)
    flat = np.round(20000 * recipe.flat.data).astype(np.uint16)
    same = Recipe(dark=Planes(dark.astype(np.float32)), flat=Planes((flat / 20000).astype(np.float32)), planes=("SCI",))
    for name, pixels in (("dark", dark), ("flat", flat)):
        fits.writeto(folder / f"{name}.fit", pixels)
    (folder / "calibrate.ssf").write_text(SCRIPT)
    spent = []
    for n in (FEW, MANY):
        for i in range(n):
            fits.writeto(folder / f"light_{i + 1:05d}.fit", raw, overwrite=True)
        spent.append((_least(lambda: _ours(folder, same), 4)[1], _least(lambda: _siril(folder), 4)[1]))
    ours, theirs = (fits.getdata(folder / f"{prefix}_light_00001.fit") for prefix in ("ours", "pp"))
    _same("Siril up to its scale", ours / np.median(ours), theirs / np.median(theirs), 1e-5)
    ours_ms, siril_ms = (1000 * (many - few) / (MANY - FEW) for few, many in zip(*spent, strict=True))
    yield Row(f"{title}, pixels alone, file to file, peer Siril", ours_ms, siril_ms, "CPU ms", ">= 2x")


def _ours(folder: Path, recipe: Recipe) -> None:
    paths = sorted(folder.glob("light_*.fit"))
    with RowReader(paths) as reader:
        raw = np.empty(reader.shape, np.float32)
        for i, path in enumerate(paths):
            reader(i, 0, reader.shape[0], raw)
            fits.writeto(folder / f"ours_{path.name}", calibrate_light(raw, recipe).data, overwrite=True)


def _siril(folder: Path) -> None:
    for path in folder.glob("pp_light_*"):
        path.unlink()
    (folder / "light_.seq").unlink(missing_ok=True)
    command = ["siril-cli", "-d", folder, "-s", "calibrate.ssf"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def _least(work: Callable[[], object], times: int) -> tuple[object, float]:
    spent = []
    for _ in range(times):
        with cost() as used:
            result = work()
        spent.append(used.cpu_s)
    return result, min(spent)


def _same(what: str, ours: np.ndarray, theirs: np.ndarray, relative: float) -> None:
    worst = float(np.max(np.abs(ours - theirs) / np.abs(theirs)))
    if not worst <= relative:
        raise SystemExit(f"the light disagrees with {what}: {worst:.2g} of a pixel, more than {relative:g}")
