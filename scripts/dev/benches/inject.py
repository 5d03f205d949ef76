"""Cases in memory: drawn, followed over the sky, rendered and added to their images; beside them a call for each."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from astropy.wcs import WCS

from benches.measure import Row, cost
from benches.triad import bandwidth
from lostlight.science.epochs.epochs import Epochs
from lostlight.science.inject.batch import BLOCK, inject_batch
from lostlight.science.inject.engine import inject
from lostlight.science.inject.images import render_stamps
from lostlight.science.inject.plan import plan_injections
from lostlight.science.inject.psf import PSFParams, gaussian
from lostlight.science.inject.rules import InjectionRules
from lostlight.science.inject.targets import TargetConfig

T, SIDE, PATCH, FWHM_PX = 5, 1024, 64, 2.5
BLOCKS, ONE_BY_ONE, REPEATS, PLANNED = 10, 200, 5, 1000


def rows(folder: Path, full: bool) -> Iterator[Row]:
    yield from bandwidth()
    stack = np.random.default_rng(1).normal(0, 5, (T, SIDE, SIDE)).astype(np.float32)
    alone = _alone(stack)
    for motion, exptime_s in (("linear", 0.0), ("abg", 0.0), ("abg", 60.0)):
        known = field(exptime_s)
        rules = InjectionRules(seed=1, motion=motion, target=TargetConfig("mid"))
        spent = min(_batches(known, rules, stack) for _ in range(REPEATS + 1))
        what = f"P3 case 5x64x64 with X, {motion}, {exptime_s:g} s, peer inject"
        yield Row(what, 1e6 * spent, 1e6 * alone, "CPU us", f"<= 100 ({1 / spent:.0f} cases/s)")
    yield from _plan()


def field(exptime_s: float) -> Epochs:
    """Images of four hours at a real projection, opposite to the Sun."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [180.3, 0.2], [SIDE / 2] * 2
    wcs.wcs.cd = np.array([[-1, 0], [0, 1]]) * 0.26 / 3600
    return Epochs(
        ids=tuple(map(str, range(T))),
        shape=(SIDE, SIDE),
        mjd_mid=60754.6 + np.arange(T) / 24,
        exptime_s=np.full(T, exptime_s),
        wcs=(wcs,) * T,
        psfs=(gaussian(FWHM_PX),) * T,
        sigma_adu=np.full(T, 5.0),
        gain_e_adu=np.full(T, np.nan),
        zero_mag=np.full(T, 27.0),
        scale=np.ones(T),
        filters=("r",) * T,
    )


def _batches(known: Epochs, rules: InjectionRules, stack: np.ndarray) -> float:
    """Give the CPU seconds of a case."""
    with cost() as used:
        for block in range(BLOCKS):
            inject_batch(known, range(block * BLOCK, (block + 1) * BLOCK), rules, patch_px=PATCH).x(stack)
    return used.cpu_s / (BLOCKS * BLOCK)


def _alone(stack: np.ndarray) -> float:
    patch = stack[:, :PATCH, :PATCH]
    inject(patch, np.arange(T), 0.26, PSFParams(FWHM_PX), seed=0)
    with cost() as used:
        for seed in range(ONE_BY_ONE):
            inject(patch, np.arange(T), 0.26, PSFParams(FWHM_PX), seed=seed)
    return used.cpu_s / ONE_BY_ONE


def _plan() -> Iterator[Row]:
    known, rules = field(60.0), InjectionRules(seed=1, n=PLANNED, motion="abg")
    plan = plan_injections(known, None, rules)
    works = {"planned": lambda: plan_injections(known, None, rules), "rendered": lambda: render_stamps(known, plan)}
    for what, work in works.items():
        work()
        with cost() as used:
            work()
        yield Row(f"P3 {PLANNED} sources on {T} x {SIDE} x {SIDE} {what}", used.cpu_s, unit="CPU s")
