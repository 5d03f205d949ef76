"""Scratches and trails: long, straight, thin and even."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import label

from lostlight.science.plate.shapes import Shape, bar
from lostlight.science.plate.strips import (
    HALF_WIDTH_PX,
    SEGMENT_NOISE,
    SEGMENT_PX,
    beside,
    contrast,
    profiles,
    sample,
    unbroken,
)

SHORTEST_ARCSEC = 100.0
"""Shorter ones can be galaxies seen from the side; they die at the elongation cut if they are not."""

_BIN = 2
_LEAST_PIECE_PX = 10  # binned pixels from end to end
_LEAST_ELONGATION = 3.0
_LONGEST_GAP = 4
_LIT = 2.0
_LEAST_LIT = 0.8
_LEAST_ASPECT = 12.0
_WIDEST_ARCSEC = 15.0
_NEAR_PX = 6
_REACH_PX = 30
_CREST_SEGMENTS = 8
_MOST_PIECES = 400
_MOST_HOT = 0.05


def find_trails(
    subtracted: NDArray[np.float32], rms_adu: float, n_sigma: float, ignored: NDArray[np.bool_], scale_arcsec: float
) -> list[Shape]:
    """Find straight lines, brighter or darker than the sky.

    Thin connected pieces above a threshold propose lines. Along each proposed line the contrast of the line against its
    two sides is taken in medians over 8 pixels, which a chain of stars does not pass: stars leave dark gaps between
    them. A line counts if it is lit from end to end, long, thin for its length, and has sky on both sides, which
    galaxies do not.

    Parameters
    ----------
    subtracted : ndarray of float32, (ny, nx), adu
        Image without its background.
    rms_adu : float
        Noise of the sky.
    n_sigma : float
        Threshold of the pieces on the image binned 2 × 2, in units of its noise; raised where more than 5 % of
        the image lies above it.
    ignored : ndarray of bool, (ny, nx)
        Pixels that propose nothing: stars' discs and spikes, blank areas.
    scale_arcsec : float
        Side of a pixel.

    Returns
    -------
    list of Shape
        Bars with the bit TRAIL, the longest first.
    """
    binned, usable = _binned(subtracted), ~_binned(ignored.astype(np.float32)).astype(bool)
    noise = 1.4826 * float(np.median(np.abs(binned[usable]))) if usable.any() else rms_adu
    trails: list[Shape] = []
    for sign in (1, -1):
        signed, full = sign * binned, sign * subtracted
        threshold = max(n_sigma * noise, float(np.quantile(signed[usable], 1 - _MOST_HOT)) if usable.any() else 0.0)
        for piece in _pieces((signed > threshold) & usable):
            for line in _lines_along(full, piece, rms_adu):
                if not any(_covers(trail, line) for trail in trails):
                    trail = _follow(full, line, rms_adu, scale_arcsec)
                    trails += [trail] if trail else []
    return sorted(trails, key=lambda trail: (-trail.length_px, trail.x_px, trail.y_px))


Piece = tuple[float, float, float, float]
"""Zero-based pixel position of the middle, and a unit vector along."""


def _binned(image: NDArray[np.float32]) -> NDArray[np.float32]:
    ny, nx = (size // _BIN * _BIN for size in image.shape)
    rows = image[0:ny:2] + image[1:ny:2]
    return (rows[:, 0:nx:2] + rows[:, 1:nx:2]) / _BIN**2


def _pieces(hot: NDArray[np.bool_]) -> list[Piece]:
    """Long thin connected areas, the longest first."""
    found, n = label(hot, structure=np.ones((3, 3)))
    y, x = np.nonzero(hot)
    owner = found[y, x] - 1
    area = np.bincount(owner, minlength=n).astype(np.float64)
    x_mid, y_mid = (np.bincount(owner, values, minlength=n) / area for values in (x, y))
    dx, dy = x - x_mid[owner], y - y_mid[owner]
    xx, yy, xy = (np.bincount(owner, values, minlength=n) / area for values in (dx**2, dy**2, dx * dy))
    root = np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    along, across = (xx + yy) / 2 + root, np.maximum((xx + yy) / 2 - root, 0) + 1 / 12
    length = np.sqrt(12 * along)  # of a uniform line
    long_and_thin = (length > _LEAST_PIECE_PX) & (along > _LEAST_ELONGATION**2 * across)
    chosen = np.flatnonzero(long_and_thin)
    chosen = chosen[np.lexsort((x_mid[chosen], y_mid[chosen], -length[chosen]))][:_MOST_PIECES]
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    scale, shift = _BIN, (_BIN - 1) / 2
    return [
        (scale * x_mid[k] + shift, scale * y_mid[k] + shift, math.cos(angle[k]), math.sin(angle[k])) for k in chosen
    ]


def _lines_along(signed: NDArray[np.float32], piece: Piece, rms_adu: float) -> list[Piece]:
    """Tell apart the lines that a piece may hold side by side: the crests of the profile across its middle."""
    x, y, cosine, sine = piece
    back = _CREST_SEGMENTS * SEGMENT_PX / 2
    strip = sample(signed, (x - back * cosine, y - back * sine), (cosine, sine), _CREST_SEGMENTS, _REACH_PX)
    profile = np.median(strip.values, axis=0)
    inner = profile[1:-1]
    crest = (inner >= profile[:-2]) & (inner > profile[2:]) & (inner > _LIT * SEGMENT_NOISE * rms_adu)
    aside = np.flatnonzero(crest) + 1 - _REACH_PX
    return [(x - offset * sine, y + offset * cosine, cosine, sine) for offset in aside]


def _covers(trail: Shape, piece: Piece) -> bool:
    dx, dy = piece[0] - trail.x_px, piece[1] - trail.y_px
    cosine, sine = math.cos(math.radians(trail.angle_deg)), math.sin(math.radians(trail.angle_deg))
    along, across = abs(dx * cosine + dy * sine), abs(dy * cosine - dx * sine)
    return along <= trail.length_px / 2 and across <= trail.width_px / 2


def _follow(signed: NDArray[np.float32], piece: Piece, rms_adu: float, scale_arcsec: float) -> Shape | None:
    """Walk from the middle of a piece both ways, straighten the line twice, and judge what was found."""
    reach = math.ceil(math.hypot(*signed.shape) / SEGMENT_PX)
    ends = None
    for n_segments in (8, 24, reach):
        ends = _walk(signed, piece, rms_adu, n_segments)
        if ends is None:
            return None
        piece = _straightened(signed, ends)
    assert ends is not None
    x0, y0, x1, y1 = ends
    length = math.hypot(x1 - x0, y1 - y0)
    n_segments = max(1, int(length / SEGMENT_PX))
    strip = sample(signed, (x0, y0), ((x1 - x0) / length, (y1 - y0) / length), n_segments)
    seen = contrast(strip)
    lit = np.mean(seen[np.isfinite(seen)] > _LIT * SEGMENT_NOISE * rms_adu)
    across = np.median(profiles(strip), axis=0)[None]
    side = float(beside(across)[0])
    width = _width(across[0] - side)
    is_thin = width * scale_arcsec <= _WIDEST_ARCSEC and length >= _LEAST_ASPECT * width
    if length < SHORTEST_ARCSEC / scale_arcsec or not is_thin or lit < _LEAST_LIT + 1 / n_segments or side > rms_adu:
        return None
    return bar("TRAIL", ends, 2 * width + 4)


def _walk(
    signed: NDArray[np.float32], piece: Piece, rms_adu: float, n_segments: int
) -> tuple[float, float, float, float] | None:
    x, y, cosine, sine = piece
    reach = []
    for sign in (1, -1):
        seen = contrast(sample(signed, (x, y), (sign * cosine, sign * sine), n_segments))
        reach.append(SEGMENT_PX * unbroken(seen > _LIT * SEGMENT_NOISE * rms_adu, _LONGEST_GAP))
    if sum(reach) < 2 * SEGMENT_PX:
        return None
    return x - reach[1] * cosine, y - reach[1] * sine, x + reach[0] * cosine, y + reach[0] * sine


def _straightened(signed: NDArray[np.float32], ends: tuple[float, float, float, float]) -> Piece:
    """Fit the middle of the light across the line at each segment by a straight line."""
    x0, y0, x1, y1 = ends
    length = math.hypot(x1 - x0, y1 - y0)
    cosine, sine = (x1 - x0) / length, (y1 - y0) / length
    n_segments = max(2, int(length / SEGMENT_PX))
    strip = sample(signed, (x0, y0), (cosine, sine), n_segments)
    near = np.arange(-HALF_WIDTH_PX, HALF_WIDTH_PX + 1)
    across = profiles(strip)
    weight = np.maximum(across - beside(across)[:, None], 0) * (np.abs(near) <= _NEAR_PX)
    total = weight.sum(axis=1)
    usable = total > 0
    if usable.sum() < 2:
        return (x0 + x1) / 2, (y0 + y1) / 2, cosine, sine
    aside = (weight * near).sum(axis=1)[usable] / total[usable]
    along = (np.flatnonzero(usable) + 0.5) * SEGMENT_PX
    tilt, shift = _robust_line(along, aside)
    middle, offset = length / 2, shift + tilt * length / 2
    norm = math.hypot(1, tilt)
    turned = (cosine - tilt * sine) / norm, (sine + tilt * cosine) / norm
    return x0 + middle * cosine - offset * sine, y0 + middle * sine + offset * cosine, *turned


def _robust_line(along: NDArray[np.float64], aside: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept by Theil and Sen, on at most 200 points."""
    step = max(1, len(along) // 200)
    s, t = along[::step], aside[::step]
    i, j = np.triu_indices(len(s), 1)
    tilt = float(np.median((t[j] - t[i]) / (s[j] - s[i])))
    return tilt, float(np.median(aside - tilt * along))


def _width(profile: NDArray[np.float32]) -> float:
    """Full width at half maximum of a profile across a line, in pixels."""
    near = profile[HALF_WIDTH_PX - _NEAR_PX : HALF_WIDTH_PX + _NEAR_PX + 1]
    peak = float(near[_NEAR_PX - 2 : _NEAR_PX + 3].max())
    return float((near > peak / 2).sum()) if peak > 0 else float(len(near))
