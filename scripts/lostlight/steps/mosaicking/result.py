"""The mosaic of one filter: combined, polished, written, drawn, and told of."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from lostlight.core import atomic
from lostlight.core.errors import NoWork
from lostlight.core.params import MosaicParams
from lostlight.core.step import Outputs, Result, Unit
from lostlight.io import mosaic_file
from lostlight.io.scratch import release
from lostlight.report import mosaic_page, mosaic_pictures
from lostlight.science.mosaic.layer import Layer
from lostlight.science.mosaic.level.level_maps import level_maps
from lostlight.science.mosaic.polish.polish import PolishReport, PolishRules, polish
from lostlight.science.mosaic.warp.noise_factor import noise_factor
from lostlight.science.mosaic.window import Window
from lostlight.steps.mosaicking import given, record
from lostlight.steps.mosaicking.bench import Bench
from lostlight.steps.mosaicking.colours import equalized
from lostlight.steps.mosaicking.header import headed
from lostlight.steps.mosaicking.lots import join_lots
from lostlight.steps.mosaicking.placed import level_of, warp_rules
from lostlight.steps.mosaicking.plain_stack import stack
from lostlight.steps.mosaicking.record import Made
from lostlight.steps.mosaicking.tiles import grid

_MODES: dict[str, Callable[[Unit, MosaicParams, Path, Bench], Made]] = {"stack": stack, "sds": join_lots, "grid": grid}
"""How frames become one layer."""


def result(unit: Unit, params: MosaicParams, out: Outputs) -> Result:
    """Make the mosaic and everything that belongs to it."""
    if not given.photometry(unit)["frames"]:
        raise NoWork("no frame of this filter is used")
    bench = Bench(params, unit.lent)
    made = _MODES[params.mode](unit, params, out["image"].parent, bench)
    made = replace(made, device=bench.device, warnings=[*made.warnings, *bench.warnings])
    layer = equalized(made.layer, unit, params)
    layer, crop, polished = polish(layer, _rules(params), made.again)
    for plane in vars(layer).values():
        release(plane)
    return _finish(unit, params, out, made, layer, crop, polished)


def _rules(params: MosaicParams) -> PolishRules:
    own, crop = params.polish, params.polish.crop
    return PolishRules(own.min_rel, own.min_abs, own.open_px, own.erode_px, crop.mode, crop.margin_px, crop.noise)


def _finish(
    unit: Unit, params: MosaicParams, out: Outputs, made: Made, layer: Layer, crop: Window, polished: PolishReport
) -> Result:
    told = record.report(unit, params, made, polished, layer)
    factor = noise_factor(warp_rules(params), 1.0)
    planes = {"SCI": layer.sci, "WHT": layer.wht, "COV": layer.cov, "REJ": layer.rej}
    if not params.output.rejected:
        planes.pop("REJ")
    tables = {"FRAMES": record.table(told["frames"])}
    if told["lots"]:
        tables["LOTS"] = record.lots_table(told["lots"])
    mosaic_file.write(out["image"], planes, headed(unit, params, crop, factor), tables)
    out.sizes["image"] = list(layer.sci.shape)
    atomic.write_json(out["metrics"], told)
    pictures = _pictures(unit, params, out, layer)
    others = {role.removeprefix(given.OTHER): f"./{name}.html" for role, name in _others(unit).items()}
    atomic.write_text(out["page"], mosaic_page.html(told, pictures, others=others, files=_files(params, out)))
    residual = told["photometry"]["overlap_residual_sigma"]["max"]
    metrics = {
        "n_frames_used": told["n_used"], "covered_px": told["canvas"]["covered_px"],
        "rejected_fraction": told["combine"]["rejected_fraction"], "overlap_residual_sigma": residual,
        "noise": float(1 / np.sqrt(told["weight"]["median"])),
    }  # fmt: skip
    return Result(metrics, warnings=[warning["said"] for warning in told["warnings"]])


def _pictures(unit: Unit, params: MosaicParams, out: Outputs, layer: Layer) -> dict[str, bytes]:
    solved = given.photometry(unit)
    known = {name: path for name, path in given.given(unit, given.LEVELS).items() if name in solved["frames"]}
    levels = {name: level_of(solved, name) for name in known}
    maps = level_maps(map(given.read_stats, known.values()), levels, given.Places.of(unit).canvas.shape)
    before, after = mosaic_pictures.before_after(*maps)
    drawn = {
        "preview": mosaic_pictures.png(layer.sci), "before": before, "after": after,
        "coverage": mosaic_pictures.coverage(layer.cov), "weight": mosaic_pictures.weight(layer.wht),
    }  # fmt: skip
    for role, content in drawn.items():
        atomic.write_bytes(out[role], content)
    if params.output.jpg:
        atomic.write_bytes(out["jpg"], mosaic_pictures.jpg(layer.sci))
    return drawn | {"preview": mosaic_pictures.png(layer.sci, mosaic_pictures.PAGE_PX)}


def _others(unit: Unit) -> dict[str, str]:
    return {role: str(name) for role, name in sorted(unit.facts.items()) if role.startswith(given.OTHER)}


def _files(params: MosaicParams, out: Outputs) -> list[str]:
    roles = ["image", "metrics", "preview", *(["jpg"] if params.output.jpg else [])]
    return [out[role].name for role in roles]
