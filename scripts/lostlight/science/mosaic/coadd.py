"""Frames to one block of the canvas: each resampled once, brought to the common level, combined pixel by pixel."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.science.mosaic.layer import Layer
from lostlight.science.mosaic.level.surface import sky_surface
from lostlight.science.mosaic.warp.nodes import Route
from lostlight.science.mosaic.warp.warp import WORTH_COMPILING, WarpRules, warp
from lostlight.science.mosaic.window import Window
from lostlight.science.stack import backends
from lostlight.science.stack.combine import combine
from lostlight.science.stack.rule import Combined, Rule

Floats = NDArray[np.float32]
APRON = 3
"""Pixels around a block that its combination looks at: gradients, their neighbours, and what grows."""


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
class Tally:
    """Samples of each frame: rejected below and above, and valid; int64, shape (N,)."""

    low: NDArray[np.int64]
    high: NDArray[np.int64]
    valid: NDArray[np.int64]


@dataclass(frozen=True)
class Coadded:
    """A window of the canvas as it was combined.

    Attributes
    ----------
    layer : Layer
    wsum : ndarray, shape (C, H, W), float32
        Sum of the weights, which is what a further combination weighs by; 0 where there is nothing.
    tally : Tally
    """

    layer: Layer
    wsum: Floats
    tally: Tally


Resample = Callable[[Placed, Window], tuple[Any, Any] | None]
Work = Callable[[Sequence[Placed], Window], Iterator[Combined]]
"""Gives what comes of each colour of some frames on a window."""


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
) -> Coadded:
    """Combine the frames on a window of the canvas.

    Parameters
    ----------
    frames : sequence of Placed
        In the order of their ids, by which ties are broken.
    window : Window
        Pixels of the canvas that are wanted.
    canvas_shape : (int, int)
    warp_rules : WarpRules
    rule : Rule
        Rejection and combination; a median is not weighed.
    threads : int
    memory_mb : float
        Working memory of the combination; the samples themselves are not counted, see `blocks`.
    backend : str
        auto, numpy or numba.

    Returns
    -------
    Coadded
        The same at a pixel for any window, number of threads and memory.
    """

    by, combine_by = (_engine(backend, frames, worth) for worth in (WORTH_COMPILING, backends.WORTH_COMPILING))

    def resampled(frame: Placed, part: Window) -> tuple[Floats, Floats]:
        warped = warp(frame.rows, frame.shape, frame.n_channels, frame.route, part, warp_rules, backend=by)
        return warped.data, warped.weight

    def work(met: Sequence[Placed], wide: Window) -> Iterator[Combined]:
        stack, feather = levelled(met, wide, resampled, threads)
        is_weighed = rule.combine == "mean"
        for c, samples in enumerate(stack):
            yield combine(
                len(met),
                wide.shape,
                given(samples),
                rule,
                weights=[frame.weight[c] for frame in met] if is_weighed else None,
                weight_rows=given(feather) if is_weighed else None,
                noises=[frame.sigma[c] for frame in met],
                blurs=[frame.blur for frame in met],
                counted=window.within(wide),
                threads=threads,
                memory_mb=memory_mb,
                backend=combine_by,
            )

    return put_together(frames, window, canvas_shape, work)


def put_together(frames: Sequence[Placed], window: Window, canvas_shape: tuple[int, int], work: Work) -> Coadded:
    """Do the work on the frames that meet a window and its apron, and keep what is of the window."""
    wide = window.grown(APRON, canvas_shape)
    meet = [i for i, frame in enumerate(frames) if not _overlap(frame, wide).is_empty]
    done = nothing(len(frames), frames[0].n_channels if frames else 1, window.shape)
    if meet:
        for c, combined in enumerate(work([frames[i] for i in meet], wide)):
            put(done, c, combined, window.within(wide), meet)
    return done


def _engine(backend: str, frames: Sequence[Placed], worth: float) -> str:
    """Decide by all pixels of the frames: those of a block are few where memory is."""
    areas = (math.prod(frame.route.window.shape) for frame in frames if frame.route.window is not None)
    return "numba" if backend == "auto" and sum(areas) >= worth else backend


def bytes_of_sample(n_channels: int) -> int:
    """Memory that a pixel of a frame takes in a block: its colours and its feather."""
    return 4 * (n_channels + 1)


def bytes_of_pixel(n_channels: int, threads: int) -> int:
    """Memory that a pixel of a block takes beside its samples.

    Each thread has a piece of a frame twice, filtered and not, and what it resamples; then there is what comes out.
    """
    return threads * (25 * n_channels + 5) + 16 * n_channels + 20


def nothing(n_frames: int, n_channels: int, shape: tuple[int, int]) -> Coadded:
    """Give a window without a valid pixel."""
    whole = (n_channels, *shape)
    planes = np.full(whole, np.nan, np.float32), np.zeros(whole, np.float32)
    layer = Layer(*planes, np.zeros(shape, np.uint16), np.zeros(shape, np.uint16))
    return Coadded(layer, np.zeros(whole, np.float32), Tally(*(np.zeros(n_frames, np.int64) for _ in range(3))))


def put(done: Coadded, channel: int, combined: Combined, inner: tuple[slice, slice], frames: Sequence[int]) -> None:
    """Put what came of one colour in its place; of coverage and rejection, colours share the most there is."""
    layer, data, sigma = done.layer, combined.data[inner], combined.sigma[inner]
    is_known = np.isfinite(data) & (sigma > 0)
    layer.sci[channel] = np.where(is_known, data, np.nan)
    layer.wht[channel] = np.where(is_known, 1 / (sigma * sigma), 0)
    done.wsum[channel] = np.where(is_known, combined.weight[inner], 0)
    rejected = combined.n_low[inner].astype(np.uint16) + combined.n_high[inner]
    np.maximum(layer.cov, np.where(is_known, combined.n_used[inner], 0), out=layer.cov, casting="unsafe")
    np.maximum(layer.rej, rejected, out=layer.rej)
    counts = (done.tally.low, combined.rejected_low), (done.tally.high, combined.rejected_high)
    for sums, more in (*counts, (done.tally.valid, combined.n_valid)):
        sums[list(frames)] += more


def _overlap(frame: Placed, window: Window) -> Window:
    return Window(0, 0, 0, 0) if frame.route.window is None else frame.route.window.meet(window)


def levelled(
    frames: Sequence[Placed], window: Window, resampled: Resample, threads: int, xp: ModuleType = np
) -> tuple[Any, Any]:
    """Resample every frame and bring it to the common level.

    Parameters
    ----------
    frames : sequence of Placed
        Such as meet the window.
    window : Window
    resampled : callable
        ``resampled(frame, part)`` gives data and weight of a frame on a window, None where it has no pixel there.
    threads : int
    xp : module
        Namespace of these arrays and of what is given back.

    Returns
    -------
    stack : array, shape (C, N, h, w), float32
    feather : array, shape (N, h, w), float32
    """
    n_channels = frames[0].n_channels
    stack = xp.full((n_channels, len(frames), *window.shape), xp.nan, dtype=xp.float32)
    feather = xp.zeros((len(frames), *window.shape), dtype=xp.float32)

    def bring(k: int) -> None:
        level, part = frames[k].level, _overlap(frames[k], window)
        found = resampled(frames[k], part)
        if found is None:
            return
        inside = part.within(window)
        data, feather[k, *inside] = found
        for c in range(n_channels):
            surface = sky_surface(level.sky[c], level.centre, level.half_px, part, xp)
            stack[c, k, *inside] = xp.asarray(level.gain[c], dtype=xp.float32) * data[c, ...] - surface

    with ThreadPoolExecutor(max(threads, 1)) as pool:
        list(pool.map(bring, range(len(frames))))
    return stack, feather


def given(stack: Floats) -> Callable[[int, int, int, Floats], None]:
    """Hand out rows of a stack, shape (N, h, w), as the combination asks for them."""

    def rows(frame: int, y0: int, y1: int, out: Floats) -> None:
        out[:] = stack[frame, y0:y1]

    return rows
