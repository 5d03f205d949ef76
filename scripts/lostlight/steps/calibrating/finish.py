"""A master written: header cards, diagnostics, pictures, and the frames it was made of where they are asked for."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median, pstdev
from typing import Any

import numpy as np

from lostlight.core.params.calibrate import CalibrateParams, StackParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import cube
from lostlight.science.calibrate import frame_checks, hot
from lostlight.science.calibrate.cards import header_cards, history
from lostlight.science.calibrate.diagnostics import Source, unit_record
from lostlight.science.calibrate.flat_checks import FlatAnalysis
from lostlight.science.calibrate.groups import typical
from lostlight.science.calibrate.order import Stage
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.repair import repair
from lostlight.science.calibrate.trouble import Warn
from lostlight.science.stack.rule import ReadRows
from lostlight.steps.calibrating import product
from lostlight.steps.calibrating.given import Master, Raw, header
from lostlight.steps.calibrating.leaving_out import left_out
from lostlight.steps.calibrating.noise import Noise
from lostlight.steps.calibrating.raw import Trimmed
from lostlight.steps.calibrating.stacking import Stack

NAMES = {"bias": "Master Bias", "dark": "Master Dark", "flat": "Master Flat", "flat_dark": "Master Flat Dark"}


@dataclass(frozen=True)
class Made:
    """A master, and all that is to be told of it."""

    raw: Sequence[Raw]
    trimmed: Trimmed
    stack: Stack
    planes: Planes
    noise: Noise
    read: ReadRows
    """rows of the frames as they were combined"""
    scale: float = 1.0
    """what the stack was divided by to make the master"""
    warnings: Sequence[Warn] = ()
    stages: Sequence[Stage] = ()
    taken: Mapping[str, Master] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    flat: FlatAnalysis | None = None


def finish(unit: Unit, params: CalibrateParams, own: StackParams, out: Outputs, made: Made) -> Result:
    """Write a master with everything that belongs to it."""
    kind = made.raw[0].frame.imagetyp
    pattern = made.raw[0].frame.bayerpat
    planes = _cosmetic(made.planes, params, pattern) if params.cosmetic.masters and kind != "flat" else made.planes
    low, high = made.stack.fractions
    stages = [*([Stage("overscan", True)] if any(each.level_adu for each in made.trimmed.levels) else []), *made.stages]
    cards = header_cards(
        stages,
        flat_normalize=getattr(own, "normalize", ""),
        overscan_adu=_overscan(made.trimmed),
        sha256={role: taken.sha256 for role, taken in made.taken.items()},
        imagetyp=NAMES[kind],
        **_method_cards(made, own, low, high),
    )
    is_less_bias = any(stage.done for stage in made.stages)
    cards["BIASSUB"] = (is_less_bias, cards["BIASSUB"][1])
    window = made.trimmed.rows, made.trimmed.columns
    lines = [*history(stages), f"calibrate: {kind} {made.stack.rule.combine} of {len(made.raw)} frames"]
    if added := made.trimmed.levels[0].pedestal_adu:
        lines.insert(0, f"calibrate: pedestal level_adu={added:.6g}")
    head = product.headed(header(made.raw[0]), window, cards, lines, "" if kind == "flat" else "adu")
    product.write_planes(out, "master", planes, head, params.output)
    if own.export:
        cube.write(out["reduced"], len(made.raw), made.trimmed.shape, made.read)
    ratio = math.nan
    warnings = [*made.warnings]
    if made.stack.rule.noise is not None:
        combined = made.stack.combined
        ratio = frame_checks.noise_ratio(combined.sigma, combined.sigma_empirical, combined.n_used)
        warnings += frame_checks.wrong_noise(unit.id, ratio)
    record = unit_record(
        kind,
        unit.id,
        planes,
        unit="" if kind == "flat" else "adu",
        sources=_sources(made),
        method=_method(made, own),
        facts={**_facts(made), **made.facts},
        masters={role: taken.name for role, taken in made.taken.items()},
        empirical=made.stack.combined.sigma_empirical / np.float32(made.scale),
        flat=made.flat,
        warnings=[*left_out(unit), *warnings],
        step_px=2 if pattern else 1,
    )
    metrics = {
        "n_combined": len(made.raw),
        "level": record["stats"]["median"],
        "noise": record["stats"]["noise"],
        "rejected_fraction": low + high,
        "noise_ratio": ratio,
    }
    return product.conclude(out, record, planes, warnings, metrics)


def _cosmetic(planes: Planes, params: CalibrateParams, pattern: str) -> Planes:
    cosmetic = params.cosmetic
    bad = hot.map_of_master(planes.data, cosmetic.hot_sigma, cosmetic.cold_sigma, bayerpat=pattern)
    quality = planes.dq if planes.dq is not None else np.zeros(planes.data.shape, np.uint16)
    fixed = repair(planes.data, planes.uncert, quality, bad, cosmetic.method, pattern)
    return replace(planes, data=fixed[0], uncert=fixed[1], dq=fixed[2])


def _overscan(trimmed: Trimmed) -> float:
    levels = [each.level_adu for each in trimmed.levels if each.level_adu]
    return float(np.mean(levels)) if levels else math.nan


def _method_cards(made: Made, own: StackParams, low: float, high: float) -> dict[str, Any]:
    rule, like = made.stack.rule, typical([each.frame for each in made.raw])
    temperatures = [t for each in made.raw if math.isfinite(t := each.frame.ccd_temp_c)]
    return {
        "ncombine": len(made.raw),
        "combmeth": rule.combine,
        "rejmeth": rule.reject,
        "rejlow": float(rule.thresholds[0]),
        "rejhigh": float(rule.thresholds[1]),
        "frejlow": float(low),
        "frejhi": float(high),
        "weights": own.weights,
        "exptime": like.exptime_s,
        "egain": made.noise.gain_e_adu,
        "rdnoise": made.noise.rdnoise_e,
        "ccd_temp": like.ccd_temp_c,
        "tempstd": pstdev(temperatures) if temperatures else math.nan,
    }


def _method(made: Made, own: StackParams) -> dict[str, Any]:
    rule = made.stack.rule
    told = {"combine": rule.combine, "reject": rule.reject, "low": rule.thresholds[0], "high": rule.thresholds[1]}
    told |= {"weights": own.weights, "normalize": own.normalize, "overscan": own.overscan}
    if rule.noise is not None:
        told["noise_adu"] = rule.noise.rdnoise_e / rule.noise.gain_e_adu
    return told


def _facts(made: Made) -> dict[str, Any]:
    like = typical([each.frame for each in made.raw])
    levels = [each.level_adu for each in made.trimmed.levels]
    told = {
        "exptime_s": like.exptime_s,
        "ccd_temp_c": like.ccd_temp_c,
        "filter": like.filter,
        "camera": like.camera_id,
        "gain_setting": like.gain_setting,
        "offset": like.offset,
        "binning": f"{like.xbin}x{like.ybin}",
        "gain_e_adu": made.noise.gain_e_adu,
        "rdnoise_e": made.noise.rdnoise_e,
        "overscan_adu": median(levels) if any(levels) else math.nan,
    }
    return {key: value for key, value in told.items() if value != "" and value == value}


def _sources(made: Made) -> tuple[Source, ...]:
    return tuple(replace(source, sha256=each.sha256) for source, each in zip(made.stack.sources, made.raw, strict=True))
