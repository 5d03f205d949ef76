"""Lots to one block of the canvas: what was summed up in them is summed up again, unless lots disagree."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.coadd import APRON, Coadded, Floats, Level, given, nothing, put
from lostlight.science.mosaic.level.surface import sky_surface
from lostlight.science.mosaic.window import Window
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import Rule

BYTES = 32
"""Memory of a pixel of a lot and colour while it is worked on."""
_COUNTS = ("COV", "REJ")


@dataclass(frozen=True)
class PlacedLot:
    """A lot on the canvas.

    Attributes
    ----------
    rows : callable
        ``rows(plane, y0, y1)`` gives rows of SCI, WHT, WSUM, COV or REJ, shape (C or 1, y1 - y0, nx).
    window : Window
        Where it lies.
    n_channels : int
    level : Level or None
        What brings it to the level of the others; None where its frames are level already.
    """

    rows: Callable[[str, int, int], NDArray]
    window: Window
    n_channels: int
    level: Level | None = None


def coadd_lots(
    lots: Sequence[PlacedLot], window: Window, rule: Rule, *, threads: int, memory_mb: float, backend: str
) -> Coadded:
    """Combine lots on a window of the canvas.

    Each lot is weighed by the sum of the weights of its frames; so without rejection the result is that of all frames
    at once, but for rounding. Its noise is that of its inverse variance.

    Returns
    -------
    Coadded
        Coverage counts frames: of lots that are left out at a pixel, in proportion to their weight.
    """
    met = [i for i, lot in enumerate(lots) if not lot.window.meet(window).is_empty]
    done = nothing(len(lots), lots[0].n_channels, window.shape)
    if not met:
        return done
    n_frames, n_rejected = (np.zeros(window.shape, np.float64) for _ in _COUNTS)
    for i in met:
        n_frames += _counted(lots[i], "COV", window)
        n_rejected += _counted(lots[i], "REJ", window)
    wide = Window(window.y0 - APRON, window.x0 - APRON, window.height + 2 * APRON, window.width + 2 * APRON)
    inner = slice(APRON, -APRON), slice(APRON, -APRON)
    for c in range(lots[0].n_channels):
        planes = [_planes(lots[i], c, wide) for i in met]
        samples, noises, weights = (np.stack(kind) for kind in zip(*planes, strict=True))
        combined = combine(
            len(met), wide.shape, given(samples), rule, weight_rows=given(weights), noise_rows=given(noises),
            counted=inner, threads=threads, memory_mb=memory_mb, backend=backend,
        )  # fmt: skip
        put(done, c, combined, inner, met)
        share = combined.weight[inner] / np.maximum(weights.sum(axis=0)[inner], np.finfo(np.float32).tiny)
        # what is kept has a frame, however little it weighs
        kept = np.where(done.layer.wht[c] > 0, np.maximum(np.rint(n_frames * np.minimum(share, 1)), 1), 0)
        if c == 0:
            n_kept = kept
        n_kept = np.maximum(n_kept, kept)
    layer = replace(done.layer, cov=n_kept.astype(np.uint16), rej=(n_rejected + n_frames - n_kept).astype(np.uint16))
    return replace(done, layer=layer)


def _planes(lot: PlacedLot, channel: int, window: Window) -> tuple[Floats, Floats, Floats]:
    """Give the samples of a lot, their noise and their weight, on the window; invalid where it has none."""
    sci, wht, wsum = (_part(lot, name, channel, window) for name in ("SCI", "WHT", "WSUM"))
    if lot.level is not None:
        gain = np.float32(lot.level.gain[channel])
        sci = gain * sci - sky_surface(lot.level.sky[channel], lot.level.centre, lot.level.half_px, window)
        wht, wsum = wht / (gain * gain), wsum / (gain * gain)
    is_known = (wht > 0) & np.isfinite(sci)
    noise = 1 / np.sqrt(np.where(is_known, wht, 1))
    return np.where(is_known, sci, np.float32(np.nan)), np.where(is_known, noise, np.inf), wsum


def _part(lot: PlacedLot, name: str, channel: int, window: Window) -> Floats:
    shared = lot.window.meet(window)
    part = np.full(window.shape, np.nan if name == "SCI" else 0, np.float32)
    if not shared.is_empty:
        (rows, columns) = shared.within(lot.window)
        part[shared.within(window)] = lot.rows(name, rows.start, rows.stop)[channel][:, columns]
    return part


def _counted(lot: PlacedLot, name: str, window: Window) -> Floats:
    return _part(lot, name, 0, window)
