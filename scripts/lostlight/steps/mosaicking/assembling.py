"""Frames to a window of the canvas, block by block, so that memory does not grow with frames or canvas."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from lostlight.core.params import MosaicParams
from lostlight.core.step import Lent
from lostlight.io.scratch import release, scratch
from lostlight.science.mosaic.blocks import blocks
from lostlight.science.mosaic.coadd import Coadded, Placed, Tally
from lostlight.science.mosaic.layer import Layer
from lostlight.science.mosaic.window import Window
from lostlight.steps.mosaicking.bench import Bench
from lostlight.steps.mosaicking.placed import rule, warp_rules

SHARE = 0.6
"""Of the memory, what the samples of a block may take; the rest is for combining them."""


def assemble(
    frames: Sequence[Placed],
    windows: Iterable[Window],
    canvas_shape: tuple[int, int],
    params: MosaicParams,
    lent: Lent,
    folder: Path,
) -> Coadded:
    """Combine frames on the windows of the canvas, which are blocks of one rectangle; scratch files go to `folder`."""
    bench = Bench(frames, canvas_shape, warp_rules(params), rule(params), lent, (1 - SHARE) * lent.memory_mb)
    n_channels = frames[0].n_channels
    seen = [frame.route.window for frame in frames if frame.route.window is not None]
    size = 4 * (n_channels + 1)
    parts = [part for window in windows for part in blocks(window, seen, size, SHARE * lent.memory_mb)]
    done = joined(chain.from_iterable(map(bench.work, parts)), hull(parts), len(frames), n_channels, folder)
    return replace(done, device=bench.device, warnings=tuple(bench.warnings))


def joined(
    parts: Iterable[tuple[Window, Coadded]], whole: Window, n_frames: int, n_channels: int, folder: Path
) -> Coadded:
    """Put the blocks of a window together as they are made."""
    planes = (n_channels, *whole.shape)
    layer = Layer(
        scratch(planes, np.float32, folder),
        scratch(planes, np.float32, folder),
        scratch(whole.shape, np.uint16, folder),
        scratch(whole.shape, np.uint16, folder),
    )
    layer.sci[:] = np.nan
    wsum = scratch(planes, np.float32, folder)
    tally = Tally(*(np.zeros(n_frames, np.int64) for _ in range(3)))
    for part, done in parts:
        at = part.within(whole)
        for ours, new in ((layer.sci, done.layer.sci), (layer.wht, done.layer.wht), (wsum, done.wsum)):
            ours[(slice(None), *at)] = new
        layer.cov[at], layer.rej[at] = done.layer.cov, done.layer.rej
        for plane in (layer.sci, layer.wht, layer.cov, layer.rej, wsum):
            release(plane)
        tally.low += done.tally.low
        tally.high += done.tally.high
        tally.valid += done.tally.valid
    return Coadded(layer, wsum, tally)


def hull(windows: Iterable[Window]) -> Window:
    """Give the smallest window that holds all; an empty one of none."""
    some = [window for window in windows if not window.is_empty]
    if not some:
        return Window(0, 0, 0, 0)
    y0, x0 = min(w.y0 for w in some), min(w.x0 for w in some)
    y1, x1 = max(w.y0 + w.height for w in some), max(w.x0 + w.width for w in some)
    return Window(y0, x0, y1 - y0, x1 - x0)
