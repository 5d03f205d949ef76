"""Many frames to one, a few rows of all of them at a time, so that memory does not grow with their number."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.stack import backends
from lostlight.science.stack.average import average
from lostlight.science.stack.clip import studentized_limits
from lostlight.science.stack.columns import F, Floats, pick
from lostlight.science.stack.engine import NUMPY, Engine
from lostlight.science.stack.network import LARGEST
from lostlight.science.stack.reject import Stack, reject
from lostlight.science.stack.rule import Combined, ReadRows, Rule

CACHE_BYTES = 4 << 20
"""Samples of one chunk, so that they and their sorted copy stay in the third level of cache."""
COPIES = 6
"""Arrays as large as the samples of a chunk that its work needs, at most."""


def combine(
    n_frames: int,
    shape: tuple[int, int],
    read_rows: ReadRows,
    rule: Rule,
    *,
    scales: ArrayLike | None = None,
    offsets: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    weight_rows: ReadRows | None = None,
    noises: ArrayLike | None = None,
    noise_rows: ReadRows | None = None,
    blurs: ArrayLike | None = None,
    context: Mapping[str, ArrayLike] | None = None,
    counted: tuple[slice, slice] | None = None,
    threads: int = 1,
    memory_mb: float = 256,
    backend: str = "auto",
) -> Combined:
    """Combine aligned frames pixel by pixel, without what does not belong.

    The result is the same, bit by bit, for any number of threads, any memory and any backend.

    Parameters
    ----------
    n_frames : int
    shape : (int, int)
        Rows and columns of every frame.
    read_rows : callable
        ``read_rows(frame, y0, y1, out)`` fills `out`, shape (y1 - y0, nx), float32; NaN where invalid. It is called
        from several threads. Where it gives True, every sample is known to be finite.
    rule : Rule
        Rejection and combination.
    scales, offsets : array_like, shape (N,), or None
        The sample used is (raw - offset) * scale.
    weights : array_like, shape (N,), or None
        Weight of each frame, of combine mean alone.
    weight_rows : callable or None
        The same for each pixel, called as `read_rows`; multiplies `weights`.
    noises : array_like, shape (N,), or None
        One standard deviation of the samples of each frame, in the unit of the samples used. Shrunk rejection compares
        with it, and the uncertainty of the result follows from it.
    noise_rows : callable or None
        The same for each pixel instead, called as `read_rows`; samples whose noise is not a positive number are
        invalid.
    blurs : array_like, shape (N,), or None
        For shrunk rejection: half of how much the squared width of stars, in pixels (one sigma), differs from the
        median of the frames.
    context : mapping of str to array_like, shape (N,), or None
        Columns for expressions: exptime, temp, level, noise.
    counted : (slice, slice) or None
        Rows and columns where the samples of each frame are counted; everywhere unless given.
    threads : int
    memory_mb : float
        Memory for samples; one row of all frames is the least.
    backend : str
        auto, numpy or numba.

    Returns
    -------
    Combined

    Raises
    ------
    ConfigError
        No frames, arrays of another length, weights or noises that are not above zero, or a method that takes no
        weights.
    """
    engine = backends.choose(backend, rule, n_frames * shape[0] * shape[1])
    columns = {"scales": scales, "offsets": offsets, "weights": weights, "noises": noises, "blurs": blurs}
    job = _Job(
        n_frames, shape, rule, engine, _Rows(read_rows, weight_rows, noise_rows), columns, context or {}, counted
    )
    rows = _rows(n_frames, shape, memory_mb / max(threads, 1), rule.apron, job.copies)
    spans = [(y, min(y + rows, shape[0])) for y in range(0, shape[0], rows)]
    with ThreadPoolExecutor(max(threads, 1)) as pool, np.errstate(all="ignore"):
        for counts in pool.map(lambda span: job.chunk(*span), spans):
            job.count(counts)
    return job.out


def _rows(n_frames: int, shape: tuple[int, int], memory_mb: float, apron: int, copies: int) -> int:
    """Give how many rows to combine at a time: few stay in cache, but those of the apron are sorted twice."""
    row = 4 * n_frames * shape[1]
    room = int(memory_mb * 1e6 / (copies if apron else COPIES)) // row
    rows = max(CACHE_BYTES, 8 * 4 * shape[1]) // row
    if apron:
        room, rows = room - 2 * apron, max(2 * rows, 16 * apron)
    return min(max(min(room, rows), 1), shape[0])


class _Rows(NamedTuple):
    """Where samples, their weights and their noises come from."""

    samples: ReadRows
    weights: ReadRows | None
    noises: ReadRows | None


class _Job:
    """One stack: its inputs, and the planes that its chunks fill."""

    def __init__(
        self,
        n_frames: int,
        shape: tuple[int, int],
        rule: Rule,
        engine: Engine,
        rows: _Rows,
        columns: Mapping[str, ArrayLike | None],
        context: Mapping[str, ArrayLike],
        counted: tuple[slice, slice] | None,
    ) -> None:
        if n_frames < 1:
            raise ConfigError("no frames to combine", "give at least one")
        of_frames = {name: _column(values, n_frames, name) for name, values in columns.items()}
        self.weights, self.noises = of_frames["weights"], of_frames["noises"]
        if (self.weights is not None or rows.weights) and (rule.combine != "mean" or rule.reject == "kappa_median"):
            raise ConfigError(
                f"combine {rule.combine} with rejection {rule.reject} takes no weights",
                "combine by mean, or weigh none",
            )
        for name in ("weights", "noises"):
            if of_frames[name] is not None and not (of_frames[name] > 0).all():
                raise ConfigError(f"{name} must be above zero", "leave out frames that should not count")
        self.n_frames, self.shape, self.rows, self.counted = n_frames, shape, rows, counted
        self.stack = Stack(
            rule,
            shape[1],
            engine,
            of_frames["scales"],
            of_frames["offsets"],
            {name: _column(values, n_frames, name, np.float64) for name, values in context.items()},
            studentized_limits(n_frames, rule.gesd_alpha) if rule.reject == "gesd" else None,
            of_frames["blurs"],
        )
        self.out = Combined(
            *(np.empty(shape, kind) for kind in (F, np.uint16, np.uint8, np.uint8, F, F)),
            *(np.zeros(n_frames, np.int64) for _ in range(3)),
            np.empty(shape, F),
        )
        self.buffers = threading.local()

    @property
    def copies(self) -> int:
        """Arrays as large as the samples of a chunk; compiled loops keep no sorted ones."""
        lean = self.stack.engine is not NUMPY and self.n_frames <= LARGEST and not self.stack.rule.grow
        return 2 + bool(self.rows.weights) + bool(self.rows.noises) if lean else COPIES

    def chunk(self, y0: int, y1: int) -> tuple[NDArray[np.int64], ...]:
        """Combine some rows into the planes; gives the counts of the frames."""
        # Warnings are a matter of each thread; what is invalid is infinite here on purpose.
        with np.errstate(all="ignore"):
            return self._chunk(y0, y1)

    def _chunk(self, y0: int, y1: int) -> tuple[NDArray[np.int64], ...]:
        apron = self.stack.rule.apron
        top, bottom = max(y0 - apron, 0), min(y1 + apron, self.shape[0])
        x, noises, suspicious = self._samples(top, bottom)
        inner = slice((y0 - top) * self.shape[1], (y1 - top) * self.shape[1])
        own = self._own(top, y0, y1, x.shape[1])
        n = np.full(x.shape[1], self.n_frames, np.int32)
        n_valid = np.full(self.n_frames, np.count_nonzero(own))
        if suspicious:
            valid = np.isfinite(x)
            x[~valid] = np.inf
            n, n_valid = valid.sum(axis=0, dtype=np.int32), np.count_nonzero(valid & own, axis=1)
        kept = reject(x, n, self.stack, noises)
        value, sigma, empirical, weight = average(x, kept, self.stack, self._weights(top, bottom), noises)
        planes = {
            "data": value,
            "n_used": n - kept.n_low - kept.n_high,
            "n_low": np.minimum(kept.n_low, 255),
            "n_high": np.minimum(kept.n_high, 255),
            "sigma": sigma,
            "sigma_empirical": empirical,
            "weight": weight,
        }
        for name, plane in planes.items():
            getattr(self.out, name)[y0:y1] = plane[inner].reshape(y1 - y0, -1)
        mine = own[kept.touched]
        return *(np.count_nonzero(pick(mask, mine), axis=1) for mask in (kept.low, kept.high)), n_valid

    def _own(self, top: int, y0: int, y1: int, n_pixels: int) -> NDArray[np.bool_]:
        """Tell which pixels of a chunk, of rows from `top` on, count for its frames: none of the apron."""
        own = np.zeros((n_pixels // self.shape[1], self.shape[1]), bool)
        rows, columns = self.counted or (slice(0, self.shape[0]), slice(0, self.shape[1]))
        first, last = max(y0, rows.start) - top, min(y1, rows.stop) - top
        own[first : max(last, first), columns] = True
        return own.ravel()

    def _samples(self, y0: int, y1: int) -> tuple[Floats, Floats | None, bool]:
        """Read samples and noises, and tell whether there may be invalid samples: a sum tells that cheaper."""
        size = self.n_frames * (y1 - y0) * self.shape[1]
        if getattr(self.buffers, "size", -1) < size:
            self.buffers.x, self.buffers.size = np.empty(size, F), size
        x = self.buffers.x[:size].reshape(self.n_frames, y1 - y0, self.shape[1])
        total = 0.0
        for frame, out in enumerate(x):
            if self.rows.samples(frame, y0, y1, out) is not True:
                total += float(out.sum())
        x = x.reshape(self.n_frames, -1)
        if self.stack.offsets is not None:
            x -= self.stack.offsets
        if self.stack.scales is not None:
            x *= self.stack.scales
        if self.rows.noises is None:
            return x, self.noises, not np.isfinite(total)
        noises = self._planes(self.rows.noises, y0, y1)
        unknown = ~((noises > 0) & (noises < np.inf))
        x[unknown] = noises[unknown] = np.inf
        return x, noises, True

    def _weights(self, y0: int, y1: int) -> Floats | None:
        if self.rows.weights is None:
            return self.weights
        weights = self._planes(self.rows.weights, y0, y1)
        return weights if self.weights is None else weights * self.weights

    def _planes(self, read_rows: ReadRows, y0: int, y1: int) -> Floats:
        planes = np.empty((self.n_frames, y1 - y0, self.shape[1]), F)
        for frame, out in enumerate(planes):
            read_rows(frame, y0, y1, out)
        return planes.reshape(self.n_frames, -1)

    def count(self, counts: tuple[NDArray[np.int64], ...]) -> None:
        """Add the counts of a chunk to those of the frames."""
        self.out.rejected_low += counts[0]
        self.out.rejected_high += counts[1]
        self.out.n_valid += counts[2]


def _column(values: ArrayLike | None, n_frames: int, name: str, kind: type = F) -> NDArray | None:
    if values is None:
        return None
    column = np.asarray(values, kind)
    if column.shape != (n_frames,) or not (name in ("exptime", "temp", "level", "noise") or np.isfinite(column).all()):
        raise ConfigError(f"{name}: {n_frames} finite numbers are needed, one per frame", "give one per frame")
    return column[:, None]
