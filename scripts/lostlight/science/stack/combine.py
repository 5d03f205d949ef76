"""Many frames to one, a few rows of all of them at a time, so that memory does not grow with their number."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lostlight.core.errors import ConfigError
from lostlight.science.stack import backends
from lostlight.science.stack.average import average
from lostlight.science.stack.clip import studentized_limits
from lostlight.science.stack.columns import F, Floats
from lostlight.science.stack.engine import Engine
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
    context: Mapping[str, ArrayLike] | None = None,
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
    context : mapping of str to array_like, shape (N,), or None
        Columns for expressions: exptime, temp, level, noise.
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
        No frames, arrays of another length, weights that are not above zero, or a method that takes none.
    """
    engine = backends.choose(backend, rule, n_frames * shape[0] * shape[1])
    job = _Job(n_frames, shape, read_rows, rule, engine, scales, offsets, weights, weight_rows, context)
    rows = _rows(n_frames, shape, memory_mb / max(threads, 1))
    spans = [(y, min(y + rows, shape[0])) for y in range(0, shape[0], rows)]
    with ThreadPoolExecutor(max(threads, 1)) as pool, np.errstate(all="ignore"):
        for counts in pool.map(lambda span: job.chunk(*span), spans):
            job.count(counts)
    return job.out


def _rows(n_frames: int, shape: tuple[int, int], memory_mb: float) -> int:
    row = 4 * n_frames * shape[1]
    room = min(memory_mb * 1e6 / COPIES, max(CACHE_BYTES, 8 * 4 * shape[1]))
    return int(min(max(room // row, 1), shape[0]))


class _Job:
    """One stack: its inputs, and the planes that its chunks fill."""

    def __init__(
        self,
        n_frames: int,
        shape: tuple[int, int],
        read_rows: ReadRows,
        rule: Rule,
        engine: Engine,
        scales: ArrayLike | None,
        offsets: ArrayLike | None,
        weights: ArrayLike | None,
        weight_rows: ReadRows | None,
        context: Mapping[str, ArrayLike] | None,
    ) -> None:
        if n_frames < 1:
            raise ConfigError("no frames to combine", "give at least one")
        if (weights is not None or weight_rows) and (rule.combine != "mean" or rule.reject == "kappa_median"):
            raise ConfigError(
                f"combine {rule.combine} with rejection {rule.reject} takes no weights",
                "combine by mean, or weigh none",
            )
        self.n_frames, self.shape, self.read_rows, self.weight_rows = n_frames, shape, read_rows, weight_rows
        self.weights = _column(weights, n_frames, "weights")
        if self.weights is not None and not (self.weights > 0).all():
            raise ConfigError("weights must be above zero", "leave out frames that should not count")
        columns = {name: _column(values, n_frames, name, np.float64) for name, values in (context or {}).items()}
        self.stack = Stack(
            rule,
            shape[1],
            engine,
            _column(scales, n_frames, "scales"),
            _column(offsets, n_frames, "offsets"),
            columns,
            studentized_limits(n_frames, rule.gesd_alpha) if rule.reject == "gesd" else None,
        )
        self.out = Combined(
            *(np.empty(shape, kind) for kind in (F, np.uint16, np.uint8, np.uint8, F, F)),
            *(np.zeros(n_frames, np.int64) for _ in range(3)),
        )
        self.buffers = threading.local()

    def chunk(self, y0: int, y1: int) -> tuple[NDArray[np.int64], ...]:
        """Combine some rows into the planes; gives the counts of the frames."""
        # Warnings are a matter of each thread; what is invalid is infinite here on purpose.
        with np.errstate(all="ignore"):
            return self._chunk(y0, y1)

    def _chunk(self, y0: int, y1: int) -> tuple[NDArray[np.int64], ...]:
        x, suspicious = self._samples(y0, y1)
        n = np.full(x.shape[1], self.n_frames, np.int32)
        n_valid = np.full(self.n_frames, x.shape[1])
        if suspicious:
            valid = np.isfinite(x)
            x[~valid] = np.inf
            n, n_valid = valid.sum(axis=0, dtype=np.int32), np.count_nonzero(valid, axis=1)
        kept = reject(x, n, self.stack)
        value, sigma, empirical = average(x, kept, self.stack, self._weights(y0, y1))
        planes = {
            "data": value,
            "n_used": n - kept.n_low - kept.n_high,
            "n_low": np.minimum(kept.n_low, 255),
            "n_high": np.minimum(kept.n_high, 255),
            "sigma": sigma,
            "sigma_empirical": empirical,
        }
        for name, plane in planes.items():
            getattr(self.out, name)[y0:y1] = plane.reshape(y1 - y0, -1)
        return np.count_nonzero(kept.low, axis=1), np.count_nonzero(kept.high, axis=1), n_valid

    def _samples(self, y0: int, y1: int) -> tuple[Floats, bool]:
        """Read samples, and tell whether there may be invalid ones: a sum tells that cheaper than looking at each."""
        size = self.n_frames * (y1 - y0) * self.shape[1]
        if getattr(self.buffers, "size", -1) < size:
            self.buffers.x, self.buffers.size = np.empty(size, F), size
        x = self.buffers.x[:size].reshape(self.n_frames, y1 - y0, self.shape[1])
        total = 0.0
        for frame, out in enumerate(x):
            if self.read_rows(frame, y0, y1, out) is not True:
                total += float(out.sum())
        x = x.reshape(self.n_frames, -1)
        if self.stack.offsets is not None:
            x -= self.stack.offsets
        if self.stack.scales is not None:
            x *= self.stack.scales
        return x, not np.isfinite(total)

    def _weights(self, y0: int, y1: int) -> Floats | None:
        if self.weight_rows is None:
            return self.weights
        weights = np.empty((self.n_frames, y1 - y0, self.shape[1]), F)
        for frame, out in enumerate(weights):
            self.weight_rows(frame, y0, y1, out)
        weights = weights.reshape(self.n_frames, -1)
        return weights if self.weights is None else weights * self.weights

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
