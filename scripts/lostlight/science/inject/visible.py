"""How much of a source's light falls on an image, and how much of it on masked pixels."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lostlight.science.inject.psf import Psf
from lostlight.science.inject.render import stamps

Floats = NDArray[np.float64]
BadOf = Callable[[int], NDArray[np.bool_]]
"""Gives the masked pixels of an image, (H, W)."""

ENOUGH = 0.9
"""Share of the light on good pixels from which an image shows a source."""
STAMP_BUDGET = 4_000_000
"""Pixels of stamps that are held at once."""


class Masks:
    """Masked pixels of a stack, eight in a byte: read once, looked up often.

    Parameters
    ----------
    bad : (T, H, W) bool, callable or None
        Masked pixels, or what gives those of image t; none are masked where it is None.
    n_images : int
    shape : (int, int)
    """

    def __init__(self, bad: NDArray[np.bool_] | BadOf | None, n_images: int, shape: tuple[int, int]) -> None:
        self.shape = shape
        nothing = np.zeros((1, 0), np.uint8)
        if bad is None:
            self._packed = [nothing] * n_images
        else:
            planes = (bad(t) if callable(bad) else bad[t] for t in range(n_images))
            self._packed = [np.packbits(plane, axis=1) if plane.any() else nothing for plane in planes]

    def packed(self, t: int) -> NDArray[np.uint8]:
        """Give the bits of image t, (H, W / 8), rounded up; empty where none is masked."""
        return self._packed[t]

    def plane(self, t: int) -> NDArray[np.bool_]:
        """Give the masked pixels of image t, (H, W)."""
        if not self._packed[t].size:
            return np.zeros(self.shape, bool)
        return np.unpackbits(self._packed[t], axis=1, count=self.shape[1]).astype(bool)


def fractions(
    psfs: Sequence[Psf], masks: Masks, x: Floats, y: Floats, flux: Floats, boxes: NDArray[np.int64] | None = None
) -> tuple[Floats, Floats]:
    """Tell which share of the light falls on each image, and which on masked pixels.

    Parameters
    ----------
    psfs : sequence of T Psf
    masks : Masks
    x, y, flux : (n, T, K) float64
        As `lostlight.science.inject.render.render_cases` takes them; only the ratios of the fluxes of nodes count.
    boxes : (n, 4) int64 or None
        First row, row after the last, first column, column after the last of what counts as the image of each source;
        None takes whole images.

    Returns
    -------
    on_image, masked : (n, T) float64
        Shares of all the light of the source on that image; `masked` is part of `on_image`.
    """
    if boxes is None:
        boxes = np.tile(np.array([0, masks.shape[0], 0, masks.shape[1]]), (len(x), 1))
    on_image, masked = np.zeros(x.shape[:2]), np.zeros(x.shape[:2])
    known = np.isfinite(x)
    flux = np.where(known, flux, 0)
    total = flux.sum(axis=2, keepdims=True)
    even = known / np.maximum(known.sum(axis=2, keepdims=True), 1)
    share = np.divide(flux, total, out=even, where=total > 0)
    for t, psf in enumerate(psfs):
        near = np.flatnonzero(_reaches(psf, boxes, x[:, t], y[:, t]))
        for part, values, corner in stamps_of(psf, x[near, t], y[near, t], share[near, t]):
            who = near[part]
            on_image[who, t], masked[who, t] = light_on(values, corner, boxes[who], masks.packed(t))
    return np.minimum(on_image, 1), np.minimum(masked, 1)


def stamps_of(
    psf: Psf, x: Floats, y: Floats, flux: Floats
) -> Iterator[tuple[NDArray[np.int64], Floats, NDArray[np.int64]]]:
    """Render stamps in portions that fit into memory: those of short trails together, long ones by few.

    Yields
    ------
    which : (m,) int64
        Sources of this portion.
    values, corner
        See `lostlight.science.inject.render.stamps`.
    """
    length = np.ceil(np.maximum(*(_span(v) for v in (x, y))) / 2)
    order = np.argsort(length, kind="stable")
    half = psf.half_width()
    first = 0
    while first < order.size:
        side = 2 * (half + length[order[first:]]) + 1
        count = np.arange(1, side.size + 1)
        fit = max(int(np.searchsorted(count * side**2, STAMP_BUDGET, side="right")), 1)
        part = np.sort(order[first : first + fit])
        yield part, *stamps(psf, x[part], y[part], flux[part])
        first += fit


def _span(nodes: Floats) -> Floats:
    known = np.isfinite(nodes)
    high, low = np.where(known, nodes, -np.inf).max(axis=1), np.where(known, nodes, np.inf).min(axis=1)
    return np.maximum(high - low, 0)


def _reaches(psf: Psf, boxes: NDArray[np.int64], x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Tell which sources may light a pixel of their image; those without a position do not."""
    half = psf.half_width() + 1
    reach = np.isfinite(x).any(axis=1) & np.isfinite(y).any(axis=1)
    for nodes, first, after in ((y, boxes[:, 0], boxes[:, 1]), (x, boxes[:, 2], boxes[:, 3])):
        known = np.isfinite(nodes)
        reach &= np.where(known, nodes, -np.inf).max(axis=1) > first - half
        reach &= np.where(known, nodes, np.inf).min(axis=1) < after + half
    return reach


@njit(cache=True, nogil=True)
def light_on(
    values: np.ndarray, corner: np.ndarray, boxes: np.ndarray, packed: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Add up what stamps bring to their images, and what to masked pixels; see `fractions` and `Masks.packed`."""
    n, side = values.shape[0], values.shape[1]
    on, bad = np.zeros(n), np.zeros(n)
    for i in range(n):
        y0, x0 = corner[i, 0], corner[i, 1]
        for row in range(max(boxes[i, 0], y0), min(boxes[i, 1], y0 + side)):
            for column in range(max(boxes[i, 2], x0), min(boxes[i, 3], x0 + side)):
                value = values[i, row - y0, column - x0]
                on[i] += value
                if packed.shape[1] and (packed[row, column >> 3] >> (7 - (column & 7))) & 1:
                    bad[i] += value
    return on, bad
