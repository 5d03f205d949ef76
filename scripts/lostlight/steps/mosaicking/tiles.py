"""Mode grid: the canvas in tiles, which are the same where they overlap because frames were levelled before."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lostlight.core.params import MosaicParams
from lostlight.core.step import Unit
from lostlight.science.mosaic.coadd import Coadded, Placed
from lostlight.science.mosaic.window import Window
from lostlight.steps.mosaicking import given
from lostlight.steps.mosaicking.assembling import SHARE, assemble
from lostlight.steps.mosaicking.bench import Bench
from lostlight.steps.mosaicking.placed import placed
from lostlight.steps.mosaicking.record import Made
from lostlight.steps.mosaicking.tile_scope import by_tile

log = logging.getLogger(__name__)

SIDES = 512, 2048
"""Smallest and largest side of a tile where none is asked for."""
MEMORY_MB = 256
"""What the samples of such a tile fit; not what the run has, on which no result may depend."""


def grid(unit: Unit, params: MosaicParams, folder: Path, bench: Bench) -> Made:
    """Combine the frames tile by tile; scratch files go to `folder`."""
    shape = given.Places.of(unit).canvas.shape
    named = placed(unit, params, folder)
    frames = list(named.values())
    windows = list(tiles(shape, side_px(params, frames)))
    if params.photometry.scope == "tile":
        return by_tile(unit, params, named, windows, folder, bench)
    _log_metrics(given.photometry(unit)["diagnostics"]["inter_tile_median_std"])
    done = assemble(frames, windows, shape, bench, folder)
    return Made(done.layer, done.tally, [_told(done, window, frames) for window in windows])


def _log_metrics(spread: Mapping[str, Sequence[float]]) -> None:
    for channel, (before, after) in enumerate(zip(spread["before"], spread["after"], strict=True)):
        log.info("[GRID][METRICS] channel %d: inter-tile median std %.4g before, %.4g after", channel, before, after)


def side_px(params: MosaicParams, frames: list[Placed]) -> int:
    """Give the side of a tile: as asked for, or what lets the samples of all frames fit a usual memory."""
    if params.grid.tile_px:
        return params.grid.tile_px
    area = SHARE * MEMORY_MB * 1e6 / (4 * len(frames) * (frames[0].n_channels + 1))
    return int(np.clip(np.sqrt(area), *SIDES))


def tiles(shape: tuple[int, int], side: int) -> Iterator[Window]:
    """Cut a canvas into tiles, row by row; those at the end are what is left."""
    for y0 in range(0, shape[0], side):
        for x0 in range(0, shape[1], side):
            yield Window(y0, x0, min(side, shape[0] - y0), min(side, shape[1] - x0))


def _told(done: Coadded, window: Window, frames: list[Placed]) -> dict[str, Any]:
    counts, sci = done.layer.cov[window.slices], done.layer.sci[(slice(None), *window.slices)]
    seen = [frame.route.window for frame in frames if frame.route.window is not None]
    is_known = np.isfinite(sci).any()
    return {
        "id": f"y{window.y0:05d}_x{window.x0:05d}",
        "n": sum(not window.meet(each).is_empty for each in seen),
        "coverage": float(np.count_nonzero(counts) / counts.size),
        "window": [window.y0, window.x0, window.height, window.width],
        "gain": [1.0] * len(sci),
        "offset": [0.0] * len(sci),
        "median_after": np.nanmedian(sci, axis=(1, 2)) if is_known else [None] * len(sci),
        "n_rejected": int(done.layer.rej[window.slices].sum(dtype=np.int64)),
    }
