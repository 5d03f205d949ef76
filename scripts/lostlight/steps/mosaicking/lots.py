"""Mode sds: lots, each combined before, to one layer."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lostlight.core.errors import NoWork
from lostlight.core.params import MosaicParams
from lostlight.core.step import Unit
from lostlight.io import mosaic_file
from lostlight.science.mosaic.blocks import blocks
from lostlight.science.mosaic.coadd import Coadded, Level
from lostlight.science.mosaic.coadd_lots import BYTES, PlacedLot, coadd_lots
from lostlight.science.mosaic.layer import Layer
from lostlight.science.mosaic.level.second_pass import level_again, levelled
from lostlight.science.mosaic.level.stats import FrameStats
from lostlight.science.mosaic.level.tiles import Tile, level_lots, tile_stats
from lostlight.science.mosaic.window import Window
from lostlight.science.stack.rule import Rule
from lostlight.steps.mosaicking import given
from lostlight.steps.mosaicking.assembling import SHARE, joined
from lostlight.steps.mosaicking.bench import Bench
from lostlight.steps.mosaicking.lot import CORNER, DEVICE
from lostlight.steps.mosaicking.photometry import BY_RULE
from lostlight.steps.mosaicking.placed import photometry_rules
from lostlight.steps.mosaicking.record import Made

THRESHOLD, PRIOR = 5.0, 50.0
"""Lots are rejected beyond so many sigma, with so much trust in their inverse variance: as that of so many frames."""


def join_lots(unit: Unit, params: MosaicParams, folder: Path, bench: Bench) -> Made:
    """Combine the lots, which are few enough for the processor; scratch files go to `folder`."""
    stored = {name: mosaic_file.open_lot(path) for name, path in given.given(unit, given.LOT).items()}
    lots = {name: _placed(lot) for name, lot in stored.items()}
    bench.used |= {str(lot.header[DEVICE]) for lot in stored.values()}
    if not lots:
        raise NoWork("no lot has a frame that is used")
    work = _Lots(unit, params, folder, lots)
    warnings = [f"{name} is dropped: {why}" for name, why in given.missing(unit, given.LOT).items()]
    if params.photometry.scope == "both":
        warnings += work.level()
    done = work.combined()
    again = work.again if params.polish.second_pass == "on" else None
    return Made(done.layer, done.tally, work.told(), warnings, again=again)


def _placed(stored: mosaic_file.MosaicFile) -> PlacedLot:
    x0, y0 = (int(stored.header[card]) for card in CORNER)
    return PlacedLot(stored.rows, Window(y0, x0, *stored.shape), stored.n_channels)


@dataclass
class _Lots:
    """The lots of a mosaic, and what brings them to one level."""

    unit: Unit
    params: MosaicParams
    folder: Path
    lots: dict[str, PlacedLot]

    def level(self) -> list[str]:
        """Level lots with each other on what they have in common; gives what there is to warn of."""
        stats = [_stats(name, lot, self.params) for name, lot in self.lots.items()]
        asked = self.params.photometry.reference  # others are frames, not lots
        found = level_lots(stats, photometry_rules(self.params), str(asked) if asked in BY_RULE else "auto")
        for k, (name, lot) in enumerate(self.lots.items()):
            level = Level(found.gain[k], found.sky[k], found.centre[k], found.half_px)
            self.lots[name] = replace(lot, level=level)
        return found.warnings

    def again(self, layer: Layer) -> tuple[Layer, float, float]:
        """Level lots once more; gives the new mosaic, and the residual of the overlaps before and after."""
        stats = [_levelled(_stats(name, lot, self.params), lot.level) for name, lot in self.lots.items()]
        reference = int(np.argmax([each.area_px for each in stats]))
        found = level_again(stats, photometry_rules(self.params), reference)
        if not found.after < found.before:
            return layer, found.before, found.after
        for k, (name, lot) in enumerate(self.lots.items()):
            level = Level(found.gain[k], found.sky[k], found.centre[k], found.half_px)
            self.lots[name] = replace(lot, level=_after(lot.level, level))
        return self.combined().layer, found.before, found.after

    def combined(self) -> Coadded:
        """Combine the lots on the canvas."""
        some, lent = list(self.lots.values()), self.unit.lent
        whole = Window(0, 0, *given.Places.of(self.unit).canvas.shape)
        reject = self.params.combine.lots_reject
        own = Rule(reject=reject, low=THRESHOLD, high=THRESHOLD, prior=PRIOR, psf=0.0)
        size = BYTES * some[0].n_channels
        parts = list(blocks(whole, [lot.window for lot in some], size, SHARE * lent.memory_mb))

        def work(part: Window) -> tuple[Window, Coadded]:
            memory_mb = (1 - SHARE) * lent.memory_mb
            return part, coadd_lots(some, part, own, threads=lent.threads, memory_mb=memory_mb, backend=lent.backend)

        return joined(map(work, parts), whole, len(some), some[0].n_channels, self.folder)

    def told(self) -> list[dict[str, Any]]:
        """Tell of every lot."""
        area = float(np.prod(given.Places.of(self.unit).canvas.shape))
        names = [role.removeprefix(given.IN_LOT) for role in self.unit.facts if role.startswith(given.IN_LOT)]
        used = given.photometry(self.unit)["frames"]
        members: dict[str, int] = {}
        for name in names:
            lot = str(self.unit.facts[given.IN_LOT + name])
            members[lot] = members.get(lot, 0) + (name in used)
        return [_told(name, lot, members[name], area) for name, lot in self.lots.items()]


def _stats(name: str, lot: PlacedLot, params: MosaicParams) -> FrameStats:
    height = lot.window.height
    sci, wht = (lot.rows(plane, 0, height) for plane in ("SCI", "WHT"))
    tile = Tile(name, sci, lot.rows("COV", 0, height)[0], lot.window, wht)
    return tile_stats(tile, params.photometry.cell_px)


def _levelled(stats: FrameStats, level: Level | None) -> FrameStats:
    return stats if level is None else levelled(stats, level.gain, level.sky, level.centre, level.half_px)


def _after(first: Level | None, second: Level) -> Level:
    """Give the level that does one thing after the other; both are told about the same point."""
    if first is None:
        return second
    gain = first.gain * second.gain
    return replace(second, gain=gain, sky=second.gain[:, None] * first.sky + second.sky)


def _told(name: str, lot: PlacedLot, n_frames: int, area: float) -> dict[str, Any]:
    window, n_channels = lot.window, lot.n_channels
    counts, sci = lot.rows("COV", 0, window.height)[0], lot.rows("SCI", 0, window.height)
    level = lot.level
    rejected = int(lot.rows("REJ", 0, window.height).sum(dtype=np.int64))
    medians = np.nanmedian(sci, axis=(1, 2))
    gain = np.ones(n_channels) if level is None else level.gain
    offset = np.zeros(n_channels) if level is None else -level.sky[:, 0]
    return {
        "id": name,
        "n": n_frames,
        "coverage": float(np.count_nonzero(counts) / area),
        "window": [window.y0, window.x0, window.height, window.width],
        "gain": gain,
        "offset": offset,
        "median_before": medians,
        "median_after": gain * medians + offset,
        "n_rejected": rejected,
        "rejected_fraction": rejected / max(rejected + int(counts.sum(dtype=np.int64)), 1),
    }
