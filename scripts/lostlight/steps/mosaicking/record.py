"""What a mosaic says of itself: its frames, lots and levels, put together for programs and for people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core import mosaic_report
from lostlight.core.params import MosaicParams
from lostlight.core.step import Unit
from lostlight.io.bintable import Field
from lostlight.science.mosaic.canvas import Canvas
from lostlight.science.mosaic.coadd import Tally
from lostlight.science.mosaic.layer import Layer
from lostlight.science.mosaic.polish.polish import PolishReport, SecondPass
from lostlight.steps.mosaicking import given
from lostlight.steps.mosaicking.plain import plain

PAIRS_KEPT = 200
"""Pairs of frames whose overlaps are told of one by one: those that agree worst."""
_SOFTWARE = ("lostlight", "numpy", "scipy", "astropy", "sep", "numba")
_NAMES = {"cut_px": "coverage cut", "altaz_px": "ragged edges", "noise_px": "noisy borders", "crop_px": "crop"}


@dataclass(frozen=True)
class Made:
    """A mosaic as it was combined, before it is polished.

    `lots` tells of the lots or tiles; `tally` counts samples, and `n_samples` how many there were.
    """

    layer: Layer
    tally: Tally
    lots: Sequence[Mapping[str, Any]] = ()
    warnings: Sequence[str] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    again: SecondPass | None = None
    """levels the lots once more against the mosaic of the others"""


def report(unit: Unit, params: MosaicParams, made: Made, polished: PolishReport, layer: Layer) -> dict[str, Any]:
    """Put everything together that is known of a mosaic."""
    places, solved = given.Places.of(unit), given.photometry(unit)
    frames = frames_of(unit, places, solved)
    names = sorted(frame["id"] for frame in frames)
    diagnostics = solved["diagnostics"]
    warnings = [*solved["warnings"], *made.warnings]
    low, high, valid = (int(each.sum()) for each in (made.tally.low, made.tally.high, made.tally.valid))
    return mosaic_report.build(
        frames,
        name=unit.id,
        filter=str(unit.facts["filter"]),
        mode=params.mode,
        n_channels=len(layer.sci),
        unit=str(places.content["frames"][solved["reference"]]["cards"].get("BUNIT", "")),
        canvas=_canvas(places.canvas, polished, layer),
        registration=_registration(places.content["registration"]),
        lots=[plain(dict(each)) for each in made.lots],
        reference={
            "index": names.index(solved["reference"]), "id": solved["reference"],
            "rule": str(params.photometry.reference),
        },
        components=int(diagnostics["components"]),
        photometry=_photometry(params, diagnostics, frames),
        inter_tile_median_std=made.facts.get("inter_tile_median_std", diagnostics["inter_tile_median_std"]),
        combine={
            "statistic": params.combine.statistic, "reject": params.combine.reject, "kernel": params.warp.kernel,
            "weights": params.weights.frame, "n_samples": valid, "rejected_fraction": (low + high) / max(valid, 1),
            "low": low / max(valid, 1), "high": high / max(valid, 1),
        },
        polish=_polish(polished),
        coverage=spread(layer.cov[layer.cov > 0]),
        weight=spread(layer.wht[layer.wht > 0]),
        device=made.device,
        warnings=[{"code": "MOSAIC", "where": unit.id, "said": said} for said in warnings],
        software={name: version(name) for name in _SOFTWARE},
        params=params.model_dump(mode="json", exclude={"frames", "plan"}),
    )  # fmt: skip


def frames_of(unit: Unit, places: given.Places, solved: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Tell of every frame of the filter, used or not."""
    told = []
    for name, facts in given.known(unit).items():
        placed = places.content["frames"].get(name, {})
        own = solved["frames"].get(name)
        reason = placed.get("reason") or solved["left_out"].get(name, "")
        frame = {
            "id": name, "path": facts["file"], "filter": facts["filter"],
            "lot": str(unit.facts.get(given.IN_LOT + name, "")),
            "status": "used" if own else "rejected", "reason": "" if own else reason,
            "exptime_s": facts.get("exptime_s"), "outline": placed.get("outline", []),
        }  # fmt: skip
        if own:
            keys = ("gain", "gain_sigma", "sky", "sigma", "weight", "fwhm_px", "elongation", "n_stars")
            frame |= {key: own[key] for key in keys}
        told.append(frame)
    return told


def table(frames: Sequence[Mapping[str, Any]]) -> list[Field]:
    """Give the table of frames that goes into the file of the mosaic."""
    n_terms = max((len(terms) for frame in frames for terms in frame.get("sky", ())), default=1)
    n_channels = max((len(frame.get("gain", ())) for frame in frames), default=1)
    fields = [Field(name, _texts(frames, name), text=text) for name, text in _TEXTS.items()]
    for c in range(n_channels):
        band = f"_{'rgb'[c]}" if n_channels > 1 else ""
        fields += [
            Field(f"gain{band}", _numbers(frames, "gain", c), text="factor on the pixels"),
            Field(f"sigma{band}", _numbers(frames, "sigma", c), text="noise of a pixel, levelled"),
            Field(f"weight{band}", _numbers(frames, "weight", c), text="weight of a pixel"),
            *(
                Field(
                    f"sky{band}_{term}", np.array([_term(frame, c, term) for frame in frames]), text="surface taken off"
                )
                for term in range(n_terms)
            ),
        ]
    fields += [
        Field(name, np.array([_number(frame.get(name)) for frame in frames]), unit)
        for name, unit in (("fwhm_px", "pix"), ("elongation", ""), ("exptime_s", "s"))
    ]
    return fields


_TEXTS = {
    "id": "frame", "path": "file", "filter": "filter", "lot": "lot", "status": "used or rejected",
    "reason": "why it was left out",
}  # fmt: skip


def lots_table(lots: Sequence[Mapping[str, Any]]) -> list[Field]:
    """Give the table of lots or tiles."""
    return [
        Field("id", np.array([str(lot["id"]) for lot in lots]), text="lot or tile"),
        Field("n_frames", np.array([int(lot["n"]) for lot in lots], np.int64), text="frames that it was made of"),
        Field("coverage", np.array([_number(lot.get("coverage")) for lot in lots]), text="part it covers"),
        Field("gain", np.array([_number(next(iter(lot.get("gain", ())), None)) for lot in lots]), text="factor on it"),
    ]


def spread(values: NDArray) -> dict[str, float | None]:
    """Give the smallest, the middle and the largest value."""
    if not values.size:
        return {"min": None, "median": None, "max": None}
    return {"min": float(values.min()), "median": float(np.median(values)), "max": float(values.max())}


def _canvas(canvas: Canvas, polished: PolishReport, layer: Layer) -> dict[str, Any]:
    crop = polished.crop
    cards = canvas.header(crop)
    return {
        "shape": canvas.shape, "scale_arcsec": canvas.scale_arcsec, "is_sky": canvas.is_sky,
        "crop": [crop.y0, crop.x0, crop.height, crop.width], "wcs": {key: cards[key] for key in cards},
        "covered_px": int(np.count_nonzero(layer.cov)),
    }  # fmt: skip


def _registration(told: Mapping[str, Any]) -> dict[str, Any]:
    pairs = told.get("pairs", [])
    by_frame: dict[str, list[Mapping[str, Any]]] = {}
    for pair in pairs:
        by_frame.setdefault(pair["first"], []).append(pair)
        by_frame.setdefault(pair["second"], []).append(pair)
    return {
        "method": told["method"],
        "n_registered": told.get("n_registered", 0),
        "median_px": _middle(pairs, "median_px"),
        "rms_px": _middle(pairs, "rms_px"),
        "residuals": [
            {"id": name, "n_stars": max(pair["n_stars"] for pair in some), "median_px": _middle(some, "median_px"),
             "rms_px": _middle(some, "rms_px")}
            for name, some in sorted(by_frame.items())
        ],
    }  # fmt: skip


def _middle(pairs: Sequence[Mapping[str, Any]], key: str) -> float | None:
    return float(np.median([pair[key] for pair in pairs])) if pairs else None


def _photometry(
    params: MosaicParams, diagnostics: Mapping[str, Any], frames: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    sigma = np.nanmedian([np.array(frame["sigma"], float) for frame in frames if "sigma" in frame], axis=0)
    pairs = [_pair(pair, sigma) for pair in diagnostics["pairs"]]
    pairs.sort(key=lambda pair: (-(pair["sigma"] or 0), pair["a"], pair["b"]))
    used = [frame["gain_sigma"] for frame in frames if "gain_sigma" in frame]
    return {
        "method": params.photometry.method, "scope": params.photometry.scope, "stars_used": diagnostics["stars_used"],
        "gain_sigma": np.nanmedian(np.array(used, float), axis=0).tolist(),
        "overlap_residual_sigma": diagnostics["overlap_residual_sigma"],
        "overlap_pixels": diagnostics["overlap_pixels"], "n_pairs": len(pairs), "pairs": pairs[:PAIRS_KEPT],
        "fallbacks": diagnostics["fallbacks"],
    }  # fmt: skip


def _pair(pair: Mapping[str, Any], sigma: NDArray[np.float64]) -> dict[str, Any]:
    before, after = (_worst(pair[key]) for key in ("before", "after"))
    share = [abs(value) / noise for value, noise in zip(pair["after"], sigma, strict=True) if value is not None]
    a, b = pair["frames"]
    return {
        "a": a, "b": b, "pixels": pair["pixels"], "before": before, "after": after, "sigma": max(share, default=None)
    }  # fmt: skip


def _worst(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), key=abs, default=None)


def _polish(report: PolishReport) -> dict[str, Any]:
    crop = report.crop
    rounds = [
        {"name": "second pass", "changed_px": report.covered_px - report.cut_px if after < before else 0,
         "facts": {"residual_before_sigma": before, "residual_after_sigma": after}}
        for before, after in report.rounds
    ]  # fmt: skip
    cut, *others = ({"name": name, "changed_px": getattr(report, key)} for key, name in _NAMES.items())
    return {
        "cut_px": report.cut_px, "altaz_px": report.altaz_px, "crop": [crop.y0, crop.x0, crop.height, crop.width],
        "steps": [cut, *rounds, *others],
    }  # fmt: skip


def _texts(frames: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.str_]:
    return np.array([str(frame.get(name, "")) for frame in frames])


def _numbers(frames: Sequence[Mapping[str, Any]], name: str, channel: int) -> NDArray[np.float64]:
    return np.array([_number(frame[name][channel]) if frame.get(name) else np.nan for frame in frames])


def _term(frame: Mapping[str, Any], channel: int, term: int) -> float:
    return float(frame["sky"][channel][term]) if frame.get("sky") else np.nan


def _number(value: Any) -> float:
    return np.nan if value is None else float(value)
