"""What a source looks like along its path: every image of it side by side, and their sum."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

SHOWN = 16
"""Images at most; of more, these many evenly chosen."""
ZOOM = 3
_GAP = 4
_ROWS = 2
_BELOW, _ABOVE = 2.5, 7.0
"""Black and white, in sigma from the sky."""


def strip(cutouts: NDArray[np.floating]) -> bytes:
    """Draw the sum of all cut-outs, large, and the single ones beside it in order of time.

    Parameters
    ----------
    cutouts : ndarray, (T, S, S), float
        Squares about the path; NaN where nothing is measured. The first row of each is at the bottom.

    Returns
    -------
    bytes
        A PNG, transparent between the squares; its comment says where only some of the images are shown.
    """
    chosen = np.unique(np.linspace(0, len(cutouts) - 1, min(len(cutouts), SHOWN)).round().astype(int))
    total = np.full(cutouts.shape[1:], np.nan)
    seen = np.isfinite(cutouts)
    np.divide(np.nansum(cutouts, axis=0), np.sqrt(seen.sum(axis=0)), out=total, where=seen.any(axis=0))
    frames = _grey(cutouts[chosen])
    large = np.kron(_grey(total[None])[0], np.ones((_ROWS * ZOOM, _ROWS * ZOOM), np.uint8))
    side = ZOOM * cutouts.shape[1]
    height = _ROWS * side + (_ROWS - 1) * _GAP
    columns = -(-len(chosen) // _ROWS)
    canvas = np.zeros((height, height + columns * (side + _GAP), 2), np.uint8)
    canvas[: len(large), : len(large)] = _opaque(large)
    for place, frame in enumerate(frames):
        row, column = divmod(place, columns)
        y, x = row * (side + _GAP), height + _GAP + column * (side + _GAP)
        canvas[y : y + side, x : x + side] = _opaque(np.kron(frame, np.ones((ZOOM, ZOOM), np.uint8)))
    note = "" if len(chosen) == len(cutouts) else f"{len(chosen)} of {len(cutouts)} images"
    return _png(canvas, note)


def _grey(squares: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Scale squares alike, by the noise of all of them; what is not measured is darker than any sky."""
    known = squares[np.isfinite(squares)]
    if not known.size:
        return np.zeros(squares.shape, np.uint8)[:, ::-1]
    sky = np.median(known)
    noise = 1.4826 * np.median(np.abs(known - sky)) or 1.0
    share = np.clip(((squares - sky) / noise + _BELOW) / (_BELOW + _ABOVE), 0, 1)
    return np.where(np.isfinite(squares), 30 + 225 * np.nan_to_num(share), 0).astype(np.uint8)[:, ::-1]


def _opaque(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.stack([grey, np.full_like(grey, 255)], axis=-1)


def _png(values: NDArray[np.uint8], note: str) -> bytes:
    told = PngImagePlugin.PngInfo()
    if note:
        told.add_text("Comment", note)
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, format="PNG", optimize=True, pnginfo=told)
    return buffer.getvalue()
