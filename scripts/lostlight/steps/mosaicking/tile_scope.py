"""Mode grid with scope tile: every tile levelled and stacked by itself, then all tiles levelled with each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lostlight.core.params import MosaicParams
from lostlight.core.step import Unit
from lostlight.io.scratch import scratch
from lostlight.science.mosaic.blend import StackedTile, blend
from lostlight.science.mosaic.coadd import Level, Placed, Tally
from lostlight.science.mosaic.layer import Layer
from lostlight.science.mosaic.level.equalize import equalize_rgb_medians
from lostlight.science.mosaic.level.photometry import Photometry, solve_photometry
from lostlight.science.mosaic.level.stats import Cells, FrameStats, Stars
from lostlight.science.mosaic.level.tiles import Tile, level_lots, tile_stats
from lostlight.science.mosaic.window import Window
from lostlight.steps.mosaicking import given
from lostlight.steps.mosaicking.assembling import assemble
from lostlight.steps.mosaicking.bench import Bench
from lostlight.steps.mosaicking.placed import photometry_rules
from lostlight.steps.mosaicking.plain import plain
from lostlight.steps.mosaicking.record import Made


def by_tile(
    unit: Unit, params: MosaicParams, frames: Mapping[str, Placed], windows: Sequence[Window], folder: Path,
    bench: Bench,
) -> Made:  # fmt: skip
    """Stack each tile with a margin, level tiles in what they have in common, and join them.

    `windows` are the tiles without margin; scratch files go to `folder`.
    """
    shape = given.Places.of(unit).canvas.shape
    stats = {name: given.read_stats(unit[given.LEVELS + name]) for name in frames}
    margin = round(params.grid.overlap * max(max(window.shape) for window in windows))
    tally = Tally(*(np.zeros(len(frames), np.int64) for _ in range(3)))
    stacked = []
    for window in windows:
        wide = window.grown(margin, shape)
        some = {name: frame for name, frame in frames.items() if _meets(frame, wide)}
        if some:
            tile = _stacked(bench, params, some, stats, wide, shape, folder)
            stacked.append(tile)
            _count(tally, tile.tally, [k for k, name in enumerate(frames) if name in some])
    return _joined(unit, params, stacked, shape, margin, tally, folder)


@dataclass(frozen=True)
class _Stacked:
    tile: Tile
    layer: Layer
    tally: Tally


def _count(whole: Tally, part: Tally, places: Sequence[int]) -> None:
    """Add the samples of the frames of a tile; those of its margin count again."""
    for sums, more in ((whole.low, part.low), (whole.high, part.high), (whole.valid, part.valid)):
        sums[list(places)] += more


def _meets(frame: Placed, window: Window) -> bool:
    return frame.route.window is not None and not frame.route.window.meet(window).is_empty


def _stacked(
    bench: Bench, params: MosaicParams, frames: Mapping[str, Placed], stats: Mapping[str, FrameStats], window: Window,
    shape: tuple[int, int], folder: Path,
) -> _Stacked:  # fmt: skip
    """Level the frames of a tile by what they show of it, and stack them."""
    own = [_within(stats[name], window) for name in sorted(frames)]
    solved = solve_photometry(own, photometry_rules(params), "auto")
    used = [_levelled(frames[each.id], each, solved, k) for k, each in enumerate(own)]
    done = assemble(used, [window], shape, bench, folder)
    layer = done.layer
    if params.rgb_equalize == "tile":
        layer = replace(layer, sci=equalize_rgb_medians(layer.sci)[0])
    tile = Tile(f"y{window.y0:05d}_x{window.x0:05d}", layer.sci, layer.cov, window, layer.wht)
    return _Stacked(tile, layer, done.tally)


def _levelled(frame: Placed, stats: FrameStats, solved: Photometry, k: int) -> Placed:
    level = Level(solved.gain[k], solved.sky[k], solved.centre[k], solved.half_px)
    sigma = solved.gain[k] * stats.sigma
    return replace(frame, level=level, sigma=sigma, weight=1 / sigma**2)


def _within(stats: FrameStats, window: Window) -> FrameStats:
    """Keep what a frame shows of a window."""
    seen = _inside(stats.stars.x, stats.stars.y, window)
    stars = Stars(*(getattr(stats.stars, name)[seen] for name in Stars.__dataclass_fields__))
    return replace(stats, stars=stars, sky=_cells(stats.sky, window), fine=_cells(stats.fine, window), median=None)


def _cells(cells: Cells, window: Window) -> Cells:
    seen = _inside(cells.u, cells.v, window)
    return Cells(*(getattr(cells, name)[seen] for name in Cells.__dataclass_fields__))


def _inside(x: np.ndarray, y: np.ndarray, window: Window) -> np.ndarray:
    inside: np.ndarray = (
        (x >= window.x0) & (x < window.x0 + window.width) & (y >= window.y0) & (y < window.y0 + window.height)
    )
    return inside


def _joined(
    unit: Unit, params: MosaicParams, stacked: Sequence[_Stacked], shape: tuple[int, int], margin: int, tally: Tally,
    folder: Path,
) -> Made:  # fmt: skip
    tiles = [each.tile for each in stacked]
    stats = [tile_stats(tile, params.photometry.cell_px) for tile in tiles]
    found = level_lots(stats, photometry_rules(params))
    n_channels = len(tiles[0].sci)
    planes = (n_channels, *shape)
    layer = Layer(
        scratch(planes, np.float32, folder), scratch(planes, np.float32, folder),
        scratch(shape, np.uint16, folder), scratch(shape, np.uint16, folder),
    )  # fmt: skip
    parts = (
        StackedTile(each.layer, each.tile.window, Level(found.gain[k], found.sky[k], found.centre[k], found.half_px))
        for k, each in enumerate(stacked)
    )
    blend(parts, layer, scratch(planes, np.float32, folder), 2 * margin)
    spread = found.diagnostics["inter_tile_median_std"]
    return Made(layer, tally, _told(tiles, found), found.warnings, {"inter_tile_median_std": spread})


def _told(tiles: Sequence[Tile], found: Photometry) -> list[dict[str, Any]]:
    before, after = (found.diagnostics[f"median_{when}"] for when in ("before", "after"))
    return [
        {
            "id": tile.id,
            "n": int(tile.cov.max(initial=0)),
            "coverage": float(np.count_nonzero(tile.cov) / tile.cov.size),
            "window": [tile.window.y0, tile.window.x0, *tile.window.shape],
            "gain": found.gain[k].tolist(),
            "offset": (-found.sky[k, :, 0]).tolist(),
            "median_before": plain(before[k]),
            "median_after": plain(after[k]),
        }
        for k, tile in enumerate(tiles)
    ]
