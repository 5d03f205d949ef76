"""One light: everything that is done to it, in one pass, and what is told of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.params.calibrate import CalibrateParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import tiff
from lostlight.science.calibrate import cosmics, frame_checks, over_correction
from lostlight.science.calibrate.binned_wcs import halved
from lostlight.science.calibrate.cards import header_cards, history
from lostlight.science.calibrate.cfa import stored_pattern
from lostlight.science.calibrate.debayer import debayer
from lostlight.science.calibrate.diagnostics import Source, unit_record
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.light import Light, calibrate_light
from lostlight.science.calibrate.light_recipe import Recipe
from lostlight.science.calibrate.order import MasterState, Stage, check_order
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.quality import mask_of
from lostlight.science.calibrate.repair import repair
from lostlight.science.calibrate.statistics import Statistics, statistics
from lostlight.science.calibrate.trouble import Warn
from lostlight.steps.calibrating import product
from lostlight.steps.calibrating.choice import gain_of, read_noise_of
from lostlight.steps.calibrating.given import Master, Raw, bias_of, header, master, positive, raws, reader
from lostlight.steps.calibrating.law import doubling_c
from lostlight.steps.calibrating.levels import pedestal, saturation
from lostlight.steps.calibrating.raw import Trimmed
from lostlight.steps.calibrating.scaling import Exposed, Scaled, scaled
from lostlight.steps.calibrating.unbanded import unbanded
from lostlight.vocab.bits import dq


@dataclass
class _Work:
    """A light on its way: its pixels as read out, its masters, and what has been found."""

    unit: Unit
    raw: Raw
    trimmed: Trimmed
    counts: NDArray[np.float32]
    masters: dict[str, Master]
    stages: list[Stage]
    before: Statistics
    warnings: list[Warn] = field(default_factory=list)

    @property
    def frame(self) -> Frame:
        """What is known of the light."""
        return self.raw.frame

    def does(self, stage: str) -> bool:
        """Whether a stage is done to it."""
        return any(each.name == stage and each.done for each in self.stages)


def light(unit: Unit, params: CalibrateParams, out: Outputs) -> Result:
    """Calibrate one light and write it with uncertainty, quality and pictures."""
    work = _opened(unit, params, out)
    camera, frame = params.camera, work.frame
    gain = gain_of([frame], camera)
    rdnoise = read_noise_of([frame], camera, _measured_read_noise(work))
    if work.does("bias"):
        work.counts = unbanded(work.counts, work.masters["bias"])
    exposed = _exposed(work, params, gain, rdnoise)
    factor = scaled(exposed, work.masters.get("dark"), params, doubling_c(unit, params))
    work.warnings += factor.warnings
    done = calibrate_light(work.counts, _recipe(work, params, factor, gain, rdnoise))
    planes, n_repaired = _cosmetic(work, params, done)
    planes = _cosmic(work, params, planes)
    told = _looked_at(work, params, planes, factor)
    if frame.bayerpat and params.light.debayer != "off":
        pattern = stored_pattern(frame.bayerpat, x0=work.trimmed.columns.start, y0=work.trimmed.rows.start)
        planes = debayer(planes, pattern, "bilinear" if params.light.debayer == "auto" else params.light.debayer)
    _write(work, params, out, planes, done, factor, gain, rdnoise)
    metrics = {
        "background": told["stats"]["median"],
        "noise": told["stats"]["noise"],
        "dark_scale": factor.scale.k if work.does("dark") else None,
        "dark_scale_error": factor.scale.sigma_k if work.does("dark") else None,
        "uncsys": done.uncsys,
        "n_repaired": n_repaired,
        "n_cosmic": told["dq_counts"].get("COSMIC", 0),
        "n_saturated": told["dq_counts"].get("SATURATED", 0),
    }
    before = work.counts * np.float32(gain if params.light.unit == "electron" else 1)
    return product.conclude(out, told, replace(planes, extra={}), work.warnings, metrics, before)


def _opened(unit: Unit, params: CalibrateParams, out: Outputs) -> _Work:
    (raw,) = raws(unit)
    own, frame = params.light, raw.frame
    masters = {role: found for role in ("dark", "flat", "bpm") if (found := master(unit, role))}
    with reader([raw], out["image"].parent) as rows:
        trimmed = Trimmed(rows, [frame], own.overscan, trim="trim" in own.order)
        counts = trimmed.counts(0)
    before = statistics(counts, step_px=2 if frame.bayerpat else 1)
    blank = frame_checks.not_blank(frame.frame_id, before, saturation(frame, params.camera))
    for each in (masters[role] for role in ("bias", "dark") if role in masters and frame.bitpix < 0):
        frame_checks.same_unit(frame.frame_id, before, each.name, each.planes.data)
    if bias := bias_of(unit, raw, params, counts.shape):
        masters["bias"] = bias
    available = {*masters} - {"bpm"} | ({"cosmetic"} if "bpm" in masters else set())
    available |= {"overscan"} if frame.biassec and own.overscan != "off" else set()
    available |= {"trim"} if frame.trimsec else set()
    if cosmics.wanted(params.lacosmic.enable, int(unit.facts.get("n_lights", 1))):
        available |= {"lacosmic"}
    states = {role: _state(found) for role, found in masters.items() if role != "bpm"}
    stages = check_order(own.order, available, frame.calstat, states, params.dark.mode)
    return _Work(unit, raw, trimmed, counts, masters, stages, before, blank)


def _state(found: Master) -> MasterState:
    cards = found.header
    return MasterState(str(cards.get("CALSTAT", "")), bool(cards.get("BIASSUB", False)), "OVERSCAN" in cards)


def _measured_read_noise(work: _Work) -> float:
    """Read noise as the biases showed it, or the darks; electrons, or NaN."""
    known = (positive(work.masters[role].header, "RDNOISE") for role in ("bias", "dark") if role in work.masters)
    return next((value for value in known if np.isfinite(value)), np.nan)


def _exposed(work: _Work, params: CalibrateParams, gain: float, rdnoise: float) -> Exposed:
    pixels = (work.counts - _overscan(work)).astype(np.float32)
    pixels[work.counts >= saturation(work.frame, params.camera)] = np.nan
    if "bias" in work.masters:
        pixels -= work.masters["bias"].planes.data
    return Exposed(work.frame, pixels, gain, rdnoise)


def _recipe(work: _Work, params: CalibrateParams, factor: Scaled, gain: float, rdnoise: float) -> Recipe:
    used = {role: work.masters[role] for role in ("bias", "flat") if role in work.masters and work.does(role)}
    return Recipe(
        overscan_adu=_overscan(work),
        bias=used["bias"].planes if "bias" in used else None,
        dark=factor.dark if work.does("dark") else None,
        dark_scale=factor.scale.k if work.does("dark") else 1.0,
        dark_scale_error=factor.scale.sigma_k if work.does("dark") else 0.0,
        same_bias="bias" in used and _is_of(work.masters.get("dark"), used["bias"]),
        flat=used["flat"].planes if "flat" in used else None,
        bad=work.masters["bpm"].planes.dq if "bpm" in work.masters else None,
        pedestal_adu=params.light.pedestal_adu,
        unit=params.light.unit,
        egain_e_adu=gain,
        rdnoise_e=rdnoise,
        saturate_adu=saturation(work.frame, params.camera),
        nonlinear_adu=params.camera.nonlinear_adu or np.nan,
        zero_adu=_zero(work),
        step_adu=0.0 if work.frame.bitpix < 0 else 1.0,
    )


def _is_of(dark: Master | None, bias: Master) -> bool:
    """Whether this very bias was taken off a dark."""
    return dark is not None and bool(bias.sha256) and str(dark.header.get("BIASID", "")) == bias.sha256[:16]


def _overscan(work: _Work) -> NDArray[np.float64]:
    """Level of the overscan, adu: a number, one for each row, or one for each pixel where columns differ.

    Without overscan it is what the header says was added to all pixels.
    """
    if not work.does("overscan"):
        return np.array(pedestal(work.frame))
    correction = work.trimmed.correction(0)
    is_of_columns = correction.ndim and correction.shape[0] == 1
    return np.broadcast_to(correction, work.counts.shape) if is_of_columns else correction


def _zero(work: _Work) -> float:
    """Level without light, where a bias that is not subtracted tells it."""
    level = work.trimmed.levels[0].subtracted_adu
    if "bias" in work.masters:
        return level + float(np.nanmedian(work.masters["bias"].planes.data))
    return level if level else np.nan


def _cosmetic(work: _Work, params: CalibrateParams, done: Light) -> tuple[Planes, int]:
    planes = Planes(done.data, done.uncert, done.dq)
    if not work.does("cosmetic"):
        return planes, 0
    bad = work.masters["bpm"].planes.dq
    data, uncert, quality, n_repaired = repair(
        planes.data, planes.uncert, planes.dq, bad, params.cosmetic.method, work.frame.bayerpat
    )
    # what could not be repaired must not be used, also not by programs that know one mask alone
    quality[mask_of(quality) & (quality & np.uint16(dq("HOT", "COLD")) > 0)] |= np.uint16(dq("BAD"))
    return Planes(data, uncert, quality), n_repaired


def _cosmic(work: _Work, params: CalibrateParams, planes: Planes) -> Planes:
    if not work.does("lacosmic"):
        return planes
    own = params.lacosmic
    found = cosmics.find_cosmics(
        planes.data, planes.uncert, planes.dq, work.frame.frame_id,
        sigclip=own.sigclip, sigfrac=own.sigfrac, objlim=own.objlim, niter=own.niter, bayerpat=work.frame.bayerpat,
    )  # fmt: skip
    work.warnings += found.warnings
    return replace(planes, dq=np.where(found.hit, planes.dq | np.uint16(dq("COSMIC")), planes.dq))


def _looked_at(work: _Work, params: CalibrateParams, planes: Planes, factor: Scaled) -> dict[str, Any]:
    """Tell the light in numbers, and what is odd about it."""
    frame, step_px = work.frame, 2 if work.frame.bayerpat else 1
    stats = statistics(planes.data, planes.dq, step_px=step_px)
    work.warnings += frame_checks.many_negative(frame.frame_id, stats.n_negative, stats.n, stats.median, stats.noise)
    found = None
    if work.does("flat"):
        of_flat = work.masters["flat"]
        found = over_correction.correction(
            planes.data, of_flat.planes.data, ~mask_of(planes.dq), params.light.pedestal_adu
        )
        work.warnings += over_correction.wrong_correction(frame.frame_id, of_flat.name, found)
    used = {role: each.name for role, each in work.masters.items() if work.does("cosmetic" if role == "bpm" else role)}
    return unit_record(
        "light",
        work.unit.id,
        planes,
        unit=params.light.unit,
        sources=[Source(frame.frame_id, frame.path, work.raw.sha256, "light", work.before)],
        method={"stages": ", ".join(str(stage) for stage in work.stages)},
        facts=_facts(frame),
        masters=used,
        stats=stats,
        before=work.before,
        scale=(factor.scale.k, factor.scale.sigma_k) if work.does("dark") else None,
        correction=found,
        warnings=work.warnings,
        step_px=step_px,
    )


def _facts(frame: Frame) -> dict[str, Any]:
    told = {
        "exptime_s": frame.exptime_s,
        "ccd_temp_c": frame.ccd_temp_c,
        "filter": frame.filter,
        "object": frame.object,
        "date_obs_utc": frame.date_obs_utc,
    }
    return {key: value for key, value in told.items() if value != "" and value == value}


def _write(
    work: _Work,
    params: CalibrateParams,
    out: Outputs,
    planes: Planes,
    done: Light,
    factor: Scaled,
    gain: float,
    rdnoise: float,
) -> None:
    own = params.light
    hashes = {role: each.sha256 for role, each in work.masters.items()}
    cards = header_cards(
        work.stages,
        calstat=work.frame.calstat,
        dark=_state(work.masters["dark"]) if "dark" in work.masters else None,
        dark_mode=params.dark.mode,
        dark_scale=factor.scale.k,
        dark_scale_error=factor.scale.sigma_k,
        flat_normalize=params.flat.normalize,
        overscan_adu=work.trimmed.levels[0].level_adu,
        pedestal=own.pedestal_adu * (gain if own.unit == "electron" else 1),
        sha256=hashes,
        imagetyp="Light Frame",
        egain=gain,
        rdnoise=rdnoise,
        uncsys=done.uncsys,
    )
    resolved: Mapping[str, Mapping[str, Any]] = {
        "overscan": {"how": own.overscan, "level_adu": work.trimmed.levels[0].level_adu},
        "dark": {"mode": params.dark.mode, "k": factor.scale.k, "from": factor.scale.why},
        "cosmetic": {"method": params.cosmetic.method},
        "lacosmic": {"sigclip": params.lacosmic.sigclip, "sigfrac": params.lacosmic.sigfrac},
    }
    lines: Sequence[str] = [*history(work.stages, resolved), *(f"calibrate: {said}" for said in done.assumed)]
    if not work.does("overscan") and pedestal(work.frame):
        lines = [f"calibrate: pedestal level_adu={pedestal(work.frame):.6g}", *lines]
    head = product.headed(header(work.raw), (work.trimmed.rows, work.trimmed.columns), cards, lines, own.unit)
    if planes.data.ndim == 3:
        head.remove("BAYERPAT", ignore_missing=True)
        head = halved(head) if own.debayer == "superpixel" else head
    product.write_planes(out, "image", planes, head, params.output)
    if params.output.tiff != "off":
        tiff.write(out["tiff"], planes.data, int(params.output.tiff))
