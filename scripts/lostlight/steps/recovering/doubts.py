"""What to be wary of in a search: of its images, of what was planted in them, of how low it goes."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from lostlight.core.params import RecoverParams
from lostlight.science.motion.times import check_times
from lostlight.steps.recovering.ground import Ground

Doubt = dict[str, Any]

CORRELATED = 0.1
"""Neighbouring pixels that share more of their noise than this were resampled."""
FEW_PLACES, MANY_OUT = 0.1, 0.2
"""Fraction of drawn places that are shown, at least; of planted sources that are out of the field, at most."""
KEPT = 0.97
"""Part of the light of a source that its sky should leave."""
_SIGMA = 3
_RATE_ARCSEC_H = 3.0


def doubts(
    ground: Ground, recovered: Table, alarms: Sequence[Mapping[str, Any]], expected: float, params: RecoverParams
) -> list[Doubt]:
    """Tell what is doubtful, one sentence for all images of which it holds.

    Parameters
    ----------
    ground : Ground
        What was searched.
    recovered : Table
        Columns ``RECOVERIES``, one row for each planted source.
    alarms : sequence of mapping
        What the null searches found, as the report has it.
    expected : float
        False alarms that noise is expected to give at the threshold.
    params : RecoverParams

    Returns
    -------
    list of dict
        Fields of `lostlight.core.calibration_report.Alert`; codes are `lostlight.vocab.movers.DOUBTS`.
    """
    return [
        *_left_out(ground), *_noted(ground), *_times(ground), *_profiles(ground), *_resampled(ground), *_scale(ground),
        *_planted(recovered), *_threshold(ground, expected, params), *_alarms(ground, alarms),
    ]  # fmt: skip


def _left_out(ground: Ground) -> Iterator[Doubt]:
    left_out = ground.store.attributes.get("left_out", {})
    for name, why in sorted(left_out.items()):
        yield _doubt("LEFT_OUT", str(name), str(why), "mend the image, or take it out of the folder")


def _noted(ground: Ground) -> Iterator[Doubt]:
    """Gather what was noticed on single images: the same of several is told once, with the numbers of the first."""
    seen: dict[str, list[tuple[str, str]]] = {}
    for record in ground.store.images:
        for said in record.get("notes", ()):
            seen.setdefault(re.sub(r"[\d.]+", "0", said), []).append((str(record["id"]), str(said)))
    for notes in seen.values():
        names, said = [name for name, _ in notes], notes[0][1]
        yield _doubt("NOTED", _where(names, len(ground.epochs)), said, "mend the headers; inject.planes names planes")


def _times(ground: Ground) -> Iterator[Doubt]:
    fastest = min(ground.rates[1], _RATE_ARCSEC_H) if ground.to_pixels is not None else _RATE_ARCSEC_H
    for said in check_times(ground.epochs.mjd_mid, round(fastest, 2)):
        yield _doubt("TIMES", "all images", said, "take times from a card of 64 bits, such as DATE-OBS")


def _profiles(ground: Ground) -> Iterator[Doubt]:
    guessed = [record for record in ground.store.images if record.get("psf_source") == "fallback"]
    if guessed:
        width = float(np.median([ground.epochs.psfs[number].fwhm_px for number in _numbers(ground, guessed)]))
        said = f"too few stars to measure the profile of a point: a width of {width:.3g} px is assumed"
        names = [str(record["id"]) for record in guessed]
        yield _doubt("PSF_GUESSED", _where(names, len(ground.epochs)), said, "inject.psf.fwhm_px, or psf.model: psfex")


def _resampled(ground: Ground) -> Iterator[Doubt]:
    """Tell of images whose pixels share noise that was not accounted for."""
    shared = [
        record
        for record in ground.store.images
        if float(record.get("lag", 0)) > CORRELATED and float(record.get("noise_gain", 1)) == 1
    ]
    if shared:
        most = max(float(record["lag"]) for record in shared)
        yield _doubt(
            "RESAMPLED",
            _where([str(record["id"]) for record in shared], len(ground.epochs)),
            f"neighbouring pixels share up to {most:.0%} of their noise: signal to noise is over-stated, and noise"
            " passes the threshold more often than was asked for",
            "search images as they were taken; else go by the false alarms of the null searches",
            most,
            CORRELATED,
        )


def _scale(ground: Ground) -> Iterator[Doubt]:
    known = np.isfinite(ground.epochs.zero_mag)
    if known.all():
        return
    names = [name for name, is_known in zip(ground.epochs.ids, known, strict=True) if not is_known]
    said = "no zero point: fluxes of all images are taken to be on one scale"
    if not known.any():
        said += ", and magnitudes are instrumental"
    yield _doubt("NO_SCALE", _where(names, len(known)), said, "give all images a zero point (MAGZERO, or step 12)")


def _planted(recovered: Table) -> Iterator[Doubt]:
    if not len(recovered):
        return
    acceptance = _mean(recovered["acceptance"])
    if acceptance < FEW_PLACES:
        said = f"only {acceptance:.2g} of all places drawn were on enough images: sources leave the field too soon"
        hint = "inject.rates.high, or a lower inject.placement.min_epochs"
        yield _doubt("PLACES", "planted sources", said, hint, acceptance, FEW_PLACES)
    lost = np.asarray(recovered["lost_because"], str)
    out = float(np.isin(lost, ("OUT_OF_FIELD", "TOO_FEW_EPOCHS")).mean())
    if out > MANY_OUT:
        said = f"{out:.0%} of the planted sources are on too few images: completeness tells of the field as well"
        yield _doubt("OUT_OF_FIELD", "planted sources", said, "inject.placement.strategy: visible", out, MANY_OUT)
    left = np.asarray(recovered["frac_kept"], float)
    kept = float(np.median(left[np.isfinite(left)])) if np.isfinite(left).any() else 1.0
    if kept < KEPT:
        said = f"the sky takes {1 - kept:.0%} of the light of a source away, and fluxes are too low by as much"
        yield _doubt("SKY_LOSS", "planted sources", said, "a larger inject.background.mesh_px", kept, KEPT)


def _threshold(ground: Ground, expected: float, params: RecoverParams) -> Iterator[Doubt]:
    if params.threshold is not None and expected > params.false_alarms:
        said = f"noise alone is expected to pass it {expected:.3g} times; {params.false_alarms:g} was asked for"
        hint = f"recover.threshold: {_asked(ground, params):.2f}, or leave it empty"
        yield _doubt("LOW_THRESHOLD", "search", said, hint, params.threshold, _asked(ground, params))


def _asked(ground: Ground, params: RecoverParams) -> float:
    free = params.model_copy(update={"threshold": None})
    return Ground(ground.store, ground.epochs, ground.grid, free).threshold


def _alarms(ground: Ground, alarms: Sequence[Mapping[str, Any]]) -> Iterator[Doubt]:
    """Tell of null searches that find more than noise explains, and from which threshold on they do not."""
    for each in alarms:
        n, expected = each["n"], each["n_expected"] or 0.0
        if n > expected + _SIGMA * max(expected, 1) ** 0.5:
            said = f"{n:,} false candidates where noise explains {expected:.2g}: the images hold artefacts"
            quiet = [at for at, count in zip(each["thresholds"], each["counts"], strict=True) if count <= 1]
            at = f"{quiet[0]:.2f}" if quiet else f"above {each['thresholds'][-1]:.2f}"
            hint = f"look at the pictures of candidates; recover.threshold: {at} leaves one at most"
            yield _doubt("FALSE_ALARMS", f"null search, {each['kind']}", said, hint, float(n), expected)


def _numbers(ground: Ground, records: Sequence[Mapping[str, Any]]) -> list[int]:
    return [ground.epochs.ids.index(str(record["id"])) for record in records]


def _where(names: Sequence[str], n_all: int) -> str:
    if len(names) == n_all:
        return f"all {n_all} images"
    return names[0] if len(names) == 1 else f"{len(names)} of {n_all} images, among them {names[0]}"


def _mean(values: Any) -> float:
    known = np.asarray(values, float)
    return float(np.nanmean(known)) if np.isfinite(known).any() else 1.0


def _doubt(
    code: str, where: str, said: str, hint: str = "", value: float | None = None, threshold: float | None = None
) -> Doubt:
    return {"code": code, "where": where, "said": said, "hint": hint, "value": value, "threshold": threshold}
