"""Frames to a window of the canvas, block by block, so that memory does not grow with frames or canvas."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from lostlight.io.scratch import release, scratch, trim
from lostlight.science.mosaic.blocks import blocks
from lostlight.science.mosaic.coadd import Coadded, Placed, Tally, bytes_of_pixel, bytes_of_sample
from lostlight.science.mosaic.layer import Layer
from lostlight.science.mosaic.window import Window
from lostlight.steps.mosaicking.bench import SHARE, Bench

LITTLE = 4 << 20
"""Bytes of a plane that is kept in memory: there are five of them."""


def assemble(
    frames: Sequence[Placed], windows: Iterable[Window], canvas_shape: tuple[int, int], bench: Bench, folder: Path
) -> Coadded:
    """Combine frames on the windows of the canvas, which are blocks of one rectangle; scratch files go to `folder`."""
    n_channels, memory_mb = frames[0].n_channels, SHARE * bench.lent.memory_mb
    seen = [frame.route.window for frame in frames if frame.route.window is not None]
    sizes = bytes_of_sample(n_channels), memory_mb, bytes_of_pixel(n_channels, bench.lent.threads)
    parts = [part for window in windows for part in blocks(window, seen, *sizes)]
    made = (done for part in parts for done in bench.work(frames, part, canvas_shape))
    return joined(made, hull(parts), len(frames), n_channels, folder)


def joined(
    parts: Iterable[tuple[Window, Coadded]], whole: Window, n_frames: int, n_channels: int, folder: Path
) -> Coadded:
    """Put blocks together as they are made; there is no pixel of the window that is in none."""
    trim()
    planes = (n_channels, *whole.shape)
    sci, wht, wsum = (scratch(planes, np.float32, folder, LITTLE) for _ in range(3))
    layer = Layer(sci, wht, *(scratch(whole.shape, np.uint16, folder, LITTLE) for _ in range(2)))
    tally = Tally(*(np.zeros(n_frames, np.int64) for _ in range(3)))
    for part, done in parts:
        at = part.within(whole)
        for ours, new in ((layer.sci, done.layer.sci), (layer.wht, done.layer.wht), (wsum, done.wsum)):
            ours[(slice(None), *at)] = new
        layer.cov[at], layer.rej[at] = done.layer.cov, done.layer.rej
        for plane in (layer.sci, layer.wht, layer.cov, layer.rej, wsum):
            release(plane)
        trim()
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
