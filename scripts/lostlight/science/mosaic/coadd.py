"""Frames to one block of the canvas: each resampled once, brought to the common level, combined pixel by pixel."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.nodes import Route
from lostlight.science.mosaic.sky_surface import sky_surface
from lostlight.science.mosaic.warp import Warped, WarpRules, warp
from lostlight.science.mosaic.window import Window
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import Combined, Rule

Floats = NDArray[np.float32]
APRON = 3
"""Pixels around a block that its combination looks at: gradients, their neighbours, and what grows."""
COPIES = 3.5
"""Arrays as large as the samples of a block that its work needs, weights and sorted copies included."""


@dataclass(frozen=True)
class Level:
    """What brings a frame to the common level: gain times its pixels, less a surface.

    Attributes
    ----------
    gain : ndarray, shape (C,), float64
    sky : ndarray, shape (C, B), float64
        Coefficients of the surface, in units of the result.
    centre : ndarray, shape (2,), float64
        x and y of the canvas that the surface is told about.
    half_px : float
        Its unit of length.
    """

    gain: NDArray[np.float64]
    sky: NDArray[np.float64]
    centre: NDArray[np.float64]
    half_px: float


@dataclass(frozen=True)
class Placed:
    """A frame on the canvas, and how it counts there.

    Attributes
    ----------
    rows : callable
        ``rows(y0, y1)`` gives (C, y1 - y0, nx) float32, NaN where invalid.
    shape : (int, int)
    n_channels : int
    route : Route
        From canvas to frame.
    level : Level
    sigma : ndarray, shape (C,), float64
        Noise of a pixel at the common level.
    weight : ndarray, shape (C,), float64
    blur : float
        Half the difference of its squared seeing to that of the others, pixels squared.
    """

    rows: Callable[[int, int], Floats]
    shape: tuple[int, int]
    n_channels: int
    route: Route
    level: Level
    sigma: NDArray[np.float64]
    weight: NDArray[np.float64]
    blur: float = 0.0


@dataclass
class Layer:
    """A piece of a mosaic, or the whole.

    Attributes
    ----------
    sci : ndarray, shape (C, H, W), float32
        NaN where there is nothing.
    wht : ndarray, shape (C, H, W), float32
        Inverse variance; 0 where there is nothing.
    wsum : ndarray, shape (C, H, W), float32
        Sum of the weights, which is what a further combination weighs by.
    cov, rej : ndarray, shape (H, W), uint16
        Frames that contribute, and samples left out; of colours, the most of any.
    """

    sci: Floats
    wht: Floats
    wsum: Floats
    cov: NDArray[np.uint16]
    rej: NDArray[np.uint16]


@dataclass
class Tally:
    """Samples of each frame: rejected below and above, and valid; int64, shape (N,)."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    valid: NDArray[np.int64]


def coadd(
    frames: Sequence[Placed],
    window: Window,
    canvas_shape: tuple[int, int],
    warp_rules: WarpRules,
    rule: Rule,
    *,
    threads: int = 1,
    memory_mb: float = 256,
    backend: str = "auto",
) -> tuple[Layer, Tally]:
    """Combine the frames on a window of the canvas.

    The outcome for a pixel does not depend on the window, the number of threads or the memory.
    """
    wide = window.grown(APRON, canvas_shape)
    meet = [i for i, frame in enumerate(frames) if not _overlap(frame, wide).is_empty]
    met = [frames[i] for i in meet]
    tally = Tally(*(np.zeros(len(frames), np.int64) for _ in range(3)))
    layer = nothing(frames[0].n_channels if frames else 1, window.shape)
    if not met:
        return layer, tally
    stack, feather = _levelled(met, wide, warp_rules, threads, backend)
    inner = window.within(wide)
    for c in range(len(layer.sci)):
        combined = combine(
            len(met),
            wide.shape,
            _given(stack[:, c]),
            rule,
            weights=[frame.weight[c] for frame in met],
            weight_rows=_given(feather),
            noises=[frame.sigma[c] for frame in met],
            blurs=[frame.blur for frame in met],
            threads=threads,
            memory_mb=memory_mb,
            backend=backend,
        )
        put(layer, c, combined, inner)
        _count(tally, meet, combined)
    return layer, tally


def nothing(n_channels: int, shape: tuple[int, int]) -> Layer:
    """Give a layer without a valid pixel."""
    whole = (n_channels, *shape)
    empty = np.full(whole, np.nan, np.float32), np.zeros(whole, np.float32), np.zeros(whole, np.float32)
    return Layer(*empty, np.zeros(shape, np.uint16), np.zeros(shape, np.uint16))


def put(layer: Layer, channel: int, combined: Combined, inner: tuple[slice, slice]) -> None:
    """Put what came of one colour into a layer."""
    data, sigma = combined.data[inner], combined.sigma[inner]
    layer.sci[channel] = data
    with np.errstate(divide="ignore", invalid="ignore"):
        layer.wht[channel] = np.where(np.isfinite(data) & (sigma > 0), 1 / (sigma * sigma), 0)
    layer.wsum[channel] = np.where(np.isfinite(data), combined.weight[inner], 0)
    rejected = combined.n_low[inner].astype(np.uint16) + combined.n_high[inner]
    np.maximum(layer.cov, combined.n_used[inner], out=layer.cov)
    np.maximum(layer.rej, rejected, out=layer.rej)


def _overlap(frame: Placed, window: Window) -> Window:
    return Window(0, 0, 0, 0) if frame.route.window is None else frame.route.window.meet(window)


def _levelled(
    frames: Sequence[Placed], window: Window, rules: WarpRules, threads: int, backend: str
) -> tuple[Floats, Floats]:
    """Resample every frame and bring it to the common level; gives samples (N, C, h, w) and feathers (N, h, w)."""
    stack = np.full((len(frames), frames[0].n_channels, *window.shape), np.nan, np.float32)
    feather = np.zeros((len(frames), *window.shape), np.float32)
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        list(pool.map(_bring, frames, stack, feather, repeat(window), repeat(rules), repeat(backend)))
    return stack, feather


def _bring(
    frame: Placed, samples: Floats, feather: Floats, window: Window, rules: WarpRules, backend: str
) -> None:
    part = _overlap(frame, window)
    warped: Warped = warp(frame.rows, frame.shape, frame.n_channels, frame.route, part, rules, backend=backend)
    inside = part.within(window)
    feather[inside] = warped.weight
    for c, plane in enumerate(warped.data):
        surface = sky_surface(frame.level.sky[c], frame.level.centre, frame.level.half_px, part)
        samples[(c, *inside)] = np.float32(frame.level.gain[c]) * plane - surface


def _given(stack: Floats) -> Callable[[int, int, int, Floats], None]:
    def rows(frame: int, y0: int, y1: int, out: Floats) -> None:
        out[:] = stack[frame, y0:y1]

    return rows


def _count(tally: Tally, meet: Sequence[int], combined: Combined) -> None:
    for name, counts in (("low", combined.rejected_low), ("high", combined.rejected_high), ("valid", combined.n_valid)):
        getattr(tally, name)[meet] += counts
