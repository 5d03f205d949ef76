"""The search, compiled: the sums of `lostlight.science.search.reference` in the same order, so the same bits.

A block of images around a tile lies in the cache. Row after row all motions of a batch are tried: eight images at a
time are added to a row of sums that stays in the first level of cache, then the best so far is replaced.
"""

import numpy as np
from numba import njit

INFINITE, ZERO, ONE = np.float32(np.inf), np.float32(0), np.float32(1)
compiled = njit(cache=True, nogil=True, error_model="numpy")


@compiled
def gather(plane: np.ndarray, y0: int, x0: int, width: int, block: np.ndarray) -> None:
    """Copy a rectangle of an image into the first `width` columns of `block`, zero beyond its edges."""
    left, right = min(max(-x0, 0), width), max(min(plane.shape[1] - x0, width), 0)
    for j in range(block.shape[0]):
        y = y0 + j
        if y < 0 or y >= plane.shape[0] or left >= right:
            block[j, :width] = ZERO
        else:
            block[j, :left] = ZERO
            block[j, right:width] = ZERO
            block[j, left:right] = plane[y, x0 + left : x0 + right]


@compiled
def look(block: np.ndarray, width: int) -> tuple[bool, bool]:
    """Tell whether the first `width` columns have zeros, and whether they are one number."""
    first, n_zero, n_other = block[0, 0], 0, 0
    for j in range(block.shape[0]):
        row, zeros, others = block[j, :width], np.int32(0), np.int32(0)
        for i in range(width):
            zeros += np.int32(row[i] == ZERO)
            others += np.int32(row[i] != first)
        n_zero, n_other = n_zero + zeros, n_other + others
        if n_zero and n_other:
            break
    return n_zero > 0, n_other == 0


@compiled
def add_rows(flat: np.ndarray, starts: np.ndarray, total: np.ndarray) -> None:
    """Add rows of the block, which begin at `starts`, to `total`; images one after the other."""
    n, n_rows, t = total.size, starts.size, 0
    while t + 8 <= n_rows:
        a, b = flat[starts[t] : starts[t] + n], flat[starts[t + 1] : starts[t + 1] + n]
        c, d = flat[starts[t + 2] : starts[t + 2] + n], flat[starts[t + 3] : starts[t + 3] + n]
        e, f = flat[starts[t + 4] : starts[t + 4] + n], flat[starts[t + 5] : starts[t + 5] + n]
        g, h = flat[starts[t + 6] : starts[t + 6] + n], flat[starts[t + 7] : starts[t + 7] + n]
        for i in range(n):
            total[i] = total[i] + a[i] + b[i] + c[i] + d[i] + e[i] + f[i] + g[i] + h[i]
        t += 8
    while t + 4 <= n_rows:
        a, b = flat[starts[t] : starts[t] + n], flat[starts[t + 1] : starts[t + 1] + n]
        c, d = flat[starts[t + 2] : starts[t + 2] + n], flat[starts[t + 3] : starts[t + 3] + n]
        for i in range(n):
            total[i] = total[i] + a[i] + b[i] + c[i] + d[i]
        t += 4
    while t < n_rows:
        a = flat[starts[t] : starts[t] + n]
        for i in range(n):
            total[i] += a[i]
        t += 1


@compiled
def add_and_count_rows(flat: np.ndarray, starts: np.ndarray, total: np.ndarray, count: np.ndarray) -> None:
    """Add rows of the block as `add_rows` does, and count those that are above zero."""
    n, n_rows, t = total.size, starts.size, 0
    while t + 4 <= n_rows:
        a, b = flat[starts[t] : starts[t] + n], flat[starts[t + 1] : starts[t + 1] + n]
        c, d = flat[starts[t + 2] : starts[t + 2] + n], flat[starts[t + 3] : starts[t + 3] + n]
        for i in range(n):
            total[i] = total[i] + a[i] + b[i] + c[i] + d[i]
            count[i] += np.int32(a[i] > ZERO) + np.int32(b[i] > ZERO) + np.int32(c[i] > ZERO) + np.int32(d[i] > ZERO)
        t += 4
    while t < n_rows:
        a = flat[starts[t] : starts[t] + n]
        for i in range(n):
            total[i] += a[i]
            count[i] += np.int32(a[i] > ZERO)
        t += 1


@compiled
def add_up(
    psi: np.ndarray,
    phi: np.ndarray,
    at: np.ndarray,
    has_gaps: bool,
    min_epochs: int,
    evidence: np.ndarray,
    weight: np.ndarray,
    count: np.ndarray,
) -> None:
    """Sum a row of paths up; those on too few images get an evidence of minus infinity."""
    evidence[:] = ZERO
    weight[:] = ZERO
    add_rows(psi, at, evidence)
    if not has_gaps:
        add_rows(phi, at, weight)
        return
    count[:] = 0
    add_and_count_rows(phi, at, weight, count)
    for i in range(evidence.size):
        enough = count[i] >= min_epochs
        evidence[i] = evidence[i] if enough else -INFINITE
        weight[i] = weight[i] if enough else ONE


@compiled
def search_rows(
    psi: np.ndarray,
    phi: np.ndarray,
    stride: int,
    starts: np.ndarray,
    numbers: np.ndarray,
    uniform: np.ndarray,
    has_gaps: bool,
    min_epochs: int,
    lh: np.ndarray,
    velocity: np.ndarray,
) -> None:
    """Try all motions of a batch on all rows of a tile.

    `psi` and `phi` hold the block, flat, with rows of `stride`; `starts` (V, T) are the places in it where the first
    row of each path begins. `uniform` (T,) has the weight of each image where all of it is one, else it is empty.
    `has_gaps` says that some weight is zero. `lh` and `velocity` (K, ny, nx) are the best so far.
    """
    top, ny, nx = lh.shape
    evidence, weight, count = np.empty(nx, np.float32), np.zeros(nx, np.float32), np.empty(nx, np.int32)
    for t in range(uniform.size):
        weight += uniform[t]
    at = np.empty(starts.shape[1], np.int64)
    for j in range(ny):
        for m in range(starts.shape[0]):
            for t in range(at.size):
                at[t] = starts[m, t] + j * stride
            if uniform.size:
                evidence[:] = ZERO
                add_rows(psi, at, evidence)
            else:
                add_up(psi, phi, at, has_gaps, min_epochs, evidence, weight, count)
            if top == 1:
                keep_best(evidence, weight, numbers[m], lh[0, j], velocity[0, j])
            else:
                keep_several(evidence, weight, numbers[m], lh[:, j], velocity[:, j])


@compiled
def keep_best(evidence: np.ndarray, weight: np.ndarray, number: np.int32, lh: np.ndarray, velocity: np.ndarray) -> None:
    """Replace the best where this is better; of equals the motion with the lower number stays."""
    for i in range(evidence.size):
        one, best, which = evidence[i] / np.sqrt(weight[i]), lh[i], velocity[i]
        better = (one > best) | ((one == best) & (number < which))
        lh[i] = one if better else best
        velocity[i] = number if better else which


@compiled
def keep_several(
    evidence: np.ndarray, weight: np.ndarray, number: np.int32, lh: np.ndarray, velocity: np.ndarray
) -> None:
    """Put this among the best of each pixel; of equals the motion with the lower number comes first."""
    last = lh.shape[0] - 1
    for i in range(evidence.size):
        evidence[i] = evidence[i] / np.sqrt(weight[i])
    for i in range(evidence.size):
        one = evidence[i]
        if one > lh[last, i] or (one == lh[last, i] and number < velocity[last, i]):
            k = last
            while k > 0 and (one > lh[k - 1, i] or (one == lh[k - 1, i] and number < velocity[k - 1, i])):
                lh[k, i], velocity[k, i] = lh[k - 1, i], velocity[k - 1, i]
                k -= 1
            lh[k, i], velocity[k, i] = one, number
