"""Shadows of dust on a flat."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lostlight.science.calibrate.illumination import Illumination, surface
from lostlight.science.calibrate.local_median import median_of_nine
from lostlight.science.calibrate.statistics import MAD_TO_SIGMA, thinned
from lostlight.science.calibrate.tiles import averaged, smooth

_BACKGROUND_PX = 128.0
_SMALLEST_PX, _LARGEST = 6.0, 0.12
"""Radii looked for: from this, to this part of the shorter side."""
_STEP = 1.2
_SCALE_PX = 2.0
"""Squares are averaged until a scale is at least so many of them wide."""
_SIGMA = 5.0
_CORRELATED = 2.0
"""A median of 3 by 3 makes neighbours alike, so that averages are noisier than their number says."""
_LEAST_DEPTH = 0.005
_SECTORS, _DARK_SECTORS = 8, 6
_APART, _PART_OF = 0.75, 1.15
"""Patches of a size are at least so many radii apart; a smaller one farther than that is no piece of a ring."""
_ROUNDS = 3


@dataclass(frozen=True)
class Dust:
    """One shadow: centre (zero-based), radius, and depth as a fraction of the light around it."""

    x_px: float
    y_px: float
    r_px: float
    depth: float

    def plain(self) -> dict[str, Any]:
        """Give plain data for a report."""
        return asdict(self)


def relative(flat: NDArray, lit: Illumination, good: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Divide a flat by its fitted surface and subtract one; NaN where a pixel is not good."""
    with np.errstate(invalid="ignore", divide="ignore"):
        change = np.divide(flat, surface(lit, flat.shape).astype(np.float32), dtype=np.float32, casting="same_kind")
    change -= 1
    change[~good] = np.nan
    return change


def find_dust(deviation: NDArray) -> list[Dust]:
    """Find round dark patches, discs and rings, at least half a percent deep; the deepest first.

    Hot and cold pixels and single columns are taken out by a median of 3 by 3. What is left of the illumination at
    scales above 128 pixels (a sixth of a small frame) is taken off, with the patches left out once they are known.
    Patches are peaks of the Laplacian of a Gaussian over place and scale (Lindeberg 1998), which also part shadows that
    touch. A patch counts if it is darker than what surrounds it by five sigma, in six of eight sectors of its rim:
    columns, corners and gradients are not.

    Parameters
    ----------
    deviation : ndarray, shape (ny, nx)
        The flat over its smooth illumination, minus one (see `relative`); NaN where there is none.
    """
    good = np.isfinite(deviation)
    if not good.any():
        return []
    filled = median_of_nine(np.where(good, deviation, 0.0).astype(np.float32))
    wide = min(_BACKGROUND_PX, min(deviation.shape) / 6)
    found: list[Dust] = []
    for _ in range(_ROUNDS):
        free = good & ~_discs(deviation.shape, found)
        flattened = filled - np.nan_to_num(smooth(filled, free, wide), copy=False)
        flattened[~good] = np.nan
        previous, found = found, _patches(flattened)
        if [_place(patch) for patch in found] == [_place(patch) for patch in previous]:
            break
    return sorted(found, key=lambda patch: (-patch.depth, patch.y_px, patch.x_px))


def _place(patch: Dust) -> tuple[int, int, int]:
    """Give place and radius to a pixel: what moves less leaves the background as it is."""
    return round(patch.x_px), round(patch.y_px), round(patch.r_px)


def _patches(flattened: NDArray) -> list[Dust]:
    """Measure the peaks of all scales, the strongest first, and keep those that are dust and no part of another."""
    noise = MAD_TO_SIGMA * float(np.nanmedian(np.abs(thinned(flattened))))
    kept: list[tuple[float, float, float]] = []
    patches = []
    for peak in _peaks(flattened):
        if any(_is_part(peak, other) for other in kept):
            continue
        x, y, r = peak
        depth = _depth(flattened, x, y, r, noise)
        if depth is not None:
            kept.append(peak)
            radius = _half_depth(flattened, x, y, r, depth)
            patches.append(Dust(x, y, radius, _depth(flattened, x, y, radius, noise) or depth))
    return patches


def _is_part(peak: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Tell whether a peak is the same patch as another, or a piece of its ring."""
    (x, y, r), (other_x, other_y, other_r) = peak, other
    apart = _PART_OF if r < 0.75 * other_r else _APART
    return bool(np.hypot(x - other_x, y - other_y) < apart * max(r, other_r))


def _peaks(flattened: NDArray) -> list[tuple[float, float, float]]:
    """Give x, y and radius of the peaks over place and scale, the strongest and widest first: a ring before its pieces.

    A scale sigma answers most to discs of radius sigma times root two. Wide scales are searched on averages of squares.
    """
    largest = _LARGEST * min(flattened.shape)
    radii = _SMALLEST_PX * _STEP ** np.arange(max(int(np.log(largest / _SMALLEST_PX) / np.log(_STEP)) + 1, 1))
    peaks = []
    for r in radii:
        sigma = r / np.sqrt(2)
        square = max(int(sigma / _SCALE_PX), 1)
        coarse = np.nan_to_num(averaged(flattened, np.isfinite(flattened), square))
        answer = (sigma / square) ** 2 * ndimage.gaussian_laplace(coarse, sigma / square, mode="nearest")
        reach = 2 * int(np.ceil(0.5 * r / square)) + 1
        part = thinned(answer)
        least = max(_SIGMA * MAD_TO_SIGMA * float(np.median(np.abs(part - np.median(part)))), 0.3 * _LEAST_DEPTH)
        tops = (answer == ndimage.maximum_filter(answer, reach)) & (answer > least)
        for j, i in np.argwhere(tops):
            y, x = (square * (at + 0.5) - 0.5 for at in (j + _top(answer[:, i], j), i + _top(answer[j], i)))
            peaks.append((float(answer[j, i] * np.sqrt(r)), float(x), float(y), float(r)))
    return [(x, y, r) for _, x, y, r in sorted(peaks, reverse=True)]


def _top(line: NDArray, at: int) -> float:
    """Give how far from a highest value the parabola through it and its neighbours is highest."""
    if not 0 < at < line.size - 1:
        return 0.0
    before, highest, after = line[at - 1 : at + 2]
    bend = before - 2 * highest + after
    return float(0.5 * (before - after) / bend) if bend < 0 else 0.0


def _depth(flattened: NDArray, x: float, y: float, r: float, noise: float) -> float | None:
    """Measure how much darker the rim of a patch is than what surrounds it; None where it is no dust."""
    part, dy, dx = _around(flattened, x, y, 1.7 * r)
    distance, known = np.hypot(dy, dx) / r, np.isfinite(part)
    rim, around = known & (distance > 0.5) & (distance < 0.9), known & (distance > 1.25) & (distance < 1.7)
    if rim.sum() < 20 or around.sum() < 20:
        return None
    # What surrounds a patch may hold another: the brighter half of it is the light that is missing in the patch.
    light = float(np.median(part[around][part[around] >= np.median(part[around])])) - 0.6745 * noise
    light = min(light, float(np.median(part[around])) + 3 * noise)
    depth = light - float(np.median(part[rim]))
    sector = ((np.arctan2(dy, dx) + np.pi) / (2 * np.pi) * _SECTORS).astype(int) % _SECTORS
    means = [light - float(part[rim & (sector == k)].mean()) for k in range(_SECTORS) if (rim & (sector == k)).any()]
    dark = sum(mean > 0.4 * depth for mean in means)
    error = _CORRELATED * 1.2533 * noise * np.sqrt(1 / rim.sum() + 1 / around.sum())
    is_dust = depth > max(_LEAST_DEPTH, _SIGMA * error) and dark >= _DARK_SECTORS
    return depth if is_dust else None


def _half_depth(flattened: NDArray, x: float, y: float, r: float, depth: float) -> float:
    """Give the radius at which the mean profile has come up to half of the depth, starting from the deepest ring."""
    part, dy, dx = _around(flattened, x, y, 1.7 * r)
    ring = np.hypot(dy, dx).astype(int)
    known = np.isfinite(part) & (ring < 1.7 * r)
    n = np.maximum(np.bincount(ring[known]), 1)
    profile = np.bincount(ring[known], weights=part[known]) / n
    deepest = int(np.argmin(profile[: int(r) + 1]))
    risen = np.flatnonzero(profile[deepest:] > profile[deepest] + 0.5 * depth)
    return float(deepest + risen[0]) if risen.size else r


def _around(flattened: NDArray, x: float, y: float, reach: float) -> tuple[NDArray, NDArray, NDArray]:
    """Cut a square around a place; give it with the distances of its pixels along y and x."""
    rows = slice(max(int(y - reach), 0), int(y + reach) + 2)
    columns = slice(max(int(x - reach), 0), int(x + reach) + 2)
    part = flattened[rows, columns]
    j, i = np.mgrid[rows.start : rows.start + part.shape[0], columns.start : columns.start + part.shape[1]]
    return part, j - y, i - x


def _discs(shape: tuple[int, int], patches: list[Dust]) -> NDArray[np.bool_]:
    inside = np.zeros(shape, bool)
    for patch in patches:
        part, dy, dx = _around(inside, patch.x_px, patch.y_px, 1.3 * patch.r_px)
        part |= np.hypot(dy, dx) < 1.3 * patch.r_px
    return inside
