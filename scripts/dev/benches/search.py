"""The search for moving sources beside a plain loop over paths; its rates beside the bandwidth of the cache.

A trajectory.frame is one path on one image: 8 bytes of psi and phi, 4 of psi alone where all weights are one.
"""

import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numba import njit

from benches.measure import Row
from benches.triad import CACHE, bandwidth, triad_gb_s
from lostlight.science.inject.mixture import gaussian
from lostlight.science.search.compiled import add_rows
from lostlight.science.search.likelihood import psi_phi
from lostlight.science.search.rules import Peaks, SearchRules
from lostlight.science.search.search import search
from lostlight.science.search.velocities import shift_tables, velocity_grid

EPOCHS, SIDE, MOTIONS = 20, 1024, 1000
SMALL, FEW = 512, 128
ROW, N_ROWS = 1500, 100
"""Values of a row, and rows: 0.6 MB, in the second cache."""
REPEATS = 3
RULES = SearchRules(EPOCHS // 2, margin_px=0)
Planes = np.ndarray


def rows(folder: Path, full: bool) -> Iterator[Row]:
    days = np.linspace(0, 1, EPOCHS)
    v = velocity_grid(0, 2.5, 1.0, 2.75)[:MOTIONS]
    psi, phi = planes(SIDE, 0.2)
    yield from bandwidth()
    cache, streamed = triad_gb_s(CACHE), rows_gb_s()
    yield Row("P5 rows summed from the second cache, unaligned", streamed, unit="GB/s")
    spent = best(lambda: search(psi, phi, days, v, RULES))
    both = EPOCHS * SIDE**2 * len(v) / spent / 1e9
    yield Row("P6 search 20 x 1024^2 x 1000 motions", spent, unit="CPU s", bar="<= 5")
    yield from _rate("psi and phi", both, 8, cache, streamed, ">= 4")
    spent = best(lambda: search(psi, np.ones_like(phi), days, v, RULES))
    alone = EPOCHS * SIDE**2 * len(v) / spent / 1e9
    yield from _rate("psi alone", alone, 4, cache, streamed, ">= 10")
    yield from _naive(days, v[:FEW])
    yield from _memory(days)
    image = np.random.default_rng(1).normal(size=(SIDE, SIDE))
    spent = best(lambda: psi_phi(image, 1.0, None, gaussian(2.5)))
    yield Row("P6 psi and phi of an image made", SIDE**2 / spent / 1e6, unit="Mpx/s")


def _rate(what: str, rate: float, n_bytes: int, cache: float, streamed: float, bar: str) -> Iterator[Row]:
    yield Row(f"P5 {what}, paths x images a second", rate, unit="G/s", bar=bar)
    yield Row(f"P5 {what}, of the triad", n_bytes * rate / cache * 100, unit="%", bar=">= 60")
    yield Row(f"P5 {what}, of rows summed", n_bytes * rate / streamed * 100, unit="%")


def rows_gb_s() -> float:
    """Give the bandwidth of what the search does at best: rows summed, none of which begins where a line does."""
    flat, total = np.ones(N_ROWS * (ROW + 4), np.float32), np.zeros(ROW, np.float32)
    starts = np.arange(N_ROWS) * (ROW + 4) + 3
    spent = best(lambda: [add_rows(flat, starts, total) for _ in range(200)])
    return 200 * 4e-9 * N_ROWS * ROW / spent


def planes(side: int, uneven: float, n_epochs: int = EPOCHS) -> tuple[Planes, Planes]:
    """Make psi and phi of noise, float32 of shape (T, side, side)."""
    rng = np.random.default_rng(0)
    shape = (n_epochs, side, side)
    phi = (1 + uneven * rng.random(shape)).astype(np.float32)
    return rng.standard_normal(shape, np.float32), phi


def best(work: Callable[[], object]) -> float:
    """Least CPU seconds of several times; the first, which compiles, does not count."""
    spent = []
    for _ in range(REPEATS + 1):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return min(spent[1:])


def _naive(days: np.ndarray, v: np.ndarray) -> Iterator[Row]:
    psi, phi = planes(SMALL, 0.2)
    dx, dy = shift_tables(v, days)

    def plain() -> tuple[np.ndarray, np.ndarray]:
        return one_by_one(psi, phi, dx, dy, RULES.min_epochs)

    peaks: Peaks = search(psi, phi, days, v, RULES)
    lh, velocity = plain()
    if (velocity != peaks.velocity[0]).any() or abs(lh - peaks.lh[0]).max() > 1e-5:
        raise SystemExit("the plain loop finds other paths")
    ours, peer = best(lambda: search(psi, phi, days, v, RULES)), best(plain)
    frames = EPOCHS * SMALL**2 * len(v) / 1e9
    yield Row("P7 search 20 x 512^2 x 128 motions, peer a plain loop", ours, peer, "CPU s", ">= 10x")
    yield Row("P7 the plain loop", frames / peer, unit="G/s")


@njit(cache=True)
def one_by_one(
    psi: Planes, phi: Planes, dx: np.ndarray, dy: np.ndarray, min_epochs: int
) -> tuple[np.ndarray, np.ndarray]:
    """Try path after path, pixel after pixel, as a description of the search would have it."""
    n_epochs, height, width = psi.shape
    lh, velocity = np.full((height, width), -np.inf, np.float32), np.full((height, width), -1, np.int32)
    for y in range(height):
        for x in range(width):
            for m in range(len(dx)):
                evidence, weight, n = np.float32(0), np.float32(0), 0
                for t in range(n_epochs):
                    i, j = y + dy[m, t], x + dx[m, t]
                    if 0 <= i < height and 0 <= j < width and phi[t, i, j] > 0:
                        evidence += psi[t, i, j]
                        weight += phi[t, i, j]
                        n += 1
                if n >= min_epochs and evidence / np.sqrt(weight) > lh[y, x]:
                    lh[y, x], velocity[y, x] = evidence / np.sqrt(weight), m
    return lh, velocity


def _memory(days: np.ndarray) -> Iterator[Row]:
    """Highest memory of a search beyond its images, for few and many motions, and for few and many images."""
    least = None
    for n_epochs, rate in ((EPOCHS, 0.5), (EPOCHS, 2.5), (2 * EPOCHS, 2.5)):
        psi, phi = planes(SMALL, 0.2, n_epochs)
        when, v = np.linspace(days[0], days[-1], n_epochs), velocity_grid(0, rate, 1.0, 2.75)
        search(psi, phi, when, v, RULES)
        tracemalloc.start()
        search(psi, phi, when, v, RULES)
        peak = tracemalloc.get_traced_memory()[1] / 1e6
        tracemalloc.stop()
        # Tables of shifts grow with motions; nothing that has pixels does.
        tables = 100e-6 * n_epochs * len(v)
        least = least or peak - tables
        bar = f"<= {1.1 * least * n_epochs / EPOCHS + tables:.3g}"
        yield Row(f"memory, {n_epochs} images of 512^2, {len(v)} motions", peak, unit="MB", bar=bar)
