"""Six questions that the injector must answer rightly for every sample type."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.science.inject.engine import inject
from lostlight.science.inject.psf import PSFParams
from lostlight.science.inject.targets import TargetConfig
from lostlight.science.population.check import Check
from lostlight.vocab.movers import NEGATIVES, STILL

Array = NDArray[Any]
Injector = Callable[..., tuple[Array, Array, dict[str, Any]]]

SHAPE, FWHM_PX, PLATE_SCALE = (5, 65, 71), 2.5, 0.187
DRIFT_PX, MARGIN_PX = 16.0, 24.0
"""Way of a source from the first image to the last, and distance of its middle from the edge: it stays on all."""
MOST_FLUX_ERROR, MOST_ANGLE_DEG, STILL_PX, LEAST_WAY_PX = 1e-5, 1.0, 0.02, 8.0


@dataclass(frozen=True, eq=False)
class Case:
    """What an injector gave: images before and after, what was added, and what it tells."""

    patch: Array
    x: Array
    y: Array
    meta: dict[str, Any]
    again: Array
    other: Array


def injection_checks(sample_type: str, seed: int = 0, injector: Injector = inject) -> list[Check]:
    """Ask the six questions of one sample type.

    Parameters
    ----------
    sample_type : str
        One of `lostlight.vocab.movers.SAMPLE_TYPES`.
    seed : int
    injector : callable
        What is asked; called as `lostlight.science.inject.engine.inject` is.

    Returns
    -------
    list of Check
        output_shape, no_nan_inf, Y_nonneg, flux_conservation, motion_direction, seed_reproducibility.
    """
    case = _case(sample_type, seed, injector)
    questions = (_shape, _finite, _not_negative, _flux, _direction, _reproducible)
    return [question(case, sample_type) for question in questions]


def _case(sample_type: str, seed: int, injector: Injector) -> Case:
    patch = np.random.default_rng(seed).normal(0, 5, SHAPE).astype(np.float32)

    def made(hours: Array, number: int) -> tuple[Array, Array, dict[str, Any]]:
        bright = {"mode": "flux", "low": 500, "high": 1000}
        where = TargetConfig("mid", margin_px=MARGIN_PX)
        return injector(
            patch, hours, PLATE_SCALE, PSFParams(FWHM_PX), sample_type, number, target_config=where, brightness=bright
        )

    hours = np.arange(SHAPE[0]) * 0.5
    told = made(hours, seed)[2]
    rate = float(np.hypot(told["motion_ra_arcsec_per_hour"], told["motion_dec_arcsec_per_hour"]))
    if rate > 0:
        hours = np.linspace(0, DRIFT_PX * PLATE_SCALE / rate, SHAPE[0])
    return Case(patch, *made(hours, seed), made(hours, seed)[1], made(hours, seed + 1)[1])


def _shape(case: Case, sample_type: str) -> Check:
    del sample_type
    right = case.x.shape == case.y.shape == case.patch.shape and case.x.dtype == case.y.dtype
    exact = bool(right) and np.array_equal(case.x, case.patch + case.y)
    return Check("output_shape", exact, None, f"{SHAPE}, X = patch + Y bit by bit", "contract of inject")


def _finite(case: Case, sample_type: str) -> Check:
    del sample_type
    wrong = int(np.sum(~np.isfinite(case.x)) + np.sum(~np.isfinite(case.y)))
    return Check("no_nan_inf", wrong == 0, float(wrong), "0 pixels", "the images given are finite")


def _not_negative(case: Case, sample_type: str) -> Check:
    least = float(np.nanmin(case.y))
    if sample_type != "dipole":
        return Check("Y_nonneg", least >= 0, least, ">= 0 adu", "sources add light")
    halves = float(-case.y[case.y < 0].sum() / max(case.y[case.y > 0].sum(), 1e-30))
    why = "half of a dipole is negative, and as strong as the other"
    return Check("Y_nonneg", abs(halves - 1) <= 1e-3, halves, "1 ± 0.001, negative over positive", why)


def _flux(case: Case, sample_type: str) -> Check:
    total, asked = case.y.sum(axis=(1, 2), dtype=np.float64), np.asarray(case.meta["flux_expected"], float)
    if sample_type in ("cosmic_ray", "satellite"):
        return _flux_of_one(case, sample_type, total, asked)
    if sample_type in ("none", "dipole"):
        asked = np.zeros(len(total))
    scale = max(float(np.abs(case.y).sum(axis=(1, 2)).max()), 1.0)
    error = float(np.max(np.abs(total - asked)) / scale)
    return Check("flux_conservation", error <= MOST_FLUX_ERROR, error, f"<= {MOST_FLUX_ERROR:g}", "all light is inside")


def _flux_of_one(case: Case, sample_type: str, total: Array, asked: Array) -> Check:
    """Check artefacts that light one image: the flux asked for, of a satellite for each FWHM of its length."""
    light, others = float(total.max()), float(np.sort(np.abs(total))[:-1].sum())
    low, high = (1 - MOST_FLUX_ERROR), (1 + MOST_FLUX_ERROR)
    if sample_type == "satellite":
        low, high = 0.3 * min(SHAPE[1:]) / FWHM_PX, 1.05 * float(np.hypot(*SHAPE[1:])) / FWHM_PX
    ratio = light / float(asked.max())
    passed = low <= ratio <= high and others == 0
    return Check("flux_conservation", passed, ratio, f"{low:.5g} to {high:.5g}, on one image", "its light on an image")


def _direction(case: Case, sample_type: str) -> Check:
    """Compare the way of the centroid with the rate that is told: east along x, north against y."""
    lit = np.flatnonzero(np.abs(case.y).sum(axis=(1, 2)) > 0)
    moving = sample_type not in (*NEGATIVES, *STILL)
    if not moving:
        way = float(np.hypot(*_way(case.y, lit))) if lit.size > 1 else 0.0
        return Check("motion_direction", way <= STILL_PX, way, f"<= {STILL_PX} px", "it stands still")
    if lit.size < 2:
        return Check("motion_direction", False, None, f"<= {MOST_ANGLE_DEG} deg", "it is on fewer than two images")
    dx, dy = _way(case.y, lit)
    told = case.meta["motion_ra_arcsec_per_hour"], -case.meta["motion_dec_arcsec_per_hour"]
    angle = np.degrees(np.arctan2(dy, dx) - np.arctan2(told[1], told[0]))
    off = float(abs((angle + 180) % 360 - 180))
    passed = off <= MOST_ANGLE_DEG and np.hypot(dx, dy) >= LEAST_WAY_PX
    return Check("motion_direction", bool(passed), off, f"<= {MOST_ANGLE_DEG} deg", "the rate that was drawn")


def _way(y: Array, lit: NDArray[np.int64]) -> tuple[float, float]:
    """Way of the centroid of all light, its sign left out, from the first image that has some to the last."""
    rows, columns = np.indices(y.shape[1:])
    centres = []
    for t in (lit[0], lit[-1]):
        light = np.abs(y[t].astype(np.float64))
        centres.append(((light * columns).sum() / light.sum(), (light * rows).sum() / light.sum()))
    return centres[1][0] - centres[0][0], centres[1][1] - centres[0][1]


def _reproducible(case: Case, sample_type: str) -> Check:
    same = _digest(case.y) == _digest(case.again)
    differs = sample_type == "none" or _digest(case.y) != _digest(case.other)
    return Check(
        "seed_reproducibility", same and differs, None, "the same for one seed, another for the next", "SHA-256"
    )


def _digest(y: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(y).tobytes()).hexdigest()
