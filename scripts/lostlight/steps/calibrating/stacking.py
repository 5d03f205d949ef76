"""Frames to one master: statistics of each, weights, rejection, and planes with their quality."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lostlight.core.params.calibrate import StackParams
from lostlight.core.step import Lent
from lostlight.science.calibrate import frame_checks
from lostlight.science.calibrate.diagnostics import Source
from lostlight.science.calibrate.frame import Frame
from lostlight.science.calibrate.frame_checks import not_blank
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.statistics import Statistics, statistics
from lostlight.science.calibrate.trouble import Warn, refuse, warn
from lostlight.science.stack.combine import combine
from lostlight.science.stack.entropy import EntropyWeights
from lostlight.science.stack.rule import Combined, NoiseModel, ReadRows, Rule
from lostlight.steps.calibrating.choice import rule_of
from lostlight.steps.calibrating.raw import Trimmed
from lostlight.vocab.bits import dq

Whole = Callable[[int], NDArray[np.float32]]


@dataclass(frozen=True)
class Stack:
    """A master as it came out of the kernel."""

    planes: Planes
    combined: Combined
    rule: Rule
    sources: tuple[Source, ...]
    warnings: tuple[Warn, ...]

    @property
    def fractions(self) -> tuple[float, float]:
        """Fraction of the valid samples that were rejected below and above."""
        total = max(int(self.combined.n_valid.sum()), 1)
        return self.combined.rejected_low.sum() / total, self.combined.rejected_high.sum() / total


def measured(trimmed: Trimmed, step_px: int = 1) -> list[Statistics]:
    """Give the statistics of every frame, of some of its rows where it is large, its overscan taken off."""
    return [statistics(trimmed.sample(number), step_px=step_px) for number in range(len(trimmed.frames))]


def stack(
    name: str,
    params: StackParams,
    frames: Sequence[Frame],
    shape: tuple[int, int],
    read: ReadRows,
    stats: Sequence[Statistics],
    noise: NoiseModel | None,
    lent: Lent,
    *,
    scales: NDArray[np.float64] | None = None,
    levels: Sequence[float] | None = None,
) -> Stack:
    """Combine frames to a master.

    Parameters
    ----------
    read : callable
        Rows of the frames, ready but for `scales`.
    stats : sequence of Statistics
        Of the frames as they were read out.
    noise : NoiseModel or None
        Of one sample before it is scaled.
    scales : ndarray, shape (N,), optional
        What samples are multiplied by before any is rejected.
    levels : sequence of float, optional
        Levels without pedestal, by which the noise of flats is judged.

    Raises
    ------
    LostlightError
        CAL108 if a frame holds nothing, or no pixel has a sample left.
    """
    blank = [warned for frame, each in zip(frames, stats, strict=True) for warned in not_blank(frame.frame_id, each)]
    rule, warnings = rule_of(name, params, len(frames), noise)
    warnings += blank
    weights = _weights(params, frames, stats)
    rows = None
    if params.weights == "entropy":
        rows = EntropyWeights(len(frames), shape, read, params.entropy_tile_px)
        warnings.append(warn("CAL225", name, "entropy grows with noise"))
    combined = combine(
        len(frames),
        shape,
        read,
        rule,
        scales=scales,
        weights=weights,
        weight_rows=rows,
        context=_context(frames, stats),
        threads=lent.threads,
        memory_mb=lent.memory_mb,
        backend=lent.backend,
    )
    if not combined.n_used.any():
        raise refuse("CAL108", f"{name}: all samples of all pixels were rejected or masked")
    kept = 1 - (combined.rejected_low + combined.rejected_high) / np.maximum(combined.n_valid, 1)
    warnings += _checks(name, frames, stats, kept, levels)
    return Stack(
        _planes(combined, min(params.minkeep, len(frames))),
        combined,
        rule,
        tuple(_source(*each) for each in zip(frames, stats, kept, _told(weights, len(frames)), strict=True)),
        tuple(warnings),
    )


def _weights(params: StackParams, frames: Sequence[Frame], stats: Sequence[Statistics]) -> NDArray[np.float64] | None:
    given = {
        "noise": [1 / each.noise**2 if each.noise > 0 else np.nan for each in stats],
        "exposure": [frame.exptime_s for frame in frames],
        "user": [frame.weight for frame in frames],
    }.get(params.weights)
    if given is None:
        return None
    values = np.array(given, np.float64)
    if not (np.isfinite(values) & (values > 0)).all():
        odd = frames[int(np.argmin(np.where(np.isfinite(values), values, -1)))]
        said = f"{odd.frame_id} has no weight: weights is {params.weights}, and that is not known or not above zero"
        raise refuse("CAL109", said, "choose other weights, or give the numbers in a table of frames")
    return values / values.mean()


def _context(frames: Sequence[Frame], stats: Sequence[Statistics]) -> dict[str, list[float]]:
    return {
        "exptime": [frame.exptime_s for frame in frames],
        "temp": [frame.ccd_temp_c for frame in frames],
        "level": [each.median for each in stats],
        "noise": [each.noise for each in stats],
    }


def _checks(
    name: str,
    frames: Sequence[Frame],
    stats: Sequence[Statistics],
    kept: NDArray[np.float64],
    levels: Sequence[float] | None,
) -> list[Warn]:
    names = [frame.frame_id for frame in frames]
    noise = dict(zip(names, (each.noise for each in stats), strict=True))
    light = dict(zip(names, levels, strict=True)) if levels is not None else None
    found = frame_checks.noise_outliers(noise, light)
    if levels is None:
        medians = dict(zip(names, (each.median for each in stats), strict=True))
        found += frame_checks.level_outliers(medians, noise)
    found += frame_checks.many_rejected(dict(zip(names, (1 - kept).tolist(), strict=True)))
    return found + frame_checks.many_rejected({name: float(1 - kept.mean())})


def _planes(combined: Combined, minkeep: int) -> Planes:
    quality = np.zeros(combined.data.shape, np.uint16)
    quality[combined.n_used < minkeep] |= np.uint16(dq("FEW_SAMPLES"))
    quality[~np.isfinite(combined.data)] |= np.uint16(dq("NO_DATA"))
    extra = {"NUSED": combined.n_used, "REJLOW": combined.n_low, "REJHIGH": combined.n_high}
    return Planes(combined.data, combined.sigma, quality, extra)


def _told(weights: NDArray[np.float64] | None, n_frames: int) -> NDArray[np.float64]:
    return np.ones(n_frames) if weights is None else weights


def _source(frame: Frame, stats: Statistics, kept: float, weight: float) -> Source:
    return Source(
        frame.frame_id, frame.path, role=frame.imagetyp, stats=stats, weight=float(weight), kept_fraction=float(kept)
    )
