"""One level and one scale for the frames of a filter, and which of them are too poor to be used."""

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lostlight.core import atomic
from lostlight.core.errors import ConfigError, NoWork
from lostlight.core.params import MosaicParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import scratch
from lostlight.science.mosaic.frame.quality import QualityRules, judge_quality
from lostlight.science.mosaic.level.photometry import Photometry, solve_photometry
from lostlight.science.mosaic.level.stats import FrameStats
from lostlight.steps.mosaicking import given
from lostlight.steps.mosaicking.placed import photometry_rules
from lostlight.steps.mosaicking.plain import plain

WIDTH_OF_SIGMA = 2.3548
"""FWHM of a Gaussian over its standard deviation."""
BY_RULE = ("auto", "weight", "central", "first")
"""References that are not named but chosen."""


def photometry(unit: Unit, params: MosaicParams, out: Outputs) -> Result:
    """Solve for gains and levels of all frames at once; frames that are left out are told of, with the reason."""
    left_out = given.missing(unit, given.LEVELS)
    stats = given.read_thinned(given.given(unit, given.LEVELS).values())
    if not stats:
        first = next(iter(left_out.items()), ("", "there is none"))
        raise NoWork(f"no frame can be levelled; {': '.join(first)}")
    own, rules = params.photometry, photometry_rules(params)
    names = sorted([*left_out, *(each.id for each in stats)])
    solved = solve_photometry(stats, rules, _reference(own.reference, names, stats))
    if poor := _poor(stats, solved, params):
        stats = [each for each in stats if each.id not in poor]
        left_out |= poor
        solved = solve_photometry(stats, rules, _reference(own.reference, names, stats))
    content = {
        "frames": _frames(stats, solved, params),
        "left_out": dict(sorted(left_out.items())),
        "reference": stats[solved.reference].id,
        "half_px": solved.half_px,
        "warnings": solved.warnings,
        "diagnostics": solved.diagnostics,
    }
    atomic.write_json(out["photometry"], plain(content))
    scratch.trim()  # the equations of hundreds of frames, and what comes next needs its own
    metrics = {"n_frames_used": len(stats), "n_frames_left_out": len(left_out)}
    warnings = [*(f"{name} is left out: {why}" for name, why in sorted(left_out.items())), *solved.warnings]
    return Result(metrics, warnings=warnings)


def _reference(asked: str | int, names: Sequence[str], stats: Sequence[FrameStats]) -> str | int:
    """Give the reference as asked for; a frame that is left out gives way to the best."""
    if asked in BY_RULE:
        return asked
    name = names[asked] if isinstance(asked, int) and 0 <= asked < len(names) else asked
    if name not in names:
        near = difflib.get_close_matches(str(asked), names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"give a frame, a number from 0 to {len(names) - 1}, or auto"
        said = (
            f"mosaic.photometry.reference = {asked}, but there are {len(names)} frames, and none of that name or number"
        )
        raise ConfigError(said, hint=hint)
    left = [each.id for each in stats]
    return left.index(name) if name in left else "auto"


def _poor(stats: Sequence[FrameStats], solved: Photometry, params: MosaicParams) -> dict[str, str]:
    poor = judge_quality(stats, solved.gain, QualityRules(**params.quality.model_dump()))
    for each, status in zip(stats, solved.status, strict=True):
        if status != "ok":
            poor.setdefault(each.id, status)
    return poor if len(poor) < len(stats) else {}


def _frames(stats: Sequence[FrameStats], solved: Photometry, params: MosaicParams) -> dict[str, Mapping[str, Any]]:
    widths = np.array([each.fwhm_px for each in stats])
    sharpest = np.nanmin(widths) if np.isfinite(widths).any() else math.nan
    spreads = (widths / WIDTH_OF_SIGMA) ** 2
    usual = np.nanmedian(spreads) if np.isfinite(spreads).any() else math.nan
    told = {}
    for k, each in enumerate(stats):
        sigma = solved.gain[k] * each.sigma
        blur = 0.5 * abs(spreads[k] - usual)
        told[each.id] = {
            "gain": solved.gain[k].tolist(),
            "gain_sigma": solved.gain_sigma[k].tolist(),
            "sky": solved.sky[k].tolist(),
            "centre": solved.centre[k].tolist(),
            "sigma": sigma.tolist(),
            "weight": _weight(sigma, widths[k], sharpest, params.weights.frame).tolist(),
            "blur": blur if math.isfinite(blur) else 0.0,
            "fwhm_px": each.fwhm_px,
            "elongation": each.elongation,
            "n_stars": each.n_stars,
            "exptime_s": each.exptime_s,
            "component": int(solved.component[k]),
        }
    return told


def _weight(sigma: np.ndarray, width: float, sharpest: float, kind: str) -> np.ndarray:
    """Weigh a frame: by inverse variance; for point sources also by the square of its sharpness."""
    if kind == "none":
        return np.ones_like(sigma)
    sharpness = sharpest / width if kind == "noise_fwhm" and math.isfinite(width) else 1.0
    return sharpness**2 / sigma**2
