"""Everything that is told of one master, map or light, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.science.calibrate.flat_checks import FlatAnalysis, advice
from lostlight.science.calibrate.frame_checks import noise_ratio
from lostlight.science.calibrate.over_correction import Correction
from lostlight.science.calibrate.plan_model import Plan
from lostlight.science.calibrate.planes import Planes
from lostlight.science.calibrate.statistics import Statistics, dq_counts, histogram, statistics, thinned
from lostlight.science.calibrate.trouble import Warn


@dataclass(frozen=True)
class Source:
    """A raw frame of a product: its numbers, the weight it had and the fraction of its samples that was kept."""

    id: str
    path: str = ""
    sha256: str = ""
    role: str = ""
    stats: Statistics | None = None
    weight: float = 1.0
    kept_fraction: float = 1.0
    flags: tuple[str, ...] = field(default=())

    def plain(self) -> dict[str, Any]:
        """Give plain data for a report."""
        told = {name: getattr(self, name) for name in ("id", "path", "sha256", "role", "weight", "kept_fraction")}
        return {**told, "stats": self.stats.plain() if self.stats else None, "flags": list(self.flags)}


def unit_record(
    kind: str,
    id: str,  # noqa: A002
    planes: Planes,
    *,
    unit: str = "adu",
    sources: Sequence[Source] = (),
    method: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
    masters: Mapping[str, str] | None = None,
    stats: Statistics | None = None,
    before: Statistics | None = None,
    empirical: NDArray | None = None,
    scale: tuple[float, float] | None = None,
    flat: FlatAnalysis | None = None,
    correction: Correction | None = None,
    warnings: Sequence[Warn] = (),
    step_px: int = 1,
) -> dict[str, Any]:
    """Tell everything of one product; the names are those of `lostlight.core.calibration_report.UnitRecord`.

    Parameters
    ----------
    kind : str
        bias, dark, flat_dark, flat, bpm or light.
    id : str
        The unit.
    planes : Planes
        Pixels, uncertainty, quality bits; of masters also NUSED, REJLOW, REJHIGH. The pixels of a map of bad pixels
        are its bits.
    unit : str
        Unit of the pixels: adu, electron, or empty for flats and maps.
    sources : sequence of Source
        Raw frames that it is made of.
    method, facts : mapping, optional
        Settings as they were resolved, and what the headers say (filter, exposure, temperature).
    masters : mapping of str to str, optional
        Role (bias, dark, flat, bpm) to the unit that was used.
    stats : Statistics, optional
        Of the pixels, where they are known already.
    before : Statistics, optional
        Of the raw light.
    empirical : ndarray, shape (ny, nx), optional
        Uncertainty from the scatter of the frames, where `planes.uncert` is that of the noise model.
    scale : tuple of float, optional
        Factor of the dark, and its error.
    flat, correction
        Analysis of a master flat; background of a light against its flat.
    warnings : sequence of Warn
        What was found odd.
    step_px : int
        Distance of neighbours of the same colour: 2 for a colour-filter array.
    """
    low, high = (_rejected(planes, name) for name in ("REJLOW", "REJHIGH"))
    return {
        "id": id,
        "kind": kind,
        "shape": list(planes.data.shape),
        "unit": unit,
        "method": dict(method or {}),
        "facts": dict(facts or {}),
        "inputs": [source.plain() for source in sources],
        "masters": dict(masters or {}),
        "stats": (stats or statistics(planes.data, planes.dq, step_px=step_px)).plain(),
        "stats_before": before.plain() if before else None,
        "histogram": histogram(planes.data, planes.dq),
        "uncertainty": _uncertainty(planes, empirical),
        "dq_counts": dq_counts(planes.data.astype(np.uint16) if kind == "bpm" else planes.dq),
        "rejected_low": low,
        "rejected_high": high,
        "scale": None if scale is None else {"factor": scale[0], "error": scale[1]},
        "flat": None if flat is None else {**flat.plain(), "advice": advice(flat)},
        "correction": correction.plain() if correction else None,
        "warnings": [warning.plain() for warning in warnings],
    }


def plan_record(plan: Plan, most: int = 5) -> dict[str, list[dict[str, Any]]]:
    """Tell a plan as plain data: its groups, and what every light and group takes, with the best `most` candidates."""
    groups = [
        {"id": g.id, "kind": g.kind, "source": g.source, "frames": list(g.frames), "n_frames": g.n_frames}
        for g in plan.groups
    ]
    matches = []
    for match in plan.matches:
        taken = match.candidate
        others = [each for each in match.candidates if each.id != match.chosen][:most]
        matches.append({
            "target": match.frame, "role": match.role, "chosen": match.chosen,
            "distance": taken.distance if taken else None,
            "reason": (taken.rejected or taken.words) if taken else "" if match.chosen else "nothing fits",
            "terms": dict(taken.terms) if taken else {},
            "candidates": [
                {"id": c.id, "distance": c.distance, "terms": dict(c.terms), "reason": c.rejected} for c in others
            ],
        })  # fmt: skip
    return {"groups": groups, "matches": matches}


def _uncertainty(planes: Planes, empirical: NDArray | None) -> dict[str, float] | None:
    if planes.uncert is None:
        return None
    told = {"model": _median(planes.uncert)}
    used = planes.extra.get("NUSED")
    if empirical is not None and used is not None:
        told |= {"empirical": _median(empirical), "ratio": noise_ratio(planes.uncert, empirical, used)}
    return told


def _median(values: NDArray) -> float:
    part = thinned(values)
    finite = part[np.isfinite(part)]
    return float(np.median(finite)) if finite.size else np.nan


def _rejected(planes: Planes, name: str) -> float | None:
    """Fraction of all samples that was rejected at one end; None where nothing is combined."""
    counts, used = planes.extra.get(name), planes.extra.get("NUSED")
    if counts is None or used is None:
        return None
    rejected = {
        key: float(planes.extra[key].sum(dtype=np.int64)) for key in ("REJLOW", "REJHIGH") if key in planes.extra
    }
    total = float(used.sum(dtype=np.int64)) + sum(rejected.values())
    return rejected[name] / total if total else 0.0
