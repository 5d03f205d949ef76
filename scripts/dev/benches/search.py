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
from benches.triad import triad_gb_s
from lostlight.science.inject.mixture import gaussian
from lostlight.science.search.likelihood import psi_phi
from lostlight.science.search.rules import Peaks, SearchRules
from lostlight.science.search.search import search
from lostlight.science.search.velocities import shift_tables, velocity_grid

EPOCHS, SIDE, MOTIONS = 20, 1024, 1000
SMALL, FEW = 512, 128
CACHE_VALUES, MEMORY_VALUES = 40_000, 5_000_000
REPEATS = 5
RULES = SearchRules(EPOCHS // 2, margin_px=0)
Planes = np.ndarray


def rows(folder: Path, full: bool) -> Iterator[Row]:
    days = np.linspace(0, 1, EPOCHS)
    v = velocity_grid(0, 2.5, 1.0, 2.75)[:MOTIONS]
    psi, phi = planes(SIDE, 0.2)
    cache = triad_gb_s(CACHE_VALUES)
    yield Row("triad in cache, of one core", cache, unit="GB/s")
    yield Row("triad in memory, of one core", triad_gb_s(MEMORY_VALUES), unit="GB/s")
    spent = best(lambda: search(psi, phi, days, v, RULES))
    both = EPOCHS * SIDE**2 * len(v) / spent / 1e9
    yield Row("search 20 x 1024^2 x 1000 motions", spent, unit="CPU s", bar="<= 5")
    yield Row("  psi and phi", both, unit="G/s", bar=">= 4")
    yield Row("  of the bandwidth of the cache", 8 * both / cache * 100, unit="%", bar=">= 60")
    spent = best(lambda: search(psi, np.ones_like(phi), days, v, RULES))
    alone = EPOCHS * SIDE**2 * len(v) / spent / 1e9
    yield Row("  psi alone", alone, unit="G/s", bar=">= 10")
    yield Row("  of the bandwidth of the cache", 4 * alone / cache * 100, unit="%", bar=">= 60")
    yield from _naive(days, v[:FEW])
    yield from _memory(days)
    image = np.random.default_rng(1).normal(size=(SIDE, SIDE))
    spent = best(lambda: psi_phi(image, 1.0, None, gaussian(2.5)))
    yield Row("psi and phi of an image", SIDE**2 / spent / 1e6, unit="Mpx/s")


def planes(side: int, uneven: float) -> tuple[Planes, Planes]:
    """Make psi and phi of noise, float32 of shape (EPOCHS, side, side)."""
    rng = np.random.default_rng(0)
    shape = (EPOCHS, side, side)
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
    yield Row("search 20 x 512^2 x 128 motions, peer a plain loop", ours, peer, "CPU s", ">= 10x")
    yield Row("  the plain loop", frames / peer, unit="G/s")


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
    psi, phi = planes(SMALL, 0.2)
    peaks = []
    for rate in (0.5, 2.5):
        v = velocity_grid(0, rate, 1.0, 2.75)
        search(psi, phi, days, v, RULES)
        tracemalloc.start()
        search(psi, phi, days, v, RULES)
        peaks.append(tracemalloc.get_traced_memory()[1] / 1e6)
        tracemalloc.stop()
        yield Row(f"peak memory of the search, {len(v)} motions", peaks[-1], unit="MB")
