"""The search on a graphics card: one thread is one pixel at mid-arc, and tries all motions.

Sums are those of `lostlight.science.search.reference` in the same order, so results are the same to the bit. The source
is plain C++ but for the index of the thread, so that a compiler of the CPU can check it.
"""

import logging
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lostlight.core.errors import ToolMissing
from lostlight.science.search.rules import Peaks, Window
from lostlight.science.stack.card import card

Array = Any
Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
_log = logging.getLogger(__name__)

THREADS, OPTIONS = 128, ("--fmad=false",)
"""Threads of a block; and additions stay apart from multiplications, as those of the processor do."""
ROWS, LEAST_ROWS = 512, 16
"""Rows of pixels that are searched at a time: the card holds the images around them alone. Fewer where it has no room.
"""

_SOURCE = r"""
#ifndef INFINITY
#define INFINITY __int_as_float(0x7f800000)
#endif

extern "C" __global__ void search_@(
    const float* psi, const float* phi, const int* shifts, int n_epochs, int n_motions, long long plane,
    int stride, long long first, int ny, int nx, int min_epochs, float* lh, int* velocity
) {
    const long long p = (long long)blockIdx.x * blockDim.x + threadIdx.x, n_pixels = (long long)ny * nx;
    if (p >= n_pixels) return;
    const long long start = first + (p / nx) * stride + p % nx;
    float best[@];
    int which[@];
    for (int k = 0; k < @; k++) { best[k] = -INFINITY; which[k] = -1; }
    for (int v = 0; v < n_motions; v++) {
        const int* shift = shifts + (long long)v * n_epochs;
        float evidence = 0.0f, weight = 0.0f;
        int n = 0;
        for (int t = 0; t < n_epochs; t++) {
            const long long at = t * plane + start + shift[t];
            const float part = phi[at];
            evidence += psi[at];
            weight += part;
            n += part > 0.0f;
        }
        if (n < min_epochs) continue;
        float one = evidence / sqrtf(weight);
        int number = v, moved = 0;
        for (int k = 0; k < @; k++) {
            if (moved || one > best[k]) {
                moved = 1;
                const float lower = best[k];
                const int other = which[k];
                best[k] = one; which[k] = number;
                one = lower; number = other;
            }
        }
    }
    for (int k = 0; k < @; k++) { lh[k * n_pixels + p] = best[k]; velocity[k * n_pixels + p] = which[k]; }
}
"""


@cache
def source(top: int) -> str:
    """Give the CUDA source of the kernel that keeps so many paths of each pixel."""
    return _SOURCE.replace("@", str(top))


def search_on_card(
    psi: Floats, phi: Floats, dx: Ints, dy: Ints, window: Window, min_epochs: int, top: int,
    cupy: ModuleType | None = None,
) -> Peaks:  # fmt: skip
    """Find the best paths through each pixel of a window, as `lostlight.science.search.reference.search_window` does.

    Raises
    ------
    ToolMissing
        CuPy is not installed, or there is no card.
    MemoryError
        The card cannot even hold what few rows need.
    """
    cupy = cupy or _cupy()
    lh = np.empty((top, *window.shape), np.float32)
    velocity = np.empty(lh.shape, np.int32)
    y, rows = 0, ROWS
    while y < window.shape[0]:
        part = slice(y, min(y + rows, window.shape[0]))
        slab = Window(window.y0 + y, window.x0, (part.stop - y, window.shape[1]))
        try:
            lh[:, part], velocity[:, part] = _search_slab(psi, phi, dx, dy, slab, min_epochs, top, cupy)
        except MemoryError:  # that of CuPy is one too
            rows = (part.stop - y) // 2
            if rows < LEAST_ROWS:
                raise
            _log.info("%d rows of %d images are too many for the memory of the card", part.stop - y, len(psi))
        else:
            y = part.stop
    return Peaks(lh, velocity, window)


def _search_slab(
    psi: Floats, phi: Floats, dx: Ints, dy: Ints, slab: Window, min_epochs: int, top: int, cupy: ModuleType
) -> tuple[Floats, Ints]:
    left, above = int(min(dx.min(), 0)), int(min(dy.min(), 0))
    height, width = slab.shape[0] - above + int(max(dy.max(), 0)), slab.shape[1] - left + int(max(dx.max(), 0))
    around = Window(slab.y0 + above, slab.x0 + left, (height, width))
    planes = [_on_card(each, around, cupy) for each in (psi, phi)]
    shifts = cupy.asarray(np.ascontiguousarray(dy * width + dx, np.int32))
    shape = (top, *slab.shape)
    lh, velocity = cupy.empty(shape, np.float32), cupy.empty(shape, np.int32)
    numbers = (
        np.int32(dx.shape[1]), np.int32(dx.shape[0]), np.int64(height * width), np.int32(width),
        np.int64(-above * width - left), *map(np.int32, slab.shape), np.int32(max(min_epochs, 1)),
    )  # fmt: skip
    kernel = cupy.RawKernel(source(top), f"search_{top}", OPTIONS)
    blocks = -(-slab.shape[0] * slab.shape[1] // THREADS)
    kernel((blocks,), (THREADS,), (*planes, shifts, *numbers, lh, velocity))
    return cupy.asnumpy(lh), cupy.asnumpy(velocity)


def _on_card(planes: Floats, around: Window, cupy: ModuleType) -> Array:
    """Send what lies in a window; zero beyond the edges, so that paths need not ask where they are."""
    n, height, width = planes.shape
    result = cupy.zeros((n, *around.shape), np.float32)
    rows, columns = (
        slice(min(max(first, 0), size), min(max(first + length, 0), size))
        for first, length, size in zip(around[:2], around.shape, (height, width), strict=True)
    )
    y, x = rows.start - around.y0, columns.start - around.x0
    for t in range(n):
        inside = cupy.asarray(np.ascontiguousarray(planes[t][rows, columns]))
        result[t, y : y + rows.stop - rows.start, x : x + columns.stop - columns.start] = inside
    return result


def _cupy() -> ModuleType:
    found = card("auto")
    if found is None:
        raise ToolMissing("no graphics card can be used", "search by the backend numba")
    return found
