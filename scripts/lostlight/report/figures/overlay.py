"""What is marked on a picture: quality bits, rejected samples, and the judgement of a flat."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lostlight.report.figures.preview import factor, grey, png, shrink_marks

Colour = tuple[int, int, int]
# The hues are those of Okabe and Ito (2008), which the colour-blind can tell apart.
BLUE, ORANGE, YELLOW, GREEN = (0, 114, 178), (213, 94, 0), (240, 228, 66), (0, 158, 115)
SKY, PINK, AMBER, GREY = (86, 180, 233), (204, 121, 167), (230, 159, 0), (150, 150, 150)
BITS: dict[str, Colour] = {
    "HOT": ORANGE,
    "COLD": BLUE,
    "COSMIC": YELLOW,
    "SATURATED": PINK,
    "BAD": (220, 50, 47),
    "NO_FLAT": AMBER,
    "NO_DATA": GREY,
    "UNSTABLE": GREEN,
    "GLOW": SKY,
}
"""Quality bits that are drawn, and how; where a pixel has several, the last one is seen."""
VERDICTS: dict[str, Colour] = {"good": GREEN, "fair": AMBER, "poor": (200, 40, 30)}
_TINT = 0.35
_DIM = 0.55
_GROUND = 26
_GREW_BELOW_PX = 400


def dq_overlay(data: NDArray | None, dq: NDArray, values: Mapping[str, int], max_px: int = 2048) -> bytes:
    """Colour the pixels that have quality bits over a dimmed picture; marks grow by a pixel where the picture is large.

    Parameters
    ----------
    data : ndarray, shape (ny, nx) or (3, ny, nx), or None
        Pixels, any unit; without them the ground is dark.
    dq : ndarray, shape (ny, nx), uint16
        Quality bits.
    values : mapping of str to int
        Name of a bit to its value.
    max_px : int
        Longest side of the picture.
    """
    bits = shrink_marks(dq, max_px)[::-1]
    base = np.full((*bits.shape, 3), _GROUND, np.float64)
    if data is not None:
        plane = data if data.ndim == 2 else data.mean(axis=0)
        base[:] = _DIM * grey(plane, dq, max_px)[..., np.newaxis]
    for name, colour in BITS.items():
        marked = (bits & np.uint16(values[name])) != 0
        base[_grown(marked)] = colour
    return png(base.astype(np.uint8))


def rejection_map(low: NDArray, high: NDArray, max_px: int = 2048) -> bytes:
    """Draw how many samples were rejected: below in blue, above in orange, on black; the more the brighter.

    Parameters
    ----------
    low, high : ndarray, shape (ny, nx), uint8
        Samples rejected below and above.
    max_px : int
        Longest side of the picture.
    """
    counts = [shrink_marks(plane.astype(np.int16), max_px)[::-1] for plane in (low, high)]
    most = max(*(float(plane.max()) for plane in counts), 1.0)
    # One rejected sample is to be seen at once, many of them are to be told from one.
    shares = [np.where(plane > 0, 0.45 + 0.55 * plane / most, 0)[..., np.newaxis] for plane in counts]
    drawn = sum(share * np.array(colour) * 1.2 for share, colour in zip(shares, (SKY, ORANGE), strict=True))
    return png(np.clip(drawn, 0, 255).astype(np.uint8))


def flat_overlay(
    flat: NDArray,
    tiles: Sequence[Sequence[str]],
    tile_px: int,
    dust: Iterable[Mapping[str, float]],
    max_px: int = 2048,
) -> bytes:
    """Tint the tiles of a flat green, amber and red, and circle the dust.

    Parameters
    ----------
    flat : ndarray, shape (ny, nx)
        Normalised flat.
    tiles : sequence of sequence of str
        good, fair or poor, in rows from the first row of the array.
    tile_px : int
        Side of a tile; the last ones take what is left over.
    dust : iterable of mapping
        x_px, y_px, r_px of every shadow.
    max_px : int
        Longest side of the picture.
    """
    shown = grey(flat, None, max_px)
    square = factor(flat.shape, max_px)
    base = np.repeat(shown[..., np.newaxis], 3, axis=-1).astype(np.float64)
    if tiles:
        colours = np.array([[VERDICTS[verdict] for verdict in row] for row in tiles], np.float64)
        rows, columns = (
            np.minimum(np.arange(length) * square // tile_px, n - 1)
            for length, n in zip(shown.shape, colours.shape[:2], strict=True)
        )
        base = (1 - _TINT) * base + _TINT * colours[rows[:, np.newaxis], columns][::-1]
    picture = Image.fromarray(base.astype(np.uint8))
    draw = ImageDraw.Draw(picture)
    wide = max(max(shown.shape) // 400, 1)
    for patch in dust:
        x = (patch["x_px"] + 0.5) / square
        y = shown.shape[0] - (patch["y_px"] + 0.5) / square
        r = max(1.4 * patch["r_px"] / square, 4)
        draw.ellipse((x - r, y - r, x + r, y + r), outline=YELLOW, width=wide)
    return png(np.asarray(picture))


def _grown(marked: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Make marks two pixels wide in a picture that a page shows at half its size."""
    if max(marked.shape) < _GREW_BELOW_PX:
        return marked
    wide = marked.copy()
    wide[1:] |= marked[:-1]
    wide[:, 1:] |= wide[:, :-1]
    return wide
