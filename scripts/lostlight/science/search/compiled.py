"""The search, compiled: the sums of `lostlight.science.search.reference` in the same order, so the same bits.

A block of images around a tile lies in the cache. Row after row all motions of a batch are tried: four images at a
time are added to a row of sums that stays in the first level of cache, then the best so far is replaced.
"""

import numpy as np
from numba import njit

NOTHING, ZERO, ONE = np.float32(-np.inf), np.float32(0), np.float32(1)
compiled = njit(cache=True, nogil=True, error_model="numpy")


@compiled
def gather(plane: np.ndarray, y0: int, x0: int, block: np.ndarray) -> bool:
    """Copy a rectangle of an image into `block`, zero beyond its edges; tell whether all of it is one number."""
    height, width = plane.shape
    left, right = min(max(-x0, 0), block.shape[1]), max(min(width - x0, block.shape[1]), 0)
    same = True
    first = plane[min(max(y0, 0), height - 1), min(max(x0, 0), width - 1)]
    for j in range(block.shape[0]):
        row, y = block[j], y0 + j
        if y < 0 or y >= height or left >= right:
            row[:] = ZERO
            same = False
            continue
        row[:left] = ZERO
        row[right:] = ZERO
        source = plane[y, x0 + left : x0 + right]
        inner = row[left:right]
        differ = 0
        for i in range(source.size):
            inner[i] = source[i]
            differ += source[i] != first
        same = same and differ == 0 and left == 0 and right == block.shape[1]
    return same


@compiled
def add_rows(flat: np.ndarray, starts: np.ndarray, total: np.ndarray) -> None:
    """Add rows of the block, which begin at `starts`, to `total`; images one after the other."""
    n, n_rows = total.size, starts.size
    whole = n_rows - n_rows % 4
    for t in range(0, whole, 4):
        a, b = flat[starts[t] : starts[t] + n], flat[starts[t + 1] : starts[t + 1] + n]
        c, d = flat[starts[t + 2] : starts[t + 2] + n], flat[starts[t + 3] : starts[t + 3] + n]
        for i in range(n):
            total[i] = total[i] + a[i] + b[i] + c[i] + d[i]
    for t in range(whole, n_rows):
        a = flat[starts[t] : starts[t] + n]
        for i in range(n):
            total[i] += a[i]


@compiled
def count_rows(flat: np.ndarray, starts: np.ndarray, total: np.ndarray) -> None:
    """Count in `total` the rows that are above zero."""
    n = total.size
    for t in range(starts.size):
        row = flat[starts[t] : starts[t] + n]
        for i in range(n):
            total[i] += ONE if row[i] > ZERO else ZERO


@compiled
def search_rows(
    psi: np.ndarray,
    phi: np.ndarray,
    stride: int,
    starts: np.ndarray,
    numbers: np.ndarray,
    uniform: np.ndarray,
    complete: bool,
    min_epochs: int,
    lh: np.ndarray,
    velocity: np.ndarray,
) -> None:
    """Try all motions of a batch on all rows of a tile.

    `psi` and `phi` hold the block, flat, with rows of `stride`; `starts` (V, T) are the places in it where the first
    row of each path begins. `uniform` (T,) has the weight of each image where all of it is one, else it is empty.
    `complete` says that no weight is zero. `lh` and `velocity` (K, ny, nx) are the best so far.
    """
    top, ny, nx = lh.shape
    n_motions, n_epochs = starts.shape
    evidence, weight, count = np.empty(nx, np.float32), np.empty(nx, np.float32), np.empty(nx, np.float32)
    least, at = np.float32(min_epochs), np.empty(n_epochs, np.int64)
    whole = ZERO
    for t in range(uniform.size):
        whole += uniform[t]
    root = np.sqrt(whole)
    for j in range(ny):
        for m in range(n_motions):
            for t in range(n_epochs):
                at[t] = starts[m, t] + j * stride
            evidence[:] = ZERO
            add_rows(psi, at, evidence)
            if uniform.size:
                for i in range(nx):
                    evidence[i] = evidence[i] / root
            else:
                weight[:] = ZERO
                add_rows(phi, at, weight)
                if complete:
                    for i in range(nx):
                        evidence[i] = evidence[i] / np.sqrt(weight[i])
                else:
                    count[:] = ZERO
                    count_rows(phi, at, count)
                    for i in range(nx):
                        one = evidence[i] / np.sqrt(weight[i])
                        evidence[i] = one if count[i] >= least else NOTHING
            if top == 1:
                keep_best(evidence, numbers[m], lh[0, j], velocity[0, j])
            else:
                keep_several(evidence, numbers[m], lh[:, j], velocity[:, j])


@compiled
def keep_best(found: np.ndarray, number: np.int32, lh: np.ndarray, velocity: np.ndarray) -> None:
    """Replace the best where this is better; of equals the motion with the lower number stays."""
    for i in range(found.size):
        better = (found[i] > lh[i]) | ((found[i] == lh[i]) & (number < velocity[i]))
        lh[i] = found[i] if better else lh[i]
        velocity[i] = number if better else velocity[i]


@compiled
def keep_several(found: np.ndarray, number: np.int32, lh: np.ndarray, velocity: np.ndarray) -> None:
    """Put this among the best of each pixel; of equals the motion with the lower number comes first."""
    last = lh.shape[0] - 1
    for i in range(found.size):
        one = found[i]
        if one > lh[last, i] or (one == lh[last, i] and number < velocity[last, i]):
            k = last
            while k > 0 and (one > lh[k - 1, i] or (one == lh[k - 1, i] and number < velocity[k - 1, i])):
                lh[k, i], velocity[k, i] = lh[k - 1, i], velocity[k - 1, i]
                k -= 1
            lh[k, i], velocity[k, i] = one, number
