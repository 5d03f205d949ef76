"""Pictures of a mosaic: the image itself, before and after levelling, and what covers it how well.

The first row of the array is at the bottom, as FITS viewers show it; pixels without a value are transparent. Large
canvases are averaged over whole squares of pixels. The same pixels give the same bytes.
"""

import io
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from lostlight.report import style
from lostlight.report.figures.preview import Limits, averaged, combined_marks, factor, scale, shrink, stretched

PRODUCT_PX = 8192
"""Longest side of the PNG and of the JPEG beside the mosaic."""
PAGE_PX = 4096
"""Longest side of the picture on the page."""
MAP_PX = 1200
"""Longest side of the smaller pictures on the page."""
JPEG_QUALITY = 92
_BAND = 256
"""Rows of a picture that are drawn at once."""


def png(sci: NDArray[np.float32], max_px: int = PRODUCT_PX) -> bytes:
    """Draw a mosaic in grey or in colour.

    Parameters
    ----------
    sci : ndarray, shape (C, H, W), float32
        Pixels, any unit; NaN becomes transparent. Each channel has limits of its own, those of ZScale.
    max_px : int
        Longest side of the picture; a larger mosaic is averaged, and the picture says so in its ``Comment``.

    Returns
    -------
    bytes
        A PNG with an alpha channel.
    """
    return _png(_drawn(sci, [scale(plane) for plane in sci], max_px), _note(sci.shape, max_px))


def jpg(sci: NDArray[np.float32], max_px: int = PRODUCT_PX) -> bytes:
    """Draw a mosaic as `png` does, as a JPEG: pixels without a value are black.

    Parameters
    ----------
    sci, max_px
        As in `png`.
    """
    drawn = _drawn(sci, [scale(plane) for plane in sci], max_px)
    colours = np.where(drawn[..., -1:] > 0, drawn[..., :-1], 0)
    buffer = io.BytesIO()
    image = Image.fromarray(colours[..., 0] if len(sci) == 1 else colours)
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY, comment=_note(sci.shape, max_px).encode())
    return buffer.getvalue()


def before_after(before: NDArray[np.float32], after: NDArray[np.float32], max_px: int = MAP_PX) -> tuple[bytes, bytes]:
    """Draw a mosaic without and with levelling, with the same stretch, wide enough for the steps of the first.

    Parameters
    ----------
    before, after : ndarray, shape (C, H, W), float32
        The frames put together as they came, and levelled; same unit, NaN where nothing is.
    max_px : int
        Longest side of the pictures.

    Returns
    -------
    tuple of bytes
        Two PNG files, cut to where anything is.
    """
    before, after = _filled(before, after)
    shifts = [_median(old) - _median(new) for old, new in zip(before, after, strict=True)]
    limits = [_both(scale(old - shift), scale(new)) for old, new, shift in zip(before, after, shifts, strict=True)]
    moved = [(low + shift, high + shift) for (low, high), shift in zip(limits, shifts, strict=True)]
    return _png(_drawn(before, moved, max_px)), _png(_drawn(after, limits, max_px))


def coverage(cov: NDArray[np.uint16], max_px: int = MAP_PX) -> bytes:
    """Draw how many frames each pixel has, from dark (one) to bright (most), transparent where none is.

    Parameters
    ----------
    cov : ndarray, shape (H, W), uint16
        Frames that contribute.
    max_px : int
        Longest side of the picture; of a square of pixels the highest value is shown.
    """
    square = factor(cov.shape, max_px)
    # A union of bits is no count: the counts are widened to a kind that takes the highest.
    bands = [combined_marks(cov[rows].astype(np.int32), square) for rows in _bands(cov.shape, square)]
    counts = np.concatenate(bands)
    return _coloured(np.where(counts > 0, counts, np.nan), 1.0, float(counts.max(initial=1)))


def weight(wht: NDArray[np.float32], max_px: int = MAP_PX) -> bytes:
    """Draw the inverse variance of each pixel, from none (dark) to the highest, transparent where there is none.

    Parameters
    ----------
    wht : ndarray, shape (C, H, W) or (H, W), float32
        Inverse variance; of several channels the mean is shown.
    max_px : int
        Longest side of the picture.
    """
    planes, square = np.atleast_3d(wht.T).T, factor(wht.shape, max_px)
    means = (planes[:, rows].mean(axis=0) for rows in _bands(wht.shape, square))
    shown = np.concatenate([averaged(np.where(mean > 0, mean, np.nan), square) for mean in means])
    return _coloured(shown, 0.0, float(np.nanmax(shown)) if np.isfinite(shown).any() else 1.0)


def page_sized(picture: bytes) -> bytes:
    """Make a picture smaller where it is larger than a page can show."""
    image = Image.open(io.BytesIO(picture))
    square = factor(image.size, PAGE_PX)
    return picture if square == 1 else _png(np.asarray(image.reduce(square)))


def palette() -> str:
    """Give the colours of the maps as a gradient of CSS, low to high."""
    stops = (style.PALETTE(share)[:3] for share in np.linspace(0, 1, 9))
    return ", ".join(f"rgb({', '.join(f'{255 * value:.0f}' for value in stop)})" for stop in stops)


def _drawn(sci: NDArray, limits: list[Limits], max_px: int) -> NDArray[np.uint8]:
    """Turn channels into grey or colours with alpha, shape (ny, nx, 2 or 4), the top row first."""
    square = factor(sci.shape, max_px)
    bands = []
    for rows in _bands(sci.shape, square):
        planes = [averaged(plane[rows], square) for plane in sci]
        known = np.logical_and.reduce([np.isfinite(plane) for plane in planes])
        drawn = [stretched(plane, limit) for plane, limit in zip(planes, limits, strict=True)]
        # What cannot be seen is black, so that it takes no room in the file.
        layers = [*(np.where(known, layer, 0) for layer in drawn), np.where(known, np.uint8(255), np.uint8(0))]
        bands.append(np.stack(layers, axis=-1)[::-1])
    return np.concatenate(bands[::-1])


def _bands(shape: tuple[int, ...], square: int) -> Iterator[slice]:
    """Cut the rows of a mosaic into bands, so that it is never whole in memory."""
    for y0 in range(0, shape[-2], _BAND * square):
        yield slice(y0, y0 + _BAND * square)


def _coloured(values: NDArray, low: float, high: float) -> bytes:
    share = (values - low) / (high - low) if high > low else np.where(np.isfinite(values), 1.0, np.nan)
    colours = style.PALETTE(np.nan_to_num(share), bytes=True)
    colours[~np.isfinite(values)] = 0
    return _png(colours[::-1])


def _filled(*maps: NDArray) -> list[NDArray]:
    """Cut maps alike to the rows and columns that have a value in any of them."""
    known = np.logical_or.reduce([np.isfinite(each).any(axis=0) for each in maps])
    if not known.any():
        return list(maps)
    (y0, y1), (x0, x1) = ((n[0], n[-1] + 1) for n in (np.flatnonzero(known.any(axis=axis)) for axis in (1, 0)))
    return [each[:, y0:y1, x0:x1] for each in maps]


def _both(first: Limits, second: Limits) -> Limits:
    return min(first[0], second[0]), max(first[1], second[1])


def _median(plane: NDArray) -> float:
    part = shrink(plane, 512)
    finite = part[np.isfinite(part)]
    return float(np.median(finite)) if finite.size else 0.0


def _note(shape: tuple[int, ...], max_px: int) -> str:
    square = factor(shape, max_px)
    return "" if square == 1 else f"each pixel is the mean of {square} x {square} pixels of the mosaic"


def _png(values: NDArray[np.uint8], note: str = "") -> bytes:
    told = PngImagePlugin.PngInfo()
    if note:
        told.add_text("Comment", note)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(values)).save(buffer, format="PNG", compress_level=1, pnginfo=told)
    return buffer.getvalue()
