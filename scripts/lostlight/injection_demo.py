"""What the injector does, shown in five sections; and saved cases shown again."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.wcs import WCS
from numpy.typing import NDArray

from lostlight.core.atomic import write_bytes
from lostlight.core.errors import ConfigError, ContractError
from lostlight.io import case_files
from lostlight.report import case_picture
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject.batch import inject_batch
from lostlight.science.inject.checks import injection_checks
from lostlight.science.inject.engine import inject
from lostlight.science.inject.psf import PSFParams, psf_of
from lostlight.science.inject.rules import InjectionRules
from lostlight.science.inject.sources import OPPOSITION
from lostlight.science.inject.targets import TargetConfig
from lostlight.science.population.sanity import population_report
from lostlight.vocab.movers import SAMPLE_TYPES, STRATEGIES

SEED, SIGMA_ADU, SCALE_ARCSEC, FWHM_PX = 42, 5.0, 0.4, 2.5
HOURS = np.array([0.0, 0.5, 1.0, 1.5, 2.0])
SIDE_PX = 64
CASE = "demo_case"
_STARS = (np.array([15.0, 48.0]), np.array([20.0, 41.0]), np.array([2000.0, 900.0]))
_GAP = np.s_[:, 30:34, :]
_HALF_PX = 20


@dataclass(frozen=True, eq=False)
class Case:
    """A case: what was planted in a small stack of images; arrays of (T, H, W)."""

    patch: NDArray[Any]
    x: NDArray[Any]
    y: NDArray[Any]
    meta: dict[str, Any]


def shown(out: Path | None, is_drawn: bool) -> Iterator[str]:
    """Show the five sections, line by line; with a folder, also write the first case and its picture.

    Parameters
    ----------
    out : Path or None
    is_drawn : bool
        Whether a picture is written, here where no folder is given.
    """
    first = planted()
    yield "1  basic: one source in five images"
    yield from _basic(first)
    yield "\n2  all sample types"
    yield from _types()
    yield "\n3  reproducibility"
    yield from _reproducible()
    yield "\n4  target strategies"
    yield from _strategies()
    yield "\n5  sanity"
    yield from _sane()
    if out:
        path = out / f"{CASE}.npz"
        write(path, first)
        yield f"\ncase: {path}"
    if is_drawn:
        yield f"picture: {_draw(first, HOURS, (out or Path()) / f'{CASE}.png')}"


def replayed(path: Path, out: Path | None, is_drawn: bool) -> Iterator[str]:
    """Tell the truth of a saved case, line by line, and draw it beside its file or in a folder.

    Raises
    ------
    ConfigError
        If there is no such file, or it is no case.
    """
    if not path.is_file():
        raise ConfigError(f"there is no case {path}", hint="lostlight inject cases makes some")
    try:
        content = case_files.read(path)
    except ContractError as error:
        raise ConfigError(f"{path} is no case", hint="lostlight inject cases makes some") from error
    case = Case(content["patch_stack"], content["X"], content["Y"], content["meta"])
    hours = np.asarray(content["timestamps"], np.float64)
    yield f"case: {path}"
    yield from _told(case, hours, content)
    if is_drawn:
        yield f"picture: {_draw(case, hours, (out or path.parent) / f'{path.stem}.png')}"


def planted(sample_type: str = "tno", seed: int = SEED, **options: Any) -> Case:
    """Plant a source in images of noise, the same each time."""
    patch = np.random.default_rng(1).normal(0, SIGMA_ADU, (len(HOURS), SIDE_PX, SIDE_PX)).astype(np.float32)
    words = {"target_config": TargetConfig("mid", margin_px=16), "brightness": {"mode": "snr_stack", "value": 20}}
    x, y, meta = inject(patch, HOURS, SCALE_ARCSEC, PSFParams(FWHM_PX), sample_type, seed, **{**words, **options})[:3]
    return Case(patch, x, y, meta)


def write(path: Path, case: Case) -> None:
    """Write a case as one file."""
    case_files.write(
        path, patch_stack=case.patch, x=case.x, y=case.y, sigma_patch=np.full(len(HOURS), SIGMA_ADU), timestamps=HOURS,
        plate_scale=SCALE_ARCSEC, psf_fwhm=np.full(len(HOURS), FWHM_PX), meta=case.meta,
    )  # fmt: skip


def _basic(case: Case) -> Iterator[str]:
    meta = case.meta
    yield f"   X and Y: {case.x.shape} {case.x.dtype}, seed {meta['seed']}, {meta['sample_type']} ({meta['subclass']})"
    yield f"   X = patch + Y, bit by bit: {_yes(np.array_equal(case.x, case.patch + case.y))}"
    yield (
        f"   motion: {_rate(meta):.3f} arcsec/h towards position angle {meta['pa_deg']:.1f} deg,"
        f" {meta['r_helio_au']:.1f} au from the Sun"
    )
    yield f"   path: {_path(meta)}"
    yield (
        f"   flux {meta['flux_adu']:.1f} adu, in the images {case.y[0].sum():.1f} to {case.y[-1].sum():.1f},"
        f" brightest pixel {case.y.max():.1f}, noise of a pixel {SIGMA_ADU:.1f}"
    )
    each = ", ".join(f"{value:.2f}" for value in meta["snr_frame"])
    yield f"   signal to noise: {each}; together {meta['snr_stack']:.2f}; asked for 20"
    yield f"   mean along the path: {_central(case):.1f} times the noise in its middle pixel"


def _types() -> Iterator[str]:
    head = ("type", "label", "rate arcsec/h", "way px", "light adu", "lit px", "on images")
    yield "   {:<16} {:>5} {:>14} {:>8} {:>10} {:>7} {:>9}".format(*head)
    for name in SAMPLE_TYPES:
        case = planted(name)
        meta, way = case.meta, np.hypot(*(np.ptp(case.meta[f"trajectory_{axis}"]) for axis in "xy"))
        light = np.abs(case.y)
        brightest, lit = light.sum(axis=(1, 2)).max(), np.sum(light > 0.01 * light.max())
        yield (
            f"   {name:<16} {meta['label']:>5} {_rate(meta):>14.3f} {way:>8.1f} {brightest:>10.1f} {lit:>7}"
            f" {np.sum(light.any(axis=(1, 2))):>9}"
        )


def _reproducible() -> Iterator[str]:
    first, again, other = planted(), planted(), planted(seed=SEED + 1)
    for seed, case in ((SEED, first), (SEED, again), (SEED + 1, other)):
        yield f"   seed {seed}: SHA-256 of Y {_hash(case.y)}"
    same, differ = np.array_equal(first.y, again.y), not np.array_equal(first.y, other.y)
    yield f"   the same for one seed: {_yes(same)}; another for the next: {_yes(differ)}"
    order = np.arange(12)
    whole, turned = _batch(order), _batch(order[::-1])
    alone = np.concatenate([_batch(order[k : k + 1]) for k in order])
    yield f"   12 cases at once {_hash(whole)}, in reverse {_hash(turned[::-1])}, one by one {_hash(alone)}"


def _batch(cases: NDArray[np.int64]) -> NDArray[Any]:
    n, nan = len(HOURS), np.full(len(HOURS), np.nan)
    epochs = Epochs(
        ids=tuple(str(t) for t in range(n)), shape=(128, 160), mjd_mid=60754.0 + HOURS / 24, exptime_s=np.zeros(n),
        wcs=(None,) * n, psfs=(psf_of(PSFParams(FWHM_PX)),) * n, sigma_adu=np.full(n, SIGMA_ADU), gain_e_adu=nan,
        zero_mag=nan, scale=np.ones(n), filters=("",) * n,
    )  # fmt: skip
    return inject_batch(epochs, cases, InjectionRules(seed=SEED, plate_scale=SCALE_ARCSEC), patch_px=SIDE_PX).y


def _strategies() -> Iterator[str]:
    mask = np.zeros((len(HOURS), SIDE_PX, SIDE_PX), bool)
    mask[_GAP] = True
    yield f"   {'strategy':<10} {'first image':>15} {'middle of arc':>15} {'visible on':>11}"
    for name in STRATEGIES:
        target = TargetConfig(name, fixed_x=31.5, fixed_y=40.25)
        meta = planted(target_config=target, stars=_STARS, mask=mask, wcs=_sky()).meta
        first, middle = (f"{meta['trajectory_x'][t]:.2f}, {meta['trajectory_y'][t]:.2f}" for t in (0, len(HOURS) // 2))
        yield f"   {name:<10} {first:>15} {middle:>15} {sum(meta['visible']):>6} of {len(HOURS)}"
    yield f"   rows {_GAP[1].start} to {_GAP[1].stop - 1} are masked; stars at (15, 20) and (48, 41)"


def _sky() -> WCS:
    """Give a place on the sky at opposition, north up and east to the left."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = OPPOSITION[1:], [(SIDE_PX + 1) / 2] * 2
    wcs.wcs.cdelt = [-SCALE_ARCSEC / 3600, SCALE_ARCSEC / 3600]
    return wcs


def _sane() -> Iterator[str]:
    report = population_report("tno", "kbo", 10_000)
    for check in report.checks:
        measured = "" if check.measured is None else f"{check.measured:.3f}"
        yield f"   {'PASS' if check.is_passed else 'FAIL'}  {check.name:<10} {measured:>8}  {check.allowed}"
    for name in SAMPLE_TYPES:
        checks = injection_checks(name)
        failed = ", ".join(check.name for check in checks if not check.is_passed)
        passed = f"{sum(check.is_passed for check in checks)} of {len(checks)}"
        verdict, but = ("FAIL", f"; not {failed}") if failed else ("PASS", "")
        yield f"   {verdict}  {name:<16} {passed} injection checks{but}"


def _told(case: Case, hours: NDArray[np.float64], content: dict[str, Any]) -> Iterator[str]:
    meta = case.meta
    what = f"{meta['sample_type']} ({meta['subclass']})" if meta.get("subclass") else meta["sample_type"]
    yield f"   {what}, seed {meta['seed']}; X and Y {case.x.shape} {case.x.dtype}, {hours[-1] - hours[0]:.2f} hours"
    if "stack" in meta:
        yield f"   case {meta['case']} of stack {meta['stack']}, from row {meta['row']}, column {meta['column']}"
    yield f"   X = patch + Y, bit by bit: {_yes(np.array_equal(case.x, case.patch + case.y, equal_nan=True))}"
    yield f"   motion: {_rate(meta):.3f} arcsec/h; path: {_path(meta)}"
    is_source = _is_source(meta)
    yield f"   {'hours':>9} {'x px':>9} {'y px':>9} {'flux adu':>9} {'noise adu':>9} {'S/N':>6}"
    rows = zip(
        hours, meta["trajectory_x"], meta["trajectory_y"], case.y.sum(axis=(1, 2), dtype=np.float64),
        content["sigma_patch"], meta["snr_frame"], strict=True,
    )  # fmt: skip
    for hour, x, y, flux, sigma, snr in rows:
        signal = f"{snr:.2f}" if is_source and snr is not None else "-"
        yield f"   {hour:>9.3f} {x:>9.2f} {y:>9.2f} {flux:>9.1f} {sigma:>9.2f} {signal:>6}"


def _draw(case: Case, hours: NDArray[np.float64], path: Path) -> Path:
    x, y = (np.asarray(case.meta[f"trajectory_{axis}"], np.float64) for axis in "xy")
    signal = f", signal to noise {case.meta['snr_stack']:.1f}" if _is_source(case.meta) else ""
    title = f"{case.meta['sample_type']}, {_rate(case.meta):.2f} arcsec/h{signal}"
    drawn = case_picture.Shown(case.x, case.y, x, y, hours, _mean(case.x), along(case.x, x, y), title)
    write_bytes(path, case_picture.picture(drawn))
    return path


def along(images: NDArray[Any], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give the mean of images shifted by whole pixels along a path, (S, S); NaN where there is no image."""
    room = (_HALF_PX, _HALF_PX)
    padded = np.pad(images.astype(np.float64), ((0, 0), room, room), constant_values=np.nan)
    side, cut = 2 * _HALF_PX + 1, []
    for image, column, row in zip(padded, np.rint(x).astype(int), np.rint(y).astype(int), strict=True):
        if 0 <= row < images.shape[1] and 0 <= column < images.shape[2]:
            cut.append(image[row : row + side, column : column + side])
    return _mean(np.array(cut)) if cut else np.full((side, side), np.nan)


def _mean(images: NDArray[Any]) -> NDArray[np.float64]:
    seen = np.isfinite(images).sum(axis=0)
    return np.where(seen > 0, np.nansum(images, axis=0, dtype=np.float64) / np.maximum(seen, 1), np.nan)


def _central(case: Case) -> float:
    sums = along(case.x, np.array(case.meta["trajectory_x"]), np.array(case.meta["trajectory_y"]))
    return float(sums[_HALF_PX, _HALF_PX] / (SIGMA_ADU / np.sqrt(len(HOURS))))


def _rate(meta: dict[str, Any]) -> float:
    return float(np.hypot(meta["motion_ra_arcsec_per_hour"] or 0, meta["motion_dec_arcsec_per_hour"] or 0))


def _is_source(meta: dict[str, Any]) -> bool:
    return bool(meta["label"]) and meta["snr_stack"] is not None


def _path(meta: dict[str, Any]) -> str:
    x, y = meta["trajectory_x"], meta["trajectory_y"]
    return f"({x[0]:.2f}, {y[0]:.2f}) to ({x[-1]:.2f}, {y[-1]:.2f}) px, on {meta['frames_in_patch']} images of {len(x)}"


def _hash(y: NDArray[Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(y).tobytes()).hexdigest()[:16]


def _yes(holds: bool) -> str:
    return "yes" if holds else "NO"
